//! What is known of a move to another volume, and of what earlier moves left behind.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::facts::{Facts, Known, SnapshotFact, VolumeFact};
use super::known::{Absence, AbsenceKind};
use crate::api::name_claim::RuntimeIdentity;

/// What is known. Nothing of it is needed after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moving {
    /// The incarnation that the facts about volume and Machine are of.
    pub of: i32,
    /// The incarnation that `fresh` would be the volume of; 0 while no move is under way.
    pub number: i32,
    /// The volume that is made.
    pub fresh: Known<VolumeFact>,
    /// Why Fly won't make it.
    pub refused: Option<String>,
    /// Snapshots that Fly won't restore.
    pub refused_snapshots: BTreeSet<String>,
    /// How many times in a row the volume's host had no room for its Machine.
    pub no_room: u32,
    /// Until when no copy on another host is tried again.
    pub no_copy_until: Option<Timestamp>,
    /// Snapshots that can be restored.
    pub snapshots: Option<Vec<Restorable>>,
    /// Since when none is listed, if none is.
    pub without_snapshots: Known<()>,
    /// The volume that was left behind and is looked at.
    pub left: Option<Left>,
    /// When Fly last took the request for a snapshot of it.
    pub left_asked: Option<Timestamp>,
    /// When to go on with clearing up, at the earliest.
    pub left_next: Option<Timestamp>,
    /// Machines left behind that were stopped or removed in this process's life.
    pub cleared_machines: BTreeSet<String>,
    /// What Fly answered when the volume was last made larger, until that is recorded.
    pub grown: Option<Grown>,
}

/// A volume that was made larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grown {
    /// Its size in GB.
    pub size_gb: i32,
    /// When its Machine sees that.
    pub seen: Sight,
}

/// When a Machine sees that its volume is larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It does already.
    AtOnce,
    /// From its next start on.
    AtNextStart,
}

/// A snapshot that can be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restorable {
    /// The snapshot.
    pub snapshot: SnapshotFact,
    /// The volume that it is of.
    pub volume_id: String,
}

/// The newest of the recorded volume; where it has none, the newest of all.
pub fn newest<'s>(identity: &RuntimeIdentity, snapshots: &'s [Restorable]) -> Option<&'s Restorable> {
    let own = |it: &&Restorable| identity.volume_id.as_ref() == Some(&it.volume_id);
    let newest = snapshots.iter().filter(own).max_by_key(|it| it.snapshot.made);
    newest.or_else(|| snapshots.iter().max_by_key(|it| it.snapshot.made))
}

/// A volume that was left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its id.
    pub volume_id: String,
    /// How it stands.
    pub state: LeftState,
}

/// How a volume that was left behind stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftState {
    /// It is gone, or on its way.
    Gone,
    /// It stands, and no snapshot of it was made since.
    Bare,
    /// It stands, with a snapshot made since.
    Snapshot(SnapshotFact),
}

/// How often in a row a host may have no room before a copy is made on another.
pub const PATIENCE: u32 = 3;

/// Time for which a copy that Fly refused isn't tried again.
pub const COPY_PAUSE: SignedDuration = SignedDuration::from_hours(1);

impl Facts {
    /// What was known of a volume and a Machine that aren't the recorded ones any more is forgotten. The claim may have
    /// changed under the facts at any time: by our own write, or by one whose reply was lost.
    pub fn align(&mut self) {
        let Some(identity) = self.own_claim().and_then(|claim| claim.runtime.as_ref()) else { return };
        let incarnation = identity.incarnation;
        let number = identity.replacement.as_ref().map_or(0, |replacement| replacement.incarnation);
        let known = &mut self.known;
        if known.moving.of != incarnation {
            known.volume = Known::Unknown;
            known.machine = Known::Unknown;
            known.snapshot = Known::Unknown;
            known.probe = None;
            known.started = None;
            known.stop_asked = None;
            known.destroy_asked = None;
            known.full_volume = None;
            known.moving = Moving { of: incarnation, ..Moving::default() };
        }
        if known.moving.number != number {
            let no_copy_until = known.moving.no_copy_until;
            known.moving = Moving {
                of: incarnation,
                number,
                no_copy_until,
                refused_snapshots: std::mem::take(&mut known.moving.refused_snapshots),
                cleared_machines: std::mem::take(&mut known.moving.cleared_machines),
                ..Moving::default()
            };
        }
    }

    /// After our own write of the claim: what it has just given a name to can't be there yet.
    pub fn recorded(&mut self, now: Timestamp, before: Option<&RuntimeIdentity>, written: &RuntimeIdentity) {
        let fresh = self.known.moving.fresh.clone();
        self.align();
        let standing = self.own_claim().and_then(|claim| claim.runtime.as_ref()) == Some(written);
        let Some(before) = before.filter(|_| standing) else { return };
        if written.volume_gb != before.volume_gb {
            self.known.moving.grown = None;
        }
        let not_made = Absence::at(now, AbsenceKind::NotMade);
        if written.replacement.is_some() && written.last_incarnation > before.last_incarnation {
            self.known.moving.fresh = Known::Missing(not_made);
        }
        if written.volume_id != before.volume_id
            && self.known.volume.present().is_some_and(|it| Some(&it.id) != written.volume_id.as_ref())
        {
            self.known.volume = Known::Unknown;
        }
        if written.incarnation > before.incarnation {
            self.known.machine = Known::Missing(not_made);
            self.known.volume = fresh;
        }
    }
}
