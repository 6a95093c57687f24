//! A notice compared with the order that it names. Pure.

use super::notice::{Notice, NoticeState};
use crate::billing::money::Money;
use crate::billing::provider::Billing;
use crate::billing::receipt::ReceiptEvent;

/// What was stored of the attempt that a notice names, before and while PayApp was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The attempt's mark.
    pub mark: String,
    /// Its price.
    pub price: Money,
    /// Once or each month.
    pub billing: Billing,
    /// The number of its request, if that is known by now.
    pub payment: Option<String>,
    /// The number of its registration, if that is known by now.
    pub subscription: Option<String>,
}

/// What is to be done with a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Its numbers are to be recorded on the attempt, and it is taken. Nothing is paid by it.
    Record {
        /// Number of the request.
        payment: String,
        /// Number of the registration.
        subscription: Option<String>,
    },
    /// It is to be stored as a receipt, and then it is taken.
    Store(ReceiptEvent, Fit),
    /// A registration was paid that the attempt isn't known by yet: its number is to be recorded there, and then it is to be
    /// stored and taken like any payment.
    Learn {
        /// Number of the registration.
        subscription: String,
        /// Whether the amount is the order's.
        fit: Fit,
    },
    /// It isn't about this attempt, or about what isn't recorded yet: it isn't taken, and comes again.
    Stranger,
    /// It tells nothing that is known: it is taken, and forgotten.
    Ignore,
}

/// Whether an amount is the order's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is.
    Right,
    /// It isn't, or none is named: the receipt is flagged, and funds nothing.
    WrongAmount,
}

/// Judges a notice by what was stored.
pub fn judge(notice: &Notice, expected: &Expected) -> Judgement {
    if notice.attempt != expected.mark {
        return Judgement::Stranger;
    }
    let event = match notice.state {
        NoticeState::Requested => return record(notice, expected),
        NoticeState::Paid => ReceiptEvent::Paid,
        NoticeState::AwaitingDeposit => ReceiptEvent::AwaitingDeposit,
        NoticeState::RequestCancelled => ReceiptEvent::RequestCancelled,
        NoticeState::Refunded => ReceiptEvent::Refunded,
        NoticeState::PartlyRefunded => ReceiptEvent::PartlyRefunded,
        NoticeState::RenewalFailed => ReceiptEvent::RenewalFailed,
        NoticeState::Unrecognized(_) if is_known(notice, expected) => return Judgement::Ignore,
        NoticeState::Unrecognized(_) => return Judgement::Stranger,
    };
    // A part that went back has an amount of its own.
    let is_right = event == ReceiptEvent::PartlyRefunded || notice.amount == Some(expected.price);
    let fit = if is_right { Fit::Right } else { Fit::WrongAmount };
    match learned(notice, expected) {
        Some(subscription) => Judgement::Learn { subscription, fit },
        None if is_known(notice, expected) => Judgement::Store(event, fit),
        None => Judgement::Stranger,
    }
}

/// Whether it carries a number that was recorded. A registration's payments have a new `mul_no` each, and its `rebill_no`
/// may be told first when it is paid.
fn is_known(notice: &Notice, expected: &Expected) -> bool {
    let is_request = expected.payment.as_ref() == Some(&notice.payment);
    match (expected.billing, &expected.subscription, &notice.subscription) {
        (Billing::Once, _, None) | (Billing::Every(_), None, _) | (Billing::Every(_), Some(_), None) => {
            is_request
        }
        (Billing::Every(_), Some(known), Some(told)) => known == told,
        (Billing::Once, _, Some(_)) => false,
    }
}

/// The registration that is told of first when it is paid, since the reply and every notice before it was lost or didn't
/// name it. Only we and PayApp know the attempt's mark, and an attempt is sent once: what is paid with it is the attempt's.
fn learned(notice: &Notice, expected: &Expected) -> Option<String> {
    let is_first = expected.billing != Billing::Once && expected.subscription.is_none();
    notice.subscription.clone().filter(|_| is_first && notice.state == NoticeState::Paid)
}

/// The first numbers are recorded; the same again changes nothing, and others aren't this attempt's. Each month of a
/// registration may have a request of its own.
fn record(notice: &Notice, expected: &Expected) -> Judgement {
    let told = &notice.subscription;
    let subscription = match (expected.billing, &expected.subscription) {
        (Billing::Once, _) if told.is_none() => None,
        (Billing::Every(_), None) => told.clone(),
        (Billing::Every(_), Some(known)) if told.as_ref().is_none_or(|told| told == known) => {
            Some(known.clone())
        }
        _ => return Judgement::Stranger,
    };
    match &expected.payment {
        Some(known) if *known != notice.payment && subscription.is_none() => Judgement::Stranger,
        known => {
            let payment = known.as_ref().unwrap_or(&notice.payment).clone();
            Judgement::Record { payment, subscription }
        }
    }
}
