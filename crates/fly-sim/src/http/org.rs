//! An organisation's lists.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::answer::{Answer, Caller, is_true, ok};
use super::machines::split;
use crate::clock::{Millis, parse_rfc3339, rfc3339};
use crate::error::{ApiError, ApiResult};
use crate::model::volume::VolumeState;
use crate::world::Sim;
use crate::world::orgs::{Deleted, OrgEntry, OrgFilter};
use crate::world::state::State as World;

type Flags = HashMap<String, String>;

/// At most so many entries on a page.
const MOST: usize = 2_000;

/// `GET /orgs/{org}/machines`
pub async fn machines(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(org): Path<String>,
    Query(flags): Query<Flags>,
) -> Answer {
    let limit = limit(&flags)?;
    let entries = {
        let state = caller.enter(&sim);
        state.org_machines(&org, &after(&state, &flags)?, &filter(&flags), limit, caller.lag)
    };
    page(entries, limit, "machines", "last_machine_id")
}

fn filter(flags: &Flags) -> OrgFilter {
    let list = |name: &str| flags.get(name).map(|value| split(value)).unwrap_or_default();
    let deleted = if is_true(flags.get("include_deleted")) { Deleted::Shown } else { Deleted::Hidden };
    OrgFilter { regions: list("region"), states: list("state"), deleted }
}

fn limit(flags: &Flags) -> ApiResult<usize> {
    let Some(text) = flags.get("limit").filter(|text| !text.is_empty()) else { return Ok(MOST) };
    match text.parse::<usize>() {
        Ok(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        _ => Err(ApiError::invalid(format!("limit must be between 1 and {MOST}"))),
    }
}

/// The entry after which the page begins: a cursor wins over a time.
fn after(state: &World, flags: &Flags) -> ApiResult<(Millis, String)> {
    if let Some(cursor) = flags.get("cursor").filter(|cursor| !cursor.is_empty()) {
        return decode(cursor).ok_or_else(|| ApiError::invalid("invalid cursor"));
    }
    match flags.get("updated_after").filter(|text| !text.is_empty()) {
        None => Ok((Millis::MIN, String::new())),
        // `~` sorts after every id, so that the time itself is left out.
        Some(text) => parse_rfc3339(text)
            .map(|at| {
                let from = if state.faults.environments.lists_include_the_time() { "" } else { "~" };
                (at, from.to_owned())
            })
            .ok_or_else(|| ApiError::invalid("updated_after must be an RFC 3339 time")),
    }
}

fn decode(cursor: &str) -> Option<(Millis, String)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (at, id) = text.split_once('/')?;
    Some((at.parse().ok()?, id.to_owned()))
}

fn page(mut entries: Vec<OrgEntry>, limit: usize, list: &str, last_id: &str) -> Answer {
    let more = entries.len() > limit;
    entries.truncate(limit);
    let end = entries.last().map(|(at, id, _)| (*at, id.clone()));
    let cursor = end.as_ref().filter(|_| more).map(|(at, id)| URL_SAFE_NO_PAD.encode(format!("{at}/{id}")));
    let shown: Vec<Value> = entries.into_iter().map(|(_, _, entry)| entry).collect();
    ok(&json!({
        list: shown,
        "next_cursor": cursor.unwrap_or_default(),
        last_id: end.as_ref().map(|(_, id)| id.clone()).unwrap_or_default(),
        "last_updated_at": end.map(|(at, _)| rfc3339(at)).unwrap_or_default(),
    }))
}

/// `GET /orgs/{org}/volumes`
pub async fn volumes(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(org): Path<String>,
    Query(flags): Query<Flags>,
) -> Answer {
    let limit = limit(&flags)?;
    let deleted = is_true(flags.get("include_deleted"));
    let list = |name: &str| flags.get(name).map(|value| split(value)).unwrap_or_default();
    let (regions, states): (Vec<String>, Vec<String>) = (list("region"), list("state"));
    let state = caller.enter(&sim);
    let after = after(&state, &flags)?;
    let mut entries: Vec<OrgEntry> = Vec::new();
    for app in state.apps.values().filter(|app| app.org == org) {
        for volume in app.volumes.values() {
            let entry = json!(volume.overview(&app.name, state.now, state.host_status(&volume.host)));
            let wanted = (deleted || volume.state != VolumeState::Destroyed)
                && (regions.is_empty() || regions.contains(&volume.region))
                && (states.is_empty() || states.iter().any(|wanted| entry["state"] == wanted.as_str()))
                && (volume.updated_at, &volume.id) > (after.0, &after.1)
                && (caller.lag == 0 || volume.created_at + caller.lag <= state.now);
            if wanted {
                entries.push((volume.updated_at, volume.id.clone(), entry));
            }
        }
    }
    entries.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    page(entries, limit, "volumes", "last_volume_id")
}
