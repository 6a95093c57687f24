//! Refusals in Stripe's form.

use axum::response::{IntoResponse, Response};
use fly_sim::http::answer::json_bytes;
use http::StatusCode;
use serde_json::{Value, json};

/// A call that is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// HTTP status.
    pub status: StatusCode,
    /// The body's `error`.
    pub error: Value,
}

/// What a handler answers.
pub type Outcome<T = Value> = Result<T, Refusal>;

impl Refusal {
    /// A refusal of this type, code and wording.
    pub fn new(status: StatusCode, kind: &str, code: &str, message: impl Into<String>) -> Self {
        let mut error = json!({"type": kind, "message": message.into()});
        if !code.is_empty() {
            error["code"] = code.into();
        }
        Self { status, error }
    }

    /// The request is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", "", message)
    }

    /// The request is wrong in a way that has a code.
    pub fn coded(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", code, message)
    }

    /// No such thing.
    pub fn missing(what: &str, id: &str) -> Self {
        let message = format!("No such {what}: '{id}'");
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", "resource_missing", message)
    }

    /// The customer's card says no.
    pub fn declined() -> Self {
        let message = "Your card was declined.";
        Self::new(StatusCode::PAYMENT_REQUIRED, "card_error", "card_declined", message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        json_bytes(self.status, json!({"error": self.error}).to_string().into())
    }
}
