//! A Machine's labels: no restart, no new version, no lease needed.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, Caller, empty, key, ok, read};
use crate::error::{ApiError, ApiResult};
use crate::world::{Key, Sim};

type Labels = BTreeMap<String, String>;

/// `GET …/metadata`
pub async fn all(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): Path<(String, String)>,
) -> Answer {
    let state = caller.enter(&sim);
    ok(&state.found(&key(app, machine))?.config.parts().metadata)
}

/// `GET …/metadata/{key}`
pub async fn one(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine, label)): Path<(String, String, String)>,
) -> Answer {
    let state = caller.enter(&sim);
    let value = state.found(&key(app, machine))?.config.parts().metadata.get(&label);
    let value = value.ok_or_else(|| ApiError::not_found("metadata key not found"))?;
    ok(&json!({ "value": value }))
}

/// `POST …/metadata/{key}`
pub async fn set(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine, label)): Path<(String, String, String)>,
    body: Bytes,
) -> Answer {
    let body: Value = read(&body)?;
    let value = body["value"].as_str().ok_or_else(|| ApiError::invalid("value is required"))?.to_owned();
    change(&sim, &caller, &key(app, machine), |labels| {
        labels.insert(label, value);
    })
}

/// `DELETE …/metadata/{key}`
pub async fn remove(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine, label)): Path<(String, String, String)>,
) -> Answer {
    change(&sim, &caller, &key(app, machine), |labels| {
        labels.remove(&label);
    })
}

/// `PUT` or `PATCH …/metadata`: merges; null or an empty value takes a key away.
pub async fn merge(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let body: Value = read(&body)?;
    let key = key(app, machine);
    if let Some(version) = body["machine_version"].as_str().filter(|version| !version.is_empty()) {
        let state = caller.enter(&sim);
        let current = &state.found(&key)?.instance_id;
        if current != version {
            let text = format!("machine_version {version} is not the current version {current}");
            return Err(ApiError::precondition(text));
        }
    }
    let changes = changes(&body)?;
    change(&sim, &caller, &key, |labels| {
        for (label, value) in changes {
            match value {
                Some(value) => labels.insert(label, value),
                None => labels.remove(&label),
            };
        }
    })
}

fn changes(body: &Value) -> ApiResult<Vec<(String, Option<String>)>> {
    let map = body["metadata"].as_object().ok_or_else(|| ApiError::invalid("metadata is required"))?;
    let read = |(key, value): (&String, &Value)| match value {
        Value::Null => Ok((key.clone(), None)),
        Value::String(text) => Ok((key.clone(), Some(text.clone()).filter(|text| !text.is_empty()))),
        _ => Err(ApiError::invalid(format!("metadata value of {key} must be a string"))),
    };
    map.iter().map(read).collect()
}

fn change(sim: &Sim, caller: &Caller, key: &Key, edit: impl FnOnce(&mut Labels)) -> Answer {
    let mut state = caller.enter(sim);
    state.found(key)?;
    state.reachable(key)?;
    let machine = state.machine_mut(key).ok_or_else(ApiError::no_machine)?;
    let mut labels = machine.config.parts().metadata.clone();
    edit(&mut labels);
    machine.config = machine.config.with_metadata(labels);
    state.effect("machine.metadata", &key.app, &key.id, Value::Null);
    state.touch(key);
    empty(StatusCode::NO_CONTENT)
}
