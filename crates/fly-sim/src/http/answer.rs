//! Reading requests and writing answers.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::clock::Millis;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::tokens::Grant;
use crate::world::{Key, Sim};

/// What is known of a call when its handler runs.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The request's number.
    pub request: u64,
    /// What its token is for.
    pub grant: Grant,
    /// How far behind its lists are, in milliseconds.
    pub lag: Millis,
    /// The nonce of the lease that it holds.
    pub nonce: Option<String>,
}

impl Caller {
    /// Enters the state for this call.
    pub fn enter<'a>(&self, sim: &'a Sim) -> crate::world::Entered<'a> {
        sim.enter_for(self.request)
    }

    /// The nonce of the lease that it holds.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }
}

/// The answer to a call.
pub type Answer = ApiResult<Response>;

/// 200 with a body.
pub fn ok(body: &impl Serialize) -> Answer {
    with(StatusCode::OK, body)
}

/// A status with a body.
pub fn with(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(text) => Ok(json_bytes(status, text.into())),
        Err(error) => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}

/// A status without a body.
pub fn empty(status: StatusCode) -> Answer {
    Ok(status.into_response())
}

/// `{"ok":true}`, or with its quirk the empty object some calls answer.
pub fn done() -> Answer {
    ok(&json!({ "ok": true }))
}

/// A status with a body that is JSON already.
pub fn json_bytes(status: StatusCode, text: Bytes) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self.body {
            ErrorBody::Json(body) => json_bytes(self.status, body.to_string().into()),
            ErrorBody::Text(text) => (self.status, text).into_response(),
        }
    }
}

/// Reads a body.
pub fn read<T: DeserializeOwned>(body: &Bytes) -> ApiResult<T> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("failed to decode request body: {error}")))
}

/// Reads a body that may be missing.
pub fn read_or_default<T: DeserializeOwned + Default>(body: &Bytes) -> ApiResult<T> {
    if body.is_empty() { Ok(T::default()) } else { read(body) }
}

/// Reads a flag of a query, as Go's `strconv.ParseBool` does.
pub fn is_true(value: Option<&String>) -> bool {
    value.is_some_and(|text| matches!(text.as_str(), "true" | "1" | "t" | "T" | "True" | "TRUE"))
}

/// The nonce that a call carries.
pub fn nonce_of(headers: &HeaderMap) -> Option<String> {
    let nonce = headers.get("fly-machine-lease-nonce")?.to_str().ok()?;
    (!nonce.is_empty()).then(|| nonce.to_owned())
}

/// Which Machine a path names.
pub fn key(app: String, machine: String) -> Key {
    Key { app, id: machine }
}

/// A string that may be missing or null.
pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}
