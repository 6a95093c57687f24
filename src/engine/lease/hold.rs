//! Taking the lease, keeping it, and giving it back.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::elect::{Candidate, Move, Rival};
use super::{LeaseStore, Record, StoreError, Timings};
use crate::engine::clock::Clock;

/// Why a holder must stop acting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Another holds the lease.
    #[error("another replica holds the lease: {0}")]
    Taken(String),
    /// It couldn't be renewed in time.
    #[error("the lease could not be renewed in time: {0}")]
    Expired(String),
}

/// What a candidate waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The end of this holder's time.
    HeldBy(String),
    /// The lease can be neither read nor written.
    Failed(String),
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeldBy(holder) => write!(f, "{holder} holds it"),
            Self::Failed(cause) => f.write_str(cause),
        }
    }
}

/// Whether this process may act, as far as it can know without asking. Clones share everything.
#[derive(Clone, Debug)]
pub struct Leadership(Option<Arc<Mutex<Option<Instant>>>>);

impl Leadership {
    /// That of a process without rivals.
    pub fn unopposed() -> Self {
        Self(None)
    }

    fn of_lease() -> Self {
        Self(Some(Arc::default()))
    }

    /// Whether the last renewal is recent enough to act on. To be asked before each external effect: a process that
    /// was frozen learns here that its time is over, before it is told.
    pub fn is_current(&self) -> bool {
        let Some(until) = &self.0 else { return true };
        until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    fn set(&self, until: Option<Instant>) {
        if let Some(place) = &self.0 {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = until;
        }
    }
}

/// A lease that was taken.
#[derive(Debug)]
pub struct Held {
    record: Record,
    renewed: Instant,
}

/// A replica that stands for election.
pub struct Elector<S> {
    store: S,
    candidate: Candidate,
    timings: Timings,
    wall: Arc<dyn Clock>,
    leadership: Leadership,
}

impl<S> fmt::Debug for Elector<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elector").field("candidate", &self.candidate).finish_non_exhaustive()
    }
}

impl<S: LeaseStore> Elector<S> {
    /// `identity` must be another one for each process that ever lives. `wall` only dates the record, for people.
    pub fn new(store: S, identity: String, timings: Timings, wall: Arc<dyn Clock>) -> Self {
        let candidate = Candidate { identity, lease: timings.lease };
        Self { store, candidate, timings, wall, leadership: Leadership::of_lease() }
    }

    /// Whether this replica leads, for those who act.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Waits until the lease is this replica's. Tells what it waits for, at first and whenever that changes.
    pub async fn acquire(&self, mut tell: impl FnMut(Waiting)) -> Held {
        let (mut rival, mut told) = (None, None);
        loop {
            let now = Instant::now();
            let attempt = self.in_time(self.try_acquire(&mut rival, now)).await;
            let waiting = match attempt {
                Ok(Attempt::Won(record)) => return self.won(record, now),
                Ok(Attempt::HeldBy(holder)) => Waiting::HeldBy(holder),
                Err(error) => Waiting::Failed(error.to_string()),
            };
            if told.as_ref() != Some(&waiting) {
                tell(waiting.clone());
                told = Some(waiting);
            }
            sleep(self.timings.retry).await;
        }
    }

    /// Renews the lease until `end`, and then returns it, still held, to be released.
    ///
    /// # Errors
    /// As soon as this replica must stop acting. It isn't current from then on.
    pub async fn hold(&self, mut held: Held, end: CancellationToken) -> Result<Held, Lost> {
        let result = self.renew_until(&mut held, end).await;
        if result.is_err() {
            self.leadership.set(None);
        }
        result.map(|()| held)
    }

    /// Gives the lease back, so that the next needn't wait for it to expire. Only after everything has ended that
    /// acted on it.
    ///
    /// # Errors
    /// If it can't be written; it expires then.
    pub async fn release(&self, held: Held) -> Result<(), StoreError> {
        self.leadership.set(None);
        let record = Record {
            holder: None,
            duration: Duration::from_secs(1),
            renewed: Some(self.wall.now()),
            ..held.record
        };
        self.in_time(self.store.write(&record)).await.map(drop)
    }

    async fn try_acquire(&self, rival: &mut Option<Rival>, now: Instant) -> Result<Attempt, StoreError> {
        let seen = self.store.read().await?;
        let holder = seen.as_ref().and_then(|seen| seen.holder.clone()).unwrap_or_default();
        match self.candidate.decide(rival, seen, now, self.wall.now()) {
            Move::Write(record) => Ok(Attempt::Won(self.store.write(&record).await?)),
            Move::Wait => Ok(Attempt::HeldBy(holder)),
        }
    }

    /// Counts from before the write was sent: a rival may have seen it at once.
    fn won(&self, record: Record, sent: Instant) -> Held {
        self.leadership.set(Some(sent + self.timings.renew_deadline));
        Held { record, renewed: sent }
    }

    async fn renew_until(&self, held: &mut Held, end: CancellationToken) -> Result<(), Lost> {
        let mut cause = "the process did not run".to_owned();
        loop {
            let deadline = held.renewed + self.timings.renew_deadline;
            tokio::select! {
                () = end.cancelled() => return Ok(()),
                () = sleep_until(deadline.min(Instant::now() + self.timings.retry)) => {}
            }
            let sent = Instant::now();
            if sent >= deadline {
                return Err(Lost::Expired(cause));
            }
            match timeout(deadline - sent, self.in_time(self.renew(&held.record))).await {
                Ok(Ok(record)) => *held = self.won(record, sent),
                Ok(Err(Renewal::Lost(holder))) => return Err(Lost::Taken(holder)),
                Ok(Err(Renewal::Failed(error))) => cause = error,
                Err(_) => return Err(Lost::Expired(cause)),
            }
        }
    }

    /// Writes at once what was read last. A conflict is looked into: it may be this replica's own write, the answer
    /// to which was lost.
    async fn renew(&self, last: &Record) -> Result<Record, Renewal> {
        let next = |seen: &Record| self.candidate.claim(Some(seen.clone()), self.wall.now());
        match self.store.write(&next(last)).await {
            Ok(record) => return Ok(record),
            Err(StoreError::Failed(error)) => return Err(Renewal::Failed(error)),
            Err(StoreError::Conflict) => {}
        }
        match self.store.read().await? {
            Some(seen) if seen.holder.as_deref() == Some(&self.candidate.identity) => {
                Ok(self.store.write(&next(&seen)).await?)
            }
            seen => {
                let holder = seen.and_then(|seen| seen.holder);
                Err(Renewal::Lost(holder.unwrap_or_else(|| "nobody, it was removed".into())))
            }
        }
    }

    /// One slow answer must leave time for a second attempt.
    async fn in_time<T, E: From<StoreError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let limit = self.timings.renew_deadline / 2;
        match timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => {
                Err(StoreError::Failed(format!("the API server did not answer within {limit:?}")).into())
            }
        }
    }
}

enum Attempt {
    Won(Record),
    HeldBy(String),
}

enum Renewal {
    Lost(String),
    Failed(String),
}

impl From<StoreError> for Renewal {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}
