//! Volumes: making, growing, snapshotting, deleting.

use http::StatusCode;
use serde_json::json;

use super::state::State;
use super::timers::Timer;
use crate::error::{ApiError, ApiResult};
use crate::model::volume::{Hold, Snapshot, SnapshotStatus, Volume, VolumeState};

/// What a client asks for.
#[derive(Debug, Default)]
pub struct NewVolume {
    /// The name.
    pub name: String,
    /// The region; one code.
    pub region: String,
    /// GB; the source's size, or 3, when absent.
    pub size_gb: Option<u64>,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// `ext4` or `raw`.
    pub fstype: String,
    /// Whether it may not share a host with another of its name.
    pub require_unique_zone: Option<bool>,
    /// Days that snapshots are kept.
    pub snapshot_retention: Option<u64>,
    /// Whether a snapshot is made each day.
    pub auto_backup_enabled: Option<bool>,
    /// The snapshot to restore.
    pub snapshot_id: String,
    /// The volume to fork.
    pub source_volume_id: String,
}

impl State {
    /// Makes a volume; answers its id.
    pub fn create_volume(&mut self, app: &str, new: NewVolume) -> ApiResult<String> {
        check_name(&new.name)?;
        let source = self.source_of(app, &new)?;
        let region = self.volume_region(&new, source.as_ref())?;
        let size_gb = size(&new, source.as_ref())?;
        let retention = new.snapshot_retention.unwrap_or(5);
        check_retention(retention)?;
        let host = self.volume_host(app, &new, &region)?;
        let state = match (&source, new.snapshot_id.is_empty()) {
            (Some(_), true) => VolumeState::Hydrating,
            (Some(_), false) => VolumeState::Restoring,
            (None, _) => VolumeState::Created,
        };
        let content =
            if new.snapshot_id.is_empty() { new.source_volume_id.clone() } else { new.snapshot_id.clone() };
        let volume = self.build_volume(new, source.as_ref(), (region, host), (size_gb, retention), state);
        Ok(self.admit_volume(app, volume, &content))
    }

    fn build_volume(
        &mut self,
        new: NewVolume,
        source: Option<&Volume>,
        (region, host): (String, String),
        (size_gb, snapshot_retention): (u64, u64),
        state: VolumeState,
    ) -> Volume {
        Volume {
            id: format!("vol_{}", self.ids.alphanumeric(16)),
            name: new.name,
            state,
            size_gb,
            region,
            host,
            encrypted: new.encrypted.unwrap_or(true),
            hold: Hold::Free,
            created_at: self.now,
            updated_at: self.now,
            deleted_at: None,
            fstype: if new.fstype.is_empty() { "ext4".to_owned() } else { new.fstype },
            snapshot_retention,
            auto_backup_enabled: new.auto_backup_enabled.unwrap_or(true),
            source: source.map(|volume| volume.id.clone()),
            snapshots: Vec::new(),
            content: source.map(|volume| content(volume, &new.snapshot_id)).unwrap_or_default(),
        }
    }

    fn admit_volume(&mut self, app: &str, volume: Volume, content: &str) -> String {
        let id = volume.id.clone();
        let mut detail = json!({ "name": volume.name, "region": volume.region, "size_gb": volume.size_gb });
        if let Some(source) = &volume.source {
            detail["source"] = json!(source);
            detail["from"] = json!(content);
        }
        if !content.is_empty() {
            self.driver.copy_volume(content, &id);
            let at = self.now + self.settings.delays.hydrate.draw(&mut self.ids);
            self.timers.at(at, Timer::VolumeReady { app: app.to_owned(), id: id.clone() });
        }
        if let Ok(app) = self.app_mut(app) {
            app.volumes.insert(id.clone(), volume);
        }
        self.back_up_daily(app, &id);
        self.effect("volume.create", app, &id, detail);
        id
    }

    fn source_of(&self, app: &str, new: &NewVolume) -> ApiResult<Option<Volume>> {
        let app = self.app(app)?;
        if !new.source_volume_id.is_empty() {
            let found = app
                .volumes
                .get(&new.source_volume_id)
                .filter(|volume| volume.state != VolumeState::Destroyed);
            let missing = || bad(format!("volume {} not found", new.source_volume_id));
            return found.cloned().map(Some).ok_or_else(missing);
        }
        if new.snapshot_id.is_empty() {
            return Ok(None);
        }
        let fits = |snapshot: &Snapshot| {
            let made = snapshot.status == SnapshotStatus::Created && snapshot.is_kept(self.now);
            snapshot.id == new.snapshot_id && made
        };
        let holds = |volume: &&Volume| volume.snapshots.iter().any(fits);
        let found = app.volumes.values().find(holds);
        found.cloned().map(Some).ok_or_else(|| bad(format!("snapshot {} not found", new.snapshot_id)))
    }

    fn volume_region(&self, new: &NewVolume, source: Option<&Volume>) -> ApiResult<String> {
        let asked = match (new.region.as_str(), source) {
            ("", Some(source)) => source.region.as_str(),
            ("", None) => self.regions.first().copied().unwrap_or("iad"),
            (asked, _) => asked,
        };
        if self.regions.contains(&asked) {
            return Ok(asked.to_owned());
        }
        Err(ApiError::invalid(format!("invalid region '{asked}'")))
    }

    fn volume_host(&mut self, app: &str, new: &NewVolume, region: &str) -> ApiResult<String> {
        let unique = new.require_unique_zone.unwrap_or(true);
        let taken = self.app(app)?.volumes.values();
        let taken =
            taken.filter(|v| unique && v.name == new.name && v.region == region && v.state.is_usable());
        let taken: Vec<String> = taken.map(|volume| volume.host.clone()).collect();
        let host = if self.has_volume_room(region) { self.free_host(region, &taken) } else { None };
        host.ok_or_else(|| {
            ApiError::precondition(format!("insufficient resources in {region}: no capacity for volume"))
        })
    }

    /// A volume as a call finds it.
    pub fn volume(&self, app: &str, id: &str) -> ApiResult<&Volume> {
        let found = self.app(app)?.volumes.get(id).filter(|volume| volume.state != VolumeState::Destroyed);
        found.ok_or_else(|| ApiError::not_found("volume not found"))
    }

    /// A volume that isn't being deleted.
    pub fn usable_volume(&self, app: &str, id: &str) -> ApiResult<&Volume> {
        let volume = self.volume(app, id)?;
        if volume.state.is_usable() { Ok(volume) } else { Err(ApiError::not_found("volume not found")) }
    }

    /// A volume, to be changed.
    pub fn volume_mut(&mut self, app: &str, id: &str) -> ApiResult<&mut Volume> {
        self.app_mut(app)?.volumes.get_mut(id).ok_or_else(|| ApiError::not_found("volume not found"))
    }
}

/// What a volume made from this one, or from a snapshot of it, holds.
fn content(source: &Volume, snapshot: &str) -> String {
    let taken = source.snapshots.iter().find(|it| it.id == snapshot);
    taken.map_or_else(|| source.content.clone(), |it| it.content.clone())
}

fn bad(text: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, text)
}

fn check_name(name: &str) -> ApiResult<()> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.is_empty() && name.len() <= 30 && name.chars().all(letters) {
        return Ok(());
    }
    Err(ApiError::invalid(
        "volume name must be lowercase letters, numbers and underscores, at most 30 characters",
    ))
}

/// Refuses a number of days out of range.
pub fn check_retention(days: u64) -> ApiResult<()> {
    if (1..=60).contains(&days) {
        return Ok(());
    }
    Err(ApiError::invalid("snapshot_retention must be between 1 and 60 days"))
}

fn size(new: &NewVolume, source: Option<&Volume>) -> ApiResult<u64> {
    let size =
        new.size_gb.filter(|size| *size > 0).unwrap_or_else(|| source.map_or(3, |volume| volume.size_gb));
    if size > 500 || source.is_some_and(|source| size < source.size_gb) {
        return Err(ApiError::invalid("volume size_gb must be between 1 and 500 and not below its source"));
    }
    Ok(size)
}
