//! What is remembered of each hostname, and what was asked about it while it was visited.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::OwnedMutexGuard;

use super::facts::Knowledge;
use super::ownership::Key;
use super::places::Places;
use crate::api::CustomDomain;
use crate::control::remembered::{Entry, Remembered};
use crate::control::runtime::facts::Refusal;

/// Time between two looks at DNS at hostnames that wait for a record, all of them together: less than two a second,
/// however they fall into one.
const LOOKS: SignedDuration = SignedDuration::from_millis(520);

/// Whether something is known newly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It is.
    New,
    /// It was known.
    Old,
}

/// What is remembered of all hostnames.
#[derive(Debug)]
pub struct Memory {
    known: Remembered<CustomDomain, Knowledge>,
    wishes: Mutex<HashMap<String, Wishes>>,
    looked: Mutex<HashMap<String, Looked>>,
    /// Hostnames for which something is being done, by their claims' names.
    busy: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    next_turn: Mutex<Option<Timestamp>>,
    key: Mutex<Option<Key>>,
    /// Places for looks at customers' name servers.
    pub places: Places,
}

/// What the last look at a hostname's records came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// When it was begun.
    pub at: Timestamp,
    /// What is wrong with them, if anything is.
    pub wrong: Option<Refusal>,
}

/// What somebody wants to be looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// DNS.
    pub dns: bool,
    /// The Secret that is named, or the copy of an ordered certificate.
    pub secret: bool,
    /// The hostname at Fly.
    pub edge: bool,
}

impl Memory {
    /// Nothing is remembered yet. So many workers visit hostnames.
    pub fn new(workers: u16) -> Self {
        Self {
            known: Remembered::default(),
            wishes: Mutex::default(),
            looked: Mutex::default(),
            busy: Mutex::default(),
            next_turn: Mutex::default(),
            key: Mutex::default(),
            places: Places::among(workers),
        }
    }

    /// Takes out what is remembered of an object, to be put back after its visit.
    pub fn take(&self, uid: &str) -> Entry<CustomDomain, Knowledge> {
        self.known.take(uid)
    }

    /// Puts it back.
    pub fn put(&self, uid: &str, entry: Entry<CustomDomain, Knowledge>) {
        self.known.put(uid, entry);
    }

    /// Forgets an object that has gone.
    pub fn forget(&self, uid: &str) {
        self.known.forget(uid);
        self.lock().remove(uid);
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }

    /// Waits until nothing else is done for the hostname of this claim. Nothing else is as long as the guard lives: two
    /// objects that want one name, each in its own visit, don't undo each other's deeds.
    pub async fn alone(&self, key: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            busy.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(busy.entry(key.to_owned()).or_default())
        };
        turn.lock_owned().await
    }

    /// Notes what a look came to. Whether that was news.
    pub fn note_looked(&self, uid: &str, looked: Looked) -> News {
        let mut all = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.insert(uid.to_owned(), looked);
        if before.map(|before| before.at) == all.get(uid).map(|now| now.at) { News::Old } else { News::New }
    }

    /// What the last look came to.
    pub fn looked(&self, uid: &str) -> Option<Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).get(uid).cloned()
    }

    /// Notes that somebody wants something looked at with the next visit.
    pub fn wish(&self, uid: &str, wish: impl FnOnce(&mut Wishes)) {
        wish(self.lock().entry(uid.to_owned()).or_default());
    }

    /// What was wanted since this was last asked.
    pub fn wishes(&self, uid: &str) -> Wishes {
        self.lock().remove(uid).unwrap_or_default()
    }

    /// The next turn to look at DNS again.
    pub fn turn(&self, now: Timestamp) -> Timestamp {
        let mut next = self.next_turn.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.unwrap_or(now).max(now);
        *next = turn.saturating_add(LOOKS).ok();
        turn
    }

    /// The key of proofs, once it was read.
    pub fn key(&self) -> Option<Key> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps the key of proofs.
    pub fn keep_key(&self, key: &Key) {
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.clone());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Wishes>> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_two_hostnames_a_second_have_their_turn_however_many_ask() {
        let memory = Memory::new(32);
        let now = Timestamp::from_second(100).unwrap();
        let turns: Vec<_> = (0..5).map(|_| now.duration_until(memory.turn(now)).as_millis()).collect();
        assert_eq!(turns, [0, 520, 1040, 1560, 2080]);
        let later = Timestamp::from_second(200).unwrap();
        assert_eq!(memory.turn(later), later, "turns that nobody took aren't saved up");
    }
}
