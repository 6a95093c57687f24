//! Whether the lease may be taken: a pure function of what was seen and when.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Record;

/// The lease of another, and since when it has looked like this.
#[derive(Clone, Debug)]
pub(super) struct Rival {
    record: Record,
    since: Instant,
}

/// What to do about the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Write this.
    Write(Record),
    /// Another holds it.
    Wait,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) identity: String,
    pub(super) lease: Duration,
}

impl Candidate {
    /// Decides about the lease as read at `now`; `wall` only goes into the record.
    pub(super) fn decide(
        &self,
        rival: &mut Option<Rival>,
        seen: Option<Record>,
        now: Instant,
        wall: Timestamp,
    ) -> Move {
        let Some(seen) = seen else { return Move::Write(self.claim(None, wall)) };
        if self.may_take(rival, &seen, now) {
            *rival = None;
            return Move::Write(self.claim(Some(seen), wall));
        }
        Move::Wait
    }

    fn may_take(&self, rival: &mut Option<Rival>, seen: &Record, now: Instant) -> bool {
        let Some(holder) = seen.holder.as_deref().filter(|holder| !holder.is_empty()) else { return true };
        if holder == self.identity {
            return true;
        }
        match rival {
            Some(known) if known.record == *seen => {
                now.duration_since(known.since) > seen.duration.max(self.lease)
            }
            _ => {
                *rival = Some(Rival { record: seen.clone(), since: now });
                false
            }
        }
    }

    /// The record that makes or keeps this candidate the holder.
    pub(super) fn claim(&self, seen: Option<Record>, wall: Timestamp) -> Record {
        let version = seen.as_ref().and_then(|seen| seen.version.clone());
        let (kept, transitions) = match seen {
            Some(seen) if seen.holder.as_deref() == Some(&self.identity) => (seen.acquired, seen.transitions),
            Some(seen) => (None, seen.transitions.saturating_add(1)),
            None => (None, 0),
        };
        Record {
            holder: Some(self.identity.clone()),
            duration: self.lease,
            acquired: kept.or(Some(wall)),
            renewed: Some(wall),
            transitions,
            version,
        }
    }
}
