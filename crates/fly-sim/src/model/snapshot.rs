//! Snapshots of volumes.

use serde::{Deserialize, Serialize};

use crate::clock::{Millis, rfc3339};

/// A snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// `vs_…`.
    pub id: String,
    /// `pending` or `created`.
    pub status: SnapshotStatus,
    /// When it was asked for.
    pub created_at: Millis,
    /// Days that it is kept.
    pub retention_days: u64,
    /// The volume's size in bytes.
    pub volume_size: u64,
    /// Opaque.
    pub digest: String,
    /// What was on the volume, as far as a test wrote it.
    #[serde(default)]
    pub content: String,
}

/// Where a snapshot is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotStatus {
    /// Being made.
    Pending,
    /// Restorable.
    Created,
}

/// A snapshot as the API answers it.
#[derive(Debug, Serialize)]
pub struct SnapshotView<'a> {
    id: &'a str,
    size: u64,
    digest: &'a str,
    created_at: String,
    retention_days: u64,
    status: SnapshotStatus,
    volume_size: u64,
}

/// A day.
const DAY: Millis = 24 * 3_600_000;

impl Snapshot {
    /// Whether Fly still keeps it.
    pub fn is_kept(&self, now: Millis) -> bool {
        let days = Millis::try_from(self.retention_days).unwrap_or(60);
        self.created_at + days * DAY > now
    }

    /// The snapshot as the API answers it.
    pub fn view(&self) -> SnapshotView<'_> {
        SnapshotView {
            id: &self.id,
            size: self.volume_size / 100,
            digest: &self.digest,
            created_at: rfc3339(self.created_at),
            retention_days: self.retention_days,
            status: self.status,
            volume_size: self.volume_size,
        }
    }
}
