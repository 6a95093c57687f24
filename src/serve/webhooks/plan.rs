//! What is to be done with a notice of PayApp's, by what is recorded of its order. Pure.

use super::book::is_uid;
use crate::api::order_record::{AttemptRecord, OrderRecord};
use crate::api::payment_receipt::{Provider, ReceiptEvent, ReceiptFlag, ReceiptType};
use crate::api::plan::Interval;
use crate::api::runtime_order::PaymentMode;
use crate::api::{NameClaimSpec, PaymentReceiptSpec};
use crate::billing::payapp::{Expected, Fit, Judgement, Notice, NoticeState, judge};
use crate::billing::{self, Billing, KRW, Money};

/// The largest amount that a receipt holds. A larger one is wrong whatever it is.
const LARGEST: i64 = 1_000_000_000;

/// Numbers that PayApp gave to what an attempt asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Of the request to pay (`mul_no`): the first one, if it is for a registration.
    pub request: String,
    /// Of the registration (`rebill_no`), once it is told.
    pub registration: Option<String>,
}

/// What is to be done with a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The numbers are recorded on the attempt, and then it is taken.
    Record(Numbers),
    /// It is stored, and then it is taken.
    Store(Box<PaymentReceiptSpec>),
    /// The numbers are recorded, it is stored, and then it is taken.
    Learn(Numbers, Box<PaymentReceiptSpec>),
    /// It is taken.
    Ignore,
    /// It isn't taken, for this reason.
    Leave(&'static str),
}

/// Plans what is done with a notice that carries the merchant's keys.
pub fn plan(notice: &Notice, claim: Option<&NameClaimSpec>) -> Plan {
    let Some((claim, order)) = claim.and_then(|claim| Some((claim, claim.order.as_deref()?))) else {
        return if is_uid(&notice.order) {
            stranger(notice, ReceiptFlag::UnknownOrder)
        } else {
            Plan::Leave("it names no order")
        };
    };
    if order.provider != Provider::PayApp {
        return stranger(notice, ReceiptFlag::UnknownAttempt);
    }
    let attempt = order.attempts.iter().find(|attempt| attempt.mark() == notice.attempt);
    if notice.state == NoticeState::Requested {
        let is_wanted = claim.tombstone.is_none() && attempt.is_some_and(|attempt| !attempt.state.is_over());
        if !is_wanted {
            return Plan::Leave("nobody asks for this payment any more");
        }
    }
    let known = attempt.and_then(|attempt| Some((attempt, expected(order, attempt)?)));
    let Some((attempt, expected)) = known else {
        return stranger(notice, ReceiptFlag::UnknownAttempt);
    };
    let is_wanted = order.still_asks(attempt) && !claim.funds_nothing();
    let flagged = |event, fit| flag(event, fit).or_else(|| unwanted(event).filter(|_| !is_wanted));
    match judge(notice, &expected) {
        Judgement::Record { payment, subscription } => {
            Plan::Record(Numbers { request: payment, registration: subscription })
        }
        Judgement::Store(event, fit) => {
            let receipt = receipt(notice, event, flagged(event, fit));
            Plan::Store(Box::new(completed(receipt, notice, &expected)))
        }
        Judgement::Learn { subscription, fit } => {
            let event = billing::ReceiptEvent::Paid;
            let receipt = receipt(notice, event, flagged(event, fit));
            let request = expected.payment.unwrap_or_else(|| notice.payment.clone());
            Plan::Learn(Numbers { request, registration: Some(subscription) }, Box::new(receipt))
        }
        Judgement::Stranger => stranger(notice, ReceiptFlag::UnknownAttempt),
        Judgement::Ignore => Plan::Ignore,
    }
}

fn expected(order: &OrderRecord, attempt: &AttemptRecord) -> Option<Expected> {
    Some(Expected {
        mark: attempt.mark(),
        price: Money::of(attempt.amount, &attempt.currency).ok()?,
        billing: match (order.mode, order.price.interval) {
            (PaymentMode::OneTime, _) => Billing::Once,
            (PaymentMode::Subscription, Interval::Month) => Billing::Every(billing::Interval::Month),
            (PaymentMode::Subscription, Interval::Year) => Billing::Every(billing::Interval::Year),
        },
        payment: attempt.checkout_id.clone(),
        subscription: attempt.subscription_id.clone(),
    })
}

/// Money that moved is never left untold, even if it is for nothing that we know: a person has to look. All else
/// comes again, and is lost if it goes on telling of nothing that we know.
fn stranger(notice: &Notice, flag: ReceiptFlag) -> Plan {
    match notice.state {
        NoticeState::Paid => store(notice, ReceiptEvent::Paid, flag),
        NoticeState::Refunded => store(notice, ReceiptEvent::Refunded, flag),
        NoticeState::PartlyRefunded => store(notice, ReceiptEvent::PartlyRefunded, flag),
        _ => Plan::Leave("it names an attempt or a number that the order doesn't know"),
    }
}

/// A wrong amount pays for nothing. What went back did so whatever amount is told with it.
fn flag(event: billing::ReceiptEvent, fit: Fit) -> Option<ReceiptFlag> {
    (event == billing::ReceiptEvent::Paid && fit == Fit::WrongAmount).then_some(ReceiptFlag::AmountMismatch)
}

/// Nothing is paid by what comes once nothing is to be paid any more, or at a page for another Plan that was withdrawn.
fn unwanted(event: billing::ReceiptEvent) -> Option<ReceiptFlag> {
    (event == billing::ReceiptEvent::Paid).then_some(ReceiptFlag::FundsNothing)
}

fn store(notice: &Notice, event: ReceiptEvent, flag: ReceiptFlag) -> Plan {
    Plan::Store(Box::new(receipt(notice, event, Some(flag))))
}

/// What a notice leaves out of a registration, or of a payment that went back, is as it is recorded.
fn completed(receipt: PaymentReceiptSpec, notice: &Notice, expected: &Expected) -> PaymentReceiptSpec {
    let is_back = receipt.event == Some(ReceiptEvent::Refunded);
    let amount = if is_back && notice.amount.is_none() { expected.price.minor } else { receipt.amount };
    let subscription_id = receipt.subscription_id.or_else(|| expected.subscription.clone());
    PaymentReceiptSpec { amount, subscription_id, ..receipt }
}

/// The receipt of a notice. Without an amount it is of nothing.
fn receipt(notice: &Notice, event: impl Into<ReceiptEvent>, flag: Option<ReceiptFlag>) -> PaymentReceiptSpec {
    let event = event.into();
    PaymentReceiptSpec {
        type_: event.receipt_type(),
        provider: Provider::PayApp,
        provider_id: notice.payment.clone(),
        order_uid: notice.order.clone(),
        amount: notice.amount.map_or(0, |amount| amount.minor.min(LARGEST)),
        currency: KRW.code().to_owned(),
        period: None,
        refunds: (event.receipt_type() == ReceiptType::Refund).then(|| notice.payment.clone()),
        note: None,
        event: Some(event),
        attempt: Some(notice.attempt.clone()),
        subscription_id: notice.subscription.clone(),
        pay_time: notice.paid_at,
        flags: flag.into_iter().collect(),
    }
}

impl From<billing::ReceiptEvent> for ReceiptEvent {
    fn from(event: billing::ReceiptEvent) -> Self {
        match event {
            billing::ReceiptEvent::Paid => Self::Paid,
            billing::ReceiptEvent::Refunded => Self::Refunded,
            billing::ReceiptEvent::PartlyRefunded => Self::PartlyRefunded,
            billing::ReceiptEvent::AwaitingDeposit => Self::AwaitingDeposit,
            billing::ReceiptEvent::RequestCancelled => Self::RequestCancelled,
            billing::ReceiptEvent::RenewalFailed => Self::RenewalFailed,
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
pub(super) mod tests;
