//! When an order's provider is asked again. Pure.
//!
//! Notices are hints: whether they come or not, an order is read again after a while, as long as anything may change:
//! briskly while a customer is likely to pay, ever more seldom after that, and not at all once it is over.

use jiff::{SignedDuration, Timestamp};

use super::decide::is_served;
use super::facts::{Facts, FirstReading, Reading};
use super::portal;
use super::truth::is_asked;
use crate::api::order_record::{AttemptState, OrderRecord};
use crate::api::runtime_order::FundingPhase;
use crate::billing::{ProviderTruth, SubscriptionState};
use crate::engine::hash::share_of;

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

/// When the provider is asked again, if it is; in the past, if it is to be asked now.
pub fn next(facts: &Facts, order: &OrderRecord) -> Option<Timestamp> {
    if !is_asked(order) {
        return None;
    }
    let Some(read) = &facts.known.read else { return Some(first(facts, order)) };
    if read.notice != order.notice_time {
        return Some(Timestamp::MIN);
    }
    let pause = pause(read, facts.cluster.settings.poll, order)?;
    Some(read.at.saturating_add(pause).unwrap_or(Timestamp::MAX))
}

/// When it is read for the first time by this process. After a start everything that is paid would be read at once, and
/// those who wait at a page behind it: what is paid waits for its turn, unless something is to be done for it.
fn first(facts: &Facts, order: &OrderRecord) -> Timestamp {
    let whole = facts.cluster.settings.poll.checked_mul(SELDOM).unwrap_or_default();
    let FirstReading::Since(since) = facts.known.first else { return Timestamp::MIN };
    if !may_wait(since, whole, facts, order) {
        return Timestamp::MIN;
    }
    let turn = since.saturating_add(share_of(whole, &order.uid)).unwrap_or(since);
    order.paid_until.map_or(Timestamp::MIN, |until| turn.min(until))
}

/// Whether what is recorded of an order that is paid stands for a while: nothing is under way, nobody asks for anything,
/// and no notice came lately.
fn may_wait(since: Timestamp, whole: SignedDuration, facts: &Facts, order: &OrderRecord) -> bool {
    let is_settled = order.attempts.iter().all(|attempt| attempt.state.is_over())
        && order.endings.iter().all(|ending| ending.done_time.is_some())
        && order.change.is_none();
    let is_noticed = order.notice_time.is_some_and(|notice| notice.duration_until(since) < whole);
    order.phase == FundingPhase::Paid
        && is_settled
        && !is_noticed
        && !facts.is_deleted()
        && !portal::is_asked_after(since, facts)
        && is_served(facts, order)
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
