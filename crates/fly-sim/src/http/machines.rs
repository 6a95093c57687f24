//! Machines: making, listing, reading, updating.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Caller, is_true, key, ok, read};
use crate::error::{ApiError, ApiResult};
use crate::model::config::{MachineConfig, nullable};
use crate::model::machine::{After, Machine};
use crate::model::machine_view::{Lens, MachineView};
use crate::world::create::{NewMachine, Routing};
use crate::world::update::Update;
use crate::world::{Key, Sim, State as World};

type Flags = Query<HashMap<String, String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    #[serde(deserialize_with = "nullable")]
    name: String,
    #[serde(deserialize_with = "nullable")]
    region: String,
    config: Value,
    #[serde(deserialize_with = "nullable")]
    skip_launch: bool,
    #[serde(deserialize_with = "nullable")]
    skip_service_registration: bool,
    #[serde(deserialize_with = "nullable")]
    skip_secrets: bool,
    #[serde(deserialize_with = "nullable")]
    min_secrets_version: u64,
    #[serde(deserialize_with = "nullable")]
    lease_ttl: i64,
    #[serde(deserialize_with = "nullable")]
    current_version: String,
}

impl Body {
    fn after(&self) -> After {
        if self.skip_launch { After::Rest } else { After::Start }
    }

    /// The secrets that are waited for; none when the Machine runs without secrets.
    fn secrets(&self) -> u64 {
        if self.skip_secrets { 0 } else { self.min_secrets_version }
    }
}

/// `POST /apps/{app}/machines`
pub async fn create(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
    body: Bytes,
) -> Answer {
    let body: Body = read(&body)?;
    caller.enter(&sim).app(&app)?;
    let config = MachineConfig::from_client(body.config.clone())?;
    let routing = if body.skip_service_registration { Routing::Cordoned } else { Routing::Served };
    let new = NewMachine {
        after: body.after(),
        min_secrets_version: body.secrets(),
        name: body.name,
        region: body.region,
        config,
        routing,
    };
    let mut state = caller.enter(&sim);
    let key = state.create_machine(&app, new)?;
    let nonce = lease(&mut state, &caller, &key, body.lease_ttl)?;
    answer(&state, &key, nonce.as_deref())
}

fn lease(state: &mut World, caller: &Caller, key: &Key, ttl: i64) -> ApiResult<Option<String>> {
    if ttl == 0 {
        return Ok(None);
    }
    let owner = super::leases::owner(caller);
    let lease = state.acquire_lease(key, &owner, Some(ttl), String::new(), caller.nonce())?;
    Ok(Some(lease.nonce))
}

/// `POST /apps/{app}/machines/{machine}`
pub async fn update(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let key = key(app, machine);
    let body: Body = read(&body)?;
    caller.enter(&sim).found(&key)?;
    let config = MachineConfig::from_client(body.config.clone())?;
    let update = Update {
        after: body.after(),
        min_secrets_version: body.secrets(),
        current_version: body.current_version,
        config,
    };
    let mut state = caller.enter(&sim);
    state.check_lease(&key, caller.nonce())?;
    state.reachable(&key)?;
    state.update_machine(&key, update)?;
    let nonce = lease(&mut state, &caller, &key, body.lease_ttl)?;
    answer(&state, &key, nonce.as_deref())
}

/// A Machine as a call that changed it answers it.
pub fn answer(state: &World, key: &Key, nonce: Option<&str>) -> Answer {
    let machine = state.machine(key).ok_or_else(ApiError::no_machine)?;
    ok(&machine.view(Lens { nonce, ..lens(state, key, machine) }))
}

/// What an answer about a Machine shows now.
pub fn lens<'a>(state: &'a World, key: &Key, machine: &'a Machine) -> Lens<'a> {
    Lens {
        state: machine.state,
        host_status: state.host_status(&machine.host),
        quirks: state.settings.quirks,
        checks: state.checks_of(&key.app, machine),
        nonce: None,
        lease: None,
    }
}

/// `GET /apps/{app}/machines/{machine}`
pub async fn show(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): Path<(String, String)>,
    Query(flags): Flags,
) -> Answer {
    let key = key(app, machine);
    let state = caller.enter(&sim);
    let machine = state.found(&key)?;
    let lease = if is_true(flags.get("include_leases")) { state.held_lease(&key) } else { None };
    let view = machine.view(Lens { lease, ..lens(&state, &key, machine) });
    match flags.get("version").filter(|version| **version != machine.instance_id) {
        Some(version) => old_version(machine, version, &view),
        None => ok(&view),
    }
}

fn old_version(machine: &Machine, version: &str, view: &MachineView<'_>) -> Answer {
    let old = machine.versions.iter().find(|old| old.version == version);
    let old = old.ok_or_else(|| ApiError::not_found("machine version not found"))?;
    let mut body = json!(view);
    body["state"] = "replaced".into();
    body["instance_id"] = version.into();
    body["version"] = version.into();
    body["config"] = old.config.raw().value();
    ok(&body)
}

/// A comma list.
pub fn split(value: &str) -> Vec<String> {
    value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// `GET …/events`
pub async fn events(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): Path<(String, String)>,
    Query(flags): Flags,
) -> Answer {
    let limit = flags.get("limit").and_then(|limit| limit.parse::<usize>().ok()).unwrap_or(20).clamp(1, 50);
    let state = caller.enter(&sim);
    let events = &state.found(&key(app, machine))?.events;
    ok(&events.iter().take(limit).collect::<Vec<_>>())
}

/// `GET …/versions`
pub async fn versions(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): Path<(String, String)>,
) -> Answer {
    let state = caller.enter(&sim);
    let versions = &state.found(&key(app, machine))?.versions;
    let view = |v: &crate::model::machine::Version| json!({ "version": v.version, "user_config": v.config });
    ok(&versions.iter().map(view).collect::<Vec<_>>())
}
