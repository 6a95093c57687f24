//! What is true of an order whose provider can't be asked: its receipts, in whatever order they came. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::money::Money;
use super::payapp::{cycle, months_after};
use super::provider::{Billing, KnownCheckout, KnownOrder};
use super::receipt::{Receipt, ReceiptEvent};
use super::truth::{
    Checkout, CheckoutState, Interval, Payment, Period, ProviderTruth, Purpose, Refunded, Subscription,
    SubscriptionState,
};

/// Puts an order's receipts together.
pub fn fold(order: &KnownOrder) -> ProviderTruth {
    let mut payments = payments(&order.receipts);
    give_periods(&mut payments, order);
    ProviderTruth {
        checkouts: order.checkouts.iter().map(|known| checkout(known, order)).collect(),
        subscriptions: order
            .checkouts
            .iter()
            .filter_map(|known| subscription(known, order, &payments))
            .collect(),
        payments,
        ..ProviderTruth::default()
    }
}

fn checkout(known: &KnownCheckout, order: &KnownOrder) -> Checkout {
    let has = |event: ReceiptEvent| {
        order.receipts.iter().any(|it| it.attempt == Some(known.attempt.number) && it.event == event)
    };
    let has_ended = known.opened.subscription.as_ref().is_some_and(|id| order.ended.contains_key(id));
    let state = if has(ReceiptEvent::Paid) {
        CheckoutState::Complete
    } else if has_ended || has(ReceiptEvent::RequestCancelled) {
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
        let known = paid.entry(&receipt.payment).or_insert_with(|| payment(receipt));
        // The platform may have said what it pays for.
        known.period = known.period.or(receipt.period);
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
        period: receipt.period,
        invoiced: None,
        subscription: receipt.subscription.clone(),
        attempt: receipt.attempt,
    }
}

/// How long after the end of a month the next may be charged without a gap: on the day that it is due, or when it is tried
/// again.
const LATE: SignedDuration = SignedDuration::from_hours(72);

/// Months of one registration without a gap between them.
struct Run {
    /// When it was made, as far as is known.
    made: Timestamp,
    /// The day that was last paid for.
    cycle: i32,
    /// Where the run began, and how many months it has.
    start: Timestamp,
    months: i32,
    /// The last of them.
    last: Period,
}

/// What is paid of a registration on the days that it is due is for one month each, without a gap; a second payment for
/// one such day is for the same month.
fn give_periods(payments: &mut [Payment], order: &KnownOrder) {
    let mut runs: BTreeMap<String, Run> = BTreeMap::new();
    for payment in payments.iter_mut().filter(|payment| payment.period.is_none()) {
        let Some(id) = payment.subscription.clone() else { continue };
        let made = || {
            let known = order.checkouts.iter().find(|known| known.opened.subscription.as_ref() == Some(&id));
            known.map_or(payment.paid_at, |known| known.created_at)
        };
        let run = match runs.remove(&id) {
            Some(run) => run.then(payment.paid_at),
            None => Run::begun(made(), payment.paid_at),
        };
        payment.period = Some(run.last);
        runs.insert(id, run);
    }
}

impl Run {
    fn begun(made: Timestamp, at: Timestamp) -> Self {
        let last = Period { start: at, end: months_after(at, 1) };
        Self { made, cycle: cycle(made, at), start: at, months: 1, last }
    }

    fn then(self, at: Timestamp) -> Self {
        let cycle = cycle(self.made, at);
        if cycle <= self.cycle {
            return self;
        }
        if at > self.last.end.saturating_add(LATE).unwrap_or(Timestamp::MAX) {
            return Self::begun(self.made, at);
        }
        let months = self.months.saturating_add(1);
        let last = Period { start: self.last.end, end: months_after(self.start, months) };
        Self { cycle, months, last, ..self }
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

/// When the request that nobody paid was withdrawn: nothing was registered by it.
fn withdrawn_at(known: &KnownCheckout, order: &KnownOrder, paid: Option<Timestamp>) -> Option<Timestamp> {
    let of_it = |it: &&Receipt| {
        it.attempt == Some(known.attempt.number) && it.event == ReceiptEvent::RequestCancelled
    };
    order.receipts.iter().filter(of_it).map(|it| it.at).max().filter(|_| paid.is_none())
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
    let ended_at = order.ended.get(&id).copied().or_else(|| withdrawn_at(known, order, last_paid));
    let state = match (ended_at, last_paid) {
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
        ends_at: ended_at,
        customer: None,
        payment_method: None,
    })
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
