//! The control side, `/_sim/…`: what a test asks and turns. No Fly route, no token, no limit.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, empty, ok, read, text, with};
use crate::dns::Records;
use crate::error::{ApiError, ApiResult};
use crate::faults::{Environment, RuleSpec};
use crate::ledger;
use crate::settings::{Profile, Settings};
use crate::world::disturb::Disturbance;
use crate::world::{Sim, State as World};

/// The routes.
pub fn routes() -> Router<Arc<Sim>> {
    Router::new()
        .route("/_sim/ledger", get(query_ledger))
        .route("/_sim/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/_sim/faults/{id}", get(show_fault).delete(remove_fault))
        .route("/_sim/faults/{id}/release", post(release_fault))
        .route("/_sim/clock", get(show_clock).post(move_clock))
        .route("/_sim/settings", get(show_settings).post(change_settings))
        .route("/_sim/state", get(show_state))
        .route("/_sim/dns", get(show_dns).post(set_dns))
        .route("/_sim/dns/proxied", get(show_proxied).post(set_proxied))
        .route("/_sim/images", post(move_tag))
        .route("/_sim/machines/{machine}/console", get(show_console))
}

/// Reads a request to the control side; unlike Fly's, its refusals name the field.
fn parsed<T: for<'de> Deserialize<'de>>(value: Value) -> ApiResult<T> {
    serde_json::from_value(value).map_err(ApiError::invalid)
}

async fn query_ledger(State(sim): State<Arc<Sim>>, Query(query): Query<ledger::Query>) -> Answer {
    let until = tokio::time::Instant::now() + Duration::from_millis(query.wait_ms);
    loop {
        let grown = sim.enter().ledger.grown();
        let mut grown = std::pin::pin!(grown.notified());
        grown.as_mut().enable();
        let (entries, head) = {
            let state = sim.enter();
            (state.ledger.query(&query), state.ledger.head())
        };
        let late = tokio::time::Instant::now() >= until;
        if !entries.is_empty() || late {
            let shown: Vec<&ledger::Entry> = entries.iter().map(AsRef::as_ref).collect();
            return ok(&json!({ "entries": shown, "head": head }));
        }
        tokio::select! { () = grown => {}, () = tokio::time::sleep_until(until) => {} }
    }
}

async fn list_faults(State(sim): State<Arc<Sim>>) -> Answer {
    ok(&json!({ "faults": sim.enter().faults.views(None) }))
}

async fn show_fault(State(sim): State<Arc<Sim>>, Path(id): Path<u64>) -> Answer {
    let state = sim.enter();
    let found = state.faults.views(Some(id)).into_iter().next();
    ok(&found.ok_or_else(|| ApiError::not_found("no such fault"))?)
}

/// A rule on calls (`match`, `action`), a state of the world (`environment`), or a thing that happens now (`event`).
async fn add_fault(State(sim): State<Arc<Sim>>, body: Bytes) -> Answer {
    let body: Value = read(&body)?;
    let mut state = sim.enter();
    if !body["event"].is_null() {
        state.disturb(parsed::<Disturbance>(body["event"].clone())?)?;
        return with(StatusCode::CREATED, &json!({}));
    }
    let id = if body["environment"].is_null() {
        let spec: RuleSpec = parsed(body)?;
        state.faults.add_rule(spec)
    } else {
        let environment = placed(&state, parsed(body["environment"].clone())?)?;
        state.faults.add_environment(environment)
    };
    with(StatusCode::CREATED, &json!({ "id": id }))
}

/// A host may be named by a Machine or volume on it.
fn placed(state: &World, environment: Environment) -> ApiResult<Environment> {
    let host = |on: String| host_of(state, on);
    Ok(match environment {
        Environment::HostFull { on, of } => Environment::HostFull { on: host(on)?, of },
        Environment::HostUnreachable { on } => Environment::HostUnreachable { on: host(on)? },
        Environment::HostUnknown { on } => Environment::HostUnknown { on: host(on)? },
        Environment::HostMaintenance { on } => Environment::HostMaintenance { on: host(on)? },
        other => other,
    })
}

fn host_of(state: &World, on: String) -> ApiResult<String> {
    if on.contains('-') {
        return Ok(on);
    }
    if on.starts_with("vol_") {
        let volume = state.apps.values().find_map(|app| app.volumes.get(&on));
        return volume
            .map(|volume| volume.host.clone())
            .ok_or_else(|| ApiError::not_found("volume not found"));
    }
    let key = state.key_of(&on)?;
    state.machine(&key).map(|machine| machine.host.clone()).ok_or_else(ApiError::no_machine)
}

async fn clear_faults(State(sim): State<Arc<Sim>>) -> Answer {
    let mut state = sim.enter();
    state.faults.clear();
    state.unstick();
    empty(StatusCode::NO_CONTENT)
}

async fn remove_fault(State(sim): State<Arc<Sim>>, Path(id): Path<u64>) -> Answer {
    let mut state = sim.enter();
    if !state.faults.remove(id) {
        return Err(ApiError::not_found("no such fault"));
    }
    state.unstick();
    empty(StatusCode::NO_CONTENT)
}

async fn release_fault(State(sim): State<Arc<Sim>>, Path(id): Path<u64>) -> Answer {
    let mut state = sim.enter();
    let rule = state.faults.rule_mut(id).ok_or_else(|| ApiError::not_found("no such fault"))?;
    ok(&json!({ "released": rule.release() }))
}

fn clock(sim: &Sim) -> Answer {
    let now = sim.enter().now;
    ok(&json!({ "nowMs": now, "now": crate::clock::rfc3339(now), "manual": sim.clock.manual().is_some() }))
}

async fn show_clock(State(sim): State<Arc<Sim>>) -> Answer {
    clock(&sim)
}

async fn move_clock(State(sim): State<Arc<Sim>>, body: Bytes) -> Answer {
    let body: Value = read(&body)?;
    let by = body["advanceMs"].as_i64().filter(|by| *by >= 0);
    let by = by.ok_or_else(|| ApiError::invalid("advanceMs must be a number of milliseconds, 0 or more"))?;
    let manual = sim.clock.manual().ok_or_else(|| ApiError::precondition("the clock is the real one"))?;
    manual.set(manual.now_ms().saturating_add(by));
    clock(&sim)
}

async fn show_settings(State(sim): State<Arc<Sim>>) -> Answer {
    ok(&sim.enter().settings)
}

/// Changes the settings that are given; `profile` stands for a whole set of delays.
async fn change_settings(State(sim): State<Arc<Sim>>, body: Bytes) -> Answer {
    let mut change: Value = read(&body)?;
    let mut state = sim.enter();
    let mut settings = json!(state.settings);
    if let Some(profile) = change.as_object_mut().and_then(|fields| fields.remove("profile")) {
        settings["delays"] = json!(parsed::<Profile>(profile)?.delays());
    }
    merge(&mut settings, change)?;
    let pace = state.settings.autostop_pass_ms;
    state.settings = parsed::<Settings>(settings)?;
    if state.settings.autostop_pass_ms < pace {
        // The next pass was due at the old pace.
        state.autostop_pass();
    }
    ok(&state.settings)
}

fn merge(into: &mut Value, from: Value) -> ApiResult<()> {
    let Value::Object(fields) = from else {
        *into = from;
        return Ok(());
    };
    for (name, value) in fields {
        let slot = into.get_mut(&name).ok_or_else(|| ApiError::invalid(format!("no setting '{name}'")))?;
        merge(slot, value)?;
    }
    Ok(())
}

async fn show_state(State(sim): State<Arc<Sim>>) -> Answer {
    let state = sim.enter();
    let apps: Vec<Value> = state.apps.values().map(super::summary::app).collect();
    ok(&json!({ "apps": apps, "now": state.now, "ledgerHead": state.ledger.head() }))
}

async fn show_dns(State(sim): State<Arc<Sim>>) -> Answer {
    ok(sim.enter().dns.names())
}

#[derive(Deserialize)]
struct DnsChange {
    name: String,
    #[serde(flatten)]
    records: Records,
}

/// Replaces all records of a name; none takes the name away.
async fn set_dns(State(sim): State<Arc<Sim>>, body: Bytes) -> Answer {
    let change: DnsChange = parsed(read(&body)?)?;
    sim.enter().dns.set(&change.name, change.records);
    empty(StatusCode::NO_CONTENT)
}

async fn show_proxied(State(sim): State<Arc<Sim>>) -> Answer {
    ok(&sim.enter().proxied)
}

/// A proxy stands before a hostname and leads to an app; to none when the app is empty.
async fn set_proxied(State(sim): State<Arc<Sim>>, body: Bytes) -> Answer {
    let body: Value = read(&body)?;
    let (hostname, app) = (text(&body, "hostname"), text(&body, "app"));
    let mut state = sim.enter();
    if app.is_empty() {
        state.proxied.remove(&hostname);
    } else {
        state.proxied.insert(hostname, app);
    }
    empty(StatusCode::NO_CONTENT)
}

/// What a Machine's program wrote.
async fn show_console(State(sim): State<Arc<Sim>>, Path(machine): Path<String>) -> Answer {
    let path =
        sim.driver.console(&machine).ok_or_else(|| ApiError::not_found("this driver keeps no console"))?;
    let text = tokio::fs::read(&path).await.map_err(|_| ApiError::not_found("no console of this machine"))?;
    Ok((StatusCode::OK, String::from_utf8_lossy(&text).into_owned()).into_response())
}

/// Moves a tag to another digest; an empty digest moves it back.
async fn move_tag(State(sim): State<Arc<Sim>>, body: Bytes) -> Answer {
    let body: Value = read(&body)?;
    let (image, digest) = (text(&body, "ref"), text(&body, "digest"));
    let mut state = sim.enter();
    if digest.is_empty() {
        state.tags.remove(&image);
    } else {
        state.tags.insert(image, digest);
    }
    empty(StatusCode::NO_CONTENT)
}
