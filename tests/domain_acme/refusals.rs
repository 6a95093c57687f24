//! What an authority refuses.

use moorage::domains::DomainClass;
use moorage::domains::acme::{Cause, Method};
use serde_json::json;

use crate::scene::{account, authority, believing, issue, names};

#[tokio::test]
async fn a_name_that_is_blocked_is_refused_by_its_name() {
    let pebble = believing(0, json!({"domainBlocklist": ["blocked.example.dev"]})).await;
    let account = account(&authority(&pebble, json!({}))).await;
    let blocked = names(&["fine.example.dev", "blocked.example.dev"]);
    let refused = account.order(&blocked, None).await.map(drop).unwrap_err();
    assert_eq!((refused.cause, refused.error.class), (Cause::IdentifierRejected, DomainClass::Human));
    assert!(refused.to_string().contains("blocked.example.dev"), "{refused}");
    assert!(!refused.to_string().contains("://"), "{refused}");
    issue(&account, &["fine.example.dev"], None).await.unwrap();
}

#[tokio::test]
async fn orders_are_by_the_profile_that_is_configured() {
    let profiles = json!({"default": {"description": "90 days", "validityPeriod": 7_776_000},
        "shortlived": {"description": "6 days", "validityPeriod": 518_400}});
    let pebble = believing(0, json!({"profiles": profiles})).await;
    let short = authority(&pebble, json!({"profile": "shortlived"}));
    let profiles = short.metadata().await.unwrap().profiles;
    assert_eq!(profiles["shortlived"], "6 days");
    let issued = issue(&account(&short).await, &["a.example.dev"], None).await.unwrap();
    let certificate = issued.certificate;
    let life = certificate.not_before.duration_until(certificate.not_after);
    assert_eq!(life.as_secs(), 518_399);
    let half = certificate.not_before.duration_until(certificate.renewal());
    assert_eq!(half.as_secs(), 518_399 / 2, "a short life is renewed at its half");

    let unknown = authority(&pebble, json!({"profile": "eternal"}));
    let refused =
        account(&unknown).await.order(&names(&["a.example.dev"]), None).await.map(drop).unwrap_err();
    assert_eq!((refused.cause, refused.error.class), (Cause::ProfileInvalid, DomainClass::Human));
    assert!(refused.to_string().contains("eternal"), "{refused}");
}

#[tokio::test]
async fn a_request_that_is_none_is_refused() {
    let pebble = believing(0, json!({})).await;
    let account = account(&authority(&pebble, json!({}))).await;
    let mut order = account.order(&names(&["a.example.dev"]), None).await.unwrap();
    order.answer(Method::Dns).await.unwrap();
    while *order.poll().await.unwrap() == moorage::domains::acme::Stage::Pending {}
    let refused = order.finalize(b"nonsense").await.map(drop).unwrap_err();
    assert_eq!((refused.cause, refused.error.class), (Cause::Refused, DomainClass::Human));
    let early = account.order(&names(&["b.example.dev"]), None).await.unwrap().download().await.unwrap_err();
    assert_eq!(early.cause, Cause::Unavailable, "{early}");
}
