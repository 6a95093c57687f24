//! Renewals: when the authority suggests, and as it counts them.

use std::time::Duration;

use jiff::Timestamp;
use moorage::domains::certificate::renewal_time;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;

use crate::scene::{account, authority, believing, finish, issue, names};
use moorage::domains::acme::Method;

const HOST: [&str; 1] = ["a.example.dev"];

#[tokio::test]
async fn a_certificate_is_renewed_when_the_authority_suggests_it() {
    let pebble = believing(0, json!({})).await;
    let authority = authority(&pebble, json!({}));
    let account = account(&authority).await;
    let first = issue(&account, &HOST, None).await.unwrap().certificate;
    let usual = authority.suggestion(&first).await.unwrap().expect("Pebble suggests when to renew");
    assert_eq!(usual.ask_again, Duration::from_hours(6));
    assert!(first.not_before < usual.window.start && usual.window.end < first.not_after);
    let mut chance = StdRng::seed_from_u64(1);
    let now = Timestamp::now();
    let drawn = usual.window.moment(None, &mut chance);
    assert!(renewal_time(first.not_before, first.not_after, Some(drawn)) > now);

    let past = json!({"suggestedWindow": {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}});
    pebble.suggest_renewal(&first.chain, &past).await.unwrap();
    let moved = authority.suggestion(&first).await.unwrap().unwrap();
    let drawn = moved.window.moment(Some(drawn), &mut chance);
    assert!(renewal_time(first.not_before, first.not_after, Some(drawn)) < now, "it is due");
    let mut order = account.order(&names(&HOST), Some(&first)).await.unwrap();
    assert!(order.is_renewal());
    order.answer(Method::Dns).await.unwrap();
    let renewed = finish(order, &HOST).await.unwrap().certificate;
    assert_ne!(renewed.serial, first.serial);
    let fresh = authority.suggestion(&renewed).await.unwrap().unwrap();
    assert!(fresh.window.start > now);
}

#[tokio::test]
async fn nonsense_for_a_suggestion_is_no_suggestion() {
    let pebble = believing(0, json!({})).await;
    let authority = authority(&pebble, json!({}));
    let first = issue(&account(&authority).await, &HOST, None).await.unwrap().certificate;
    for nonsense in [
        json!("soon"),
        json!({"suggestedWindow": {"start": "2020-01-02T00:00:00Z", "end": "2020-01-01T00:00:00Z"}}),
        json!({"suggestedWindow": {"start": "yesterday", "end": "today"}}),
    ] {
        pebble.suggest_renewal(&first.chain, &nonsense).await.unwrap();
        assert!(authority.suggestion(&first).await.is_err(), "{nonsense}");
    }
}

#[tokio::test]
async fn a_certificate_is_replaced_once_and_after_that_ordered_anew() {
    let pebble = believing(0, json!({})).await;
    let authority = authority(&pebble, json!({}));
    let account = account(&authority).await;
    let first = issue(&account, &HOST, None).await.unwrap().certificate;
    issue(&account, &HOST, Some(&first)).await.unwrap();
    let mut again = account.order(&names(&HOST), Some(&first)).await.unwrap();
    assert!(!again.is_renewal(), "the authority says that it was replaced already");
    again.answer(Method::Dns).await.unwrap();
    finish(again, &HOST).await.unwrap();

    // Another account's certificate, or another authority's, is no reason to have none.
    let other = crate::scene::account(&authority).await;
    let third = issue(&account, &HOST, None).await.unwrap().certificate;
    assert!(!other.order(&names(&HOST), Some(&third)).await.unwrap().is_renewal());
    let elsewhere = believing(0, json!({})).await;
    let elsewhere = crate::scene::account(&crate::scene::authority(&elsewhere, json!({}))).await;
    assert!(!elsewhere.order(&names(&HOST), Some(&third)).await.unwrap().is_renewal());
}

#[tokio::test]
async fn a_tiny_life_is_renewed_again_and_again() {
    let profiles = json!({"tiny": {"description": "two minutes", "validityPeriod": 120}});
    let pebble = believing(0, json!({"profiles": profiles})).await;
    let account = account(&authority(&pebble, json!({"profile": "tiny"}))).await;
    let mut standing = issue(&account, &HOST, None).await.unwrap().certificate;
    for _ in 0..4 {
        let left = standing.renewal().duration_until(standing.not_after).as_secs();
        assert_eq!(left, 60, "half of its life");
        let mut order = account.order(&names(&HOST), Some(&standing)).await.unwrap();
        assert!(order.is_renewal());
        order.answer(Method::Dns).await.unwrap();
        let renewed = finish(order, &HOST).await.unwrap().certificate;
        assert_ne!(renewed.serial, standing.serial);
        standing = renewed;
    }
}
