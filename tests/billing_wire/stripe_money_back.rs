//! Refunds and disputes.

use billing_sim::stripe::charges::Verdict;
use billing_sim::stripe::sessions::Visit;
use moorage::billing::{Billing, Extent, Money, NewRefund, PaymentProvider, PaymentState, Refunded};

use crate::stripe_bench::{Bench, now};

#[tokio::test]
async fn a_part_and_then_the_rest_goes_back_once_each() {
    let bench = Bench::start().await;
    let (new, opened) = bench.visited(Billing::Once, Visit::Pay).await;
    let payment = bench.truth(&new, &opened).await.payments.remove(0);
    let mut refund = NewRefund {
        payment: payment.id,
        amount: Money::of(500, "EUR").unwrap(),
        extent: Extent::Part,
        paid_at: payment.paid_at,
        asked_at: now(),
        reason: "asked for".to_owned(),
        idempotency_key: "refund-1".to_owned(),
    };
    bench.stripe.refund(&refund).await.unwrap();
    bench.stripe.refund(&refund).await.unwrap();
    let payment = bench.truth(&new, &opened).await.payments.remove(0);
    assert_eq!(payment.refunded, Refunded::Part(refund.amount));
    assert_eq!(payment.state(), PaymentState::PartlyRefunded);

    refund.extent = Extent::Full;
    refund.idempotency_key = "refund-2".to_owned();
    bench.stripe.refund(&refund).await.unwrap();
    refund.idempotency_key = "refund-3".to_owned();
    bench.stripe.refund(&refund).await.unwrap();
    let payment = bench.truth(&new, &opened).await.payments.remove(0);
    assert_eq!((payment.state(), payment.refunded), (PaymentState::Refunded, Refunded::All));
    assert_eq!(bench.effects("refund").len(), 2);
}

#[tokio::test]
async fn a_dispute_holds_the_money_until_it_is_settled() {
    for (verdict, state) in [(Verdict::Won, PaymentState::Paid), (Verdict::Lost, PaymentState::Lost)] {
        let bench = Bench::start().await;
        let (new, opened) = bench.visited(Billing::Once, Visit::Pay).await;
        let payment = bench.truth(&new, &opened).await.payments.remove(0);
        let dispute = bench.server.sim.enter().dispute(&payment.id).unwrap();
        assert_eq!(bench.truth(&new, &opened).await.payments[0].state(), PaymentState::Disputed);
        bench.server.sim.enter().settle_dispute(&dispute, verdict).unwrap();
        assert_eq!(bench.truth(&new, &opened).await.payments[0].state(), state);
    }
}
