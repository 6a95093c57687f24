//! Exponential back-off of one object, without a clock or chance: the same object fails in the same rhythm, and
//! different objects don't fail in step.

use std::time::Duration;

/// How the pauses between attempts grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
}

impl Backoff {
    /// The shortest pause there is.
    pub const SHORTEST: Duration = Duration::from_secs(1);

    /// Pauses of 1 s, 2 s, 4 s and so on up to `cap`.
    pub const fn up_to(cap: Duration) -> Self {
        Self::between(Self::SHORTEST, cap)
    }

    /// Pauses of `first`, twice that and so on up to `cap`, neither below [`Self::SHORTEST`].
    pub const fn between(first: Duration, cap: Duration) -> Self {
        let first = longer(first, Self::SHORTEST);
        Self { first, cap: longer(cap, first) }
    }

    /// The pause after this many failures in a row: none after none; otherwise the doubled pause, up to the cap,
    /// plus up to a quarter of it, as the object's uid and the count decide.
    pub fn pause(&self, uid: &str, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let plain = self.first.saturating_mul(factor).min(self.cap);
        plain + plain.mul_f64(spread(uid, failures) / 4.0)
    }

    /// The longest pause, before it is spread.
    pub const fn cap(&self) -> Duration {
        self.cap
    }
}

const fn longer(one: Duration, other: Duration) -> Duration {
    if one.as_nanos() < other.as_nanos() { other } else { one }
}

/// A number from 0 up to 1 that depends on nothing but the arguments, today and in the next version.
fn spread(uid: &str, failures: u32) -> f64 {
    let bytes = uid.bytes().chain(failures.to_be_bytes());
    // FNV-1a, then the last step of MurmurHash3, since FNV alone leaves the high bits alike.
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    let high = u32::try_from(hash >> 32).unwrap_or_default();
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: Duration = Duration::from_mins(10);

    fn pause(uid: &str, failures: u32) -> Duration {
        Backoff::up_to(CAP).pause(uid, failures)
    }

    #[test]
    fn no_failure_is_no_pause_so_that_success_resets() {
        assert_eq!(pause("a", 0), Duration::ZERO);
    }

    #[test]
    fn each_failure_doubles_the_pause_until_the_cap() {
        for failures in 1..=200 {
            let exponent = i32::try_from(failures - 1).unwrap();
            let plain = Duration::from_secs_f64(2_f64.powi(exponent).min(CAP.as_secs_f64()));
            let paused = pause("0b1b5bd2", failures);
            assert!(plain <= paused && paused < plain.mul_f64(1.25), "{failures}: {paused:?}");
        }
    }

    #[test]
    fn the_same_object_has_the_same_pause_and_others_have_others() {
        assert_eq!(pause("one", 5), pause("one", 5));
        let mut pauses: Vec<Duration> = (0..100).map(|n| pause(&format!("uid-{n}"), 5)).collect();
        pauses.sort();
        pauses.dedup();
        assert_eq!(pauses.len(), 100);
        let spread = pauses[99].saturating_sub(pauses[0]);
        assert!(spread > Duration::from_secs(3), "only {spread:?} apart of 4 s possible");
    }

    #[test]
    fn no_setting_makes_a_hot_loop() {
        let hot = Backoff::between(Duration::ZERO, Duration::ZERO);
        assert!((1..10).all(|failures| hot.pause("a", failures) >= Backoff::SHORTEST));
        assert_eq!(hot.cap(), Backoff::SHORTEST);
    }
}
