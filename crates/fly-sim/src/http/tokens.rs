//! Tokens.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, Caller, ok, read_or_default, text};
use crate::tokens::Grant;
use crate::world::Sim;

/// `POST /apps/{app}/deploy_token`
pub async fn deploy(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
) -> Answer {
    let mut state = caller.enter(&sim);
    let org = state.app(&app)?.org.clone();
    let token = format!("fm2_{}", state.ids.alphanumeric(48));
    state.tokens.add(&token, Grant { org, app: Some(app.clone()) });
    state.effect("token.create", &app, "", Value::Null);
    ok(&json!({ "token": format!("FlyV1 {token}") }))
}

/// `GET /tokens/current`
pub async fn current(State(sim): State<Arc<Sim>>, Extension(caller): Extension<Caller>) -> Answer {
    let state = caller.enter(&sim);
    let id = state.orgs.iter().find(|org| org.slug == caller.grant.org).map_or(0, |org| org.number);
    let apps: Vec<&String> = caller.grant.app.iter().collect();
    let token = json!({
        "token_id": format!("sim-{id}"),
        "org_slug": caller.grant.org,
        "organization": caller.grant.org,
        "apps": apps,
        "user": "",
        "source_machine_id": "",
        "restricted_to_machine": "",
    });
    ok(&json!({ "tokens": [token] }))
}

/// `POST /tokens/oidc`: a token in the right form that no one should trust.
pub async fn oidc(State(sim): State<Arc<Sim>>, Extension(caller): Extension<Caller>, body: Bytes) -> Answer {
    let body: Value = read_or_default(&body)?;
    let now = caller.enter(&sim).now / 1_000;
    let org = &caller.grant.org;
    let audience = Some(text(&body, "aud")).filter(|aud| !aud.is_empty());
    let claims = json!({
        "iss": format!("https://oidc.fly.io/{org}"),
        "aud": audience.unwrap_or_else(|| format!("https://fly.io/org/{org}")),
        "sub": format!("{org}:sim"),
        "iat": now,
        "exp": now + 600,
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    ok(&format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(&claims)))
}

/// `POST /tokens/kms`
pub async fn kms(State(sim): State<Arc<Sim>>, Extension(caller): Extension<Caller>) -> Answer {
    let token = caller.enter(&sim).ids.alphanumeric(40);
    ok(&format!("kms_{token}"))
}
