//! The headers that Fly's proxy adds, on the way in and out.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Connection, PublicPort, Request};

const VIA: &str = "1.1 fly.io";
const FLY_REQUEST_ID: HeaderName = HeaderName::from_static("fly-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// A request's id, as in `fly-request-id`: a ULID and the edge's region.
pub(super) fn request_id(region: &str) -> HeaderValue {
    HeaderValue::try_from(format!("{}-{region}", ulid::Ulid::new()))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Adds to a request what a Machine sees of Fly's proxy.
pub(super) fn mark_request(headers: &mut HeaderMap, request: &Request, to: &Connection, id: &HeaderValue) {
    let (scheme, ssl) = match request.port {
        PublicPort::Http => ("http", "off"),
        PublicPort::Https => ("https", "on"),
    };
    let port = HeaderValue::from(request.port.number());
    forwarded_for(headers, request.client, to.app_address);
    set(headers, "fly-client-ip", text(request.client.to_string()));
    set(headers, "fly-forwarded-port", port.clone());
    set(headers, "fly-region", text(to.region.clone()));
    set(headers, "x-forwarded-port", port);
    set(headers, "x-forwarded-proto", HeaderValue::from_static(scheme));
    set(headers, "x-forwarded-ssl", HeaderValue::from_static(ssl));
    headers.insert(FLY_REQUEST_ID, id.clone());
    headers.append(header::VIA, HeaderValue::from_static(VIA));
}

/// Adds to a reply what a client sees of Fly's proxy.
pub(super) fn mark_reply(headers: &mut HeaderMap, id: &HeaderValue) {
    headers.insert(header::SERVER, HeaderValue::from_static("Fly/sim"));
    headers.insert(FLY_REQUEST_ID, id.clone());
    headers.append(header::VIA, HeaderValue::from_static(VIA));
}

/// What the client claimed stays on the left, where nobody must trust it.
fn forwarded_for(headers: &mut HeaderMap, client: IpAddr, app: IpAddr) {
    let claimed = headers.get_all(&FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let mut hops: Vec<String> = claimed.map(str::to_owned).collect();
    hops.extend([client.to_string(), app.to_string()]);
    headers.insert(FORWARDED_FOR, text(hops.join(", ")));
}

/// Removes what concerns one connection only. An upgrade keeps its two headers.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let upgrade = headers.get(header::UPGRADE).cloned();
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&[header::CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, header::UPGRADE]) {
        headers.remove(name);
    }
    if let Some(protocol) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
}

fn set(headers: &mut HeaderMap, name: &'static str, value: HeaderValue) {
    headers.insert(HeaderName::from_static(name), value);
}

fn text(value: String) -> HeaderValue {
    HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static(""))
}
