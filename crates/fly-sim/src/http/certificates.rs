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
use crate::dns::Seen;
use crate::error::{ApiError, ApiResult};
use crate::model::app::App;
use crate::model::certificate::Certificate;
use crate::model::certificate_view::{detail, summary};
use crate::world::certificates::no_certificate;
use crate::world::{Sim, State as World};

type At = Path<(String, String)>;

/// What the removal of the last certificate warns of.
const UNSERVED: &str = "No other certificate is active for this hostname, so HTTPS requests to it will fail";

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
    caller.enter(&sim).request_certificate(&app, &hostname)?;
    with(StatusCode::CREATED, &looked_at(&sim, &caller, &app, &hostname).await?.0)
}

async fn add_custom(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
    body: Bytes,
) -> Answer {
    let body: Value = read(&body)?;
    let hostname = text(&body, "hostname");
    let now = {
        let state = caller.enter(&sim);
        state.app(&app)?;
        state.now
    };
    let custom =
        certificate_files::check(&hostname, text(&body, "fullchain"), text(&body, "private_key"), now)
            .map_err(|problem| ApiError::unprocessable(problem.to_string()))?;
    caller.enter(&sim).upload_certificate(&app, &hostname, custom)?;
    with(StatusCode::CREATED, &looked_at(&sim, &caller, &app, &hostname).await?.0)
}

/// Looks at a hostname's DNS now: what the API shows then, and what was seen.
async fn looked_at(sim: &Sim, caller: &Caller, app: &str, hostname: &str) -> ApiResult<(Value, Seen)> {
    let seen = sim.see(hostname).await;
    let mut state = caller.enter(sim);
    state.judge(app, hostname, &seen)?;
    Ok((shown(&state, app, hostname)?, seen))
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
    {
        let mut state = caller.enter(&sim);
        find(&state, &app, &hostname)?;
        state.effect("certificate.check", &app, &hostname, Value::Null);
    }
    let (mut body, seen) = looked_at(&sim, &caller, &app, &hostname).await?;
    let resolved: Vec<&String> = seen.a.iter().chain(&seen.aaaa).collect();
    body["dns_records"] = json!({
        "a": seen.a,
        "aaaa": seen.aaaa,
        "cname": seen.cname,
        "resolved_addresses": resolved,
        "soa": seen.soa,
        "acme_challenge_cname": seen.challenge.first(),
        "ownership_txt": seen.ownership.first(),
    });
    ok(&body)
}

async fn remove(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, hostname)): At,
) -> Answer {
    caller.enter(&sim).remove_hostname(&app, &hostname)?;
    empty(StatusCode::NO_CONTENT)
}

async fn remove_acme(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, hostname)): At,
) -> Answer {
    let mut state = caller.enter(&sim);
    state.remove_issued(&app, &hostname)?;
    ok(&shown(&state, &app, &hostname)?)
}

async fn remove_custom(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, hostname)): At,
) -> Answer {
    let mut state = caller.enter(&sim);
    state.remove_custom(&app, &hostname)?;
    let mut body = shown(&state, &app, &hostname)?;
    if find(&state, &app, &hostname)?.1.issued.is_none() {
        body["warning"] = UNSERVED.into();
    }
    ok(&body)
}
