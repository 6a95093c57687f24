//! What went wrong, in the terms that decisions and people need.

use std::time::Duration;

use fly_machines::{CapacityScope, ErrorClass};
use jiff::{SignedDuration, Timestamp};

use super::facts::{Facts, Refusal, Trouble, TroubleClass};
use crate::api::reason;

/// Why a look or an effect failed.
#[derive(Debug)]
pub struct Failure {
    /// How bad it is.
    pub class: TroubleClass,
    /// Why, in one word.
    pub reason: &'static str,
    /// Cause and remedy.
    pub message: String,
    /// What the other side asks us to wait, if it does.
    pub retry_after: Option<Duration>,
    /// Whether the same is likely to work in a moment.
    pub pace: Pace,
}

/// How soon something is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// In a moment: something is still settling.
    Soon,
    /// Ever more slowly.
    Backoff,
}

impl Failure {
    /// The lease is gone: whoever has it acts now, and tells what comes of it.
    pub fn deposed() -> Self {
        Self {
            class: TroubleClass::Transient,
            reason: reason::KUBERNETES_UNAVAILABLE,
            message: "Another replica acts now.".into(),
            retry_after: None,
            pace: Pace::Soon,
        }
    }

    /// Fly doesn't tell all of the Machine: nothing is concluded from what is missing.
    pub fn not_in_full() -> Self {
        Self {
            class: TroubleClass::Transient,
            reason: reason::FLY_UNAVAILABLE,
            message: "Fly doesn't know just now how the Machine's host is, and doesn't tell all of the Machine; it is \
                      asked again."
                .into(),
            retry_after: None,
            pace: Pace::Backoff,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self {
            class: TroubleClass::Human,
            reason: refusal.reason,
            message: refusal.message,
            retry_after: None,
            pace: Pace::Backoff,
        }
    }
}

impl From<fly_machines::Error> for Failure {
    fn from(error: fly_machines::Error) -> Self {
        tracing::debug!(?error, "Fly refused or failed");
        let (class, reason, pace) = judge(error.class());
        Self {
            class,
            reason,
            message: format!("{}: {}.", error.message(), error.remedy()),
            retry_after: error.retry_after(),
            pace,
        }
    }
}

fn judge(class: ErrorClass) -> (TroubleClass, &'static str, Pace) {
    use Pace::{Backoff, Soon};
    use TroubleClass::{Human, Transient};
    match class {
        ErrorClass::Capacity(
            CapacityScope::Host | CapacityScope::VolumePlacement | CapacityScope::Region,
        ) => (Transient, reason::CAPACITY, Backoff),
        ErrorClass::Quota | ErrorClass::PolicyBlocked => (Human, reason::QUOTA_EXCEEDED, Backoff),
        ErrorClass::ImageMissing => (Human, reason::IMAGE_NOT_FOUND, Backoff),
        ErrorClass::Unauthorized | ErrorClass::Forbidden => (Human, reason::FLY_UNAUTHORIZED, Backoff),
        ErrorClass::HostUnreachable => (Transient, reason::HOST_UNREACHABLE, Backoff),
        ErrorClass::Throttled { .. } => (Transient, reason::FLY_THROTTLED, Backoff),
        ErrorClass::Settling
        | ErrorClass::Conflict
        | ErrorClass::LeaseHeld
        | ErrorClass::NotFound
        | ErrorClass::AlreadyExists
        | ErrorClass::VolumeMissing
        | ErrorClass::WrongState
        | ErrorClass::NameTaken => (Transient, reason::FLY_REFUSED, Soon),
        ErrorClass::Invalid => (Human, reason::FLY_REFUSED, Backoff),
        _ => (Transient, reason::FLY_UNAVAILABLE, Backoff),
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        tracing::debug!(%error, "the API server refused or failed");
        let (class, reason, message, pace) = match &error {
            kube::Error::Api(status) if status.code == 409 => (
                TroubleClass::Transient,
                reason::KUBERNETES_UNAVAILABLE,
                "The object changed at the same time; it is read again.".to_owned(),
                Pace::Soon,
            ),
            kube::Error::Api(status) if (400..429).contains(&status.code) && status.code != 408 => (
                TroubleClass::Human,
                reason::KUBERNETES_REFUSED,
                format!("The API server refused a write: {}.", status.message.trim_end_matches('.')),
                Pace::Backoff,
            ),
            kube::Error::Api(status) if status.code == 500 => (
                TroubleClass::Transient,
                reason::KUBERNETES_UNAVAILABLE,
                "The API server failed at a request, as it does when an admission webhook can't be called; it is \
                 tried again."
                    .to_owned(),
                Pace::Backoff,
            ),
            _ => (
                TroubleClass::Transient,
                reason::KUBERNETES_UNAVAILABLE,
                "The API server doesn't answer; it is tried again.".to_owned(),
                Pace::Backoff,
            ),
        };
        Self { class, reason, message, retry_after: None, pace }
    }
}

/// Notes a failure with the pause before the next try.
pub fn note(now: Timestamp, facts: &mut Facts, failure: Failure) {
    facts.known.trouble = Some(next(now, facts, facts.known.trouble.as_ref(), failure));
}

/// Notes a failure about the hostname, which holds nothing else up.
pub fn note_beside(now: Timestamp, facts: &mut Facts, failure: Failure) {
    facts.known.hostname.trouble = Some(next(now, facts, facts.known.hostname.trouble.as_ref(), failure));
}

fn next(now: Timestamp, facts: &Facts, before: Option<&Trouble>, failure: Failure) -> Trouble {
    let before = before.filter(|trouble| trouble.reason == failure.reason);
    let attempts = before.map_or(1, |trouble| trouble.attempts.saturating_add(1));
    let since = before.map_or(now, |trouble| trouble.since);
    let pause = pause(since.duration_until(now), attempts, &failure, facts.cluster.settings.slow_retry);
    Trouble {
        class: failure.class,
        reason: failure.reason,
        message: failure.message,
        since,
        attempts,
        next: now.saturating_add(pause).unwrap_or(now),
        generation: facts.runtime.metadata.generation.unwrap_or_default(),
    }
}

/// Time in which what settles is tried without a longer pause. A volume's claim lasts for three minutes, and others take
/// some more.
const SETTLING: SignedDuration = SignedDuration::from_mins(10);

/// What settles is tried every second or two for as long as that may take, and then more slowly from there on; the rest
/// ever more slowly from the start.
fn pause(
    waited: SignedDuration,
    attempts: u32,
    failure: &Failure,
    slowest: SignedDuration,
) -> SignedDuration {
    let doubling =
        |first: i64| SignedDuration::from_secs(first.saturating_mul(1 << attempts.saturating_sub(1).min(16)));
    let own = match (failure.pace, failure.class) {
        (Pace::Soon, _) if waited < SignedDuration::from_mins(1) => SignedDuration::from_secs(1),
        (Pace::Soon, _) => (waited - SETTLING).max(SignedDuration::from_secs(2)),
        (_, TroubleClass::Transient) => doubling(1),
        // A new token mends all at once: nobody should wait for it longer than the client takes to read it.
        _ if failure.reason == reason::FLY_UNAUTHORIZED => doubling(5).min(SignedDuration::from_secs(30)),
        (_, TroubleClass::Human) => doubling(5),
    };
    let asked =
        failure.retry_after.and_then(|asked| SignedDuration::try_from(asked).ok()).unwrap_or_default();
    own.min(slowest).max(asked.min(SignedDuration::from_mins(5)))
}
