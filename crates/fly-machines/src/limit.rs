//! Keeping Fly's rates: a token bucket for each action and identifier, and one for the organisation.
//!
//! A bucket is one point in time, the moment at which it would be full again (the generic cell rate algorithm), so
//! that thousands cost little, and one that is full again needs no place at all.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    interval: Duration,
    burst: u32,
}

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self { interval: Duration::ZERO, burst: u32::MAX };

    /// So many times a second, with a burst of at least 1; 0 times means no limit.
    pub const fn per_second(times: u32, burst: u32) -> Self {
        Self::per(Duration::from_secs(1), times, burst)
    }

    /// So many times a minute, with a burst of at least 1; 0 times means no limit.
    pub const fn per_minute(times: u32, burst: u32) -> Self {
        Self::per(Duration::from_mins(1), times, burst)
    }

    const fn per(span: Duration, times: u32, burst: u32) -> Self {
        let burst = if burst == 0 { 1 } else { burst };
        let Some(interval) = span.checked_div(times) else { return Self::UNLIMITED };
        Self { interval, burst }
    }

    const fn is_unlimited(self) -> bool {
        self.interval.is_zero()
    }

    /// How far ahead of now a bucket may be when it gives a token.
    fn tolerance(self) -> Duration {
        self.interval.saturating_mul(self.burst - 1)
    }
}

/// The rates that a client keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For each action on each Machine or app.
    pub action: Rate,
    /// For reading one Machine.
    pub machine_read: Rate,
    /// For deleting apps, all together.
    pub app_delete: Rate,
    /// For all calls of this client, which should serve one organisation.
    pub organisation: Rate,
    /// The longest that a call waits for its turn; longer waits fail at once as throttled.
    pub max_wait: Duration,
}

impl Limits {
    /// What Fly documents. It documents none for an organisation: 50 a second is ours, to be a good neighbour.
    pub const fn fly() -> Self {
        Self {
            action: Rate::per_second(1, 3),
            machine_read: Rate::per_second(5, 10),
            app_delete: Rate::per_minute(100, 10),
            organisation: Rate::per_second(50, 100),
            max_wait: Duration::from_secs(10),
        }
    }

    /// None, for a simulator. A 429 is still honoured.
    pub const fn off() -> Self {
        Self {
            action: Rate::UNLIMITED,
            machine_read: Rate::UNLIMITED,
            app_delete: Rate::UNLIMITED,
            organisation: Rate::UNLIMITED,
            max_wait: Duration::from_secs(10),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::fly()
    }
}

/// Which of the rates a call counts against, beside the organisation's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RateClass {
    Action,
    MachineRead,
    AppDelete,
}

/// What is left of the budget, for metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// How many calls the organisation's bucket would let through now; `None` without a limit.
    pub organisation_remaining: Option<u32>,
    /// How many buckets aren't full.
    pub active_buckets: usize,
    /// Calls that wait for their turn now.
    pub waiting: u64,
    /// Calls that had to wait, so far.
    pub delayed_total: u64,
    /// How long calls waited, so far, all together.
    pub delay_total: Duration,
    /// Calls that would have had to wait too long and failed, so far.
    pub rejected_total: u64,
    /// 429 answers, so far.
    pub throttled_total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    action: &'static str,
    id: u64,
}

/// When each bucket is full again. Those not here are full.
#[derive(Debug, Default)]
struct Buckets {
    organisation: Option<Instant>,
    by_key: HashMap<Key, Instant>,
    sweep_at: usize,
}

/// The smallest number of buckets at which full ones are looked for.
const SWEEP_FLOOR: usize = 1024;

#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    hasher: RandomState,
    buckets: Mutex<Buckets>,
    waiting: AtomicU64,
    delayed: AtomicU64,
    delay_nanos: AtomicU64,
    rejected: AtomicU64,
    throttled: AtomicU64,
}

/// Counts a waiting call, also when its task is dropped.
struct Waiting<'a>(&'a AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Limiter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            hasher: RandomState::new(),
            buckets: Mutex::default(),
            waiting: AtomicU64::new(0),
            delayed: AtomicU64::new(0),
            delay_nanos: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
        }
    }

    pub(crate) fn max_wait(&self) -> Duration {
        self.limits.max_wait
    }

    /// Waits for a call's turn. Tells how long it took, or how long it would have taken if that is too long.
    pub(crate) async fn acquire(
        &self,
        class: RateClass,
        action: &'static str,
        id: &str,
    ) -> Result<Duration, Duration> {
        let wait = self.reserve(class, action, id, Instant::now());
        if wait > self.limits.max_wait {
            self.rejected.fetch_add(1, Ordering::Relaxed);
            return Err(wait);
        }
        if !wait.is_zero() {
            self.delayed.fetch_add(1, Ordering::Relaxed);
            self.delay_nanos.fetch_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let _waiting = Waiting(&self.waiting);
            tokio::time::sleep(wait).await;
        }
        Ok(wait)
    }

    /// Takes a turn in both buckets and tells how far off it is; one too far off isn't taken.
    fn reserve(&self, class: RateClass, action: &'static str, id: &str, now: Instant) -> Duration {
        let (rate, organisation) = (self.rate(class), self.limits.organisation);
        let key = self.key(action, id);
        let mut buckets = self.lock();
        let own_full = buckets.by_key.get(&key).copied().unwrap_or(now).max(now);
        let org_full = buckets.organisation.unwrap_or(now).max(now);
        let own_wait = wait(rate, own_full, now);
        let org_wait = wait(organisation, org_full, now);
        let wait = own_wait.max(org_wait);
        if wait > self.limits.max_wait {
            return wait;
        }
        if !rate.is_unlimited() {
            buckets.by_key.insert(key, own_full + rate.interval);
            buckets.sweep(now);
        }
        if !organisation.is_unlimited() {
            buckets.organisation = Some(org_full + organisation.interval);
        }
        wait
    }

    /// The API said 429: this bucket gives nothing for a while.
    pub(crate) fn punish(&self, class: RateClass, action: &'static str, id: &str, pause: Duration) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
        let rate = self.rate(class);
        if rate.is_unlimited() {
            return;
        }
        let full = Instant::now() + pause.min(self.limits.max_wait.saturating_mul(6)) + rate.tolerance();
        let key = self.key(action, id);
        let mut buckets = self.lock();
        let slot = buckets.by_key.entry(key).or_insert(full);
        *slot = full.max(*slot);
    }

    pub(crate) fn budget(&self) -> Budget {
        let now = Instant::now();
        let organisation = self.limits.organisation;
        let buckets = self.lock();
        let ahead = buckets.organisation.unwrap_or(now).saturating_duration_since(now);
        let active_buckets = buckets.by_key.values().filter(|full| **full > now).count();
        drop(buckets);
        Budget {
            organisation_remaining: (!organisation.is_unlimited()).then(|| remaining(organisation, ahead)),
            active_buckets,
            waiting: self.waiting.load(Ordering::Relaxed),
            delayed_total: self.delayed.load(Ordering::Relaxed),
            delay_total: Duration::from_nanos(self.delay_nanos.load(Ordering::Relaxed)),
            rejected_total: self.rejected.load(Ordering::Relaxed),
            throttled_total: self.throttled.load(Ordering::Relaxed),
        }
    }

    fn rate(&self, class: RateClass) -> Rate {
        match class {
            RateClass::Action => self.limits.action,
            RateClass::MachineRead => self.limits.machine_read,
            RateClass::AppDelete => self.limits.app_delete,
        }
    }

    fn key(&self, action: &'static str, id: &str) -> Key {
        Key { action, id: self.hasher.hash_one(id) }
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    /// Forgets buckets that are full again, whenever their number has doubled.
    fn sweep(&mut self, now: Instant) {
        if self.by_key.len() < self.sweep_at.max(SWEEP_FLOOR) {
            return;
        }
        self.by_key.retain(|_, full| *full > now);
        self.sweep_at = self.by_key.len().saturating_mul(2);
        self.by_key.shrink_to(self.sweep_at.max(SWEEP_FLOOR));
    }
}

fn wait(rate: Rate, full: Instant, now: Instant) -> Duration {
    if rate.is_unlimited() {
        return Duration::ZERO;
    }
    full.saturating_duration_since(now).saturating_sub(rate.tolerance())
}

fn remaining(rate: Rate, ahead: Duration) -> u32 {
    let used = ahead.as_nanos().div_ceil(rate.interval.as_nanos().max(1));
    rate.burst.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX))
}

#[cfg(test)]
#[path = "limit_tests.rs"]
mod tests;
