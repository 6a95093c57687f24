//! How often a dashboard is made anew: at most once in two seconds, more slowly the more Runtimes it tells of, and
//! never without news. The last change is never lost: whatever came meanwhile is told after the pause.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// The shortest pause.
const SHORTEST: SignedDuration = SignedDuration::from_secs(2);
/// The longest pause.
const LONGEST: SignedDuration = SignedDuration::from_secs(5);

/// Namespaces in which something happened that their dashboards don't tell yet.
#[derive(Debug, Default)]
pub struct News(Mutex<HashSet<String>>);

/// Whether a namespace's news were already waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// They are the first since the dashboard was made: somebody has to look.
    First,
    /// A visit is due anyway.
    Already,
}

/// Whether a namespace has news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Churn {
    /// Something happened that the dashboard doesn't tell yet.
    News,
    /// Nothing did.
    Quiet,
}

/// When a dashboard is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Now.
    Now,
    /// After this time.
    In(SignedDuration),
    /// When there is news.
    Later,
}

impl News {
    /// Notes that something happened in the namespace.
    pub fn note(&self, namespace: &str) -> Noted {
        let mut waiting = self.lock();
        if waiting.contains(namespace) {
            return Noted::Already;
        }
        waiting.insert(namespace.to_owned());
        Noted::First
    }

    /// Whether there is news.
    pub fn churn(&self, namespace: &str) -> Churn {
        if self.lock().contains(namespace) { Churn::News } else { Churn::Quiet }
    }

    /// Clears the news, before the caches are read: what comes after is news again.
    pub fn take(&self, namespace: &str) {
        self.lock().remove(namespace);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pause between two dashboards that tell of so many Runtimes.
pub fn pause(runtimes: usize) -> SignedDuration {
    let more = SignedDuration::from_millis(i64::try_from(runtimes).unwrap_or(i64::MAX).saturating_mul(3));
    SHORTEST.saturating_add(more).min(LONGEST)
}

/// When the dashboard is due: at once if it was never made, else after the pause, if there is news.
pub fn due(now: Timestamp, last: Option<Timestamp>, churn: Churn, runtimes: usize) -> Due {
    let Some(last) = last else { return Due::Now };
    if churn == Churn::Quiet {
        return Due::Later;
    }
    let left = pause(runtimes).saturating_sub(last.duration_until(now));
    if left <= SignedDuration::ZERO { Due::Now } else { Due::In(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(1_000_000 + millisecond).unwrap()
    }

    #[test]
    fn the_pause_grows_with_the_runtimes_up_to_an_end() {
        assert_eq!(pause(0), SHORTEST);
        assert!(pause(100) > pause(10));
        assert_eq!(pause(1_000), LONGEST);
        assert_eq!(pause(usize::MAX), LONGEST);
    }

    #[test]
    fn without_news_nothing_is_due_but_the_first() {
        assert_eq!(due(at(0), None, Churn::Quiet, 3), Due::Now);
        assert_eq!(due(at(60_000), Some(at(0)), Churn::Quiet, 3), Due::Later);
    }

    #[test]
    fn news_in_the_pause_wait_for_its_end() {
        assert_eq!(due(at(500), Some(at(0)), Churn::News, 0), Due::In(SignedDuration::from_millis(1_500)));
        assert_eq!(due(at(2_000), Some(at(0)), Churn::News, 0), Due::Now);
    }

    #[test]
    fn news_are_first_once_until_they_are_taken() {
        let news = News::default();
        assert_eq!(
            (news.note("a"), news.note("a"), news.note("b")),
            (Noted::First, Noted::Already, Noted::First)
        );
        assert_eq!(news.churn("a"), Churn::News);
        news.take("a");
        assert_eq!(news.churn("a"), Churn::Quiet);
        assert_eq!(news.note("a"), Noted::First);
    }

    /// A simulation of churn: one change each 10 ms for 40 s, and each dashboard takes what is there.
    #[test]
    fn steady_churn_costs_a_write_a_pause_and_loses_nothing() {
        let (mut last, mut writes, mut told, mut changes) = (None, 0, 0, 0);
        let mut churn = Churn::Quiet;
        for step in 0..6_000 {
            let now = at(step * 10);
            if step < 4_000 {
                changes += 1;
                churn = Churn::News;
            }
            if due(now, last, churn, 1_000) == Due::Now {
                (last, churn, told) = (Some(now), Churn::Quiet, changes);
                writes += 1;
            }
        }
        assert_eq!(told, changes);
        assert!(writes <= 10, "{writes} writes in 60 s");
    }
}
