//! Asks for orders to be read again, at most once in two seconds each: Stripe tells of one payment in many events. Those
//! that it tells of again take their turn, at a pace that leaves the API server time for payments, which must be stored
//! before they are answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turns, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::book::{Book, Order};
use crate::engine::clock::Clock;

/// The least time between two requests to read one order.
const WINDOW: Duration = Duration::from_secs(2);
/// From one request to the next, beyond the first for each order: 50 in a second. A write of a claim costs an API server
/// 3 ms of a processor.
const PACE: Duration = Duration::from_millis(20);
/// Orders that are remembered at once; what is asked of others meanwhile is written each time.
const MOST: usize = 4096;
/// How often a request that was answered is tried to be written, and the pause between.
const TRIES: usize = 30;
const PAUSE: Duration = Duration::from_secs(2);

/// What came of the first of several requests: whether there is such an order; `Err` if the API server didn't do it.
type First = Result<Order, ()>;

/// Asks for orders to be read again. Clones share everything.
#[derive(Clone)]
pub struct Notes(Arc<Inner>);

struct Inner {
    book: Arc<Book>,
    clock: Arc<dyn Clock>,
    active: Mutex<HashMap<String, Slot>>,
    /// Whoever waits longest has the next turn.
    turns: Turns<Interval>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// An order for which it was asked within the window.
struct Slot {
    /// Whether it was asked for again since it was last written.
    again: bool,
    first: watch::Receiver<Option<First>>,
}

/// What became of an order since it was last written.
enum Standing {
    /// It was asked for again.
    Again,
    /// It wasn't, so far.
    Quiet,
    /// It wasn't for so long that it isn't remembered any more.
    Forgotten,
}

impl Notes {
    /// Writes into this book.
    pub fn new(book: Arc<Book>, clock: Arc<dyn Clock>) -> Self {
        let (active, tasks, stop) = (Mutex::default(), TaskTracker::new(), CancellationToken::new());
        let mut turns = interval(PACE);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(Arc::new(Inner { book, clock, active, turns: Turns::new(turns), tasks, stop }))
    }

    /// Has an order read again. The first asking waits until that is written; one that follows within the window is
    /// written at its end, and is answered at once.
    pub async fn ask(&self, order: &str) -> First {
        let Some(mut first) = self.join(order) else {
            return self.0.write(order).await;
        };
        // A sender that is gone has panicked.
        let outcome = first.wait_for(Option::is_some).await.map_err(drop)?;
        (*outcome).unwrap_or(Err(()))
    }

    /// Writes what is still to be written, within this time.
    pub async fn finish(&self, within: Duration) {
        self.0.stop.cancel();
        self.0.tasks.close();
        if tokio::time::timeout(within, self.0.tasks.wait()).await.is_err() {
            tracing::warn!("some orders that payments were told of are read again later than they could be");
        }
    }

    /// `None` if there is no room to remember one more.
    fn join(&self, order: &str) -> Option<watch::Receiver<Option<First>>> {
        let mut active = self.0.lock();
        if let Some(slot) = active.get_mut(order) {
            slot.again = true;
            return Some(slot.first.clone());
        }
        if active.len() >= MOST {
            return None;
        }
        let (tell, first) = watch::channel(None);
        active.insert(order.to_owned(), Slot { again: false, first: first.clone() });
        self.0.tasks.spawn(Arc::clone(&self.0).keep(order.to_owned(), tell));
        Some(first)
    }
}

impl Inner {
    /// Writes the first request, and then one for all that came within each window.
    async fn keep(self: Arc<Self>, order: String, tell: watch::Sender<Option<First>>) {
        let first = self.write(&order).await;
        if first != Ok(Order::Found) {
            self.lock().remove(&order);
            tell.send_replace(Some(first));
            return;
        }
        tell.send_replace(Some(first));
        let mut written = Instant::now();
        loop {
            let _ = self.stop.run_until_cancelled(sleep(WINDOW)).await;
            match self.standing(&order, written) {
                Standing::Forgotten => return,
                Standing::Quiet => continue,
                Standing::Again => {}
            }
            let _ = self.stop.run_until_cancelled(self.turn()).await;
            self.answers(&order);
            self.insist(&order).await;
            written = Instant::now();
        }
    }

    async fn turn(&self) {
        self.turns.lock().await.tick().await;
    }

    /// Whether somebody has asked again. One of many orders is remembered for longer: it would else be the first again as
    /// soon as it is told of again, and take no turn.
    fn standing(&self, order: &str, written: Instant) -> Standing {
        let mut active = self.lock();
        let memory = WINDOW.max(PACE * u32::try_from(active.len()).unwrap_or(u32::MAX));
        let is_old = written.elapsed() >= memory || self.stop.is_cancelled();
        match active.get(order) {
            Some(slot) if slot.again => Standing::Again,
            Some(_) if !is_old => Standing::Quiet,
            _ => {
                active.remove(order);
                Standing::Forgotten
            }
        }
    }

    /// What is written from here on answers all who have asked.
    fn answers(&self, order: &str) {
        if let Some(slot) = self.lock().get_mut(order) {
            slot.again = false;
        }
    }

    /// Its sender has been answered: if it can't be written, the order is read in its own time.
    async fn insist(&self, order: &str) {
        for _ in 0..TRIES {
            if self.write(order).await.is_ok() {
                return;
            }
            if self.stop.run_until_cancelled(sleep(PAUSE)).await.is_none() {
                break;
            }
        }
        tracing::warn!(
            order,
            "it couldn't be written that a payment was told of; it is read in its own time"
        );
    }

    async fn write(&self, order: &str) -> First {
        self.book.note(order, self.clock.now()).await.map_err(|error| {
            tracing::debug!(order, %error, "it can't be written that a payment was told of");
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
