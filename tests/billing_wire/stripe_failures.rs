//! What goes wrong between us and Stripe, and how it is told.

use std::time::Duration;

use moorage::billing::stripe::API_VERSION;
use moorage::billing::{Billing, Error, ErrorClass, OpenCheckout, PaymentProvider};
use serde_json::{Value, json};

use crate::stripe_bench::{Bench, CANARY, checkout, client, known};

/// How opening a checkout fails under a rule.
async fn fails(action: Value) -> (Bench, Error) {
    let bench = Bench::start().await;
    bench.fault(json!({"match": {"method": "POST", "ordinal": 1}, "action": action}));
    let error = bench.stripe.open_checkout(&checkout(Billing::Once)).await.unwrap_err();
    (bench, error)
}

#[tokio::test]
async fn each_failure_of_a_write_has_its_class() {
    let status = |status: u16| json!({"kind": "status", "status": status});
    for (action, class) in [
        (json!({"kind": "drop_reply"}), ErrorClass::Unknown),
        (json!({"kind": "refuse"}), ErrorClass::Unknown),
        (json!({"kind": "truncate"}), ErrorClass::Unknown),
        (json!({"kind": "malformed"}), ErrorClass::Unknown),
        (json!({"kind": "latency", "ms": 5000, "when": "after"}), ErrorClass::Unknown),
        (status(500), ErrorClass::Unknown),
        (status(503), ErrorClass::Unknown),
        (status(409), ErrorClass::Busy),
        (status(403), ErrorClass::Credentials),
        (status(402), ErrorClass::Declined),
        (status(400), ErrorClass::Refused),
        (status(302), ErrorClass::Refused),
    ] {
        let (_, error) = fails(action.clone()).await;
        assert_eq!(error.class(), class, "{action}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}

#[tokio::test]
async fn a_read_that_fails_changed_nothing() {
    for action in
        [json!({"kind": "drop_reply"}), json!({"kind": "status", "status": 500}), json!({"kind": "truncate"})]
    {
        let bench = Bench::start().await;
        let new = checkout(Billing::Once);
        let opened = bench.open(&new).await;
        bench.fault(json!({"match": {"method": "GET"}, "action": action}));
        let error = bench.stripe.read(&known(&new, &opened)).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Unavailable, "{action}");
        assert!(error.class().is_transient());
    }
}

#[tokio::test]
async fn being_throttled_says_for_how_long() {
    let action = json!({"kind": "status", "status": 429, "headers": {"retry-after": "7"}, "body": {"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many"}}});
    let (_, error) = fails(action).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!((error.status(), error.code()), (Some(429), Some("rate_limit")));
}

#[tokio::test]
async fn an_error_that_stripe_keeps_is_told_from_a_new_one() {
    let broken = json!({"kind": "status", "status": 500, "when": "after", "body": {"error": {"type": "api_error", "message": "Oops"}}});
    let (bench, error) = fails(broken).await;
    assert!(!error.is_replayed());
    assert!(error.request_id().is_some_and(|id| id.starts_with("req_")), "{error:?}");
    let again = bench.stripe.open_checkout(&checkout(Billing::Once)).await.unwrap_err();
    assert_eq!(again.class(), ErrorClass::Unknown);
    assert!(again.is_replayed());
    assert_eq!(again.to_string(), error.to_string(), "stable for the same cause");
}

#[tokio::test]
async fn a_key_that_is_in_use_or_was_used_for_another_call_is_told() {
    let bench = Bench::start().await;
    let new = checkout(Billing::Once);
    let rule = bench.fault(json!({"match": {"method": "POST", "ordinal": 1}, "action": {"kind": "hold"}}));
    assert_eq!(bench.stripe.open_checkout(&new).await.unwrap_err().class(), ErrorClass::Unknown);
    assert_eq!(bench.stripe.open_checkout(&new).await.unwrap_err().class(), ErrorClass::Busy);
    assert_eq!(bench.server.sim.enter().release(rule), Some(1));
    bench.open(&new).await;
    let mut dearer = new.clone();
    dearer.price.minor += 1;
    assert_eq!(bench.stripe.open_checkout(&dearer).await.unwrap_err().class(), ErrorClass::KeyReused);
    assert_eq!(bench.effects("session.create").len(), 1);
    // After a day a key means nothing any more, which is why callers don't repeat calls after that.
    bench.days(1);
    let mut late = new.clone();
    late.expires_at += jiff::SignedDuration::from_hours(24);
    bench.open(&late).await;
    assert_eq!(bench.effects("session.create").len(), 2);
}

#[tokio::test]
async fn a_wrong_key_is_told_without_showing_any() {
    let bench = Bench::start().await;
    let stranger = client(bench.server.url(), "sk_test_othercanary");
    let error = stranger.open_checkout(&checkout(Billing::Once)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Credentials);
    let shown = format!("{error} {error:?} {stranger:?} {:?}", bench.stripe);
    assert!(!shown.contains("canary"), "{shown}");
}

#[tokio::test]
async fn nobody_there_means_nothing_was_sent() {
    let nobody = client("http://127.0.0.1:9", CANARY);
    let error = nobody.open_checkout(&checkout(Billing::Once)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unreachable);
    assert!(!error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn ids_that_lead_elsewhere_are_never_sent() {
    let bench = Bench::start().await;
    for id in ["", "../events", "a/b", "a?b", "a%2Fb", "a b", "é"] {
        let elsewhere = OpenCheckout { id: id.to_owned(), url: None, expires_at: None, subscription: None };
        let error = bench.stripe.close_checkout(&elsewhere).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Refused, "{id}");
    }
    assert_eq!(bench.calls().len(), 0);
    let mut new = checkout(Billing::Once);
    for key in [String::new(), "x".repeat(256), "a\nb".to_owned()] {
        new.idempotency_key = key;
        assert_eq!(bench.stripe.open_checkout(&new).await.unwrap_err().class(), ErrorClass::Refused);
    }
    assert_eq!(bench.calls().len(), 0);
}

#[tokio::test]
async fn every_call_names_the_version_and_each_write_its_key() {
    let bench = Bench::start().await;
    let new = checkout(Billing::Once);
    let opened = bench.open(&new).await;
    bench.truth(&new, &opened).await;
    for entry in bench.calls() {
        assert_eq!(entry.detail["version"], API_VERSION);
        let is_write = entry.call.unwrap().method == "POST";
        assert_eq!(entry.detail["idempotencyKey"].is_string(), is_write);
    }
}
