//! Apps.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::answer::{Answer, Caller, empty, is_true, ok, read, text, with};
use crate::error::{ApiError, ApiResult};
use crate::model::app::{App, AppView};
use crate::world::apps::NewApp;
use crate::world::destroy::Destroy;
use crate::world::{Sim, State as World};

type Flags = Query<HashMap<String, String>>;

/// `POST /apps`
pub async fn create(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Query(flags): Flags,
    body: Bytes,
) -> Answer {
    let new = asked(&read(&body)?, &caller)?;
    let mut state = caller.enter(&sim);
    let affinity = state.ids.hex(16);
    let name = state.create_app(new)?.name.clone();
    let app = state.app(&name)?;
    let answer = if is_true(flags.get("wait")) {
        with(StatusCode::CREATED, &view(&state, app))
    } else {
        with(StatusCode::CREATED, &json!({ "id": app.id, "created_at": app.created_at }))
    };
    answer.map(|response| with_affinity(response, &name, &affinity))
}

fn asked(body: &Value, caller: &Caller) -> ApiResult<NewApp> {
    let name = Some(text(body, "name")).filter(|name| !name.is_empty());
    let org = text(body, "org_slug");
    if org.is_empty() {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "authorization: request doesn't contain org_slug",
        ));
    }
    if org != caller.grant.org {
        return Err(ApiError::forbidden());
    }
    let optional = |field: &str| Some(text(body, field)).filter(|value| !value.is_empty());
    Ok(NewApp {
        name: name.unwrap_or_else(|| text(body, "app_name")),
        org,
        network: text(body, "network"),
        idempotency_key: optional("idempotency_key"),
        role: optional("app_role_id"),
    })
}

/// Reads that follow reach the backend that knows the app already.
fn with_affinity(mut response: Response, app: &str, affinity: &str) -> Response {
    let cookie = format!("fly_flaps_affinity={affinity}; Path=/v1/apps/{app}; Max-Age=60; HttpOnly");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(http::header::SET_COOKIE, cookie);
    }
    response
}

fn view<'a>(state: &'a World, app: &'a App) -> AppView<'a> {
    let org = state.orgs.iter().find(|org| org.slug == app.org);
    app.view(&app.org, org.map_or(0, |org| org.number))
}

/// `GET /apps`
pub async fn list(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Query(flags): Flags,
) -> Answer {
    let org = flags.get("org_slug").filter(|org| !org.is_empty()).unwrap_or(&caller.grant.org);
    if *org != caller.grant.org {
        return Err(ApiError::forbidden());
    }
    let limit = flags.get("limit").and_then(|limit| limit.parse::<usize>().ok());
    if limit.is_some_and(|limit| !(1..=5_000).contains(&limit)) {
        return Err(ApiError::invalid("limit must be between 1 and 5000"));
    }
    let state = caller.enter(&sim);
    let after = flags.get("cursor").map_or("", String::as_str);
    let listed = |app: &&App| app.org == *org && app.created_at + caller.lag <= state.now;
    let role = flags.get("app_role").filter(|role| !role.is_empty());
    let mut apps: Vec<&App> = state.apps.values().filter(listed).collect();
    apps.retain(|app| role.is_none_or(|role| app.role.as_ref() == Some(role)));
    let total = apps.len();
    apps.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    apps.retain(|app| app.name.as_str() > after);
    let more = limit.is_some_and(|limit| apps.len() > limit);
    apps.truncate(limit.unwrap_or(usize::MAX));
    let next = apps.last().filter(|_| more).map(|app| app.name.clone()).unwrap_or_default();
    let views: Vec<AppView<'_>> = apps.into_iter().map(|app| view(&state, app)).collect();
    ok(&json!({ "total_apps": total, "apps": views, "next_cursor": next }))
}

/// `GET /apps/{app}`
pub async fn show(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
) -> Answer {
    let state = caller.enter(&sim);
    let app = state.app(&app)?;
    if app.created_at + state.settings.appear_lag_ms > state.now {
        return Err(ApiError::no_app());
    }
    ok(&view(&state, app))
}

/// `DELETE /apps/{app}`
pub async fn remove(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
    Query(flags): Flags,
) -> Answer {
    let how = if is_true(flags.get("force")) { Destroy::Force } else { Destroy::Resting };
    caller.enter(&sim).delete_app(&app, how)?;
    empty(StatusCode::ACCEPTED)
}
