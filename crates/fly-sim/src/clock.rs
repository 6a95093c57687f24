//! Where the simulator takes its time from.
//!
//! Everything that happens later (an image that arrives, a lease that ends, an autostop pass) hangs on a [`Clock`], so
//! that a test can move a day in a moment.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use futures::future::BoxFuture;
use tokio::sync::Notify;

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// A source of time.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Millis;

    /// Ends when the clock shows `at` or later.
    fn until(&self, at: Millis) -> BoxFuture<'_, ()>;

    /// The clock as one that a test moves; `None` for real time.
    fn manual(&self) -> Option<&ManualClock> {
        None
    }
}

/// The machine's own time.
#[derive(Debug, Default)]
pub struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Millis {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that all others are given")]
        let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
    }

    fn until(&self, at: Millis) -> BoxFuture<'_, ()> {
        let left = u64::try_from(at - self.now()).unwrap_or(0);
        Box::pin(tokio::time::sleep(Duration::from_millis(left)))
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
    moved: Notify,
    moving: Mutex<()>,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Millis) -> Self {
        Self { now: AtomicI64::new(now), moved: Notify::new(), moving: Mutex::new(()) }
    }

    /// The time that it shows.
    pub fn now_ms(&self) -> Millis {
        self.now()
    }

    /// Moves the clock to `at`; never backwards.
    pub fn set(&self, at: Millis) {
        let _moving = self.moving.lock();
        self.now.fetch_max(at, Ordering::SeqCst);
        self.moved.notify_waiters();
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        self.now.load(Ordering::SeqCst)
    }

    fn until(&self, at: Millis) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let moved = self.moved.notified();
                if self.now() >= at {
                    return;
                }
                moved.await;
            }
        })
    }

    fn manual(&self) -> Option<&ManualClock> {
        Some(self)
    }
}

/// A time as the API writes it.
pub fn rfc3339(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at).map(|t| t.to_string()).unwrap_or_default()
}

/// Reads a time as clients write it.
pub fn parse_rfc3339(text: &str) -> Option<Millis> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_never_goes_back() {
        let clock = ManualClock::new(1_000);
        clock.set(5_000);
        clock.set(2_000);
        assert_eq!(clock.now(), 5_000);
    }

    #[test]
    fn times_read_back() {
        let text = rfc3339(1_699_408_350_300);
        assert_eq!(text, "2023-11-08T01:52:30.3Z");
        assert_eq!(parse_rfc3339(&text), Some(1_699_408_350_300));
    }
}
