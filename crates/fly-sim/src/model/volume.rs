//! Volumes and their snapshots.

use serde::{Deserialize, Serialize};

use super::host::zone;
pub use super::snapshot::{Snapshot, SnapshotStatus};
use crate::clock::{Millis, rfc3339};

/// Where a volume is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeState {
    /// Being made from a snapshot.
    Restoring,
    /// A fork that its source opens itself for.
    EnablingRemoteExport,
    /// A fork that still copies; already mountable.
    Hydrating,
    /// Ready.
    Created,
    /// Growing.
    Extending,
    /// Deletion was asked for.
    SchedulingDestroy,
    /// Deleted, kept for a day.
    PendingDestroy,
    /// Gone.
    Destroyed,
}

impl VolumeState {
    /// Whether a Machine may mount it.
    pub fn is_usable(self) -> bool {
        matches!(
            self,
            Self::Created | Self::Extending | Self::Hydrating | Self::Restoring | Self::EnablingRemoteExport
        )
    }
}

/// Who holds a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    /// No one.
    #[default]
    Free,
    /// A Machine.
    Bound(String),
    /// A Machine that is destroyed: still bound until the first time, still claimed until the second.
    Lingering {
        /// The Machine that was.
        machine: String,
        /// Until when a delete is refused.
        bound_until: Millis,
        /// Until when another Machine is refused.
        claimed_until: Millis,
    },
}

/// A volume.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Volume {
    /// `vol_…`.
    pub id: String,
    /// Its name; not unique.
    pub name: String,
    /// Its state.
    pub state: VolumeState,
    /// Size in GB.
    pub size_gb: u64,
    /// Its region.
    pub region: String,
    /// The host that it is on.
    pub host: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Who holds it.
    pub hold: Hold,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// When it was deleted.
    pub deleted_at: Option<Millis>,
    /// `ext4` or `raw`.
    pub fstype: String,
    /// Days that a snapshot is kept.
    pub snapshot_retention: u64,
    /// Whether a snapshot is made each day.
    pub auto_backup_enabled: bool,
    /// The volume that it is a fork of.
    pub source: Option<String>,
    /// Its snapshots, oldest first.
    pub snapshots: Vec<Snapshot>,
    /// What a test last wrote on it: the instant driver keeps no files.
    #[serde(default)]
    pub content: String,
}

/// A volume as the API answers it.
#[derive(Debug, Serialize)]
pub struct VolumeView<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_name: Option<&'a str>,
    state: VolumeState,
    size_gb: u64,
    region: &'a str,
    zone: String,
    encrypted: bool,
    attached_machine_id: Option<&'a str>,
    attached_alloc_id: Option<&'a str>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    blocks: u64,
    block_size: u64,
    blocks_free: u64,
    blocks_avail: u64,
    bytes_total: u64,
    bytes_used: u64,
    fstype: &'a str,
    snapshot_retention: u64,
    auto_backup_enabled: bool,
    host_status: &'static str,
    host_dedication_key: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

const BLOCK: u64 = 4_096;

/// A day.
const DAY: Millis = 24 * 3_600_000;

impl Volume {
    /// When Fly's next snapshot of it is due: one each day, at the hour at which it was made.
    pub fn next_backup(&self, now: Millis) -> Millis {
        self.created_at + ((now - self.created_at).div_euclid(DAY) + 1) * DAY
    }

    /// The Machine that a delete would be refused for.
    pub fn bound_to(&self, now: Millis) -> Option<&str> {
        match &self.hold {
            Hold::Bound(machine) => Some(machine),
            Hold::Lingering { machine, bound_until, .. } if *bound_until > now => Some(machine),
            Hold::Free | Hold::Lingering { .. } => None,
        }
    }

    /// The Machine that another one would be refused for; after a destroy its id is lost, as on Fly.
    pub fn claimed_by(&self, now: Millis) -> Option<String> {
        match &self.hold {
            Hold::Bound(machine) => Some(machine.clone()),
            Hold::Lingering { claimed_until, .. } if *claimed_until > now => Some("\0".repeat(14)),
            Hold::Free | Hold::Lingering { .. } => None,
        }
    }

    /// The volume as the API answers it; `reachable` is what is known of its host.
    pub fn view(&self, now: Millis, host_status: &'static str) -> VolumeView<'_> {
        let bytes = self.size_gb * (1 << 30);
        VolumeView {
            id: &self.id,
            name: &self.name,
            app_name: None,
            state: self.state,
            size_gb: self.size_gb,
            region: &self.region,
            zone: zone(&self.host),
            encrypted: self.encrypted,
            attached_machine_id: self.bound_to(now),
            attached_alloc_id: None,
            created_at: rfc3339(self.created_at),
            updated_at: None,
            blocks: bytes / BLOCK,
            block_size: BLOCK,
            blocks_free: bytes / BLOCK,
            blocks_avail: bytes / BLOCK,
            bytes_total: bytes,
            bytes_used: 0,
            fstype: &self.fstype,
            snapshot_retention: self.snapshot_retention,
            auto_backup_enabled: self.auto_backup_enabled,
            host_status,
            host_dedication_key: "",
            kind: "local",
        }
    }

    /// The volume as a list that is `lag` behind shows it; `None` when it isn't in it yet.
    pub fn listed(&self, now: Millis, host_status: &'static str, lag: Millis) -> Option<VolumeView<'_>> {
        if lag > 0 && self.created_at + lag > now {
            return None;
        }
        let lingers = lag > 0 && self.deleted_at.is_some_and(|at| at + lag > now);
        let state = if lingers { VolumeState::Created } else { self.state };
        Some(VolumeView { state, ..self.view(now, host_status) })
    }

    /// The volume as an organisation's list shows it.
    pub fn overview<'a>(&'a self, app: &'a str, now: Millis, host_status: &'static str) -> VolumeView<'a> {
        VolumeView {
            app_name: Some(app),
            updated_at: Some(rfc3339(self.updated_at)),
            ..self.view(now, host_status)
        }
    }
}
