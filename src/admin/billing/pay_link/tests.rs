use serde_json::{Value, json};

use super::*;

fn order(provider: &str, phase: &str, attempts: &Value) -> OrderRecord {
    let plan =
        json!({"name": "openclaw-basic", "cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 10});
    serde_json::from_value(json!({
        "uid": "0b7e", "provider": provider, "mode": "Subscription", "phase": phase, "attempts": attempts,
        "price": {"plan": plan, "amount": 2900, "currency": "USD", "interval": "Month"}}))
    .unwrap()
}

fn attempt(number: u32, state: &str, more: &Value) -> Value {
    let mut attempt = json!({"number": number, "nonce": "n", "idempotencyKey": "k", "state": state,
        "createTime": "2026-11-21T11:00:00Z", "amount": 2900, "currency": "USD"});
    for (key, value) in more.as_object().unwrap() {
        attempt[key] = value.clone();
    }
    attempt
}

fn claim(more: &Value) -> NameClaimSpec {
    let holder = json!({"namespace": "acme", "name": "first", "uid": "0b7e"});
    let mut claim = json!({"type": "Order", "name": "0b7e", "holder": holder});
    json_patch::merge(&mut claim, more);
    serde_json::from_value(claim).unwrap()
}

fn found(order: &OrderRecord) -> Result<String, String> {
    link("2026-11-21T12:00:00Z".parse().unwrap(), &claim(&json!({})), order).map(ToOwned::to_owned)
}

#[test]
fn the_newest_open_checkout_is_the_one_to_pay() {
    let attempts = json!([
        attempt(1, "Closed", &json!({"url": "https://old.example"})),
        attempt(2, "Open", &json!({"url": "https://new.example", "expireTime": "2026-11-21T13:00:00Z"})),
    ]);
    assert_eq!(found(&order("Stripe", "Unpaid", &attempts)), Ok("https://new.example".into()));
}

#[test]
fn a_dearer_plan_is_paid_while_the_order_is() {
    let page = json!({"url": "https://dear.example", "amount": 5900});
    let attempts = json!([attempt(1, "Closed", &json!({})), attempt(2, "Open", &page)]);
    let mut paid = order("PayApp", "Paid", &attempts);
    assert!(found(&paid).unwrap_err().contains("nothing to pay now"));
    let mut change = json!({"idempotencyKey": "k", "price": paid.price});
    change["price"]["amount"] = 5900.into();
    paid.change = serde_json::from_value(change).unwrap();
    assert_eq!(found(&paid), Ok("https://dear.example".into()));
}

#[test]
fn where_there_is_none_it_says_why_and_what_to_do() {
    let one = |state: &str, more: &Value| json!([attempt(1, state, more)]);
    let over = json!({"url": "https://x.example", "expireTime": "2026-11-21T11:30:00Z"});
    for (provider, phase, attempts, told) in [
        ("Stripe", "Paid", json!([]), "nothing to pay now"),
        ("Manual", "Unpaid", json!([]), "moorage billing resolve"),
        ("Stripe", "Unpaid", json!([]), "No checkout was opened yet"),
        ("PayApp", "Ended", one("Open", &json!({"url": "https://x.example"})), "order is over"),
        ("PayApp", "Refunded", one("Open", &json!({"url": "https://x.example"})), "went back"),
        ("Stripe", "Unpaid", one("Opening", &json!({})), "in a moment"),
        ("PayApp", "Unpaid", one("Held", &json!({})), "attempt 1-n"),
        ("Stripe", "Unpaid", one("Closed", &json!({})), "place another order"),
        ("Stripe", "Unpaid", one("Open", &json!({})), "dashboard"),
        ("Stripe", "Unpaid", one("Open", &over), "expired"),
    ] {
        let refused = found(&order(provider, phase, &attempts)).unwrap_err();
        assert!(refused.contains(told), "{told}: {refused}");
    }
}

#[test]
fn nobody_is_sent_to_pay_an_order_that_was_deleted_or_an_invoice_that_a_status_names() {
    let open = json!([attempt(1, "Open", &json!({"url": "https://x.example"}))]);
    let stone =
        json!({"tombstone": {"releaseTime": "2026-11-21T11:30:00Z", "message": "The order was deleted."}});
    let now = "2026-11-21T12:00:00Z".parse().unwrap();
    let refused = link(now, &claim(&stone), &order("PayApp", "Unpaid", &open)).unwrap_err();
    assert!(refused.contains("was deleted"), "{refused}");
    let mut due = order("Stripe", "PastDue", &json!([attempt(1, "Closed", &json!({}))]));
    due.subscription_id = Some("sub_1".into());
    let refused = found(&due).unwrap_err();
    assert!(refused.contains("`sub_1`") && !refused.contains("status.subscription"), "{refused}");
}
