//! What becomes of a volume: growing, snapshots, deletion.

use serde_json::{Value, json};

use super::state::State;
use super::timers::Timer;
use crate::clock::rfc3339;
use crate::error::{ApiError, ApiResult};
use crate::ids::sha256_hex;
use crate::model::volume::{Snapshot, SnapshotStatus, VolumeState};

/// A day.
const DAY: i64 = 24 * 3_600_000;

/// Why a snapshot is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// A call asks for it.
    Asked,
    /// Fly makes one each day.
    Daily,
}

impl State {
    /// Grows a volume; answers whether its Machine must restart to see it.
    pub fn extend_volume(&mut self, app: &str, id: &str, size_gb: u64) -> ApiResult<bool> {
        let (host, before) =
            self.usable_volume(app, id).map(|volume| (volume.host.clone(), volume.size_gb))?;
        self.host_ok(&host)?;
        if size_gb <= before || size_gb > 500 {
            return Err(ApiError::invalid(format!(
                "volume size must be greater than {before} GB and at most 500 GB"
            )));
        }
        let now = self.now;
        let volume = self.volume_mut(app, id)?;
        volume.size_gb = size_gb;
        volume.updated_at = now;
        let attached = volume.bound_to(now).is_some();
        let needs_restart = attached && !self.faults.environments.volumes_grow_online();
        self.effect("volume.extend", app, id, json!({ "size_gb": size_gb }));
        Ok(needs_restart)
    }

    /// Asks for a snapshot.
    pub fn snapshot_volume(&mut self, app: &str, id: &str) -> ApiResult<Snapshot> {
        self.take_snapshot(app, id, Reason::Asked)
    }

    /// Fly's own snapshot of each day, and the next one.
    pub(super) fn backup_due(&mut self, app: &str, id: &str) {
        let now = self.now;
        let Ok(volume) = self.usable_volume(app, id) else { return };
        let enabled = volume.auto_backup_enabled;
        if let Ok(volume) = self.volume_mut(app, id) {
            volume.snapshots.retain(|snapshot| snapshot.is_kept(now));
        }
        if enabled && let Err(refusal) = self.take_snapshot(app, id, Reason::Daily) {
            tracing::debug!(volume = id, %refusal, "a day without a snapshot");
        }
        self.back_up_daily(app, id);
    }

    /// Plans the volume's next daily snapshot.
    pub(super) fn back_up_daily(&mut self, app: &str, id: &str) {
        let Ok(volume) = self.volume(app, id) else { return };
        let at = volume.next_backup(self.now);
        self.timers.at(at, Timer::Backup { app: app.to_owned(), id: id.to_owned() });
    }

    fn take_snapshot(&mut self, app: &str, id: &str, reason: Reason) -> ApiResult<Snapshot> {
        let volume = self.usable_volume(app, id)?;
        self.host_ok(&volume.host)?;
        if let Some(pending) = volume.snapshots.iter().find(|s| s.status == SnapshotStatus::Pending) {
            let at = rfc3339(pending.created_at);
            return Err(ApiError::precondition(format!("snapshot is already scheduled at {at}")));
        }
        let volume = volume.clone();
        let (retention_days, size_gb) = (volume.snapshot_retention, volume.size_gb);
        let snapshot = Snapshot {
            id: format!("vs_{}", self.ids.alphanumeric(18)),
            status: SnapshotStatus::Pending,
            created_at: self.now,
            retention_days,
            volume_size: size_gb * (1 << 30),
            digest: sha256_hex(id.as_bytes()),
            content: volume.content.clone(),
        };
        self.volume_mut(app, id)?.snapshots.push(snapshot.clone());
        self.driver.copy_volume(id, &snapshot.id);
        self.effect(
            "snapshot.create",
            app,
            &snapshot.id,
            json!({ "volume": id, "daily": reason == Reason::Daily }),
        );
        let at = self.now + self.settings.delays.snapshot.draw(&mut self.ids);
        let (app, volume) = (app.to_owned(), id.to_owned());
        self.timers.at(at, Timer::SnapshotReady { app, volume, id: snapshot.id.clone() });
        Ok(snapshot)
    }

    /// Deletes a volume: it stays listed for a day.
    pub fn delete_volume(&mut self, app: &str, id: &str) -> ApiResult<()> {
        let volume = self.usable_volume(app, id)?;
        self.host_ok(&volume.host)?;
        if let Some(machine) = volume.bound_to(self.now) {
            return Err(ApiError::precondition(format!("volume is currently bound to machine: {machine}")));
        }
        let now = self.now;
        let volume = self.volume_mut(app, id)?;
        volume.state = VolumeState::SchedulingDestroy;
        volume.deleted_at = Some(now);
        volume.updated_at = now;
        self.effect("volume.delete", app, id, Value::Null);
        let at = now + self.settings.delays.destroy.draw(&mut self.ids);
        self.timers.at(at, Timer::VolumeGoing { app: app.to_owned(), id: id.to_owned() });
        Ok(())
    }

    pub(super) fn volume_ready(&mut self, app: &str, id: &str) {
        let Ok(volume) = self.volume_mut(app, id) else { return };
        if volume.state.is_usable() {
            volume.state = VolumeState::Created;
        }
    }

    pub(super) fn volume_going(&mut self, app: &str, id: &str) {
        let now = self.now;
        let Ok(volume) = self.volume_mut(app, id) else { return };
        volume.updated_at = now;
        match volume.state {
            VolumeState::SchedulingDestroy => {
                volume.state = VolumeState::PendingDestroy;
                self.timers.at(now + DAY, Timer::VolumeGoing { app: app.to_owned(), id: id.to_owned() });
            }
            VolumeState::PendingDestroy => {
                volume.state = VolumeState::Destroyed;
                self.driver.forget_volume(id);
                self.effect("volume.destroyed", app, id, Value::Null);
            }
            _ => {}
        }
    }

    pub(super) fn snapshot_ready(&mut self, app: &str, volume: &str, id: &str) {
        let Ok(volume) = self.volume_mut(app, volume) else { return };
        volume.snapshots.iter_mut().filter(|s| s.id == id).for_each(|s| s.status = SnapshotStatus::Created);
    }
}
