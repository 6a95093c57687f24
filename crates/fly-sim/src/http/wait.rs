//! Waiting for a Machine's state: a long poll.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use http::StatusCode;
use serde_json::json;
use tokio::time::Instant;

use super::answer::{Answer, Caller, key, ok};
use crate::error::{ApiError, ApiResult};
use crate::model::machine::{Machine, MachineState};
use crate::world::{Key, Sim};

/// The states that can be waited for.
const KNOWN: [&str; 6] = ["started", "stopped", "suspended", "destroyed", "failed", "settled"];

/// What is waited for.
struct Wanted {
    states: Vec<String>,
    version: String,
    after_event: String,
    timeout: Duration,
}

/// `GET …/wait`
pub async fn wait(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer {
    let wanted = Wanted::read(query.as_deref().unwrap_or_default())?;
    let key = key(app, machine);
    let until = Instant::now() + wanted.timeout;
    let due = sim.clock.now() + i64::try_from(wanted.timeout.as_millis()).unwrap_or(60_000);
    loop {
        let changed = {
            let state = caller.enter(&sim);
            state.found(&key)?.changed.clone()
        };
        let changed = changed.notified();
        let mut changed = std::pin::pin!(changed);
        changed.as_mut().enable();
        if let Some(answer) = look(&sim, &caller, &key, &wanted)? {
            return Ok(answer);
        }
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep_until(until) => return Err(late(&sim, &caller, &key, &wanted)),
            () = sim.clock.until(due) => return Err(late(&sim, &caller, &key, &wanted)),
        }
    }
}

impl Wanted {
    fn read(query: &str) -> ApiResult<Self> {
        let pairs: Vec<(String, String)> = pairs(query);
        let last =
            |name: &str| pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let states = pairs
            .iter()
            .filter(|(key, _)| key == "state")
            .flat_map(|(_, value)| super::machines::split(value));
        let mut states: Vec<String> = states.collect();
        if states.is_empty() {
            states.push("started".to_owned());
        }
        if let Some(unknown) = states.iter().find(|state| !KNOWN.contains(&state.as_str())) {
            return Err(ApiError::invalid(format!(
                "invalid WaitMachineRequest.State: unknown state '{unknown}'"
            )));
        }
        let version = last("version").or_else(|| last("instance_id")).unwrap_or_default();
        let after_event = last("from_event_id").unwrap_or_default();
        Ok(Self { states, version, after_event, timeout: timeout(last("timeout").as_deref())? })
    }
}

fn timeout(text: Option<&str>) -> ApiResult<Duration> {
    let seconds = match text.filter(|text| !text.is_empty()) {
        None => Some(60),
        Some(text) => text.trim_end_matches('s').parse::<u64>().ok(),
    };
    match seconds {
        Some(seconds @ 1..=60) => Ok(Duration::from_secs(seconds)),
        _ => Err(ApiError::invalid(
            "invalid WaitMachineRequest.Timeout: value must be inside range [1s, 1m0s]",
        )),
    }
}

/// The answer, if it is time for one; the refusal, if what is wanted can't come.
fn look(
    sim: &Sim,
    caller: &Caller,
    key: &Key,
    wanted: &Wanted,
) -> ApiResult<Option<axum::response::Response>> {
    let state = caller.enter(sim);
    let machine = state.found(key)?;
    check_version(machine, wanted)?;
    let reached = reached(machine, &wanted.states) && after(machine, &wanted.after_event);
    if reached {
        let body = json!({
            "ok": true,
            "state": machine.state.as_str(),
            "version": machine.instance_id,
            "event_id": machine.last_event(),
        });
        return ok(&body).map(Some);
    }
    let asked = wanted.states.join(",");
    match machine.state {
        MachineState::Destroyed => Err(ApiError::no_machine()),
        MachineState::Destroying
            if !wanted.states.iter().any(|state| state == "destroyed" || state == "settled") =>
        {
            Err(unreachable_state(&asked, "destroying"))
        }
        _ => Ok(None),
    }
}

fn check_version(machine: &Machine, wanted: &Wanted) -> ApiResult<()> {
    if wanted.version.is_empty() || wanted.version == machine.instance_id {
        return Ok(());
    }
    if machine.versions.iter().any(|old| old.version == wanted.version) {
        return Err(unreachable_state(&wanted.states.join(","), "replaced"));
    }
    Err(ApiError::not_found("machine version not found"))
}

fn unreachable_state(asked: &str, now: &str) -> ApiError {
    let text =
        format!("failed_precondition: machine failed to reach desired state, {asked}, currently {now}");
    ApiError::new(StatusCode::BAD_REQUEST, text)
}

fn reached(machine: &Machine, states: &[String]) -> bool {
    states.iter().any(|state| match state.as_str() {
        "settled" => machine.state.is_resting() && machine.replace == crate::model::machine::Replace::Idle,
        // During an update a Machine reads `stopped` for a moment; that isn't the state it was asked for.
        "stopped" => {
            machine.state == MachineState::Stopped && machine.replace == crate::model::machine::Replace::Idle
        }
        state => machine.state.as_str() == state,
    })
}

fn after(machine: &Machine, event: &str) -> bool {
    event.is_empty() || machine.last_event() > event
}

fn late(sim: &Sim, caller: &Caller, key: &Key, wanted: &Wanted) -> ApiError {
    let state = caller.enter(sim);
    let now = state.machine(key).map_or("destroyed", |machine| machine.state.as_str());
    let asked = wanted.states.join(",");
    ApiError::deadline(format!("machine failed to reach desired state, {asked}, currently {now}"))
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let split = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key.to_owned(), value.replace("%2C", ",").replace("%2c", ","))
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(split).collect()
}
