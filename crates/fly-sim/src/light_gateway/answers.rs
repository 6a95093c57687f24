//! The answers, request by request.

use std::{convert::Infallible, net::IpAddr};

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, body::Incoming};
use serde_json::{Value, json};

use super::{
    Version,
    settings::{Endpoint, Settings},
};

/// Bound on a request body; the admin RPC's are a few hundred bytes.
const MAX_BODY: usize = 1 << 20;
const PAGE: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Light gateway</title></head>\
<body><h1>Light gateway</h1><p>This stands in for an OpenClaw gateway: it answers probes and the admin RPC, and runs no agent.</p></body></html>";

type Reply = Response<Full<Bytes>>;

pub(super) async fn answer(
    settings: &Settings,
    peer: IpAddr,
    request: Request<Incoming>,
) -> Result<Reply, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if let Some(reply) = probe(settings, peer, &head, path) {
        return Ok(reply);
    }
    let upgrade = head.headers.contains_key(header::UPGRADE);
    let programmatic =
        upgrade || path.starts_with("/api/") || path.starts_with("/v1/") || settings.trusts(peer);
    if programmatic && let Some(reply) = unattributable(settings, peer, &head.headers) {
        return Ok(reply);
    }
    if upgrade {
        return Ok(fault(
            StatusCode::NOT_IMPLEMENTED,
            "not_implemented",
            "the light gateway speaks no WebSocket",
        ));
    }
    Ok(match path {
        "/api/v1/admin/rpc" if settings.admin_rpc == Endpoint::Enabled => {
            admin_rpc(settings, &head.method, &head.headers, body).await
        }
        "/v1/models" if settings.chat_completions == Endpoint::Enabled => models(settings, &head.headers),
        "/v1/models" => not_found(),
        _ if path.starts_with("/api/") => not_found(),
        _ => control_ui(settings, peer),
    })
}

/// The probe paths, before anything else. Only the first two are exempt from attribution.
fn probe(settings: &Settings, peer: IpAddr, head: &http::request::Parts, path: &str) -> Option<Reply> {
    let attributed = settings.version >= Version::ATTRIBUTION;
    let body = match path {
        "/health" | "/healthz" => json!({"ok": true, "status": "live"}),
        "/startup" | "/startupz" if attributed => json!({"ok": true, "status": "started"}),
        "/ready" | "/readyz" => json!({"ready": true}),
        _ => return None,
    };
    let exempt = path.starts_with("/health");
    if !exempt && let Some(refused) = unattributable(settings, peer, &head.headers) {
        return Some(refused);
    }
    if matches!(head.method, Method::GET | Method::HEAD) {
        Some(json_reply(StatusCode::OK, &body))
    } else {
        Some(text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"))
    }
}

/// From 2026.8.1 on a request is refused unless its client can be told: a
/// forwarded one must come from a trusted proxy, and a trusted proxy must forward.
fn unattributable(settings: &Settings, peer: IpAddr, headers: &HeaderMap) -> Option<Reply> {
    if settings.version < Version::ATTRIBUTION || peer.is_loopback() {
        return None;
    }
    let forwarded = headers.contains_key("x-forwarded-for");
    if forwarded == settings.trusts(peer) {
        return None;
    }
    let message =
        "Proxy client attribution is required. Configure gateway.trustedProxies for the proxy's address.";
    Some(fault(StatusCode::FORBIDDEN, "proxy_attribution_required", message))
}

async fn admin_rpc(settings: &Settings, method: &Method, headers: &HeaderMap, body: Incoming) -> Reply {
    if method != Method::POST {
        return text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    }
    if !authorised(settings, headers) {
        return unauthorised();
    }
    let Ok(bytes) = Limited::new(body, MAX_BODY).collect().await.map(http_body_util::Collected::to_bytes)
    else {
        return invalid(&Value::Null, "request body can't be read");
    };
    let Ok(call) = serde_json::from_slice::<Value>(&bytes) else {
        return invalid(&Value::Null, "request body is no JSON");
    };
    rpc(settings, &call)
}

fn rpc(settings: &Settings, call: &Value) -> Reply {
    let id = call.get("id").cloned().unwrap_or(Value::Null);
    let payload = match call.get("method").and_then(Value::as_str) {
        Some("health") => {
            json!({"ok": true, "channels": {}, "defaultAgentId": "main", "agents": [{"agentId": "main"}]})
        }
        Some("status") => {
            json!({"runtimeVersion": settings.version.to_string(), "agents": [{"agentId": "main"}]})
        }
        Some("device.pair.list") => json!({"pending": [], "paired": []}),
        Some("device.pair.approve" | "device.pair.reject") => return invalid(&id, "unknown requestId"),
        _ => return invalid(&id, "unknown method"),
    };
    json_reply(StatusCode::OK, &json!({"id": id, "ok": true, "payload": payload}))
}

fn models(settings: &Settings, headers: &HeaderMap) -> Reply {
    if !authorised(settings, headers) {
        return unauthorised();
    }
    let list: Vec<Value> = ["openclaw", "openclaw/default", "openclaw/main"]
        .map(|id| json!({"id": id, "object": "model", "owned_by": "openclaw"}))
        .into();
    json_reply(StatusCode::OK, &json!({"object": "list", "data": list}))
}

fn authorised(settings: &Settings, headers: &HeaderMap) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    given.is_some() && given == settings.token.as_deref()
}

fn unauthorised() -> Reply {
    fault(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized")
}

fn invalid(id: &Value, message: &str) -> Reply {
    let error = json!({"code": "INVALID_REQUEST", "message": message});
    json_reply(StatusCode::BAD_REQUEST, &json!({"id": id, "ok": false, "error": error}))
}

fn fault(status: StatusCode, kind: &str, message: &str) -> Reply {
    json_reply(status, &json!({"error": {"type": kind, "message": message}}))
}

fn json_reply(status: StatusCode, body: &Value) -> Reply {
    reply(status, "application/json; charset=utf-8", Bytes::from(body.to_string()))
}

fn not_found() -> Reply {
    text(StatusCode::NOT_FOUND, "Not Found")
}

fn text(status: StatusCode, body: &'static str) -> Reply {
    reply(status, "text/plain; charset=utf-8", Bytes::from_static(body.as_bytes()))
}

/// Everything else is the Control UI, which an untrusted peer doesn't get without signing in.
fn control_ui(settings: &Settings, peer: IpAddr) -> Reply {
    let stranger = settings.version >= Version::ATTRIBUTION && !peer.is_loopback() && !settings.trusts(peer);
    if stranger { unauthorised() } else { page() }
}

fn page() -> Reply {
    reply(StatusCode::OK, "text/html; charset=utf-8", Bytes::from_static(PAGE.as_bytes()))
}

fn reply(status: StatusCode, content_type: &'static str, body: Bytes) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    let value = header::HeaderValue::from_static(content_type);
    reply.headers_mut().insert(header::CONTENT_TYPE, value);
    reply
}
