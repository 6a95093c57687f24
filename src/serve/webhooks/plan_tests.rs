use serde_json::{Value, json};

use super::*;
/// A claim of an order of 19900 won; `more` is merged into what is recorded of it.
pub fn claim(more: &Value) -> NameClaimSpec {
    let plan = json!({"name": "pro", "cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 10});
    let mut order = json!({
        "uid": "order-1", "provider": "PayApp", "mode": "OneTime",
        "price": {"plan": plan, "amount": 19900, "currency": "KRW", "interval": "Month"},
        "attempts": [{
            "number": 1, "nonce": "nonce", "idempotencyKey": "key", "createTime": "2026-11-21T00:00:00Z",
            "amount": 19900, "currency": "KRW", "state": "Open", "checkoutID": "31000001",
        }],
    });
    json_patch::merge(&mut order, more);
    let holder = json!({"namespace": "acme", "name": "first", "uid": "order-1"});
    let claim = json!({"type": "Order", "name": "order-1", "holder": holder, "order": order});
    serde_json::from_value(claim).unwrap()
}

fn attempt(more: &Value) -> Value {
    let mut attempt = json!({
        "number": 1, "nonce": "nonce", "idempotencyKey": "key", "createTime": "2026-11-21T00:00:00Z",
        "amount": 19900, "currency": "KRW", "state": "Open",
    });
    json_patch::merge(&mut attempt, more);
    json!({"attempts": [attempt]})
}

fn monthly(more: &Value) -> NameClaimSpec {
    let mut all = attempt(more);
    json_patch::merge(&mut all, &json!({"mode": "Subscription"}));
    claim(&all)
}

fn recorded(registration: Option<&str>) -> Plan {
    Plan::Record(Numbers { request: "31000001".into(), registration: registration.map(Into::into) })
}

fn notice(state: NoticeState) -> Notice {
    Notice {
        order: "order-1".into(),
        attempt: "1-nonce".into(),
        payment: "31000001".into(),
        subscription: None,
        state,
        amount: Some(Money::new(19_900, KRW)),
        paid_at: None,
    }
}

fn stored(plan: Plan) -> PaymentReceiptSpec {
    match plan {
        Plan::Store(receipt) => *receipt,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_payment_of_what_was_asked_for_is_stored_as_it_is() {
    let receipt = stored(plan(&notice(NoticeState::Paid), Some(&claim(&json!({})))));
    assert_eq!((receipt.type_, receipt.event), (ReceiptType::Payment, Some(ReceiptEvent::Paid)));
    assert_eq!((receipt.amount, receipt.currency.as_str()), (19_900, "KRW"));
    assert_eq!((receipt.order_uid.as_str(), receipt.provider_id.as_str()), ("order-1", "31000001"));
    assert_eq!((receipt.attempt.as_deref(), receipt.flags), (Some("1-nonce"), Vec::new()));
}

#[test]
fn another_amount_is_stored_and_flagged_even_if_it_is_absurd() {
    for amount in [1000, i64::MAX] {
        let cheap = Notice { amount: Some(Money::new(amount, KRW)), ..notice(NoticeState::Paid) };
        let receipt = stored(plan(&cheap, Some(&claim(&json!({})))));
        assert_eq!(receipt.flags, [ReceiptFlag::AmountMismatch]);
        assert!(receipt.amount <= LARGEST);
    }
}

#[test]
fn what_went_back_did_so_whatever_amount_is_told() {
    for state in [NoticeState::Refunded, NoticeState::PartlyRefunded] {
        let back = Notice { amount: Some(Money::new(1000, KRW)), ..notice(state) };
        let receipt = stored(plan(&back, Some(&claim(&json!({})))));
        assert_eq!((receipt.type_, receipt.flags), (ReceiptType::Refund, Vec::new()));
        assert_eq!(receipt.refunds.as_deref(), Some("31000001"));
    }
}

#[test]
fn money_for_an_attempt_or_number_that_is_not_known_is_flagged_and_all_else_is_left() {
    let other_mark = Notice { attempt: "1-other".into(), ..notice(NoticeState::Paid) };
    let other_number = Notice { payment: "31000002".into(), ..notice(NoticeState::Paid) };
    for stranger in [other_mark, other_number] {
        let receipt = stored(plan(&stranger, Some(&claim(&json!({})))));
        assert_eq!(receipt.flags, [ReceiptFlag::UnknownAttempt]);
        for state in
            [NoticeState::AwaitingDeposit, NoticeState::RequestCancelled, NoticeState::Unrecognized(7)]
        {
            let left = plan(&Notice { state, ..stranger.clone() }, Some(&claim(&json!({}))));
            assert!(matches!(left, Plan::Leave(_)), "{left:?}");
        }
    }
}

#[test]
fn a_request_is_recorded_while_it_is_wanted() {
    let requested = notice(NoticeState::Requested);
    for state in ["Opening", "Open", "Held"] {
        let planned = plan(&requested, Some(&claim(&attempt(&json!({"state": state})))));
        assert_eq!(planned, recorded(None), "{state}");
    }
    let closed = claim(&attempt(&json!({"state": "Closed"})));
    let mut released = claim(&attempt(&json!({})));
    released.tombstone =
        serde_json::from_value(json!({"releaseTime": "2026-11-21T00:00:00Z", "message": "x"})).unwrap();
    let stripe = claim(&json!({"provider": "Stripe"}));
    for unwanted in [Some(&closed), Some(&released), Some(&stripe), None] {
        assert!(matches!(plan(&requested, unwanted), Plan::Leave(_)), "{unwanted:?}");
    }
}

#[test]
fn money_that_funds_nothing_is_flagged_and_never_turned_away() {
    let paid = notice(NoticeState::Paid);
    let tombstone = json!({"releaseTime": "2026-11-21T00:00:00Z", "message": "x"});
    let mut released = claim(&json!({}));
    released.tombstone = serde_json::from_value(tombstone.clone()).unwrap();
    let gone = claim(&json!({"phase": "Paid", "runtimeGoneTime": "2026-11-21T00:00:00Z"}));
    let ended = claim(&json!({"phase": "Ended"}));
    for (claim, flag) in [
        (Some(&released), ReceiptFlag::FundsNothing),
        (Some(&gone), ReceiptFlag::FundsNothing),
        (Some(&ended), ReceiptFlag::FundsNothing),
        (None, ReceiptFlag::UnknownOrder),
    ] {
        assert_eq!(stored(plan(&paid, claim)).flags, [flag], "{claim:?}");
    }
    // What was paid for before the order was deleted is funded to its end, and goes back like any other.
    let mut running = claim(&json!({"phase": "Paid", "funds": {"name": "ops", "uid": "runtime-1"}}));
    running.tombstone = serde_json::from_value(tombstone).unwrap();
    assert_eq!(stored(plan(&paid, Some(&running))).flags, []);
    let back = Notice { state: NoticeState::Refunded, ..paid.clone() };
    assert_eq!(stored(plan(&back, Some(&released))).flags, []);
    let nobody = Notice { order: "not a UID".into(), ..paid };
    assert!(matches!(plan(&nobody, None), Plan::Leave(_)));
}

#[test]
fn a_registration_is_known_by_its_own_number() {
    let registered = Notice { subscription: Some("77".into()), ..notice(NoticeState::Requested) };
    let opening = json!({"state": "Opening"});
    assert_eq!(plan(&registered, Some(&monthly(&opening))), recorded(Some("77")));
    let renewed =
        Notice { subscription: Some("77".into()), payment: "31000099".into(), ..notice(NoticeState::Paid) };
    let known = monthly(&json!({"subscriptionID": "77", "checkoutID": "77"}));
    let receipt = stored(plan(&renewed, Some(&known)));
    assert_eq!((receipt.subscription_id.as_deref(), receipt.flags), (Some("77"), Vec::new()));
    let failed = Notice { state: NoticeState::RenewalFailed, ..renewed };
    let receipt = stored(plan(&failed, Some(&known)));
    assert_eq!((receipt.type_, receipt.event), (ReceiptType::Notice, Some(ReceiptEvent::RenewalFailed)));
}

#[test]
fn a_registration_that_is_told_without_its_number_is_learned_when_it_is_paid() {
    let held = json!({"state": "Held"});
    assert_eq!(plan(&notice(NoticeState::Requested), Some(&monthly(&held))), recorded(None));
    let paid = Notice { subscription: Some("77".into()), ..notice(NoticeState::Paid) };
    let told = json!({"state": "Held", "checkoutID": "31000001"});
    for known in [held, told] {
        let Plan::Learn(numbers, receipt) = plan(&paid, Some(&monthly(&known))) else { panic!("{known}") };
        assert_eq!(numbers, Numbers { request: "31000001".into(), registration: Some("77".into()) });
        assert_eq!((receipt.subscription_id.as_deref(), receipt.flags), (Some("77"), Vec::new()));
    }
    // Later months have numbers of their own.
    let known = json!({"state": "Closed", "checkoutID": "31000001", "subscriptionID": "77"});
    let first = notice(NoticeState::Refunded);
    let receipt = stored(plan(&first, Some(&monthly(&known))));
    assert_eq!(receipt.subscription_id.as_deref(), Some("77"), "what a notice leaves out is recorded");
    let other = Notice { subscription: Some("78".into()), ..paid };
    let receipt = stored(plan(&other, Some(&monthly(&known))));
    assert_eq!(receipt.flags, [ReceiptFlag::UnknownAttempt]);
}
