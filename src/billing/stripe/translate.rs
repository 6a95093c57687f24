//! Stripe's words in those that hold for every provider. Pure.

use super::objects::{
    BillingReason, Charge, Dispute, DisputeStatus, Expandable, IntentStatus, Invoice, InvoiceStatus, Item,
    Line, Method, PaymentStatus, RecurringInterval, Session, SessionStatus, Subscription, SubscriptionStatus,
    money, time,
};
use crate::billing::money::Money;
use crate::billing::truth;
use crate::billing::truth::{CheckoutState, Interval, Payment, PaymentMethod, Period, Purpose, Refunded};

/// What a charge was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paid {
    pub(super) purpose: Purpose,
    pub(super) period: Option<Period>,
    /// What its invoice asks for that.
    pub(super) invoiced: Option<Money>,
    /// When the money came, in seconds, if that is known: a charge is made days before a transfer comes in.
    pub(super) at: Option<i64>,
}

impl Paid {
    /// Of which no invoice tells.
    pub(super) fn plain(purpose: Purpose) -> Self {
        Self { purpose, period: None, invoiced: None, at: None }
    }
}

/// How far a session is; `None` in a state that isn't known.
pub(super) fn checkout_state(session: &Session) -> Option<CheckoutState> {
    match (session.status?, session.payment_status) {
        (SessionStatus::Open, _) => {
            let expires_at = session.expires_at.and_then(time);
            Some(CheckoutState::Open { url: session.url.clone()?, expires_at })
        }
        (SessionStatus::Expired, _) => Some(CheckoutState::Expired),
        (SessionStatus::Complete, PaymentStatus::Paid | PaymentStatus::NoPaymentRequired) => {
            Some(CheckoutState::Complete)
        }
        (SessionStatus::Complete, PaymentStatus::Unpaid) if has_failed(session) => {
            Some(CheckoutState::Failed)
        }
        (SessionStatus::Complete, PaymentStatus::Unpaid) => Some(CheckoutState::Confirming),
        _ => None,
    }
}

/// Whether the money of a completed session won't come any more.
fn has_failed(session: &Session) -> bool {
    let intent = session.payment_intent.as_ref().and_then(|intent| intent.object());
    let subscription = session.subscription.as_ref().and_then(|subscription| subscription.object());
    intent.is_some_and(|it| matches!(it.status, IntentStatus::RequiresPaymentMethod | IntentStatus::Canceled))
        || subscription.is_some_and(|it| {
            use SubscriptionStatus::{Canceled, IncompleteExpired, PastDue, Unpaid};
            matches!(it.status, Canceled | IncompleteExpired | PastDue | Unpaid)
        })
}

/// What a session asks for.
pub(super) fn total(session: &Session) -> Option<Money> {
    money(session.amount_total?, session.currency.as_deref()?)
}

/// What a charge to a subscription's customer was for.
pub(super) fn paid_by(charge: &Charge, invoices: &[Invoice]) -> Paid {
    let intent = charge.payment_intent.as_ref().map(Expandable::id);
    let invoice = invoices.iter().find(|invoice| {
        let payments = invoice.payments.iter().flat_map(|payments| &payments.data);
        intent.is_some() && payments.into_iter().any(|it| it.intent() == intent)
    });
    let Some(invoice) = invoice else { return Paid::plain(Purpose::Other) };
    let purpose = match invoice.billing_reason {
        Some(BillingReason::SubscriptionCreate) => Purpose::First,
        Some(BillingReason::SubscriptionCycle) => Purpose::Renewal,
        Some(BillingReason::SubscriptionUpdate) => Purpose::Change,
        Some(BillingReason::Other) | None => Purpose::Other,
    };
    // One that is paid in part, or was given up, pays for no period.
    if invoice.status != Some(InvoiceStatus::Paid) {
        return Paid::plain(purpose);
    }
    let at = invoice.status_transitions.as_ref().and_then(|transitions| transitions.paid_at);
    Paid { purpose, period: period(invoice), invoiced: price_of(invoice), at }
}

/// What an invoice asks for its period: all of it but what an earlier change of price left to be paid or credited.
fn price_of(invoice: &Invoice) -> Option<Money> {
    let lines = invoice.lines.iter().flat_map(|lines| &lines.data);
    let left: i64 = lines
        .filter(|line| line.is_proration())
        .try_fold(0, |sum: i64, line| sum.checked_add(line.amount))?;
    money(invoice.total.checked_sub(left)?, &invoice.currency)
}

/// Whether an invoice pays for its period: by the price, or by the difference to it.
fn pays_price(invoice: &Invoice, price: Option<Money>) -> bool {
    let is_difference = invoice.billing_reason == Some(BillingReason::SubscriptionUpdate);
    invoice.status == Some(InvoiceStatus::Paid) && (is_difference || price_of(invoice) == price)
}

/// A charge as a payment; `None` for an amount or a time that can't be one.
pub(super) fn payment(charge: &Charge, paid: Paid, dispute: Option<truth::Dispute>) -> Option<Payment> {
    let intent = charge.payment_intent.as_ref().map_or(charge.id.as_str(), |intent| intent.id());
    Some(Payment {
        id: intent.to_owned(),
        amount: money(charge.captured(), &charge.currency)?,
        refunded: refunded(charge)?,
        dispute,
        paid_at: time(charge.created.max(paid.at.unwrap_or(charge.created)))?,
        purpose: paid.purpose,
        period: paid.period,
        invoiced: paid.invoiced,
        subscription: None,
        attempt: None,
    })
}

fn refunded(charge: &Charge) -> Option<Refunded> {
    match charge.amount_refunded {
        0 => Some(Refunded::Nothing),
        part if part < charge.captured() => Some(Refunded::Part(money(part, &charge.currency)?)),
        _ => Some(Refunded::All),
    }
}

/// A question of the bank's (a warning) isn't a dispute: no money is held.
pub(super) fn dispute(dispute: &Dispute) -> Option<truth::Dispute> {
    use DisputeStatus::{
        Lost, Open, Prevented, WarningClosed, WarningNeedsResponse, WarningUnderReview, Won,
    };
    match dispute.status {
        Won => Some(truth::Dispute::Won),
        Lost => Some(truth::Dispute::Lost),
        Open => Some(truth::Dispute::Open),
        Prevented | WarningClosed | WarningNeedsResponse | WarningUnderReview => None,
    }
}

/// A subscription with its invoices, and what it was last charged to.
pub(super) fn subscription(
    subscription: &Subscription,
    invoices: &[Invoice],
    charged_to: Option<PaymentMethod>,
) -> truth::Subscription {
    let item = subscription.items.data.first();
    let period_end = item.and_then(|item| time(item.current_period_end?));
    let at_period_end = if subscription.cancel_at_period_end { period_end } else { None };
    let ends_at = subscription.ended_at.or(subscription.cancel_at).and_then(time).or(at_period_end);
    let chosen = subscription.default_payment_method.as_ref().and_then(|it| it.object()).and_then(method);
    let price = item.and_then(price);
    let paid = invoices.iter().filter(|invoice| pays_price(invoice, price));
    truth::Subscription {
        id: subscription.id.clone(),
        state: subscription_state(subscription.status),
        price,
        interval: item.and_then(interval),
        paid_until: paid.filter_map(|invoice| Some(period(invoice)?.end)).max(),
        period_end,
        ends_at,
        customer: subscription.customer.as_ref().map(|it| it.id().to_owned()),
        payment_method: chosen.or(charged_to),
    }
}

fn subscription_state(status: SubscriptionStatus) -> truth::SubscriptionState {
    use truth::SubscriptionState as State;
    match status {
        SubscriptionStatus::Active | SubscriptionStatus::Trialing => State::Active,
        SubscriptionStatus::PastDue => State::PastDue,
        SubscriptionStatus::Unpaid => State::Unpaid,
        SubscriptionStatus::Paused => State::Paused,
        SubscriptionStatus::Incomplete => State::Incomplete,
        SubscriptionStatus::IncompleteExpired | SubscriptionStatus::Canceled => State::Ended,
        SubscriptionStatus::Unrecognized => State::Unrecognized,
    }
}

/// The price of a period, with the quantity that somebody may have set by hand.
fn price(item: &Item) -> Option<Money> {
    let minor = item.price.unit_amount?.checked_mul(item.quantity.unwrap_or(1))?;
    money(minor, &item.price.currency)
}

fn interval(item: &Item) -> Option<Interval> {
    let recurring = item.price.recurring.as_ref()?;
    match (recurring.interval, recurring.interval_count.unwrap_or(1)) {
        (RecurringInterval::Month, 1) => Some(Interval::Month),
        (RecurringInterval::Month, 12) | (RecurringInterval::Year, 1) => Some(Interval::Year),
        _ => None,
    }
}

/// The time that an invoice is for. The invoice's own period is the one before: its lines tell.
fn period(invoice: &Invoice) -> Option<Period> {
    let lines = invoice.lines.as_ref()?.data.iter();
    let last = lines.max_by_key(|line: &&Line| line.period.end)?;
    Some(Period { start: time(last.period.start)?, end: time(last.period.end)? })
}

pub(super) fn invoice(invoice: &Invoice) -> Option<truth::Invoice> {
    use truth::InvoiceState as State;
    let state = match invoice.status {
        Some(InvoiceStatus::Draft) => State::Draft,
        Some(InvoiceStatus::Open) => State::Open,
        Some(InvoiceStatus::Paid) => State::Paid,
        Some(InvoiceStatus::Uncollectible) => State::Uncollectible,
        Some(InvoiceStatus::Void) => State::Void,
        Some(InvoiceStatus::Unrecognized) | None => State::Unrecognized,
    };
    Some(truth::Invoice {
        id: invoice.id.clone(),
        number: invoice.number.clone(),
        total: money(invoice.total, &invoice.currency)?,
        state,
        url: invoice.hosted_invoice_url.clone(),
        created_at: time(invoice.created)?,
    })
}

/// What a charge was paid with.
pub(super) fn method_of(charge: &Charge) -> Option<PaymentMethod> {
    let details = charge.payment_method_details.as_ref()?;
    method_from(details.kind.as_deref(), details.card.as_ref())
}

/// What a subscription is paid with.
fn method(method: &Method) -> Option<PaymentMethod> {
    method_from(method.kind.as_deref(), method.card.as_ref())
}

fn method_from(kind: Option<&str>, card: Option<&super::objects::Card>) -> Option<PaymentMethod> {
    let brand = card.and_then(|card| card.brand.as_deref()).or(kind)?;
    Some(PaymentMethod { brand: brand.to_owned(), last4: card.and_then(|card| card.last4.clone()) })
}

#[cfg(test)]
#[path = "translate_tests.rs"]
mod tests;
