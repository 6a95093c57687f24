//! Nonces that answers brought and nobody has used: with them a request needs none to be fetched.
//!
//! Authorities count who fetches them: Let's Encrypt takes 20 a second of one address. So when hundreds of orders
//! begin at once, they are fetched a few at a time, and most orders go on with what the first ones' answers bring.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Most nonces that are kept.
const MOST: usize = 256;
/// Longest nonce that is kept, in bytes.
const LONGEST: usize = 256;
/// How long one is kept: authorities forget theirs.
const GOOD_FOR: Duration = Duration::from_mins(5);
/// Time between two that are fetched over the network.
pub(super) const GAP: Duration = Duration::from_millis(60);

/// Nonces of one authority, for all that ask it.
pub(super) struct Nonces {
    gap: Duration,
    kept: Mutex<VecDeque<(Instant, String)>>,
    arrived: Notify,
    next_fetch: tokio::sync::Mutex<Option<Instant>>,
}

impl Nonces {
    /// None yet; those that are fetched are so far apart.
    pub(super) fn new(gap: Duration) -> Self {
        Self {
            gap,
            kept: Mutex::default(),
            arrived: Notify::new(),
            next_fetch: tokio::sync::Mutex::default(),
        }
    }

    /// Keeps one.
    pub(super) fn put(&self, nonce: &str) {
        if nonce.is_empty() || nonce.len() > LONGEST {
            return;
        }
        let mut kept = self.kept();
        if kept.len() == MOST {
            kept.pop_front();
        }
        kept.push_back((Instant::now(), nonce.to_owned()));
        drop(kept);
        self.arrived.notify_one();
    }

    /// Gives one as soon as there is one; `None` as soon as the caller may fetch one.
    pub(super) async fn next(&self) -> Option<String> {
        loop {
            if let Some(nonce) = self.take() {
                return Some(nonce);
            }
            tokio::select! {
                biased;
                () = self.arrived.notified() => {}
                () = self.turn() => return None,
            }
        }
    }

    /// Waits until one may be fetched.
    async fn turn(&self) {
        let mut next = self.next_fetch.lock().await;
        if let Some(at) = next.filter(|at| *at > Instant::now()) {
            sleep_until(at).await;
        }
        *next = Some(Instant::now() + self.gap);
    }

    /// Gives one, each once: the newest, which is the likeliest to be taken.
    fn take(&self) -> Option<String> {
        let mut kept = self.kept();
        let (at, nonce) = kept.pop_back()?;
        if at.elapsed() < GOOD_FOR {
            return Some(nonce);
        }
        // The others are older still.
        kept.clear();
        None
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(Instant, String)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_is_given_once_the_newest_first_and_none_too_late() {
        let nonces = Nonces::new(GAP);
        assert_eq!(nonces.take(), None);
        nonces.put("one");
        tokio::time::advance(Duration::from_mins(4)).await;
        nonces.put("two");
        nonces.put("");
        nonces.put(&"x".repeat(LONGEST + 1));
        tokio::time::advance(Duration::from_mins(2)).await;
        assert_eq!(nonces.take().as_deref(), Some("two"));
        assert_eq!(nonces.take(), None, "the first is too old");
    }

    #[tokio::test(start_paused = true)]
    async fn they_are_fetched_a_few_at_a_time_and_what_arrives_is_taken_first() {
        let (nonces, began) = (Nonces::new(GAP), Instant::now());
        for number in 0..3_u32 {
            assert_eq!(nonces.next().await, None);
            assert_eq!(began.elapsed().as_millis() / GAP.as_millis(), u128::from(number));
        }
        let arriving = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            nonces.put("one");
            nonces.put("two");
        };
        let (one, two, three, ()) = tokio::join!(nonces.next(), nonces.next(), nonces.next(), arriving);
        let mut all = [one.as_deref(), two.as_deref(), three.as_deref()];
        all.sort_unstable();
        assert_eq!(all, [None, Some("one"), Some("two")]);
        assert_eq!(began.elapsed(), GAP * 3, "one of them was fetched");
    }

    #[tokio::test]
    async fn they_are_bounded() {
        let nonces = Nonces::new(GAP);
        for number in 0..MOST + 10 {
            nonces.put(&number.to_string());
        }
        let given: Vec<String> = std::iter::from_fn(|| nonces.take()).collect();
        assert_eq!((given.len(), given[0].as_str()), (MOST, "265"));
    }
}
