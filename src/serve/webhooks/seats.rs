//! Who is connected: so many at once. When all seats are taken, whoever has kept us waiting longest for a request leaves
//! for whoever comes; nobody leaves whose request is being worked on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The seats of a listener.
#[derive(Debug)]
pub struct Seats {
    most: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    seats: HashMap<u64, Arc<Seat>>,
}

/// A connection's seat.
#[derive(Debug)]
pub struct Seat {
    number: u64,
    /// Since when its sender is waited for; none while its request is worked on.
    waits_since: Mutex<Option<Instant>>,
    leave: CancellationToken,
}

impl Seats {
    /// So many.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default(), freed: Notify::new() })
    }

    /// A seat, once there is one.
    pub async fn take(&self) -> Arc<Seat> {
        loop {
            let freed = self.freed.notified();
            if let Some(seat) = self.try_take(Instant::now()) {
                return seat;
            }
            freed.await;
        }
    }

    /// Gives a seat back.
    pub fn free(&self, seat: &Seat) {
        self.lock().seats.remove(&seat.number);
        self.freed.notify_one();
    }

    fn try_take(&self, now: Instant) -> Option<Arc<Seat>> {
        let mut taken = self.lock();
        if taken.seats.len() >= self.most {
            let slowest = taken.seats.values().filter_map(|seat| Some((seat.waits_since()?, seat.number)));
            let (_, slowest) = slowest.min()?;
            if let Some(seat) = taken.seats.remove(&slowest) {
                seat.leave.cancel();
            }
        }
        let number = taken.next;
        taken.next += 1;
        let seat = Seat { number, waits_since: Mutex::new(Some(now)), leave: CancellationToken::new() };
        let seat = Arc::new(seat);
        taken.seats.insert(number, Arc::clone(&seat));
        Some(seat)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Its request is here, whole: from now on it is worked on.
    pub fn works(&self) {
        *self.lock() = None;
    }

    /// It was answered: its sender is waited for.
    pub fn waits(&self) {
        *self.lock() = Some(Instant::now());
    }

    /// Waits until it has to leave for another.
    pub async fn left(&self) {
        self.leave.cancelled().await;
    }

    fn waits_since(&self) -> Option<Instant> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.waits_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_one_that_is_waited_for_longest_leaves_and_never_one_that_is_worked_on() {
        let seats = Seats::new(3);
        let mut sat = Vec::new();
        for _ in 0..3 {
            sat.push(seats.take().await);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        sat[0].works();
        let _fourth = seats.take().await;
        assert_eq!(
            sat.iter().map(|seat| seat.leave.is_cancelled()).collect::<Vec<_>>(),
            [false, true, false]
        );
        // The first is idle again, for a shorter time than the others.
        sat[0].waits();
        let _fifth = seats.take().await;
        assert!(sat[2].leave.is_cancelled() && !sat[0].leave.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn while_all_are_worked_on_the_next_waits() {
        let seats = Seats::new(1);
        let first = seats.take().await;
        first.works();
        let next = tokio::time::timeout(Duration::from_secs(1), seats.take()).await;
        assert!(next.is_err());
        seats.free(&first);
        tokio::time::timeout(Duration::from_secs(1), seats.take()).await.unwrap();
    }
}
