//! What is known of volumes and their snapshots.

use jiff::{SignedDuration, Timestamp};

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeFact {
    /// Its id.
    pub id: String,
    /// Its region.
    pub region: String,
    /// Whether it is usable.
    pub phase: VolumePhase,
    /// The Machine that holds it.
    pub attached: Option<String>,
    /// Its size in GB.
    pub size_gb: i32,
    /// Whether all of it is there.
    pub filling: Filling,
    /// How many days Fly keeps the snapshots that are made of it from now on, as far as it says.
    pub snapshot_days: Option<u32>,
}

/// Whether a volume that was made from another, or from a snapshot, can be mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filling {
    /// It can, and has all that it was made from.
    Whole,
    /// It can, and Fly still copies what it was made from.
    Mountable,
    /// Fly still fills it.
    UnderWay,
}

/// Whether a volume is usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumePhase {
    /// It is, or will be in a moment.
    Usable,
    /// It is being removed.
    Going,
}

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFact {
    /// Its id.
    pub id: String,
    /// Whether it is made.
    pub phase: SnapshotPhase,
    /// Fly's own word for that.
    pub status: String,
    /// When it was begun, by Fly's clock.
    pub made: Timestamp,
    /// How many days Fly keeps it.
    pub days: u32,
}

/// The longest that Fly keeps a snapshot, in days.
pub const LONGEST_KEPT: u32 = 60;

impl SnapshotFact {
    /// When Fly removes it.
    pub fn expiry(&self) -> Timestamp {
        let kept = SignedDuration::from_hours(24 * i64::from(self.days));
        self.made.saturating_add(kept).unwrap_or(Timestamp::MAX)
    }

    /// Whether Fly keeps it for as long as it can.
    pub fn is_kept_longest(&self) -> bool {
        self.days >= LONGEST_KEPT
    }
}

/// Of the snapshots made since a time, the one that Fly keeps longest; of those one that is made, and the newest.
pub fn last_since(listed: impl IntoIterator<Item = SnapshotFact>, since: Timestamp) -> Option<SnapshotFact> {
    let recent = listed.into_iter().filter(|snapshot| snapshot.made >= since);
    recent.max_by_key(|snapshot| {
        (snapshot.is_kept_longest(), snapshot.phase == SnapshotPhase::Created, snapshot.made)
    })
}

/// A snapshot that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotAsked {
    /// When.
    pub at: Timestamp,
    /// What Fly said.
    pub reply: SnapshotReply,
}

/// What Fly said to the request for a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotReply {
    /// It makes one.
    Taken,
    /// It makes another one already, which may be one of each day.
    Busy,
    /// Nothing that reached us.
    Lost,
}

/// Whether a snapshot is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotPhase {
    /// It is being made, or Fly says something of it that we don't know.
    Pending,
    /// It is made.
    Created,
}
