use serde_json::{Value, json};

use super::*;

fn charge() -> Charge {
    serde_json::from_value(
        json!({"id": "ch_1", "status": "succeeded", "amount": 2900, "amount_captured": 2900,
        "amount_refunded": 0, "currency": "usd", "created": 1_000, "payment_intent": "pi_1"}),
    )
    .unwrap()
}

fn invoice(more: &Value) -> Invoice {
    let mut invoice = json!({"id": "in_1", "status": "paid", "total": 2900, "currency": "usd", "created": 900,
        "billing_reason": "subscription_create",
        "lines": {"data": [{"amount": 2900, "period": {"start": 900, "end": 9_900}}], "has_more": false},
        "payments": {"data": [{"payment": {"type": "payment_intent", "payment_intent": "pi_1"}}], "has_more": false}});
    json_patch::merge(&mut invoice, more);
    serde_json::from_value(invoice).unwrap()
}

#[test]
fn only_a_paid_invoice_pays_for_its_period() {
    let paid = paid_by(&charge(), &[invoice(&json!({}))]);
    assert_eq!(paid.period.map(|period| period.end.as_second()), Some(9_900));
    for status in ["open", "uncollectible", "void"] {
        let paid = paid_by(&charge(), &[invoice(&json!({"status": status}))]);
        assert_eq!((paid.purpose, paid.period), (Purpose::First, None), "{status}");
    }
}

#[test]
fn an_invoice_asks_for_its_period_beside_what_a_change_left() {
    let line = |amount: i64, proration: bool| {
        json!({"amount": amount, "period": {"start": 900, "end": 9_900},
            "parent": {"type": "subscription_item_details", "subscription_item_details": {"proration": proration}}})
    };
    let with = |total: i64, lines: Vec<Value>| {
        invoice(&json!({"total": total, "lines": {"data": lines, "has_more": false}}))
    };
    for (told, asked) in [
        (with(2_900, vec![line(2_900, false)]), 2_900),
        (with(2_400, vec![line(2_900, false), line(-500, true)]), 2_900),
        (with(3_100, vec![line(2_900, false), line(200, true)]), 2_900),
        // A discount isn't a credit.
        (with(100, vec![line(2_900, false)]), 100),
    ] {
        let paid = paid_by(&charge(), &[told]);
        assert_eq!(paid.invoiced.map(|sum| sum.minor), Some(asked));
    }
}

#[test]
fn a_subscription_is_paid_by_invoices_of_its_price_and_the_difference_to_it() {
    let told: Subscription =
        serde_json::from_value(json!({"id": "sub_1", "status": "active", "items": {"data": [
        {"id": "si_1", "current_period_end": 9_900, "price": {"unit_amount": 2900, "currency": "usd"}}],
        "has_more": false}}))
        .unwrap();
    let until =
        |invoices: &[Invoice]| subscription(&told, invoices, None).paid_until.map(jiff::Timestamp::as_second);
    assert_eq!(until(&[invoice(&json!({}))]), Some(9_900));
    assert_eq!(until(&[invoice(&json!({"total": 100}))]), None);
    assert_eq!(until(&[invoice(&json!({"status": "open"}))]), None);
    let difference = json!({"total": 100, "billing_reason": "subscription_update"});
    assert_eq!(until(&[invoice(&difference)]), Some(9_900));
}

#[test]
fn money_that_takes_days_came_when_its_invoice_was_paid() {
    let paid_at = |invoice: Invoice| {
        let told = payment(&charge(), paid_by(&charge(), &[invoice]), None);
        told.map(|payment| payment.paid_at.as_second())
    };
    assert_eq!(paid_at(invoice(&json!({"status_transitions": {"paid_at": 5_000}}))), Some(5_000));
    assert_eq!(paid_at(invoice(&json!({}))), Some(1_000));
}
