//! When an order's provider is asked again. Pure.
//!
//! Notices are hints: whether they come or not, an order is read again after a while.

use jiff::{SignedDuration, Timestamp};

use super::facts::{Facts, Reading};
use super::truth::is_asked;
use crate::api::order_record::{AttemptState, OrderRecord};
use crate::api::runtime_order::FundingPhase;

/// Time after a checkout was opened in which most customers pay.
const AT_THE_CHECKOUT: SignedDuration = SignedDuration::from_mins(10);
/// Pause between two readings in that time, where nothing is told.
const BRISK: SignedDuration = SignedDuration::from_secs(10);
/// How much more seldom an order is read that is paid.
const SELDOM: i32 = 12;
/// How old what was read may be for a change to be recorded of it.
const FRESH: SignedDuration = SignedDuration::from_mins(1);

/// Whether the provider has to be asked before anything is decided.
pub fn is_due(now: Timestamp, facts: &Facts, order: &OrderRecord) -> bool {
    next(facts, order).is_some_and(|next| next <= now)
}

/// When the provider is asked again, if it is; in the past, if it was never asked.
pub fn next(facts: &Facts, order: &OrderRecord) -> Option<Timestamp> {
    if !is_asked(order) || is_over(order) {
        return None;
    }
    let Some(read) = facts.known.read.as_ref().filter(|read| read.notice == order.notice_time) else {
        return Some(Timestamp::MIN);
    };
    Some(read.at.saturating_add(pause(read, facts, order)).unwrap_or(Timestamp::MAX))
}

/// Whether what was read is so new that a change may be recorded of it. What needn't be asked is always new.
pub fn is_fresh(now: Timestamp, facts: &Facts, order: &OrderRecord) -> bool {
    let new = |read: &Reading| read.at.duration_until(now) <= FRESH;
    !is_asked(order) || facts.known.read.as_ref().is_some_and(new)
}

/// Whether it can't change any more: it has ended, and nothing is collected for it.
fn is_over(order: &OrderRecord) -> bool {
    let closed = order.attempts.iter().all(|attempt| attempt.state == AttemptState::Closed);
    let ended = match (&order.subscription_id, &order.ending) {
        (None, _) => true,
        (Some(id), Some(ending)) => ending.subscription_id == *id && ending.done_time.is_some(),
        (Some(_), None) => false,
    };
    order.phase == FundingPhase::Ended && closed && ended
}

fn pause(read: &Reading, facts: &Facts, order: &OrderRecord) -> SignedDuration {
    let poll = facts.cluster.settings.poll;
    let opened = order.attempts.last().map(|attempt| attempt.create_time);
    match order.phase {
        FundingPhase::Unpaid if opened.is_some_and(|at| at.duration_until(read.at) < AT_THE_CHECKOUT) => {
            poll.min(BRISK)
        }
        FundingPhase::Paid => poll.checked_mul(SELDOM).unwrap_or(poll),
        _ => poll,
    }
}
