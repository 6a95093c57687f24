//! What is told before anything is lost: that it isn't paid, that it is stopped, and that it is deleted soon. Pure.

use jiff::{SignedDuration, Timestamp};

use super::standing::{Patience, Standing};
use crate::api::condition::{ConditionType, find};
use crate::api::reason;
use crate::api::runtime_order::{FundingPhase, RuntimeOrderStatus};
use crate::control::history::announce::{News, Tone};

/// How long before a deletion it is told once more, where data is kept for longer than twice that.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 3);

/// Ends the message of `Paid` when the Runtime is deleted soon.
pub const SOON: &str = " That is soon.";

/// When it is told that the Runtime is deleted soon.
pub fn soon_at(standing: &Standing, patience: Patience) -> Option<Timestamp> {
    let is_kept = matches!(standing.phase, FundingPhase::Suspended | FundingPhase::Refunded);
    let ahead = AHEAD.min(patience.retention / 2);
    standing.delete_at.filter(|_| is_kept)?.checked_sub(ahead).ok()
}

/// Whether it is told now.
pub fn is_soon(now: Timestamp, standing: &Standing, patience: Patience) -> bool {
    soon_at(standing, patience).is_some_and(|at| at <= now)
}

/// What a new status is worth warning of.
pub fn warning(old: &RuntimeOrderStatus, new: &RuntimeOrderStatus) -> Option<News> {
    let phase = |status: &RuntimeOrderStatus| status.subscription.as_ref().map(|it| it.state);
    let subscription = new.subscription.as_ref()?;
    let (suspend, delete) = (told(subscription.suspend_time), told(subscription.delete_time));
    let has_changed = phase(old) != phase(new);
    let (reason, note) = match subscription.state {
        FundingPhase::PastDue if has_changed => (
            reason::PAST_DUE,
            format!(
                "The next interval isn't paid. Unless it is paid, the Runtime is stopped {suspend} and deleted {delete}."
            ),
        ),
        FundingPhase::Suspended if has_changed => (
            reason::SUSPENDED,
            format!(
                "It isn't paid: the Runtime is stopped. Unless it is paid, the Runtime is deleted {delete}."
            ),
        ),
        FundingPhase::Refunded if has_changed => (
            reason::REFUNDED,
            format!("The money went back: the Runtime is stopped, and is deleted {delete}."),
        ),
        FundingPhase::Suspended | FundingPhase::Refunded if is_told(new) && !is_told(old) => (
            if subscription.state == FundingPhase::Suspended { reason::SUSPENDED } else { reason::REFUNDED },
            format!("The Runtime is deleted soon, {delete}, as its deletion policy says."),
        ),
        _ => return None,
    };
    Some(News { tone: Tone::Warning, reason: reason.to_owned(), note })
}

fn told(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "later".to_owned(), |time| format!("at {time}"))
}

fn is_told(status: &RuntimeOrderStatus) -> bool {
    find(&status.conditions, ConditionType::Paid).is_some_and(|paid| paid.message.contains(SOON))
}
