//! What is known of volumes and their snapshots.

use jiff::Timestamp;

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
}

/// Whether a volume that was made from another, or from a snapshot, can be mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filling {
    /// It can.
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
    /// When it was begun.
    pub made: Timestamp,
    /// When Fly removes it.
    pub expiry: Timestamp,
}

/// Whether a snapshot is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotPhase {
    /// It is being made, or Fly says something of it that we don't know.
    Pending,
    /// It is made.
    Created,
}
