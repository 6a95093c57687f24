//! Stripe's events.
#![allow(clippy::disallowed_methods, reason = "signatures bear the time of day, which the endpoint compares")]

use futures::future::join_all;
use jiff::Timestamp;
use ring::hmac;

use super::api_server::{CLAIMS, RECEIPTS};
use super::*;
use crate::engine::watch::Change;

fn event(id: &str, object: &Value) -> Value {
    json!({"id": id, "object": "event", "type": "invoice.paid", "livemode": false, "data": {"object": object}})
}

fn about(id: &str, order: &str) -> Value {
    event(id, &json!({"id": "cs_1", "client_reference_id": order}))
}

fn signed(secret: &str, event: &Value) -> Request<Body> {
    let (body, at) = (event.to_string(), Timestamp::now().as_second());
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    let hex = tag.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let mut request = post(STRIPE_PATH, "application/json; charset=utf-8", body);
    request.headers_mut().insert("stripe-signature", format!("t={at},v1={hex}").parse().unwrap());
    request
}

fn noticed(bench: &Bench, order: &str) -> Option<Timestamp> {
    let claim = bench.api.get(CLAIMS, &format!("order.{order}"));
    claim["spec"]["order"]["noticeTime"].as_str().map(|time| time.parse().unwrap())
}

#[tokio::test]
async fn an_event_has_its_order_read_again() {
    let bench = Bench::new().await;
    bench.api.put(CLAIMS, claim("uid-1", &json!({"provider": "Stripe"})));
    let before = Timestamp::now();
    let (status, said) = bench.send(signed(SECRET, &about("evt_1", "uid-1"))).await;
    assert_eq!((status, said.as_str()), (StatusCode::OK, ""));
    assert!(noticed(&bench, "uid-1").unwrap() >= before);
    let calls = bench.api.calls();
    assert_eq!(bench.send(signed(SECRET, &about("evt_1", "uid-1"))).await.0, StatusCode::OK);
    assert_eq!((bench.api.calls(), bench.count("stripe", "duplicate")), (calls, 1), "it is known");
}

#[tokio::test]
async fn a_refund_is_traced_to_its_order_by_the_receipt_of_its_payment() {
    let bench = Bench::new().await;
    bench.api.put(CLAIMS, claim("uid-1", &json!({"provider": "Stripe"})));
    let spec = json!({"type": "Payment", "provider": "Stripe", "providerID": "pi_1", "orderUID": "uid-1",
        "amount": 2900, "currency": "USD"});
    let name = crate::api::PaymentReceipt::key(
        crate::api::payment_receipt::Provider::Stripe,
        "pi_1",
        crate::api::payment_receipt::ReceiptEvent::Paid,
    );
    bench.api.put(RECEIPTS, json!({"metadata": {"name": name}, "spec": spec}));
    let mut refund = event("evt_1", &json!({"id": "re_1", "payment_intent": "pi_1"}));
    refund["type"] = json!("refund.updated");
    assert_eq!(bench.send(signed(SECRET, &refund)).await.0, StatusCode::OK);
    assert!(noticed(&bench, "uid-1").is_some());
    let mut dispute = event("evt_2", &json!({"id": "dp_2", "payment_intent": "pi_2"}));
    dispute["type"] = json!("charge.dispute.created");
    assert_eq!(bench.send(signed(SECRET, &dispute)).await.0, StatusCode::OK);
    let calls = bench.api.calls();
    let other = event("evt_3", &json!({"id": "in_3", "payment_intent": "pi_1"}));
    assert_eq!(bench.send(signed(SECRET, &other)).await.0, StatusCode::OK);
    assert_eq!(bench.api.calls(), calls, "other business of the account costs nothing");
    assert_eq!((bench.count("stripe", "taken"), bench.count("stripe", "unmatched")), (1, 2));
}

#[tokio::test]
async fn an_event_without_our_mark_is_traced_by_what_the_claim_records() {
    let bench = Bench::new().await;
    let standing =
        claim("uid-1", &json!({"provider": "Stripe", "subscriptionID": "sub_1", "customerID": "cus_1"}));
    bench.api.put(CLAIMS, standing.clone());
    bench.index.changed(&Change::Applied(&serde_json::from_value(standing).unwrap()));
    let details = |subscription: &str| json!({"id": "in_1", "parent": {"subscription_details": {"subscription": subscription, "metadata": {}}}});
    let other = signed(SECRET, &event("evt_1", &details("sub_9")));
    assert_eq!(bench.send(other).await.0, StatusCode::OK);
    assert_eq!(noticed(&bench, "uid-1"), None, "it is another business of the account");
    let mut failed = event("evt_2", &details("sub_1"));
    failed["type"] = json!("invoice.payment_failed");
    assert_eq!(bench.send(signed(SECRET, &failed)).await.0, StatusCode::OK);
    assert!(noticed(&bench, "uid-1").is_some());
    let card = event("evt_3", &json!({"id": "pm_1", "customer": "cus_1"}));
    assert_eq!(bench.send(signed(SECRET, &card)).await.0, StatusCode::OK);
    assert_eq!((bench.count("stripe", "taken"), bench.count("stripe", "unmatched")), (2, 1));
}

#[tokio::test]
async fn what_stripe_did_not_sign_changes_nothing_and_is_told_nothing() {
    let bench = Bench::new().await;
    bench.api.put(CLAIMS, claim("uid-1", &json!({"provider": "Stripe"})));
    let genuine = about("evt_1", "uid-1");
    let unsigned = post(STRIPE_PATH, "application/json", genuine.to_string());
    let mut twice = signed(SECRET, &genuine);
    twice.headers_mut().append("stripe-signature", "t=1,v1=00".parse().unwrap());
    let mut live = genuine.clone();
    live["livemode"] = json!(true);
    for forged in [unsigned, twice, signed("whsec_other", &genuine), signed(SECRET, &live)] {
        assert_eq!(bench.send(forged).await, (StatusCode::BAD_REQUEST, String::new()));
    }
    assert_eq!((noticed(&bench, "uid-1"), bench.api.calls()), (None, 0));
    assert_eq!(bench.count("stripe", "rejected"), 4);
}

#[tokio::test]
async fn an_event_that_could_not_be_written_comes_again() {
    let bench = Bench::new().await;
    bench.api.put(CLAIMS, claim("uid-1", &json!({"provider": "Stripe"})));
    bench.api.down(true);
    let sent = || signed(SECRET, &about("evt_1", "uid-1"));
    assert_eq!(bench.send(sent()).await.0, StatusCode::SERVICE_UNAVAILABLE);
    bench.api.down(false);
    assert_eq!(bench.send(sent()).await.0, StatusCode::OK);
    assert!(noticed(&bench, "uid-1").is_some());
}

#[tokio::test]
async fn many_events_of_one_order_are_few_writes_and_the_last_one_counts() {
    let bench = Bench::new().await;
    bench.api.put(CLAIMS, claim("uid-1", &json!({"provider": "Stripe"})));
    for number in 0..40 {
        let told = bench.send(signed(SECRET, &about(&format!("evt_{number}"), "uid-1"))).await;
        assert_eq!(told.0, StatusCode::OK);
    }
    let last = Timestamp::now();
    assert_eq!(bench.api.patches(), 1);
    let deadline = Instant::now() + Duration::from_secs(10);
    while noticed(&bench, "uid-1").unwrap() < last {
        assert!(Instant::now() < deadline, "what came within the window is written at its end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(bench.api.patches(), 2);
}

#[tokio::test]
async fn many_orders_that_are_told_of_again_take_turns() {
    const ORDERS: usize = 400;
    let bench = Bench::new().await;
    let orders: Vec<String> = (0..ORDERS).map(|number| format!("uid-{number}")).collect();
    for order in &orders {
        bench.api.put(CLAIMS, claim(order, &json!({"provider": "Stripe"})));
    }
    let notes = Notes::new(Arc::new(Book::new(&bench.api.client())), Arc::new(SystemClock));
    join_all(orders.iter().map(|order| notes.ask(order))).await;
    assert_eq!(bench.api.patches(), ORDERS, "the first of each is written at once");
    // Later than few orders are remembered.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let began = Instant::now();
    join_all(orders.iter().map(|order| notes.ask(order))).await;
    while bench.api.patches() < 2 * ORDERS {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Fifty go in a second.
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(6), "{took:?}");
    notes.finish(Duration::from_secs(5)).await;
    assert_eq!(bench.api.patches(), 2 * ORDERS);
}

#[tokio::test]
async fn an_order_that_is_not_ours_or_no_order_at_all_is_no_trouble() {
    let bench = Bench::new().await;
    for order in ["uid-9", "../nameclaims/label.acme", "UID", ""] {
        let told = bench.send(signed(SECRET, &about(&format!("evt_{order}"), order))).await;
        assert_eq!(told.0, StatusCode::OK, "{order}");
    }
    assert_eq!(bench.count("stripe", "unmatched"), 4);
}

#[tokio::test]
async fn what_was_answered_is_written_at_the_end() {
    let bench = Bench::new().await;
    bench.api.put(CLAIMS, claim("uid-1", &json!({"provider": "Stripe"})));
    let book = Arc::new(Book::new(&bench.api.client()));
    let notes = Notes::new(book, Arc::new(SystemClock));
    for _ in 0..2 {
        notes.ask("uid-1").await.unwrap();
    }
    assert_eq!(bench.api.patches(), 1);
    notes.finish(Duration::from_secs(5)).await;
    assert_eq!(bench.api.patches(), 2);
}
