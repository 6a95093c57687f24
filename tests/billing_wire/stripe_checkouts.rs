//! Checkouts: opened, paid at the page, found again, closed.

use billing_sim::stripe::sessions::{Settled, Visit};
use jiff::SignedDuration;
use moorage::billing::{
    Billing, CheckoutState, ErrorClass, LostCheckout, Money, PaymentProvider, PaymentState, Purpose,
};

use crate::stripe_bench::{Bench, checkout, monthly, now};

#[tokio::test]
async fn a_customer_pays_at_the_page_and_the_truth_says_so() {
    let bench = Bench::start().await;
    let new = checkout(Billing::Once);
    let opened = bench.open(&new).await;
    let url = opened.url.clone().unwrap();
    let CheckoutState::Open { url: read, expires_at } =
        bench.truth(&new, &opened).await.checkouts.remove(0).state
    else {
        panic!("not open")
    };
    assert_eq!((read, expires_at), (url.clone(), opened.expires_at));
    assert_eq!(expires_at.unwrap().as_second(), new.expires_at.as_second());

    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let page = browser.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("OpenClaw Pro &amp; more") && page.contains("19.00 EUR"), "{page}");
    let paid = browser.post(format!("{url}/pay")).send().await.unwrap();
    assert_eq!(paid.headers()["location"], "https://portal.example/paid");

    let truth = bench.truth(&new, &opened).await;
    assert_eq!(truth.checkouts[0].state, CheckoutState::Complete);
    assert_eq!(truth.checkouts[0].amount, Some(new.price));
    assert_eq!(truth.payments.len(), 1);
    let payment = &truth.payments[0];
    assert_eq!(
        (payment.amount, payment.state(), payment.purpose),
        (new.price, PaymentState::Paid, Purpose::First)
    );
    assert!(payment.id.starts_with("pi_"));
    let method = truth.payment_method.unwrap();
    assert_eq!((method.brand.as_str(), method.last4.as_deref()), ("visa", Some("4242")));
    assert!(truth.customer.unwrap().starts_with("cus_"));
    assert_eq!(bench.effects("charge")[0]["detail"]["order"], new.order.as_str());
}

#[tokio::test]
async fn a_declined_card_leaves_the_checkout_open_and_pays_nothing() {
    let bench = Bench::start().await;
    let (new, opened) = bench.visited(Billing::Once, Visit::Fail).await;
    let truth = bench.truth(&new, &opened).await;
    assert!(truth.open_checkout().is_some());
    assert_eq!(truth.payments, []);
}

#[tokio::test]
async fn money_that_takes_days_is_confirming_and_then_there_or_not() {
    for billing in [Billing::Once, monthly()] {
        for (came, state, payments) in
            [(Settled::Came, CheckoutState::Complete, 1), (Settled::Failed, CheckoutState::Failed, 0)]
        {
            let bench = Bench::start().await;
            let (new, opened) = bench.visited(billing, Visit::PayLater).await;
            let truth = bench.truth(&new, &opened).await;
            assert_eq!(truth.checkouts[0].state, CheckoutState::Confirming, "{billing:?}");
            assert_eq!(truth.payments, []);
            bench.days(5);
            let before = now();
            bench.server.sim.enter().settle(&opened.id, came).unwrap();
            let truth = bench.truth(&new, &opened).await;
            assert_eq!(truth.checkouts[0].state, state, "{billing:?} {came:?}");
            assert_eq!(truth.payments.len(), payments);
            // It came when it was there, days after the charge was made.
            let late = SignedDuration::from_hours(4 * 24);
            assert!(truth.payments.iter().all(|payment| payment.paid_at > before + late));
        }
    }
}

#[tokio::test]
async fn a_free_plan_completes_without_a_payment() {
    let bench = Bench::start().await;
    let mut new = checkout(Billing::Once);
    new.price = Money::of(0, "EUR").unwrap();
    let opened = bench.open(&new).await;
    bench.server.sim.enter().visit(&opened.id, Visit::Pay).unwrap();
    let truth = bench.truth(&new, &opened).await;
    assert_eq!((truth.checkouts[0].state.clone(), truth.payments), (CheckoutState::Complete, vec![]));
}

#[tokio::test]
async fn a_lost_reply_is_found_by_the_key_and_by_looking() {
    let bench = Bench::start().await;
    let new = checkout(Billing::Once);
    bench.fault(
        serde_json::json!({"match": {"method": "POST", "ordinal": 1}, "action": {"kind": "drop_reply"}}),
    );
    let error = bench.stripe.open_checkout(&new).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unknown);
    let lost = LostCheckout {
        order: new.order.clone(),
        attempt: new.attempt.clone(),
        since: now() - SignedDuration::from_secs(1),
    };
    let found = bench.stripe.find_checkout(&lost).await.unwrap().unwrap();
    let again = bench.open(&new).await;
    assert_eq!(found, again);
    assert_eq!(bench.effects("session.create").len(), 1);
    let mut other = lost.clone();
    other.attempt.nonce = "another".to_owned();
    assert_eq!(bench.stripe.find_checkout(&other).await.unwrap(), None);
    let other = LostCheckout { order: "another".to_owned(), ..lost };
    assert_eq!(bench.stripe.find_checkout(&other).await.unwrap(), None);
}

#[tokio::test]
async fn a_lost_checkout_is_found_behind_many_others() {
    let bench = Bench::start().await;
    let new = checkout(Billing::Once);
    let opened = bench.open(&new).await;
    for number in 0..230 {
        let mut other = checkout(Billing::Once);
        other.order = format!("other-{number}");
        other.idempotency_key = format!("other-{number}");
        bench.open(&other).await;
    }
    let since = now() - SignedDuration::from_mins(1);
    let lost = LostCheckout { order: new.order, attempt: new.attempt, since };
    assert_eq!(bench.stripe.find_checkout(&lost).await.unwrap().unwrap().id, opened.id);
}

#[tokio::test]
async fn closing_is_repeatable_and_refuses_what_was_paid() {
    let bench = Bench::start().await;
    let (_, paid) = bench.visited(Billing::Once, Visit::Pay).await;
    let error = bench.stripe.close_checkout(&paid).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::WrongState);

    let mut new = checkout(Billing::Once);
    new.idempotency_key = "another".to_owned();
    let opened = bench.open(&new).await;
    bench.stripe.close_checkout(&opened).await.unwrap();
    bench.stripe.close_checkout(&opened).await.unwrap();
    assert_eq!(bench.truth(&new, &opened).await.checkouts[0].state, CheckoutState::Expired);
    assert_eq!(bench.effects("session.expire").len(), 1);
}

#[tokio::test]
async fn time_closes_a_checkout() {
    let bench = Bench::start().await;
    let new = checkout(Billing::Once);
    let opened = bench.open(&new).await;
    bench.days(1);
    assert_eq!(bench.truth(&new, &opened).await.checkouts[0].state, CheckoutState::Expired);
}
