//! Which events were taken lately, in bounded memory.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Events of each of two generations: the elder is forgotten when the younger is full.
const GENERATION: usize = 65_536;

/// Ids of events that were taken. Only verified ones get in.
#[derive(Debug, Default)]
pub struct Seen {
    hasher: RandomState,
    ids: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashSet<u64>,
    old: HashSet<u64>,
}

impl Seen {
    /// Whether it was taken.
    pub fn has(&self, id: &str) -> bool {
        let id = self.hasher.hash_one(id);
        let ids = self.lock();
        ids.young.contains(&id) || ids.old.contains(&id)
    }

    /// It was taken.
    pub fn note(&self, id: &str) {
        let id = self.hasher.hash_one(id);
        let mut ids = self.lock();
        if ids.young.len() >= GENERATION {
            ids.old = std::mem::take(&mut ids.young);
        }
        ids.young.insert(id);
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_known_and_no_more_than_fit() {
        let seen = Seen::default();
        for number in 0..3 * GENERATION {
            let id = format!("evt_{number}");
            assert!(!seen.has(&id));
            seen.note(&id);
            assert!(seen.has(&id));
        }
        let first_kept = 2 * GENERATION;
        assert!(seen.has(&format!("evt_{first_kept}")) && !seen.has("evt_0"));
        let ids = seen.lock();
        assert!(ids.young.len() + ids.old.len() <= 2 * GENERATION);
    }
}
