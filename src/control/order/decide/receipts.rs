//! What Stripe says was paid and went back is stored as receipts too: they outlive the order, and its account there.

use super::super::account::{Account, OddityKind};
use super::super::facts::Facts;
use super::super::step::{Effect, Step};
use super::super::truth::Receipt;
use super::Reached;
use crate::api::PaymentReceiptSpec;
use crate::api::order_record::{AttemptRecord, OrderRecord};
use crate::api::payment_receipt::{Period, Provider, ReceiptEvent, ReceiptFlag, ReceiptType};
use crate::billing::{Payment, PaymentState, ProviderTruth, Refunded};

/// Every payment has its receipt, and everything that went back.
pub(super) fn stored(facts: &Facts, order: &OrderRecord, account: &Account) -> Reached<()> {
    let Some(read) = facts.known.read.as_ref().filter(|_| order.provider == Provider::Stripe) else {
        return Ok(());
    };
    let missing = missing(order, &read.truth, account, &facts.cluster.receipts);
    missing.map_or(Ok(()), |missing| Err(Step::Do(Effect::StoreReceipt(Box::new(missing)))))
}

/// The first receipt that isn't stored yet.
pub(in crate::control::order) fn missing(
    order: &OrderRecord,
    truth: &ProviderTruth,
    account: &Account,
    stored: &[Receipt],
) -> Option<PaymentReceiptSpec> {
    let known = |wanted: &PaymentReceiptSpec| {
        let named = wanted.key();
        stored.iter().any(|receipt| Some(&receipt.name) == named.as_ref())
    };
    let mut wanted = truth.payments.iter().flat_map(|payment| receipts(order, payment));
    let mut missing = wanted.find(|wanted| !known(wanted))?;
    if missing.type_ == ReceiptType::Payment {
        // Whenever it was charged: what is seen when the order is over funds nothing any more.
        let late = order.is_over().then_some(ReceiptFlag::FundsNothing);
        missing.flags = flag(account, &missing.provider_id).or(late).into_iter().collect();
    }
    Some(missing)
}

/// What is wrong with a payment when it is first seen; what becomes of that later, the order's account tells.
fn flag(account: &Account, payment: &str) -> Option<ReceiptFlag> {
    let oddities = account.oddities.iter().filter(|oddity| oddity.payment == payment);
    oddities.map(|oddity| oddity.kind).find_map(|kind| match kind {
        OddityKind::AmountMismatch => Some(ReceiptFlag::AmountMismatch),
        OddityKind::Duplicate => Some(ReceiptFlag::Duplicate),
        OddityKind::TooLate => Some(ReceiptFlag::FundsNothing),
        OddityKind::PartialRefund
        | OddityKind::Disputed
        | OddityKind::Returned
        | OddityKind::DifferenceReturned
        | OddityKind::PlanReturned => None,
    })
}

fn receipts(order: &OrderRecord, payment: &Payment) -> Vec<PaymentReceiptSpec> {
    let paid = receipt(order, payment, ReceiptEvent::Paid, payment.amount.minor);
    let back = match (payment.state(), payment.refunded) {
        (PaymentState::Lost | PaymentState::Refunded, _) => {
            Some((ReceiptEvent::Refunded, payment.amount.minor))
        }
        (_, Refunded::Part(part)) => Some((ReceiptEvent::PartlyRefunded, part.minor)),
        _ => None,
    };
    let back = back.map(|(event, amount)| PaymentReceiptSpec {
        period: None,
        refunds: Some(payment.id.clone()),
        pay_time: None,
        ..receipt(order, payment, event, amount)
    });
    [Some(paid), back].into_iter().flatten().collect()
}

fn receipt(order: &OrderRecord, payment: &Payment, event: ReceiptEvent, amount: i64) -> PaymentReceiptSpec {
    let marked = order.attempts.iter().find(|attempt| Some(attempt.number) == payment.attempt);
    PaymentReceiptSpec {
        type_: if event == ReceiptEvent::Paid { ReceiptType::Payment } else { ReceiptType::Refund },
        provider: Provider::Stripe,
        provider_id: payment.id.clone(),
        order_uid: order.uid.clone(),
        amount,
        currency: payment.amount.currency.code().to_owned(),
        period: payment.period.map(|period| Period { start: period.start, end: period.end }),
        refunds: None,
        note: None,
        event: Some(event),
        attempt: marked.map(AttemptRecord::mark),
        subscription_id: payment.subscription.clone(),
        pay_time: Some(payment.paid_at),
        flags: Vec::new(),
    }
}
