//! Keys that don't leave Fly. The ciphers here only have the right shape: they keep nothing secret.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answer::{Answer, Caller, empty, ok, read, read_or_default, text, with};
use crate::clock::rfc3339;
use crate::error::{ApiError, ApiResult};
use crate::model::app::SecretKey;
use crate::world::{Sim, State as World};

type At = Path<(String, String)>;

fn view(name: &str, key: &SecretKey) -> Value {
    let at = rfc3339(key.created_at);
    json!({ "name": name, "type": key.kind, "public_key": [], "created_at": at, "updated_at": at })
}

/// `GET /apps/{app}/secretkeys`
pub async fn list(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path(app): Path<String>,
) -> Answer {
    let state = caller.enter(&sim);
    let keys: Vec<Value> = state.app(&app)?.keys.iter().map(|(name, key)| view(name, key)).collect();
    ok(&json!({ "secret_keys": keys }))
}

fn find<'a>(state: &'a World, app: &str, name: &str) -> ApiResult<&'a SecretKey> {
    state.app(app)?.keys.get(name).ok_or_else(|| ApiError::not_found("secret key not found"))
}

/// `GET /apps/{app}/secretkeys/{name}`
pub async fn one(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, name)): At,
) -> Answer {
    let state = caller.enter(&sim);
    ok(&view(&name, find(&state, &app, &name)?))
}

/// `POST /apps/{app}/secretkeys/{name}`
pub async fn set(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, name)): At,
    body: Bytes,
) -> Answer {
    let body: Value = read(&body)?;
    let value = octets(&body, "value")?;
    keep(&mut caller.enter(&sim), &app, &name, text(&body, "type"), value)
}

/// `POST /apps/{app}/secretkeys/{name}/{action}`
pub async fn act(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, name, action)): Path<(String, String, String)>,
    body: Bytes,
) -> Answer {
    let body: Value = read_or_default(&body)?;
    let mut state = caller.enter(&sim);
    if action == "generate" {
        let value = state.ids.alphanumeric(32).into_bytes();
        return keep(&mut state, &app, &name, text(&body, "type"), value);
    }
    let key = &find(&state, &app, &name)?.value;
    match action.as_str() {
        "encrypt" => ok(&json!({ "ciphertext": mask(key, &octets(&body, "plaintext")?) })),
        "decrypt" => ok(&json!({ "plaintext": mask(key, &octets(&body, "ciphertext")?) })),
        "sign" => ok(&json!({ "signature": sign(key, &octets(&body, "plaintext")?) })),
        "verify" if sign(key, &octets(&body, "plaintext")?) == octets(&body, "signature")? => {
            empty(StatusCode::NO_CONTENT)
        }
        "verify" => Err(ApiError::invalid("signature does not match")),
        _ => Err(ApiError::not_found("no such action")),
    }
}

fn keep(state: &mut World, app: &str, name: &str, kind: String, value: Vec<u8>) -> Answer {
    let created_at = state.now;
    let key = SecretKey { kind, value, created_at };
    let held = state.app_mut(app)?;
    held.secrets.version += 1;
    let version = held.secrets.version;
    let mut answer = view(name, &key);
    answer["version"] = version.into();
    answer["Version"] = version.into();
    held.keys.insert(name.to_owned(), key);
    state.effect("secretkey.set", app, name, Value::Null);
    with(StatusCode::CREATED, &answer)
}

/// `DELETE /apps/{app}/secretkeys/{name}`
pub async fn remove(
    State(sim): State<Arc<Sim>>,
    Extension(caller): Extension<Caller>,
    Path((app, name)): At,
) -> Answer {
    let mut state = caller.enter(&sim);
    let held = state.app_mut(&app)?;
    held.keys.remove(&name).ok_or_else(|| ApiError::not_found("secret key not found"))?;
    held.secrets.version += 1;
    let version = held.secrets.version;
    state.effect("secretkey.delete", &app, &name, Value::Null);
    ok(&json!({ "version": version, "Version": version }))
}

fn octets(body: &Value, field: &str) -> ApiResult<Vec<u8>> {
    let octet = |value: &Value| value.as_u64().and_then(|octet| u8::try_from(octet).ok());
    let list = body[field].as_array().and_then(|list| list.iter().map(octet).collect());
    list.ok_or_else(|| ApiError::invalid(format!("{field} must be a list of bytes")))
}

fn sign(key: &[u8], text: &[u8]) -> Vec<u8> {
    Sha256::new().chain_update(key).chain_update(text).finalize().to_vec()
}

fn mask(key: &[u8], text: &[u8]) -> Vec<u8> {
    let stream = Sha256::digest(key);
    text.iter().zip(stream.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
}
