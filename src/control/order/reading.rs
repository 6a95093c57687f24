//! When an order's provider is asked again. Pure.
//!
//! Notices are hints: whether they come or not, an order is read again after a while, as long as anything may change:
//! briskly while a customer is likely to pay, ever more seldom after that, and not at all once it is over.

use jiff::{SignedDuration, Timestamp};

use super::facts::{Facts, Reading};
use super::truth::is_asked;
use crate::api::order_record::{AttemptState, OrderRecord};
use crate::api::runtime_order::FundingPhase;
use crate::billing::{ProviderTruth, SubscriptionState};

/// Time after a checkout was opened in which most customers pay, and the pause between two readings in it.
const AT_THE_CHECKOUT: SignedDuration = SignedDuration::from_mins(10);
const BRISK: SignedDuration = SignedDuration::from_secs(10);
/// Time after which a checkout is read more seldom, and by how much.
const LATER: SignedDuration = SignedDuration::from_hours(2);
const SLOWLY: i32 = 4;
/// How much more seldom an order is read of which little is expected: one that is paid, or whose money takes days.
const SELDOM: i32 = 12;
const DAYS: SignedDuration = SignedDuration::from_hours(24);
/// Time after which money that is on its way isn't waited for any more, unless its provider tells of it.
const LATEST: SignedDuration = SignedDuration::from_hours(24 * 14);
/// How old what was read may be for a change to be recorded of it.
const FRESH: SignedDuration = SignedDuration::from_mins(1);

/// Whether the provider has to be asked before anything is decided.
pub fn is_due(now: Timestamp, facts: &Facts, order: &OrderRecord) -> bool {
    next(facts, order).is_some_and(|next| next <= now)
}

/// When the provider is asked again, if it is; in the past, if it was never asked.
pub fn next(facts: &Facts, order: &OrderRecord) -> Option<Timestamp> {
    if !is_asked(order) {
        return None;
    }
    let Some(read) = facts.known.read.as_ref().filter(|read| read.notice == order.notice_time) else {
        return Some(Timestamp::MIN);
    };
    let pause = pause(read, facts.cluster.settings.poll, order)?;
    Some(read.at.saturating_add(pause).unwrap_or(Timestamp::MAX))
}

/// Whether what was read is so new that a change may be recorded of it. What needn't be asked is always new.
pub fn is_fresh(now: Timestamp, facts: &Facts, order: &OrderRecord) -> bool {
    let new = |read: &Reading| read.at.duration_until(now) <= FRESH;
    !is_asked(order) || facts.known.read.as_ref().is_some_and(new)
}

/// The pause until it is read again; none if it is read only when its provider tells of something.
fn pause(read: &Reading, poll: SignedDuration, order: &OrderRecord) -> Option<SignedDuration> {
    let times = |factor| poll.checked_mul(factor).unwrap_or(poll);
    let page = order.attempts.last().filter(|attempt| !attempt.state.is_over());
    let age = page.map(|attempt| attempt.create_time.duration_until(read.at));
    match (order.phase, age) {
        (FundingPhase::Paid | FundingPhase::Refunded, _) => Some(times(SELDOM)),
        (FundingPhase::Ended, _) => (!is_settled(&read.truth, order)).then(|| times(SELDOM)),
        (FundingPhase::Unpaid, Some(age)) if age < AT_THE_CHECKOUT => Some(poll.min(BRISK)),
        // Nobody waits before a page that was opened by itself.
        (_, Some(age)) if age < LATER => Some(poll),
        (_, Some(age)) if age < DAYS => Some(times(SLOWLY)),
        (FundingPhase::Unpaid, Some(age)) if age < LATEST => Some(times(SELDOM)),
        (FundingPhase::Unpaid, _) => None,
        (FundingPhase::PastDue, _) => Some(poll),
        (FundingPhase::Suspended, _) => Some(times(SELDOM)),
    }
}

/// Whether nothing more is collected, and nobody can pay.
pub fn is_settled(truth: &ProviderTruth, order: &OrderRecord) -> bool {
    let ends = |state: SubscriptionState, ends_at: Option<Timestamp>| {
        state == SubscriptionState::Ended || ends_at.is_some()
    };
    let open = order.attempts.iter().any(|attempt| attempt.state == AttemptState::Open);
    !open && truth.subscriptions.iter().all(|it| ends(it.state, it.ends_at))
}
