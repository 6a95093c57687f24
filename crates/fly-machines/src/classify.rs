//! From an answer to a class: the API's words first, its status code only where they say nothing.

use std::time::Duration;

use crate::error::{CapacityScope, ErrorClass, Outcome};

/// Whether a call changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It doesn't.
    Read,
    /// It does.
    Write,
}

/// What a refusal looked like.
#[derive(Debug)]
pub(crate) struct Refusal<'a> {
    pub(crate) effect: Effect,
    pub(crate) status: u16,
    /// The words of the body: `message`, else `error`, else all of it.
    pub(crate) text: &'a str,
    /// The body's `status` field, if it has one.
    pub(crate) code: &'a str,
    pub(crate) retry_after: Option<Duration>,
}

const HOST: ErrorClass = ErrorClass::Capacity(CapacityScope::Host);
const PLACEMENT: ErrorClass = ErrorClass::Capacity(CapacityScope::VolumePlacement);
const REGION: ErrorClass = ErrorClass::Capacity(CapacityScope::Region);

/// The body's `status` field, where it is more than `unknown`.
const CODES: &[(&str, ErrorClass)] = &[
    ("insufficient_capacity", REGION),
    ("volume_placement_capacity", PLACEMENT),
    ("name_taken", ErrorClass::NameTaken),
];

/// Words that decide whatever the status code is. The first match wins, so the narrower come first.
const WORDS: &[(&str, ErrorClass)] = &[
    ("insufficient resources to create new machine with existing volume", PLACEMENT),
    ("could not find a candidate host", REGION),
    ("could not reserve resource", HOST),
    ("insufficient memory available", HOST),
    ("insufficient cpus", HOST),
    ("insufficient ips", HOST),
    ("insufficient resources available", HOST),
    ("insufficient resources", REGION),
    ("no capacity", REGION),
    ("over the allowed quota", ErrorClass::Quota),
    ("machine limit", ErrorClass::Quota),
    ("app limit", ErrorClass::Quota),
    ("add a payment method", ErrorClass::Quota),
    ("billing@fly.io", ErrorClass::Quota),
    ("governor policy", ErrorClass::PolicyBlocked),
    ("unique machine name violation", ErrorClass::NameTaken),
    ("has already been taken", ErrorClass::NameTaken),
    ("uniqueness constraint", ErrorClass::NameTaken),
    ("hostname already exists", ErrorClass::AlreadyExists),
    ("already allocated", ErrorClass::AlreadyExists),
    ("already been allocated", ErrorClass::AlreadyExists),
    ("already_exists:", ErrorClass::AlreadyExists),
    ("refusing to start", ErrorClass::Settling),
    ("still attempting to start", ErrorClass::Settling),
    ("currently bound to machine", ErrorClass::Settling),
    ("already claimed by machine", ErrorClass::Settling),
    ("snapshot is already scheduled", ErrorClass::Settling),
    ("currently replaced", ErrorClass::Settling),
    ("concurrent update", ErrorClass::Conflict),
    ("current_version", ErrorClass::Conflict),
    ("machine_version", ErrorClass::Conflict),
    ("min_secrets_version", ErrorClass::Conflict),
    ("not currently stopped, suspended", ErrorClass::WrongState),
    ("machine not running", ErrorClass::WrongState),
    ("lease currently held", ErrorClass::LeaseHeld),
    ("manifest_unknown", ErrorClass::ImageMissing),
    ("manifest unknown", ErrorClass::ImageMissing),
    ("deploys to this host", ErrorClass::HostUnreachable),
    ("host is unreachable", ErrorClass::HostUnreachable),
    ("host unreachable", ErrorClass::HostUnreachable),
    ("host is unavailable", ErrorClass::HostUnreachable),
];

/// The states from which a start works soon.
const PASSING_STATES: &[&str] =
    &["'created'", "'creating'", "'replacing'", "'updating'", "'stopping'", "'suspending'"];

/// Decides what a refusal means.
pub(crate) fn classify(refusal: &Refusal<'_>) -> ErrorClass {
    let text = refusal.text.to_ascii_lowercase();
    if refusal.status == 429 || text.contains("rate limit exceeded") {
        return ErrorClass::Throttled { retry_after: refusal.retry_after };
    }
    if refusal.status == 401 {
        return ErrorClass::Unauthorized;
    }
    by_code(refusal.code).or_else(|| by_words(refusal.status, &text)).unwrap_or_else(|| by_status(refusal))
}

fn by_code(code: &str) -> Option<ErrorClass> {
    CODES.iter().find(|(known, _)| *known == code).map(|(_, class)| *class)
}

fn by_words(status: u16, text: &str) -> Option<ErrorClass> {
    if text.contains("unable to start machine from current state") {
        let passing = PASSING_STATES.iter().any(|state| text.contains(state));
        return Some(if passing { ErrorClass::Settling } else { ErrorClass::WrongState });
    }
    if let Some((_, class)) = WORDS.iter().find(|(words, _)| text.contains(words)) {
        return Some(*class);
    }
    match status {
        409 | 412 if text.contains("lease") => Some(ErrorClass::LeaseHeld),
        400 | 412 | 422 if text.contains("volume") && text.contains("not found") => {
            Some(ErrorClass::VolumeMissing)
        }
        503 if text.starts_with("unavailable:") => Some(ErrorClass::HostUnreachable),
        _ => None,
    }
}

fn by_status(refusal: &Refusal<'_>) -> ErrorClass {
    let read = refusal.effect == Effect::Read;
    match refusal.status {
        403 => ErrorClass::Forbidden,
        404 | 410 => ErrorClass::NotFound,
        409 => ErrorClass::Conflict,
        412 => ErrorClass::WrongState,
        408 | 500.. if read => ErrorClass::Unavailable,
        408 | 500.. => ErrorClass::Ambiguous,
        400..500 => ErrorClass::Invalid,
        _ => ErrorClass::BadAnswer,
    }
}

/// Whether a refused call may have taken effect all the same.
pub(crate) fn outcome(effect: Effect, status: u16, class: ErrorClass) -> Outcome {
    let vague = status == 408 || !(400..500).contains(&status);
    // These are told before anything is done.
    let told = matches!(class, ErrorClass::Capacity(_) | ErrorClass::Quota | ErrorClass::Throttled { .. });
    if effect == Effect::Write && vague && !told { Outcome::Unknown } else { Outcome::Refused }
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
