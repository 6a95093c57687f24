use serde_json::{Value, json};

use super::*;

const NOW: &str = "2026-11-21T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn order(phase: &str) -> OrderRecord {
    let plan =
        json!({"name": "openclaw-basic", "cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 10});
    serde_json::from_value(json!({
        "uid": "0b7e", "provider": "Manual", "mode": "Subscription", "phase": phase,
        "price": {"plan": plan, "amount": 2900, "currency": "USD", "interval": "Month"}}))
    .unwrap()
}

fn claimed(record: OrderRecord, more: &Value) -> Claimed {
    let holder = json!({"namespace": "acme", "name": "first", "uid": record.uid});
    let mut spec = json!({"type": "Order", "name": record.uid, "holder": holder, "order": record});
    json_patch::merge(&mut spec, more);
    let claim = NameClaim::new("order.0b7e", serde_json::from_value(spec).unwrap());
    Claimed { claim, record }
}

fn standing_order(phase: &str) -> Claimed {
    claimed(order(phase), &json!({}))
}

fn asked(reference: &str) -> Resolve {
    Resolve {
        order: OrderName::Uid("0b7e".into()),
        reference: reference.into(),
        registration: None,
        reason: "seen on the statement".into(),
        amount: None,
        refunds: None,
        until: None,
        yes: false,
    }
}

fn standing(made: &Resolution) -> Receipt {
    Receipt { name: made.name.clone(), created: now(), spec: made.spec.clone() }
}

fn resolved(resolve: &Resolve, receipts: &[Receipt]) -> Result<Resolution, String> {
    resolution(now(), "paula", resolve, &standing_order("Unpaid"), receipts)
}

#[test]
fn it_pays_the_price_for_one_interval_and_says_who_when_and_why() {
    let made = resolved(&asked("invoice-1"), &[]).unwrap();
    assert_eq!((made.spec.amount, made.spec.currency.as_str()), (2900, "USD"));
    assert_eq!(
        made.spec.note.as_deref(),
        Some("resolved by paula on 2026-11-21T12:00:00Z: seen on the statement")
    );
    assert_eq!((made.before, made.after), (None, Some(Some("2026-12-21T12:00:00Z".parse().unwrap()))));
}

#[test]
fn the_same_reference_is_the_same_receipt() {
    let first = resolved(&asked("invoice-1"), &[]).unwrap();
    let again = resolved(&asked("invoice-1"), &[standing(&first)]).unwrap();
    assert_eq!(again.name, first.name);
    assert_eq!(Some(again.before), again.after, "it pays once");
    assert_ne!(resolved(&asked("invoice-2"), &[]).unwrap().name, first.name);
}

#[test]
fn what_would_pay_for_nothing_is_refused_and_says_what_would() {
    let other = Resolve { amount: Some("29.01 USD".parse().unwrap()), ..asked("invoice-1") };
    assert!(resolved(&other, &[]).unwrap_err().contains("price is 29.00 USD"));
    let ended = resolution(now(), "paula", &asked("invoice-1"), &standing_order("Ended"), &[]);
    assert!(ended.unwrap_err().contains("place another order"));
    let stone = json!({"tombstone": {"releaseTime": NOW, "message": "The order was deleted."}});
    let deleted = resolution(now(), "paula", &asked("invoice-1"), &claimed(order("Unpaid"), &stone), &[]);
    assert!(deleted.unwrap_err().contains("give back at its provider"));
    let past = Resolve { until: Some("2026-11-20T00:00:00Z".parse().unwrap()), ..asked("invoice-1") };
    assert!(resolved(&past, &[]).unwrap_err().contains("future"));
    let first = resolved(&asked("invoice-1"), &[]).unwrap();
    let earlier = Resolve { until: Some("2026-11-30T00:00:00Z".parse().unwrap()), ..asked("invoice-2") };
    assert!(resolved(&earlier, &[standing(&first)]).unwrap_err().contains("paid until 2026-12-21"));
}

#[test]
fn only_what_was_vouched_for_goes_back_by_hand() {
    let paid = resolved(&asked("invoice-1"), &[]).unwrap();
    let back = |payment: &str, amount: Option<&str>| Resolve {
        refunds: Some(payment.into()),
        amount: amount.map(|text| text.parse().unwrap()),
        ..asked("credit-1")
    };
    let all = resolved(&back("invoice-1", None), &[standing(&paid)]).unwrap();
    assert_eq!((all.spec.type_, all.spec.amount, all.after), (ReceiptType::Refund, 2900, Some(None)));
    assert!(resolved(&back("pi_1", None), &[standing(&paid)]).unwrap_err().contains("at that provider"));
    for wrong in ["29.01 USD", "0 USD", "5 EUR"] {
        let refused = resolved(&back("invoice-1", Some(wrong)), &[standing(&paid)]).unwrap_err();
        assert!(refused.contains("at most 29.00 USD"), "{wrong}: {refused}");
    }
}

#[test]
fn what_its_provider_told_of_isnt_vouched_for_and_a_registration_is_the_orders() {
    let attempt = json!({"number": 1, "nonce": "n", "idempotencyKey": "k", "createTime": NOW, "amount": 2900,
        "currency": "KRW", "state": "Open", "checkoutID": "770", "subscriptionID": "770"});
    let mut order = order("Unpaid");
    order.provider = Provider::PayApp;
    order.price.currency = "KRW".into();
    order.attempts = vec![serde_json::from_value(attempt).unwrap()];
    let order = claimed(order, &json!({}));
    let of = |registration: &str| Resolve { registration: Some(registration.into()), ..asked("3201") };
    let made = resolution(now(), "paula", &of("770"), &order, &[]).unwrap();
    assert_eq!(made.spec.subscription_id.as_deref(), Some("770"));
    assert!(resolution(now(), "paula", &of("771"), &order, &[]).unwrap_err().contains("`771`"));
    // Of a dearer Plan's registration it is that Plan's price.
    let mut dearer = order.clone();
    let mut change = json!({"idempotencyKey": "k", "price": order.record.price});
    change["price"]["amount"] = 5900.into();
    dearer.record.change = serde_json::from_value(change).unwrap();
    let page = json!({"number": 2, "nonce": "n", "idempotencyKey": "k", "createTime": NOW, "amount": 5900,
        "currency": "KRW", "state": "Open", "checkoutID": "772", "subscriptionID": "772"});
    dearer.record.attempts.push(serde_json::from_value(page).unwrap());
    let amount = |of| resolution(now(), "paula", &of, &dearer, &[]).unwrap().spec.amount;
    assert_eq!((amount(of("770")), amount(of("772"))), (2900, 5900));
    let mut told = standing(&made);
    (told.name, told.spec.provider) = ("payapp-3201".into(), Provider::PayApp);
    let again = resolution(now(), "paula", &asked("3201"), &order, &[told]);
    assert!(again.unwrap_err().contains("counts already"));
}
