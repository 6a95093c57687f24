//! Which replica acts: a Lease of `coordination.k8s.io`, held by one and renewed.
//!
//! A lease is no fence: a replica that was frozen may wake as the leader of yesterday. So every write to the lease
//! carries the resourceVersion that was read, expiry is judged by renewals seen on this machine's monotonic clock
//! and not by the times in the object, and [`Leadership::is_current`] is asked before each external effect. What
//! slips through in spite of it is made harmless by deterministic names and write-ahead records.

mod elect;
mod hold;
mod store;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

pub use hold::{Elector, Held, Leadership, Lost, Waiting};
pub use store::KubeLease;

/// The durations of an election.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// Time without a renewal after which another may take the lease.
    pub lease: Duration,
    /// Time without a successful renewal after which the holder gives up.
    pub renew_deadline: Duration,
    /// Pause between two attempts.
    pub retry: Duration,
}

impl Timings {
    /// What is left between giving up and being replaced: the time in which running work must end.
    pub fn grace(self) -> Duration {
        self.lease.saturating_sub(self.renew_deadline)
    }
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// The lease as it was read or is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; nobody after a clean end.
    pub holder: Option<String>,
    /// For how long a renewal is good.
    pub duration: Duration,
    /// When the holder took it, by the holder's clock. For people; nothing is decided from it.
    pub acquired: Option<Timestamp>,
    /// When it was last renewed, by the holder's clock. Only whether it changes matters.
    pub renewed: Option<Timestamp>,
    /// How often it has changed hands.
    pub transitions: i32,
    /// The resourceVersion that was read; `None` for one that is to be made.
    pub version: Option<String>,
}

/// Why the lease can't be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// Somebody else has changed, made or removed it since it was read.
    Conflict,
    /// It failed; whether a write took effect isn't known.
    Failed(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => f.write_str("somebody else changed the lease"),
            Self::Failed(cause) => f.write_str(cause),
        }
    }
}

/// Where the lease is kept.
pub trait LeaseStore: Send + Sync {
    /// The lease, if there is one.
    fn read(&self) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;
    /// Makes the lease if `version` is `None`, else replaces that very version. Returns what was written, with its
    /// new version.
    fn write(&self, record: &Record) -> impl Future<Output = Result<Record, StoreError>> + Send;
}

#[cfg(test)]
mod tests;
