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
    /// It isn't: the receipt is flagged, and funds nothing.
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
    if !is_known(notice, expected) {
        return Judgement::Stranger;
    }
    // A part that went back has an amount of its own.
    let is_right = event == ReceiptEvent::PartlyRefunded || notice.amount == expected.price;
    Judgement::Store(event, if is_right { Fit::Right } else { Fit::WrongAmount })
}

/// Whether it carries the number that was recorded. A registration's payments have a new `mul_no` each.
fn is_known(notice: &Notice, expected: &Expected) -> bool {
    match expected.billing {
        Billing::Once => expected.payment.as_ref() == Some(&notice.payment) && notice.subscription.is_none(),
        Billing::Every(_) => expected.subscription.is_some() && expected.subscription == notice.subscription,
    }
}

/// The first numbers are recorded; the same again changes nothing, and others aren't this attempt's.
fn record(notice: &Notice, expected: &Expected) -> Judgement {
    let subscription = match (expected.billing, &expected.subscription, &notice.subscription) {
        (Billing::Once, _, None) | (Billing::Every(_), None, None) => None,
        (Billing::Every(_), None, Some(new)) => Some(new.clone()),
        (Billing::Every(_), Some(known), new) if new.as_ref().is_none_or(|new| new == known) => {
            Some(known.clone())
        }
        _ => return Judgement::Stranger,
    };
    match &expected.payment {
        Some(known) if *known != notice.payment && expected.billing == Billing::Once => Judgement::Stranger,
        _ => Judgement::Record { payment: notice.payment.clone(), subscription },
    }
}
