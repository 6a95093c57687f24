//! How many deletions a short time may have: counted on claims, so that a restart forgets nothing.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::api::NameClaimSpec;
use crate::api::name_claim::DeletionPhase;
use crate::engine::config::DeletionBrake;

/// Deletions that have begun, and how many Runtimes have a volume.
#[derive(Debug, Default)]
pub struct Deletions {
    begun: HashMap<String, Begun>,
    standing: usize,
}

#[derive(Clone, Copy, Debug)]
struct Begun {
    at: Timestamp,
    /// Whether its Runtime still stands, and is counted there.
    stands: bool,
}

/// Whether one more deletion may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It may.
    Free,
    /// Too many go at once.
    Full,
}

impl Deletions {
    /// Takes in a claim.
    pub fn note(&mut self, key: &str, claim: &NameClaimSpec) {
        let stands = stands(claim);
        self.standing += usize::from(stands);
        let begun = claim.deletion.as_ref().filter(|deletion| deletion.phase == DeletionPhase::Begun);
        if let Some(deletion) = begun {
            // Taken again since, the name counts among those that stand, and its last deletion for itself.
            let stands = stands && deletion.uid == claim.holder.uid;
            self.begun.insert(key.to_owned(), Begun { at: deletion.time, stands });
        }
    }

    /// Forgets a claim.
    pub fn forget(&mut self, key: &str, claim: &NameClaimSpec) {
        self.standing -= usize::from(stands(claim)).min(self.standing);
        self.begun.remove(key);
    }

    /// Whether one more deletion may begin now. If so it counts at once.
    pub fn begin(&mut self, key: &str, now: Timestamp, brake: DeletionBrake) -> Room {
        let window = SignedDuration::from_mins(i64::from(brake.window_minutes));
        self.begun.retain(|_, begun| begun.at.duration_until(now) < window);
        let others = self.begun.iter().filter(|(other, _)| *other != key);
        let (count, gone) =
            others.fold((1, 0), |(count, gone), (_, begun)| (count + 1, gone + usize::from(!begun.stands)));
        if window > SignedDuration::ZERO && too_many(count, self.standing + gone, brake) {
            return Room::Full;
        }
        self.begun.insert(key.to_owned(), Begun { at: now, stands: true });
        Room::Free
    }
}

/// Whether so many of all are too many: more than a handful that are a large part, or very many.
fn too_many(count: usize, all: usize, brake: DeletionBrake) -> bool {
    let whole = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let large_part = count.saturating_mul(100) > all.saturating_mul(whole(brake.percent));
    (count > whole(brake.count) && large_part) || count > whole(brake.most)
}

/// Whether a Runtime with a volume stands under the name.
fn stands(claim: &NameClaimSpec) -> bool {
    claim.tombstone.is_none() && claim.runtime.as_ref().is_some_and(|runtime| runtime.volume_id.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRAKE: DeletionBrake = DeletionBrake { count: 10, percent: 20, most: 100, window_minutes: 10 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// How many of so many may go at once.
    fn let_go(all: usize) -> usize {
        let mut deletions = Deletions { standing: all, ..Deletions::default() };
        (0..all).filter(|n| deletions.begin(&n.to_string(), at(1_000), BRAKE) == Room::Free).count()
    }

    #[test]
    fn ten_may_always_go_then_a_fifth_and_never_more_than_a_hundred() {
        assert_eq!(let_go(5), 5);
        assert_eq!(let_go(40), 10);
        assert_eq!(let_go(200), 40);
        assert_eq!(let_go(2_000), 100);
    }

    #[test]
    fn the_same_one_asks_twice_and_counts_once_and_after_the_window_others_may_go() {
        let mut deletions = Deletions { standing: 20, ..Deletions::default() };
        for n in 0..10 {
            assert_eq!(deletions.begin(&n.to_string(), at(n), BRAKE), Room::Free);
        }
        assert_eq!(deletions.begin("3", at(20), BRAKE), Room::Free);
        assert_eq!(deletions.begin("10", at(599), BRAKE), Room::Full);
        assert_eq!(deletions.begin("10", at(600), BRAKE), Room::Free);
        assert_eq!(deletions.begin("11", at(600), BRAKE), Room::Full, "1 was at second 1");
    }

    #[test]
    fn without_a_window_there_is_no_brake() {
        let mut deletions = Deletions { standing: 500, ..Deletions::default() };
        let off = DeletionBrake { window_minutes: 0, ..BRAKE };
        assert!((0..500).all(|n| deletions.begin(&n.to_string(), at(1), off) == Room::Free));
    }
}
