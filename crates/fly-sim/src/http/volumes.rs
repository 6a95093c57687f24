//! Volumes and snapshots.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, Caller, ok, read, text};
use crate::error::{ApiError, ApiResult};
use crate::model::volume::VolumeState;
use crate::world::volumes::{NewVolume, check_retention};
use crate::world::{Sim, State as World};

type Flags = Query<HashMap<String, String>>;
type At = Path<(String, String)>;

/// `POST /apps/{app}/volumes`
pub async fn create(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
    body: Bytes,
) -> Answer {
    let body: Value = read(&body)?;
    let mut state = caller.enter(&sim);
    state.app(&app)?;
    let id = state.create_volume(&app, asked(&body))?;
    answer(&state, &app, &id)
}

fn asked(body: &Value) -> NewVolume {
    NewVolume {
        name: text(body, "name"),
        region: text(body, "region"),
        size_gb: body["size_gb"].as_u64(),
        encrypted: body["encrypted"].as_bool(),
        fstype: text(body, "fstype"),
        require_unique_zone: body["require_unique_zone"].as_bool(),
        snapshot_retention: body["snapshot_retention"].as_u64(),
        auto_backup_enabled: body["auto_backup_enabled"].as_bool(),
        snapshot_id: text(body, "snapshot_id"),
        source_volume_id: text(body, "source_volume_id"),
    }
}

fn answer(state: &World, app: &str, id: &str) -> Answer {
    let volume = state.volume(app, id)?;
    ok(&volume.view(state.now, state.host_status(&volume.host)))
}

/// `GET /apps/{app}/volumes`
pub async fn list(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
    Query(flags): Flags,
) -> Answer {
    let state = caller.enter(&sim);
    let after = flags.get("cursor").map_or("", String::as_str);
    let limit = flags.get("limit").and_then(|limit| limit.parse::<usize>().ok()).unwrap_or(usize::MAX);
    let volumes = &state.app(&app)?.volumes;
    let shown = volumes.values().filter(|v| v.state != VolumeState::Destroyed && v.id.as_str() > after);
    let shown = shown.filter_map(|v| v.listed(state.now, state.host_status(&v.host), caller.lag));
    ok(&shown.take(limit).collect::<Vec<_>>())
}

/// `GET /apps/{app}/volumes/{volume}`
pub async fn show(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, volume)): At,
) -> Answer {
    answer(&caller.enter(&sim), &app, &volume)
}

/// `PUT /apps/{app}/volumes/{volume}`
pub async fn update(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, volume)): At,
    body: Bytes,
) -> Answer {
    let body: Value = read(&body)?;
    let mut state = caller.enter(&sim);
    state.usable_volume(&app, &volume)?;
    edit(&mut state, &app, &volume, &body)?;
    state.effect("volume.update", &app, &volume, Value::Null);
    answer(&state, &app, &volume)
}

fn edit(state: &mut World, app: &str, volume: &str, body: &Value) -> ApiResult<()> {
    let now = state.now;
    let volume = state.volume_mut(app, volume)?;
    if let Some(days) = body["snapshot_retention"].as_u64() {
        check_retention(days)?;
        volume.snapshot_retention = days;
    }
    if let Some(backup) = body["auto_backup_enabled"].as_bool() {
        volume.auto_backup_enabled = backup;
    }
    volume.updated_at = now;
    Ok(())
}

/// `PUT …/extend`
pub async fn extend(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, volume)): At,
    body: Bytes,
) -> Answer {
    let body: Value = read(&body)?;
    let size = body["size_gb"].as_u64().ok_or_else(|| ApiError::invalid("size_gb is required"))?;
    let mut state = caller.enter(&sim);
    let needs_restart = state.extend_volume(&app, &volume, size)?;
    let volume = state.volume(&app, &volume)?;
    let view = volume.view(state.now, state.host_status(&volume.host));
    ok(&json!({ "volume": view, "needs_restart": needs_restart }))
}

/// `GET …/snapshots`: those of a deleted volume too.
pub async fn snapshots(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, volume)): At,
) -> Answer {
    let state = caller.enter(&sim);
    let volume =
        state.app(&app)?.volumes.get(&volume).ok_or_else(|| ApiError::not_found("volume not found"))?;
    let alive = |s: &&crate::model::volume::Snapshot| s.is_kept(state.now);
    ok(&volume.snapshots.iter().filter(alive).map(crate::model::volume::Snapshot::view).collect::<Vec<_>>())
}

/// `POST …/snapshots`
pub async fn snapshot(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, volume)): At,
) -> Answer {
    let snapshot = caller.enter(&sim).snapshot_volume(&app, &volume)?;
    ok(&json!({ "Msg": snapshot.view() }))
}

/// `DELETE /apps/{app}/volumes/{volume}`
pub async fn remove(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, volume)): At,
) -> Answer {
    let mut state = caller.enter(&sim);
    state.delete_volume(&app, &volume)?;
    answer(&state, &app, &volume)
}
