//! Refusals, with the status and text that Fly answers.

use std::fmt;

use http::StatusCode;
use serde_json::{Value, json};

/// What a refused call is answered with.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body: JSON, or plain text for the few refusals that come from the proxy.
    pub body: ErrorBody,
}

/// The body of a refusal.
#[derive(Clone, Debug, PartialEq)]
pub enum ErrorBody {
    /// `{"error": …}` or, for leases, `{"status":"error","message": …}`.
    Json(Value),
    /// Plain text, as rate limits and the proxy answer.
    Text(String),
}

/// The answer to a call.
pub type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// `{"error": text}` with a status.
    pub fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, body: ErrorBody::Json(json!({ "error": text.into() })) }
    }

    /// Adds Fly's own code, such as `insufficient_capacity`, beside the text.
    #[must_use]
    pub fn coded(mut self, code: &str) -> Self {
        if let ErrorBody::Json(body) = &mut self.body {
            body["status"] = code.into();
        }
        self
    }

    /// Plain text with a status.
    pub fn text(status: StatusCode, text: &str) -> Self {
        Self { status, body: ErrorBody::Text(text.to_owned()) }
    }

    /// 400, the request makes no sense.
    pub fn invalid(text: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, format!("invalid_argument: {text}"))
    }

    /// 404.
    pub fn not_found(text: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("not_found: {text}"))
    }

    /// 412, not in this state.
    pub fn precondition(text: impl fmt::Display) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, format!("failed_precondition: {text}"))
    }

    /// 409, someone else is at it.
    pub fn aborted(text: impl fmt::Display) -> Self {
        Self::new(StatusCode::CONFLICT, format!("aborted: {text}"))
    }

    /// 408, not in time.
    pub fn deadline(text: impl fmt::Display) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, format!("deadline_exceeded: {text}"))
    }

    /// 503, the host can't be asked.
    pub fn unavailable(text: impl fmt::Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, format!("unavailable: {text}"))
    }

    /// 422 without a prefix, as the app and certificate calls answer.
    pub fn unprocessable(text: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, text)
    }

    /// 403, another organisation's.
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "unauthorized")
    }

    /// The answer about a Machine that isn't there.
    pub fn no_machine() -> Self {
        Self::not_found("machine not found")
    }

    /// The answer about an app that isn't there.
    pub fn no_app() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Could not find App")
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.body {
            ErrorBody::Json(body) => write!(f, "{} {body}", self.status),
            ErrorBody::Text(text) => write!(f, "{} {text}", self.status),
        }
    }
}

impl std::error::Error for ApiError {}
