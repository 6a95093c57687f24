//! Actions on a Machine.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, Caller, done, is_true, key, ok, read_or_default};
use crate::error::{ApiError, ApiResult};
use crate::model::duration;
use crate::model::event::Source;
use crate::world::create::Routing;
use crate::world::destroy::Destroy;
use crate::world::halt::StopTerms;
use crate::world::{Entered, Key, Sim};

type At = Path<(String, String)>;
type Flags = Query<HashMap<String, String>>;

/// Enters the state for a change of a Machine: found, leased by no other, on a host that can be asked.
fn change<'a>(sim: &'a Sim, caller: &Caller, key: &Key) -> ApiResult<Entered<'a>> {
    let state = caller.enter(sim);
    state.app(&key.app)?;
    state.machine(key).ok_or_else(ApiError::no_machine)?;
    state.check_lease(key, caller.nonce())?;
    state.reachable(key)?;
    Ok(state)
}

/// `POST …/start`
pub async fn start(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): At,
) -> Answer {
    let key = key(app, machine);
    let before = change(&sim, &caller, &key)?.start(&key)?;
    ok(&json!({ "previous_state": before.as_str(), "migrated": false, "new_host": "" }))
}

/// `POST …/stop`
pub async fn stop(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): At,
    body: Bytes,
) -> Answer {
    let body: Value = read_or_default(&body)?;
    let terms = terms(body["signal"].as_str(), &body["timeout"])?;
    let key = key(app, machine);
    change(&sim, &caller, &key)?.stop(&key, terms, Source::User)?;
    done()
}

fn terms(signal: Option<&str>, timeout: &Value) -> ApiResult<StopTerms> {
    let signal = signal.filter(|signal| !signal.is_empty()).map(named).transpose()?;
    let timeout = match timeout {
        Value::Null => None,
        given => {
            Some(duration::read(given).ok_or_else(|| ApiError::invalid(format!("invalid timeout {given}")))?)
        }
    };
    Ok(StopTerms { signal, timeout: timeout.filter(|timeout| !timeout.is_zero()) })
}

/// `POST …/suspend`
pub async fn suspend(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): At,
) -> Answer {
    let key = key(app, machine);
    change(&sim, &caller, &key)?.suspend(&key, Source::User)?;
    done()
}

/// `POST …/restart`
pub async fn restart(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): At,
    Query(flags): Flags,
) -> Answer {
    let timeout = flags.get("timeout").map(|text| match text.parse::<u64>() {
        Ok(seconds) => Value::from(format!("{seconds}s")),
        Err(_) => Value::from(text.as_str()),
    });
    let mut terms = terms(flags.get("signal").map(String::as_str), &timeout.unwrap_or_default())?;
    if is_true(flags.get("force_stop")) {
        terms.signal = Some("SIGKILL".to_owned());
    }
    let key = key(app, machine);
    change(&sim, &caller, &key)?.restart(&key, terms)?;
    done()
}

const SIGNALS: [(&str, u64); 14] = [
    ("SIGABRT", 6),
    ("SIGALRM", 14),
    ("SIGFPE", 8),
    ("SIGHUP", 1),
    ("SIGILL", 4),
    ("SIGINT", 2),
    ("SIGKILL", 9),
    ("SIGPIPE", 13),
    ("SIGQUIT", 3),
    ("SIGSEGV", 11),
    ("SIGTERM", 15),
    ("SIGTRAP", 5),
    ("SIGUSR1", 10),
    ("SIGUSR2", 12),
];

fn named(signal: &str) -> ApiResult<String> {
    let full = if signal.starts_with("SIG") { signal.to_owned() } else { format!("SIG{signal}") };
    let known = SIGNALS.iter().any(|(name, _)| *name == full);
    known.then_some(full).ok_or_else(|| ApiError::invalid(format!("invalid signal '{signal}'")))
}

/// `POST …/signal`
pub async fn signal(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): At,
    body: Bytes,
) -> Answer {
    let body: Value = read_or_default(&body)?;
    let by_number = body["signal"].as_u64();
    let by_number = SIGNALS.iter().find(|(_, number)| Some(*number) == by_number).map(|(name, _)| *name);
    let signal = named(by_number.or(body["signal"].as_str()).unwrap_or_default())?;
    let key = key(app, machine);
    change(&sim, &caller, &key)?.send_signal(&key, &signal)?;
    done()
}

/// `POST …/cordon`
pub async fn cordon(state: State<Arc<Sim>>, caller: Extension<Caller>, at: At) -> Answer {
    route(&state, &caller, at, Routing::Cordoned)
}

/// `POST …/uncordon`
pub async fn uncordon(state: State<Arc<Sim>>, caller: Extension<Caller>, at: At) -> Answer {
    route(&state, &caller, at, Routing::Served)
}

fn route(sim: &Sim, caller: &Caller, Path((app, machine)): At, routing: Routing) -> Answer {
    let key = key(app, machine);
    let mut state = change(sim, caller, &key)?;
    if let Some(machine) = state.machine_mut(&key) {
        machine.cordoned = routing == Routing::Cordoned;
    }
    let effect = if routing == Routing::Cordoned { "machine.cordon" } else { "machine.uncordon" };
    state.effect(effect, &key.app, &key.id, Value::Null);
    state.touch(&key);
    done()
}

/// `DELETE /apps/{app}/machines/{machine}`
pub async fn destroy(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): At,
    Query(flags): Flags,
) -> Answer {
    let force = is_true(flags.get("force")) || is_true(flags.get("kill"));
    let how = if force { Destroy::Force } else { Destroy::Resting };
    let key = key(app, machine);
    change(&sim, &caller, &key)?.destroy(&key, how)?;
    done()
}

/// `GET …/memory`
pub async fn memory(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): At,
) -> Answer {
    let state = caller.enter(&sim);
    let limit = state.found(&key(app, machine))?.memory_limit_mb;
    ok(&json!({ "available_mb": limit / 2, "limit_mb": limit }))
}

/// `PUT …/memory`
pub async fn limit_memory(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): At,
    body: Bytes,
) -> Answer {
    let body: Value = read_or_default(&body)?;
    let limit = body["limit_mb"].as_u64().unwrap_or(0);
    let key = key(app, machine);
    let mut state = change(&sim, &caller, &key)?;
    let machine = state.machine_mut(&key).ok_or_else(ApiError::no_machine)?;
    if limit == 0 || limit > machine.config.parts().guest.memory_mb {
        return Err(ApiError::invalid("limit_mb must be between 1 and the machine's memory"));
    }
    machine.memory_limit_mb = limit;
    state.effect("machine.memory", &key.app, &key.id, json!({ "limit_mb": limit }));
    ok(&json!({ "available_mb": limit / 2, "limit_mb": limit }))
}

/// `POST …/memory/reclaim`
pub async fn reclaim_memory(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): At,
    body: Bytes,
) -> Answer {
    let body: Value = read_or_default(&body)?;
    let key = key(app, machine);
    let mut state = change(&sim, &caller, &key)?;
    let most = state.found(&key)?.memory_limit_mb / 2;
    let amount = body["amount_mb"].as_u64().unwrap_or(0).min(most);
    state.effect("machine.reclaim", &key.app, &key.id, Value::Null);
    Ok((StatusCode::OK, axum::Json(json!({ "actual_mb": amount }))).into_response())
}
