//! When to try again after a failure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::error::{AcmeError, Cause};
use crate::domains::DomainClass;
use crate::engine::backoff::Backoff;

/// After what the authority refuses, and counts: an hour, doubled up to 32.
const REFUSED: Backoff = Backoff::between(Duration::from_hours(1), Duration::from_hours(32));
/// After what passes by itself: seconds, doubled up to ten minutes.
const PASSING: Backoff = Backoff::between(Duration::from_secs(5), Duration::from_mins(10));

/// When to try again at the earliest, after this many failures in a row of which this is the last. `id` spreads those
/// that failed together; the same one has the same rhythm each time.
///
/// A pause that the authority asks for is kept, whatever is longer. Whoever isn't known any more comes back at once,
/// and after that as with what passes.
pub fn next_try(now: Timestamp, id: &str, failures: u32, error: &AcmeError) -> Timestamp {
    let own = match (error.cause, error.error.class) {
        (Cause::AccountUnknown | Cause::OrderUnknown, _) => PASSING.pause(id, failures.saturating_sub(1)),
        (Cause::RateLimited, _) if error.error.retry_after.is_some() => PASSING.pause(id, failures),
        (Cause::RateLimited, _) | (_, DomainClass::Human) => REFUSED.pause(id, failures),
        (_, DomainClass::Transient) => PASSING.pause(id, failures),
    };
    let own = SignedDuration::try_from(own).unwrap_or_default();
    let own = now.saturating_add(own).unwrap_or(now);
    error.wait_until(now).map_or(own, |asked| asked.max(own))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domains::DomainError;

    fn error(cause: Cause, class: DomainClass, retry_after: Option<u64>) -> AcmeError {
        let error = match class {
            DomainClass::Transient => DomainError::authority_unavailable("later"),
            DomainClass::Human => DomainError::certificate_refused("no"),
        };
        AcmeError { cause, error: error.retry_after(retry_after.map(Duration::from_secs)) }
    }

    fn seconds(failures: u32, error: &AcmeError) -> i64 {
        next_try(Timestamp::UNIX_EPOCH, "a.example.dev", failures, error).as_second()
    }

    #[test]
    fn refusals_are_tried_again_after_hours_and_what_passes_after_seconds() {
        let refused = error(Cause::Refused, DomainClass::Human, None);
        for (failures, hours) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 32), (u32::MAX, 32)] {
            let pause = seconds(failures, &refused);
            assert!((hours * 3600..hours * 4500).contains(&pause), "{failures}: {pause}");
        }
        let passing = error(Cause::Unavailable, DomainClass::Transient, None);
        for (failures, least) in [(1, 5), (2, 10), (3, 20), (50, 600)] {
            let pause = seconds(failures, &passing);
            assert!((least..=least * 5 / 4).contains(&pause), "{failures}: {pause}");
        }
    }

    #[test]
    fn whoever_is_unknown_comes_back_at_once_but_not_again_and_again() {
        let unknown = error(Cause::AccountUnknown, DomainClass::Transient, None);
        assert_eq!(seconds(1, &unknown), 0);
        assert!(seconds(2, &unknown) >= 5);
    }

    #[test]
    fn a_pause_that_is_asked_for_is_kept() {
        let limited = |retry_after| error(Cause::RateLimited, DomainClass::Transient, retry_after);
        assert_eq!(seconds(1, &limited(Some(7200))), 7200);
        assert!(seconds(1, &limited(Some(1))) >= 5, "it is no reason to hurry");
        assert!(seconds(1, &limited(None)) >= 3600, "a limit without an end");
    }

    proptest! {
        #[test]
        fn it_is_never_before_now_nor_before_what_is_asked_for(failures in any::<u32>(), asked in proptest::option::of(0_u64..604_800), human in any::<bool>()) {
            let class = if human { DomainClass::Human } else { DomainClass::Transient };
            let pause = seconds(failures, &error(Cause::Refused, class, asked));
            let asked = i64::try_from(asked.unwrap_or_default()).unwrap();
            prop_assert!(pause >= asked);
            prop_assert!(pause <= asked.max(40 * 3600));
        }
    }
}
