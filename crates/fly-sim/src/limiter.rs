//! Fly's rate limits: a bucket for each action on each Machine or app.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::clock::Millis;

/// What kind of call it is, where that decides the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// GET of one Machine: 5 a second, burst 10.
    GetMachine,
    /// Deletion of an app: 100 a minute for the organisation.
    DeleteApp,
    /// Everything else: 1 a second, burst 3.
    Other,
}

impl Class {
    /// (tokens a second, burst)
    fn rate(self) -> (f64, f64) {
        match self {
            Self::GetMachine => (5.0, 10.0),
            Self::DeleteApp => (100.0 / 60.0, 100.0),
            Self::Other => (1.0, 3.0),
        }
    }
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Millis,
}

/// All buckets.
#[derive(Debug, Default)]
pub struct Limiter {
    buckets: HashMap<u64, (Class, Bucket)>,
}

/// So many buckets are kept before the full ones are dropped.
const SWEEP_AT: usize = 20_000;

impl Limiter {
    /// Takes one token for an action on a thing; `false` when there is none.
    pub fn take(&mut self, action: impl Hash, id: &str, class: Class, now: Millis) -> bool {
        if self.buckets.len() >= SWEEP_AT {
            self.sweep(now);
        }
        let (rate, burst) = class.rate();
        let full = || (class, Bucket { tokens: burst, at: now });
        let mut key = DefaultHasher::new();
        (action, id).hash(&mut key);
        let (_, bucket) = self.buckets.entry(key.finish()).or_insert_with(full);
        bucket.tokens = filled(bucket, rate, burst, now);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }

    /// A full bucket is as good as none.
    fn sweep(&mut self, now: Millis) {
        self.buckets.retain(|_, (class, bucket)| {
            let (rate, burst) = class.rate();
            filled(bucket, rate, burst, now) < burst
        });
    }
}

fn filled(bucket: &Bucket, rate: f64, burst: f64, now: Millis) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since the last call are far below 2^52")]
    let seconds = (now - bucket.at).max(0) as f64 / 1_000.0;
    (bucket.tokens + seconds * rate).min(burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_at_once_then_one_a_second() {
        let mut limiter = Limiter::default();
        let mut take = |now| limiter.take("stop", "m", Class::Other, now);
        assert_eq!([take(0), take(0), take(0), take(0)], [true, true, true, false]);
        assert_eq!([take(999), take(1_000), take(1_001)], [false, true, false]);
    }

    #[test]
    fn machines_and_actions_have_buckets_of_their_own() {
        let mut limiter = Limiter::default();
        for (action, id) in [("stop", "a"), ("stop", "b"), ("start", "a")] {
            for _ in 0..3 {
                assert!(limiter.take(action, id, Class::Other, 0), "{action} {id}");
            }
        }
    }

    #[test]
    fn reading_one_machine_is_allowed_more_often() {
        let mut limiter = Limiter::default();
        let taken = (0..20).filter(|_| limiter.take("get", "m", Class::GetMachine, 0)).count();
        assert_eq!(taken, 10);
    }
}
