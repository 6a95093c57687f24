//! What is to become of an order, reckoned from what its provider keeps and from nothing that the operator works out:
//! which payment pays for which time, and which pays for nothing and has to be told.

use std::collections::BTreeSet;

use moorage::api::payment_receipt::Provider;
use moorage::api::runtime_order::{FundingPhase, PaymentMode};
use moorage::billing::{Dispute, Payment, Purpose, Refunded};

use crate::bank::month_after;
use crate::world::{DAY, DEAR, PRICE, World, at};

const GRACE: i64 = 3 * DAY;
const RETENTION: i64 = 30 * DAY;

/// What is to become of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reckoning {
    /// The end of the last time that is paid for.
    paid_to: Option<i64>,
    /// The end of a later time whose money went back.
    taken_back_to: Option<i64>,
    /// Payments that pay for nothing and that nobody has given back.
    pub for_nothing: BTreeSet<String>,
    /// The size that is paid for.
    pub size: Size,
    /// The highest price that was paid and didn't go back.
    level: i64,
}

/// Which of the two Plans is paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
pub enum Size {
    #[default]
    Former,
    Dearer,
}

/// A stretch of time in seconds.
type Stretch = (i64, i64);

fn has_gone_back(payment: &Payment) -> bool {
    payment.refunded == Refunded::All || payment.dispute == Some(Dispute::Lost)
}

/// The price that is asked for after these payments: the dearer one once its difference was paid.
fn asking(before: &[Payment]) -> i64 {
    if before.iter().any(|it| it.purpose == Purpose::Change) { DEAR } else { PRICE }
}

/// The time that a payment would be for.
fn stretch(kind: Provider, payment: &Payment) -> Stretch {
    let paid_at = payment.paid_at.as_second();
    match &payment.period {
        Some(period) => (period.start.as_second(), period.end.as_second()),
        None => (paid_at, month_after(kind, at(paid_at)).as_second()),
    }
}

/// Reckons it.
pub fn reckon(world: &World) -> Reckoning {
    let mut it = Reckoning::default();
    let once = world.order.as_ref().map(|order| order.spec.payment.mode) == Some(PaymentMode::OneTime);
    for (place, payment) in world.bank.payments.iter().enumerate() {
        if payment.purpose == Purpose::Change {
            it.size = if has_gone_back(payment) { Size::Former } else { Size::Dearer };
            continue;
        }
        if world.bank.kind == Provider::PayApp && it.takes(world, payment) {
            continue;
        }
        let (begins, ends) = stretch(world.bank.kind, payment);
        let again = it
            .paid_to
            .is_some_and(|paid| if once { begins < paid } else { ends <= paid || begins + DAY < paid });
        let asked = match world.bank.kind {
            // Each of its pages asks for its own price.
            Provider::PayApp => payment.amount.minor,
            _ => asking(&world.bank.payments[..place]),
        };
        let is_right = payment.amount.minor == asked;
        match (is_right && !again, has_gone_back(payment)) {
            (true, false) => {
                it.paid_to = Some(ends);
                // The whole price pays for the size, whatever became of the difference before it.
                it.size = if asked == DEAR { Size::Dearer } else { it.size };
                it.level = it.level.max(asked);
            }
            (true, true) => it.taken_back_to = it.taken_back_to.max(Some(ends)),
            (false, false) => {
                it.for_nothing.insert(payment.id.clone());
            }
            (false, true) => {}
        }
    }
    it.taken_back_to = it.taken_back_to.filter(|back| it.paid_to.is_none_or(|paid| paid < *back));
    it
}

impl Reckoning {
    /// A payment at PayApp of another price than was paid before: of a lower one it is for nothing, and a higher one begins
    /// anew, or leaves what there was if it went back while that was paid for.
    fn takes(&mut self, world: &World, payment: &Payment) -> bool {
        let (amount, paid_at) = (payment.amount.minor, payment.paid_at.as_second());
        let is_flagged =
            world.receipts.iter().any(|it| it.spec.provider_id == payment.id && !it.spec.flags.is_empty());
        // What was paid at the page of a dearer Plan after that was withdrawn.
        let is_late = amount == DEAR && is_flagged;
        if is_late || amount < self.level {
            if !has_gone_back(payment) {
                self.for_nothing.insert(payment.id.clone());
            }
            return true;
        }
        if self.level == 0 || amount == self.level {
            return false;
        }
        let (_, ends) = stretch(Provider::PayApp, payment);
        if !has_gone_back(payment) {
            (self.paid_to, self.size, self.level) = (Some(ends), Size::Dearer, amount);
        } else if self.paid_to.is_none_or(|paid| paid_at >= paid) {
            self.taken_back_to = self.taken_back_to.max(Some(ends));
        }
        true
    }

    /// Where it stands at a time; `seen` is when the operator saw that money went back, from when on data is kept.
    pub fn phase(&self, now: i64, seen: Option<i64>) -> FundingPhase {
        let is_paid = self.paid_to.is_some_and(|paid| now < paid);
        match (self.paid_to, self.taken_back_to) {
            _ if is_paid => FundingPhase::Paid,
            // Data is kept no longer than if the money hadn't gone back.
            (_, Some(back)) if now >= back + GRACE + RETENTION => FundingPhase::Ended,
            (_, Some(_)) if now < seen.unwrap_or(now) + RETENTION => FundingPhase::Refunded,
            (_, Some(_)) => FundingPhase::Ended,
            (None, None) => FundingPhase::Unpaid,
            (Some(paid), None) if now < paid + GRACE => FundingPhase::PastDue,
            (Some(paid), None) if now < paid + GRACE + RETENTION => FundingPhase::Suspended,
            (Some(_), None) => FundingPhase::Ended,
        }
    }

    /// Whether a Runtime may run on it.
    pub fn funds(&self, now: i64) -> bool {
        matches!(self.phase(now, None), FundingPhase::Paid | FundingPhase::PastDue)
    }
}
