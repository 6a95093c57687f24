//! Leases.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, Caller, key, ok, read_or_default, text, with};
use crate::ids::sha256_hex;
use crate::model::lease::LeaseView;
use crate::world::Sim;
use crate::world::leases::no_lease;

type Flags = Query<HashMap<String, String>>;

/// Whom a lease names as its owner: one for each token.
pub fn owner(caller: &Caller) -> String {
    let id = sha256_hex(format!("{}/{:?}", caller.grant.org, caller.grant.app).as_bytes());
    format!("{}-{}-{}-{}-{}@tokens.fly.io", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..32])
}

/// `POST …/lease`
pub async fn acquire(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): Path<(String, String)>,
    Query(flags): Flags,
    body: Bytes,
) -> Answer {
    let body: Value = read_or_default(&body)?;
    let ttl = body["ttl"].as_i64().or_else(|| flags.get("ttl").and_then(|ttl| ttl.parse().ok()));
    let description = flags.get("description").cloned().unwrap_or_else(|| text(&body, "description"));
    let key = key(app, machine);
    let mut state = caller.enter(&sim);
    state.found(&key)?;
    state.reachable(&key)?;
    let lease = state.acquire_lease(&key, &owner(&caller), ttl, description, caller.nonce())?;
    with(StatusCode::CREATED, &json!({ "status": "success", "data": LeaseView::from(&lease) }))
}

/// `GET …/lease`
pub async fn show(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): Path<(String, String)>,
) -> Answer {
    let key = key(app, machine);
    let state = caller.enter(&sim);
    state.found(&key)?;
    let lease = state.held_lease(&key).ok_or_else(no_lease)?;
    ok(&json!({ "status": "success", "data": LeaseView::from(lease) }))
}

/// `DELETE …/lease`
pub async fn release(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, machine)): Path<(String, String)>,
) -> Answer {
    let key = key(app, machine);
    let mut state = caller.enter(&sim);
    state.found(&key)?;
    state.release_lease(&key, caller.nonce())?;
    ok(&json!({ "status": "success", "data": { "ok": true } }))
}
