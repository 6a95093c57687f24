//! What is true of an order whose provider can't be asked: its receipts, in whatever order they came. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::money::Money;
use super::payapp::month_from;
use super::provider::{Billing, KnownCheckout, KnownOrder};
use super::receipt::{Receipt, ReceiptEvent};
use super::truth::{
    Checkout, CheckoutState, Interval, Payment, Period, ProviderTruth, Purpose, Refunded, Subscription,
    SubscriptionState,
};

/// Puts an order's receipts together.
pub fn fold(order: &KnownOrder) -> ProviderTruth {
    let payments = payments(&order.receipts);
    ProviderTruth {
        checkouts: order.checkouts.iter().map(|known| checkout(known, &order.receipts)).collect(),
        subscriptions: order
            .checkouts
            .iter()
            .filter_map(|known| subscription(known, order, &payments))
            .collect(),
        payments,
        ..ProviderTruth::default()
    }
}

fn checkout(known: &KnownCheckout, receipts: &[Receipt]) -> Checkout {
    let has = |event: ReceiptEvent| {
        receipts.iter().any(|it| it.attempt == Some(known.attempt.number) && it.event == event)
    };
    let state = if has(ReceiptEvent::Paid) {
        CheckoutState::Complete
    } else if has(ReceiptEvent::RequestCancelled) {
        CheckoutState::Expired
    } else if has(ReceiptEvent::AwaitingDeposit) {
        CheckoutState::Confirming
    } else {
        match &known.opened.url {
            Some(url) => CheckoutState::Open { url: url.clone(), expires_at: known.opened.expires_at },
            None => CheckoutState::Expired,
        }
    };
    let id = known.opened.id.clone();
    Checkout { attempt: known.attempt.number, id, state, amount: Some(known.price) }
}

/// Each payment once, however often and late it was told; what went back is told by receipts of their own.
fn payments(receipts: &[Receipt]) -> Vec<Payment> {
    let mut paid: BTreeMap<&str, Payment> = BTreeMap::new();
    for receipt in receipts.iter().filter(|receipt| receipt.event == ReceiptEvent::Paid) {
        paid.entry(&receipt.payment).or_insert_with(|| payment(receipt));
    }
    for receipt in receipts {
        let Some(payment) = paid.get_mut(receipt.payment.as_str()) else { continue };
        match receipt.event {
            ReceiptEvent::Refunded => payment.refunded = Refunded::All,
            ReceiptEvent::PartlyRefunded => payment.refunded = partly(payment.refunded, receipt.amount),
            _ => {}
        }
    }
    let mut all: Vec<Payment> = paid.into_values().collect();
    all.sort_by(|one, other| (one.paid_at, &one.id).cmp(&(other.paid_at, &other.id)));
    number_renewals(&mut all);
    all
}

/// A part is never all of it, whatever amount its notice names. Of several the largest is told.
fn partly(before: Refunded, told: Money) -> Refunded {
    match before {
        Refunded::All => Refunded::All,
        Refunded::Part(known) if known.minor >= told.minor => Refunded::Part(known),
        Refunded::Part(_) | Refunded::Nothing => Refunded::Part(told),
    }
}

fn payment(receipt: &Receipt) -> Payment {
    Payment {
        id: receipt.payment.clone(),
        amount: receipt.amount,
        refunded: Refunded::Nothing,
        dispute: None,
        paid_at: receipt.at,
        purpose: Purpose::First,
        period: receipt.period.or_else(|| receipt.subscription.as_ref().map(|_| month_from(receipt.at))),
        subscription: receipt.subscription.clone(),
    }
}

/// All but the first payment of a subscription renew it.
fn number_renewals(payments: &mut [Payment]) {
    for index in 1..payments.len() {
        let (before, rest) = payments.split_at_mut(index);
        let Some(payment) = rest.first_mut().filter(|payment| payment.subscription.is_some()) else {
            continue;
        };
        if before.iter().any(|earlier| earlier.subscription == payment.subscription) {
            payment.purpose = Purpose::Renewal;
        }
    }
}

fn subscription(known: &KnownCheckout, order: &KnownOrder, payments: &[Payment]) -> Option<Subscription> {
    let id = known.opened.subscription.clone().filter(|_| known.billing != Billing::Once)?;
    let of_it = || payments.iter().filter(|payment| payment.subscription.as_ref() == Some(&id));
    let kept = || of_it().filter(|payment| payment.refunded != Refunded::All);
    let last_paid = of_it().map(|payment| payment.paid_at).max();
    let failed = order.receipts.iter().filter(|receipt| {
        receipt.event == ReceiptEvent::RenewalFailed && receipt.subscription.as_ref() == Some(&id)
    });
    let last_failed = failed.map(|receipt| receipt.at).max();
    let ends = |period: Option<Period>| period.map(|period| period.end);
    let period_end: Option<Timestamp> = of_it().filter_map(|payment| ends(payment.period)).max();
    let state = match (order.ended_at, last_paid) {
        (Some(_), _) => SubscriptionState::Ended,
        (None, None) => SubscriptionState::Incomplete,
        (None, paid) if last_failed > paid => SubscriptionState::PastDue,
        (None, Some(_)) => SubscriptionState::Active,
    };
    Some(Subscription {
        id: id.clone(),
        state,
        price: Some(known.price),
        interval: Some(Interval::Month),
        paid_until: kept().filter_map(|payment| ends(payment.period)).max(),
        period_end,
        ends_at: order.ended_at,
    })
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
