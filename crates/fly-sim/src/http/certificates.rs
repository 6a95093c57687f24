//! Certificates.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::routing::{delete, get, post};
use axum::{Extension, Router};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, Caller, empty, ok, read, text, with};
use crate::certificate_files;
use crate::error::{ApiError, ApiResult};
use crate::model::app::App;
use crate::model::certificate::Certificate;
use crate::model::certificate_view::{detail, summary};
use crate::world::certificates::no_certificate;
use crate::world::{Sim, State as World};

type At = Path<(String, String)>;

/// The routes.
pub fn routes() -> Router<Arc<Sim>> {
    const ALL: &str = "/v1/apps/{app}/certificates";
    let at = |rest: &str| format!("{ALL}/{rest}");
    Router::new()
        .route(ALL, get(list))
        .route(&at("acme"), post(add_acme))
        .route(&at("custom"), post(add_custom))
        .route(&at("{hostname}"), get(show).delete(remove))
        .route(&at("{hostname}/check"), post(check))
        .route(&at("{hostname}/acme"), delete(remove_acme))
        .route(&at("{hostname}/custom"), delete(remove_custom))
}

fn find<'a>(state: &'a World, app: &str, hostname: &str) -> ApiResult<(&'a App, &'a Certificate)> {
    let app = state.app(app)?;
    Ok((app, app.certificates.get(hostname).ok_or_else(no_certificate)?))
}

fn shown(state: &World, app: &str, hostname: &str) -> ApiResult<Value> {
    let (app, certificate) = find(state, app, hostname)?;
    Ok(detail(app, certificate))
}

async fn list(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
    Query(flags): Query<HashMap<String, String>>,
) -> Answer {
    let state = caller.enter(&sim);
    let limit = flags.get("limit").and_then(|limit| limit.parse::<usize>().ok()).unwrap_or(25);
    if !(1..=500).contains(&limit) {
        return Err(ApiError::invalid("limit must be between 1 and 500"));
    }
    let filter = flags.get("filter").map_or("", String::as_str);
    let after = flags.get("cursor").map_or("", String::as_str);
    let all = &state.app(&app)?.certificates;
    let wanted: Vec<&Certificate> = all.values().filter(|one| one.hostname.contains(filter)).collect();
    let rest: Vec<&Certificate> =
        wanted.iter().copied().filter(|one| one.hostname.as_str() > after).collect();
    let page = rest.get(..limit.min(rest.len())).unwrap_or_default();
    let next = page.last().filter(|_| rest.len() > limit).map(|one| one.hostname.clone());
    let summaries: Vec<Value> = page.iter().map(|one| summary(one)).collect();
    ok(
        &json!({ "certificates": summaries, "next_cursor": next.unwrap_or_default(), "total_count": wanted.len() }),
    )
}

async fn add_acme(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
    body: Bytes,
) -> Answer {
    let hostname = text(&read::<Value>(&body)?, "hostname");
    let mut state = caller.enter(&sim);
    state.add_hostname(&app, &hostname)?.acme_requested = true;
    state.validate(&app, &hostname)?;
    with(StatusCode::CREATED, &shown(&state, &app, &hostname)?)
}

async fn add_custom(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
    body: Bytes,
) -> Answer {
    let body: Value = read(&body)?;
    let hostname = text(&body, "hostname");
    let mut state = caller.enter(&sim);
    state.app(&app)?;
    let now = state.now;
    let custom =
        certificate_files::check(&hostname, text(&body, "fullchain"), text(&body, "private_key"), now)
            .map_err(|problem| ApiError::unprocessable(problem.to_string()))?;
    if !state.app(&app)?.certificates.contains_key(&hostname) {
        state.add_hostname(&app, &hostname)?;
    }
    let certificate = state.certificate_mut(&app, &hostname)?;
    certificate.custom = Some(custom);
    certificate.updated_at = now;
    state.effect("certificate.upload", &app, &hostname, Value::Null);
    state.validate(&app, &hostname)?;
    with(StatusCode::CREATED, &shown(&state, &app, &hostname)?)
}

async fn show(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, hostname)): At,
) -> Answer {
    ok(&shown(&caller.enter(&sim), &app, &hostname)?)
}

async fn check(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, hostname)): At,
) -> Answer {
    let mut state = caller.enter(&sim);
    find(&state, &app, &hostname)?;
    state.validate(&app, &hostname)?;
    let mut body = shown(&state, &app, &hostname)?;
    let records = state.dns.resolve(&hostname);
    let bare = hostname.trim_start_matches("*.");
    let challenge = state.dns.resolve(&format!("_acme-challenge.{bare}")).cname;
    let ownership = state.dns.resolve(&format!("_fly-ownership.{bare}")).txt;
    let resolved: Vec<&String> = records.a.iter().chain(&records.aaaa).collect();
    body["dns_records"] = json!({
        "a": records.a,
        "aaaa": records.aaaa,
        "cname": records.cname,
        "resolved_addresses": resolved,
        "soa": null,
        "acme_challenge_cname": challenge.first(),
        "ownership_txt": ownership.first(),
    });
    state.effect("certificate.check", &app, &hostname, Value::Null);
    ok(&body)
}

async fn remove(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, hostname)): At,
) -> Answer {
    let mut state = caller.enter(&sim);
    find(&state, &app, &hostname)?;
    state.app_mut(&app)?.certificates.remove(&hostname);
    state.hostnames.remove(&hostname);
    state.effect("certificate.delete", &app, &hostname, Value::Null);
    empty(StatusCode::NO_CONTENT)
}

async fn remove_acme(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, hostname)): At,
) -> Answer {
    let mut state = caller.enter(&sim);
    let certificate = state.certificate_mut(&app, &hostname)?;
    certificate.acme_requested = false;
    certificate.issued = None;
    certificate.issue_at = None;
    state.effect("certificate.acme_delete", &app, &hostname, Value::Null);
    ok(&shown(&state, &app, &hostname)?)
}

async fn remove_custom(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, hostname)): At,
) -> Answer {
    let mut state = caller.enter(&sim);
    state.certificate_mut(&app, &hostname)?.custom = None;
    state.effect("certificate.custom_delete", &app, &hostname, Value::Null);
    let mut body = shown(&state, &app, &hostname)?;
    body["warning"] = "".into();
    ok(&body)
}
