//! What isn't in a list, or isn't found, proves nothing about what was paid.

use billing_sim::stripe::charges::Try;
use billing_sim::stripe::sessions::Visit;
use moorage::billing::{Billing, ErrorClass, PaymentProvider, PaymentState};
use serde_json::{Value, json};

use crate::stripe_bench::{Bench, checkout, known, monthly};

fn empty() -> Value {
    json!({"kind": "status", "status": 200, "body": {"object": "list", "data": [], "has_more": false}})
}

/// The class of the error that reading comes to.
async fn refused(bench: &Bench, billing: Billing, visit: Visit, route: &str) -> ErrorClass {
    let (new, opened) = bench.visited(billing, visit).await;
    bench.fault(json!({"match": {"method": "GET", "route": route}, "action": empty()}));
    bench.stripe.read(&known(&new, &opened)).await.unwrap_err().class()
}

#[tokio::test]
async fn a_checkout_of_another_account_is_an_error() {
    let bench = Bench::start().await;
    let new = checkout(Billing::Once);
    let mut opened = bench.open(&new).await;
    opened.id = "cs_test_elsewhere".to_owned();
    let error = bench.stripe.read(&known(&new, &opened)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::NotFound);
    assert!(error.remedy().contains("account"), "{}", error.remedy());
}

#[tokio::test]
async fn a_paid_checkout_whose_charge_isnt_listed_isnt_unpaid() {
    let bench = Bench::start().await;
    let class = refused(&bench, Billing::Once, Visit::Pay, "/v1/charges").await;
    assert_eq!(class, ErrorClass::Unavailable);
}

#[tokio::test]
async fn a_billed_subscription_whose_invoices_arent_listed_isnt_unpaid() {
    let bench = Bench::start().await;
    let class = refused(&bench, monthly(), Visit::Pay, "/v1/invoices").await;
    assert_eq!(class, ErrorClass::Unavailable);
}

/// Charges that fail, to the customer of what was paid last.
fn fail_charges(bench: &Bench, count: usize) {
    let mut state = bench.server.sim.enter();
    let customer = state.all("customer").last().unwrap()["id"].as_str().unwrap().to_owned();
    let source = json!({"amount_due": 1900, "currency": "eur", "amount_total": null});
    for _ in 0..count {
        state.charge(&source, &customer, Try::Declined);
    }
}

#[tokio::test]
async fn a_refund_behind_a_hundred_failed_charges_is_seen() {
    let bench = Bench::start().await;
    let (new, opened) = bench.visited(monthly(), Visit::Pay).await;
    let payment = bench.truth(&new, &opened).await.payments.remove(0);
    fail_charges(&bench, 120);
    bench.server.sim.enter().refund(&payment.id, None, &json!({})).unwrap();
    let truth = bench.truth(&new, &opened).await;
    assert_eq!(truth.payments.len(), 1);
    assert_eq!(truth.payments[0].state(), PaymentState::Refunded);
}

#[tokio::test]
async fn more_than_is_read_is_an_error_and_not_cut_off() {
    let bench = Bench::start().await;
    let (new, opened) = bench.visited(monthly(), Visit::Pay).await;
    fail_charges(&bench, 1_000);
    let error = bench.stripe.read(&known(&new, &opened)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::TooMany);
}

#[tokio::test]
async fn a_payment_says_which_attempt_it_was_made_at() {
    for billing in [Billing::Once, monthly()] {
        let bench = Bench::start().await;
        let (new, opened) = bench.visited(billing, Visit::Pay).await;
        let truth = bench.truth(&new, &opened).await;
        assert_eq!(truth.payments[0].attempt, Some(new.attempt.number));
    }
}
