//! Volumes and their snapshots. A volume is on one physical host and is not replicated.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wire::{nullable, time};
use super::{Guest, HostStatus};

open_enum! {
    /// Where a volume is in its life.
    VolumeState {
        /// It is being made.
        Creating = "creating",
        /// It is ready.
        Created = "created",
        /// It grows.
        Extending = "extending",
        /// It is filled from a snapshot.
        Restoring = "restoring",
        /// A fork prepares its source.
        EnablingRemoteExport = "enabling_remote_export",
        /// It is filled from its source, and can already be mounted.
        Hydrating = "hydrating",
        /// Its host recovers it.
        Recovering = "recovering",
        /// Its deletion was asked for.
        SchedulingDestroy = "scheduling_destroy",
        /// A fork's remains are cleared.
        ForkCleanup = "fork_cleanup",
        /// Its deletion waits for its Machine.
        WaitingForDetach = "waiting_for_detach",
        /// It is kept for a while before it is deleted.
        PendingDestroy = "pending_destroy",
        /// It is being deleted.
        Destroying = "destroying",
        /// It is gone.
        Destroyed = "destroyed",
    }
}

impl VolumeState {
    /// Whether it is gone, or on its way. Lists go on showing such volumes.
    pub fn is_gone(&self) -> bool {
        matches!(
            self,
            Self::SchedulingDestroy
                | Self::ForkCleanup
                | Self::WaitingForDetach
                | Self::PendingDestroy
                | Self::Destroying
                | Self::Destroyed
        )
    }

    /// Whether a Machine can mount it.
    pub fn is_mountable(&self) -> bool {
        matches!(self, Self::Created | Self::Hydrating | Self::Extending)
    }
}

/// A request for a new volume. Names aren't unique and there is no idempotency key: list before you repeat it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CreateVolume {
    /// Lowercase letters, digits and `_`, at most 30.
    pub name: String,
    /// One region; aliases aren't taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Its size in GB, 1 to 500; leave it out for a fork.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_gb: Option<u32>,
    /// Encrypts it; the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<bool>,
    /// Puts volumes of one name on different hosts; the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_unique_zone: Option<bool>,
    /// How many days automatic snapshots are kept, 1 to 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_retention: Option<u32>,
    /// Makes a snapshot each day; the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_backup_enabled: Option<bool>,
    /// Fills it from a snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_id: Option<String>,
    /// Fills it from another volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_volume_id: Option<String>,
    /// The Machine that will mount it, so that its host has room for both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compute: Option<Guest>,
    /// The image of that Machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compute_image: Option<String>,
}

impl CreateVolume {
    /// An empty volume of this size in GB.
    pub fn new(name: impl Into<String>, region: impl Into<String>, size_gb: u32) -> Self {
        Self { name: name.into(), region: Some(region.into()), size_gb: Some(size_gb), ..Self::default() }
    }

    /// A fork of another volume.
    pub fn fork(name: impl Into<String>, source_volume_id: impl Into<String>) -> Self {
        Self { name: name.into(), source_volume_id: Some(source_volume_id.into()), ..Self::default() }
    }

    /// A volume filled from a snapshot.
    pub fn restore(
        name: impl Into<String>,
        region: impl Into<String>,
        snapshot_id: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            region: Some(region.into()),
            snapshot_id: Some(snapshot_id.into()),
            ..Self::default()
        }
    }

    /// Names the Machine that will mount it, so that its host has room for both.
    #[must_use]
    pub fn compute(mut self, guest: Guest) -> Self {
        self.compute = Some(guest);
        self
    }
}

/// What can be changed of a volume.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UpdateVolume {
    /// How many days automatic snapshots are kept, 1 to 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_retention: Option<u32>,
    /// Makes a snapshot each day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_backup_enabled: Option<bool>,
}

/// A volume.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Volume {
    /// `vol_…`; it changes when Fly moves the Machine to another host.
    #[serde(default, deserialize_with = "nullable")]
    pub id: String,
    /// Its name, which others may have too.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Where it is in its life.
    #[serde(default)]
    pub state: VolumeState,
    /// Its size in GB.
    #[serde(default, deserialize_with = "nullable")]
    pub size_gb: u32,
    /// Its region.
    #[serde(default, deserialize_with = "nullable")]
    pub region: String,
    /// The zone of its host.
    #[serde(default, deserialize_with = "nullable")]
    pub zone: String,
    /// Whether it is encrypted.
    #[serde(default, deserialize_with = "nullable")]
    pub encrypted: bool,
    /// The Machine that has it.
    #[serde(default)]
    pub attached_machine_id: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
    /// Bytes in use; absent while unknown.
    #[serde(default)]
    pub bytes_used: Option<u64>,
    /// Bytes in all; absent while unknown.
    #[serde(default)]
    pub bytes_total: Option<u64>,
    /// How many days automatic snapshots are kept.
    #[serde(default)]
    pub snapshot_retention: Option<u32>,
    /// Whether a snapshot is made each day.
    #[serde(default)]
    pub auto_backup_enabled: Option<bool>,
    /// Whether its host answers.
    #[serde(default)]
    pub host_status: Option<HostStatus>,
}

impl Volume {
    /// The Machine that has it, if any.
    pub fn attached_to(&self) -> Option<&str> {
        self.attached_machine_id.as_deref().filter(|id| !id.is_empty())
    }
}

/// The answer to growing a volume.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ExtendedVolume {
    /// The volume.
    #[serde(default, deserialize_with = "nullable")]
    pub volume: Volume,
    /// Whether its Machine sees the new size only after a restart.
    #[serde(default, deserialize_with = "nullable")]
    pub needs_restart: bool,
}

/// A snapshot of a volume; it outlives the volume until it expires.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Snapshot {
    /// `vs_…`
    #[serde(default, deserialize_with = "nullable")]
    pub id: String,
    /// `pending`, `created` and others.
    #[serde(default, deserialize_with = "nullable")]
    pub status: String,
    /// Its size in bytes.
    #[serde(default, deserialize_with = "nullable")]
    pub size: u64,
    /// The volume's size in bytes.
    #[serde(default)]
    pub volume_size: Option<u64>,
    /// When it was made.
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
    /// How many days it is kept.
    #[serde(default)]
    pub retention_days: Option<u32>,
}

impl Snapshot {
    /// Whether it can be restored.
    pub fn is_created(&self) -> bool {
        self.status == "created"
    }
}
