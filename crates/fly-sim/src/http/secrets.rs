//! App secrets.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, Caller, is_true, ok, read, with};
use crate::error::{ApiError, ApiResult};
use crate::model::secrets::Show;
use crate::world::{Sim, State as World};

type Flags = Query<HashMap<String, String>>;

fn shown(flags: &HashMap<String, String>) -> Show {
    if is_true(flags.get("show_secrets")) { Show::Values } else { Show::Digests }
}

fn new_enough(state: &World, app: &str, flags: &HashMap<String, String>) -> ApiResult<()> {
    let wanted = flags.get("min_version").or_else(|| flags.get("version"));
    state.secrets_reach(app, wanted.and_then(|version| version.parse().ok()).unwrap_or(0))
}

fn check_name(name: &str) -> ApiResult<()> {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.is_empty() && name.chars().all(letters) {
        return Ok(());
    }
    Err(ApiError::invalid(format!("invalid secret name '{name}'")))
}

/// `GET /apps/{app}/secrets`
pub async fn list(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
    Query(flags): Flags,
) -> Answer {
    let state = caller.enter(&sim);
    new_enough(&state, &app, &flags)?;
    ok(&json!({ "secrets": state.app(&app)?.secrets.views(shown(&flags)) }))
}

/// `GET /apps/{app}/secrets/{name}`
pub async fn one(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, name)): Path<(String, String)>,
    Query(flags): Flags,
) -> Answer {
    let state = caller.enter(&sim);
    new_enough(&state, &app, &flags)?;
    let found = state.app(&app)?.secrets.view(&name, shown(&flags));
    ok(&found.ok_or_else(|| ApiError::not_found("secret not found"))?)
}

/// `POST /apps/{app}/secrets`
pub async fn set_many(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
    body: Bytes,
) -> Answer {
    let body: Value = read(&body)?;
    let values = body["values"].as_object().ok_or_else(|| ApiError::invalid("values is required"))?;
    values.keys().try_for_each(|name| check_name(name))?;
    let mut state = caller.enter(&sim);
    let now = state.now;
    let secrets = &mut state.app_mut(&app)?.secrets;
    secrets.version += 1;
    for (name, value) in values {
        match value.as_str() {
            Some(value) => secrets.set(name, value.to_owned(), now),
            None => drop(secrets.values.remove(name)),
        }
    }
    let answer = json!({
        "secrets": secrets.views(Show::Digests),
        "version": secrets.version,
        "Version": secrets.version,
    });
    let names: Vec<&String> = values.keys().collect();
    state.effect("secret.set", &app, "", json!({ "names": names }));
    ok(&answer)
}

/// `POST /apps/{app}/secrets/{name}`
pub async fn set(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, name)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let body: Value = read(&body)?;
    let value = body["value"].as_str().ok_or_else(|| ApiError::invalid("value is required"))?.to_owned();
    check_name(&name)?;
    let mut state = caller.enter(&sim);
    let now = state.now;
    let secrets = &mut state.app_mut(&app)?.secrets;
    secrets.version += 1;
    secrets.set(&name, value, now);
    let mut answer = secrets.view(&name, Show::Digests).unwrap_or_default();
    answer["version"] = secrets.version.into();
    answer["Version"] = secrets.version.into();
    state.effect("secret.set", &app, &name, json!({ "names": [name] }));
    with(StatusCode::CREATED, &answer)
}

/// `DELETE /apps/{app}/secrets/{name}`: a missing name is no error.
pub async fn remove(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, name)): Path<(String, String)>,
) -> Answer {
    let mut state = caller.enter(&sim);
    let secrets = &mut state.app_mut(&app)?.secrets;
    let known = secrets.values.remove(&name).is_some();
    secrets.version += u64::from(known);
    let version = secrets.version;
    if known {
        state.effect("secret.delete", &app, &name, Value::Null);
    }
    ok(&json!({ "version": version, "Version": version }))
}
