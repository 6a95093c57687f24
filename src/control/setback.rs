//! What a failed step of a Workspace, an order or a hostname comes to: the trouble that is kept, and the pause before the next try.
//! Runtimes have their own pace, see `runtime::trouble`: Fly settles by the second.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::api::ObjectMeta;

use super::runtime::facts::{Refusal, Trouble, TroubleClass};
use super::runtime::trouble::{Failure, Pace};
use crate::api::reason;
use crate::engine::backoff::Backoff;
use crate::engine::metrics::ReconcileResult;

/// Pause after a status that couldn't be written, or a loss of the lease.
pub const SHORT_PAUSE: SignedDuration = SignedDuration::from_secs(2);

/// The longest pause that is kept because somebody asks for it: nothing else is done for the object meanwhile.
const LONGEST_ASKED: Duration = Duration::from_mins(5);

/// The trouble after a failure, given the one before; `slowest` is the longest pause.
pub fn trouble(
    now: Timestamp,
    meta: &ObjectMeta,
    before: Option<&Trouble>,
    failure: Failure,
    slowest: SignedDuration,
) -> Trouble {
    let before = before.filter(|trouble| trouble.reason == failure.reason);
    let attempts = before.map_or(1, |trouble| trouble.attempts.saturating_add(1));
    let pause = pause(meta, &failure, attempts, slowest);
    Trouble {
        class: failure.class,
        reason: failure.reason,
        message: failure.message,
        since: before.map_or(now, |trouble| trouble.since),
        attempts,
        next: now.saturating_add(pause).unwrap_or(now),
        generation: meta.generation.unwrap_or_default(),
    }
}

/// How much of the pause after a failure is left; `None` if it is over, or the spec has changed.
pub fn left(now: Timestamp, meta: &ObjectMeta, trouble: Option<&Trouble>) -> Option<SignedDuration> {
    let trouble = trouble.filter(|trouble| meta.generation.unwrap_or_default() == trouble.generation)?;
    Some(now.duration_until(trouble.next)).filter(|left| *left > SignedDuration::ZERO)
}

fn pause(meta: &ObjectMeta, failure: &Failure, attempts: u32, slowest: SignedDuration) -> SignedDuration {
    let first = match (failure.pace, failure.class) {
        (Pace::Soon, _) | (_, TroubleClass::Transient) => Duration::from_secs(1),
        (_, TroubleClass::Human) => Duration::from_secs(5),
    };
    let slowest = Duration::try_from(slowest).unwrap_or(first);
    let uid = meta.uid.as_deref().unwrap_or_default();
    let own = Backoff::between(first, slowest).pause(uid, attempts);
    let asked = failure.retry_after.unwrap_or_default().min(LONGEST_ASKED);
    SignedDuration::try_from(own.max(asked)).unwrap_or(SHORT_PAUSE)
}

/// The failure that a visit comes to that panicked: a fault of ours marks its object and no other.
pub fn panicked() -> Failure {
    let fault = "Moorage has a fault that this object brings out. Report it with the operator's log.";
    Refusal::new(reason::INTERNAL_ERROR, fault).into()
}

/// What a visit that didn't come to rest counts as.
pub fn result(trouble: Option<&Trouble>) -> ReconcileResult {
    match trouble {
        Some(trouble) if trouble.reason == reason::INTERNAL_ERROR => ReconcileResult::Bug,
        Some(trouble) if trouble.class == TroubleClass::Human => ReconcileResult::User,
        Some(_) => ReconcileResult::Transient,
        None => ReconcileResult::Requeue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_that_is_asked_for_is_kept_within_reason() {
        let pause = |asked: Option<u64>| {
            let failure = Failure {
                class: TroubleClass::Transient,
                reason: reason::CERTIFICATE_AUTHORITY_UNAVAILABLE,
                message: String::new(),
                retry_after: asked.map(Duration::from_secs),
                pace: Pace::Backoff,
            };
            let (now, slowest) = (Timestamp::UNIX_EPOCH, SignedDuration::from_mins(10));
            trouble(now, &ObjectMeta::default(), None, failure, slowest).next.as_second()
        };
        assert!(pause(None) <= 2);
        assert!(pause(Some(0)) >= 1, "it is no reason to hurry");
        assert_eq!(pause(Some(60)), 60);
        assert_eq!(pause(Some(7200)), 300);
    }
}
