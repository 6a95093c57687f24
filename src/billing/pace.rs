//! Keeping a provider's rate: a token bucket, as one point in time at which it would be full again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The longest that a call waits for its turn.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// The longest for which nothing is sent because a provider asked us to slow down.
const MAX_PENALTY: Duration = Duration::from_mins(1);

/// How often a provider is called, by all clients that share it.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    burst: u32,
    full: Mutex<Option<Instant>>,
}

impl Pace {
    /// So many calls a second, at least one, and so many at once.
    pub fn per_second(calls: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / calls.max(1);
        Self { interval, burst: burst.max(1), full: Mutex::default() }
    }

    /// Waits for a call's turn.
    ///
    /// # Errors
    /// How long it would have to wait, if that is too long.
    pub async fn turn(&self) -> Result<(), Duration> {
        let wait = self.reserve(Instant::now());
        if wait > MAX_WAIT {
            return Err(wait);
        }
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// The provider asks us to slow down: nothing is sent for a while.
    pub fn slow_down(&self, pause: Duration) {
        let until = Instant::now() + pause.min(MAX_PENALTY) + self.tolerance();
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        *full = Some(full.map_or(until, |full| full.max(until)));
    }

    /// Takes a turn, and says how far off it is; one too far off isn't taken.
    fn reserve(&self, now: Instant) -> Duration {
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = full.unwrap_or(now).max(now);
        let wait = ahead.saturating_duration_since(now).saturating_sub(self.tolerance());
        if wait <= MAX_WAIT {
            *full = Some(ahead + self.interval);
        }
        wait
    }

    fn tolerance(&self) -> Duration {
        self.interval * (self.burst - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_calls_than_the_rate_and_the_burst() {
        let pace = Pace::per_second(16, 8);
        let mut turns = Vec::new();
        for _ in 0..200 {
            pace.turn().await.unwrap();
            turns.push(Instant::now());
        }
        let within = |begin: &Instant| {
            turns.iter().filter(|at| (*begin..*begin + Duration::from_secs(1)).contains(*at)).count()
        };
        let most = turns.iter().map(within).max().unwrap();
        assert!((16..=24).contains(&most), "{most}");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_would_wait_too_long_is_told_and_takes_no_turn() {
        let pace = Pace::per_second(1, 1);
        let waits: Vec<Duration> = (0..30).map(|_| pace.reserve(Instant::now())).collect();
        assert_eq!(waits[20], MAX_WAIT);
        assert!(waits[21..].iter().all(|wait| *wait == MAX_WAIT + Duration::from_secs(1)), "{waits:?}");
        assert!(pace.turn().await.is_err());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(pace.turn().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn asked_to_slow_down_nothing_is_sent_for_a_while() {
        let (pace, began) = (Pace::per_second(16, 8), Instant::now());
        pace.slow_down(Duration::from_secs(5));
        pace.turn().await.unwrap();
        assert!(began.elapsed() >= Duration::from_secs(5));
    }
}
