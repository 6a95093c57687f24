//! Addresses.

use std::net::Ipv6Addr;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, Caller, empty, ok, read, text};
use crate::error::{ApiError, ApiResult};
use crate::ids::Ids;
use crate::model::address::{Address, AddressKind};
use crate::world::{Sim, State as World};

/// `GET /apps/{app}/ip_assignments`
pub async fn list(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
) -> Answer {
    let state = caller.enter(&sim);
    let app = state.app(&app)?;
    ok(&json!({ "ips": app.addresses.iter().map(|address| address.view(&app.org)).collect::<Vec<_>>() }))
}

/// `POST /apps/{app}/ip_assignments`
pub async fn assign(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
    body: Bytes,
) -> Answer {
    let body: Value = read(&body)?;
    let mut state = caller.enter(&sim);
    state.app(&app)?;
    let pair = body["type"] == "egress_pair";
    let kinds = match (pair, AddressKind::parse(&text(&body, "type"))) {
        (true, _) => vec![AddressKind::EgressV4, AddressKind::EgressV6],
        (false, Some(kind)) => vec![kind],
        (false, None) => return Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid ip address type")),
    };
    let mut made = Vec::new();
    for kind in kinds {
        made.push(allocate(&mut state, &app, kind, &body)?);
    }
    match made.as_slice() {
        [v4, v6] => ok(&json!({ "ip_pair": { "v4": v4, "v6": v6 } })),
        single => ok(&single.first()),
    }
}

fn allocate(state: &mut World, app: &str, kind: AddressKind, body: &Value) -> ApiResult<Value> {
    let org = state.app(app)?.org.clone();
    check_free(state, app, kind)?;
    let network = (kind == AddressKind::PrivateV6).then(|| text(body, "network"));
    let network = network.map(|name| network_of(state, &org, name)).transpose()?;
    let region = Some(text(body, "region")).filter(|region| !region.is_empty());
    let address = Address {
        ip: address_of(&mut state.ids, kind, app),
        kind,
        region: region.unwrap_or_else(|| "global".to_owned()),
        service_name: text(body, "service_name"),
        network,
        created_at: state.now,
    };
    let view = json!(address.view(&org));
    state.effect("ip.assign", app, &address.ip, json!({ "type": kind }));
    state.app_mut(app)?.addresses.push(address);
    Ok(view)
}

/// One shared IPv4 for an app; any number of the others.
fn check_free(state: &World, app: &str, kind: AddressKind) -> ApiResult<()> {
    let shared = AddressKind::SharedV4;
    if kind == shared && state.app(app)?.addresses.iter().any(|address| address.kind == shared) {
        return Err(ApiError::unprocessable(
            "Validation failed: App already has a shared IPv4 address allocated",
        ));
    }
    Ok(())
}

/// The network that a Flycast address is for: the organisation's default one when it isn't named.
fn network_of(state: &World, org: &str, name: String) -> ApiResult<String> {
    if name.is_empty() || name == "default" {
        return Ok("default".to_owned());
    }
    if state.networks.contains_key(&(org.to_owned(), name.clone())) {
        return Ok(name);
    }
    Err(ApiError::new(StatusCode::BAD_REQUEST, "network not found"))
}

/// Addresses lie in Fly's own blocks; a shared IPv4 is the same for many apps.
fn address_of(ids: &mut Ids, kind: AddressKind, app: &str) -> String {
    let [a, b, c, d] = ids.octets();
    match kind {
        AddressKind::V4 => format!("137.66.{a}.{b}"),
        AddressKind::SharedV4 => format!("66.241.124.{}", 1 + app.len() % 250),
        AddressKind::V6 => Ipv6Addr::new(0x2a09, 0x8280, 1, 0, 0, 0, pair(a, b), pair(c, d)).to_string(),
        AddressKind::PrivateV6 => format!("fdaa:0:{a:x}{b:02x}:0:1::{:x}", u16::from(c) + 2),
        AddressKind::EgressV4 => format!("209.71.{a}.{b}"),
        AddressKind::EgressV6 => format!("2605:4c40:{a:x}{b:02x}:{c:x}{d:02x}::1"),
    }
}

fn pair(high: u8, low: u8) -> u16 {
    u16::from_be_bytes([high, low])
}

/// `DELETE /apps/{app}/ip_assignments/{ip}`
pub async fn release(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, ip)): Path<(String, String)>,
) -> Answer {
    let mut state = caller.enter(&sim);
    let addresses = &mut state.app_mut(&app)?.addresses;
    let before = addresses.len();
    addresses.retain(|address| address.ip != ip);
    if addresses.len() == before {
        return Err(ApiError::not_found("ip address not found"));
    }
    state.effect("ip.release", &app, &ip, Value::Null);
    empty(StatusCode::NO_CONTENT)
}
