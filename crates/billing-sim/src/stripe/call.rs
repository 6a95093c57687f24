//! One call: who calls, what with, and whether it was made before.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use fly_sim::faults::Action;
use fly_sim::faults::rule::When;
use fly_sim::http::answer::json_bytes;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use crate::error::{Outcome, Refusal};
use crate::params::Params;
use crate::pipeline::Fault;
use crate::state::{Sim, State};

const DAY: i64 = 24 * 60 * 60;
const FORM: &str = "application/x-www-form-urlencoded";

/// The first answer to an idempotency key.
pub struct Kept {
    print: String,
    at: i64,
    status: u16,
    body: Value,
}

/// A call that may be made: its key is good.
pub struct Call {
    sim: Arc<Sim>,
    /// The form, or the query.
    pub params: Params,
    /// The kind of object that the path is about, such as `invoice`.
    pub kind: String,
    key: Option<String>,
    print: String,
    fault: Option<Action>,
}

impl FromRequest<Arc<Sim>> for Call {
    type Rejection = Refusal;

    async fn from_request(request: Request, sim: &Arc<Sim>) -> Outcome<Self> {
        let headers = request.headers().clone();
        let text = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        if text("authorization").strip_prefix("Bearer ") != Some(sim.enter().stripe.key.as_str()) {
            let message = "Invalid API Key provided: sk_test_****";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "invalid_request_error", "", message));
        }
        let (key, content) =
            (Some(text("idempotency-key")).filter(|key| !key.is_empty()), text("content-type"));
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let query = request.uri().query().unwrap_or_default().to_owned();
        let fault = request.extensions().get::<Fault>().and_then(|fault| fault.0.clone());
        let body = Bytes::from_request(request, sim).await.unwrap_or_default();
        if method == Method::POST && !content.starts_with(FORM) {
            return Err(Refusal::invalid("Content-Type must be application/x-www-form-urlencoded"));
        }
        let params = Params::parse(if method == Method::GET { query.as_bytes() } else { &body });
        let print = format!("{path}\n{}", String::from_utf8_lossy(&body));
        Ok(Self { sim: Arc::clone(sim), params, kind: kind(&path), key, print, fault })
    }
}

/// `/v1/invoices/…` is about an `invoice`.
fn kind(path: &str) -> String {
    let mut parts = path.trim_start_matches("/v1/").split('/');
    match parts.next().unwrap_or_default() {
        "checkout" => "checkout.session".to_owned(),
        name => name.trim_end_matches('s').to_owned(),
    }
}

impl Call {
    /// Answers from what is there.
    pub fn read(self, answer: impl FnOnce(&State, &Params) -> Outcome) -> Response {
        match answer(&self.sim.enter(), &self.params) {
            Ok(body) => json_bytes(StatusCode::OK, body.to_string().into()),
            Err(refusal) => refusal.into_response(),
        }
    }

    /// Changes something, once for each idempotency key.
    pub fn write(self, change: impl FnOnce(&mut State, &Params) -> Outcome) -> Response {
        let mut state = self.sim.enter();
        if let Some(answer) = self.before(&state) {
            return answer;
        }
        let outcome = change(&mut state, &self.params);
        let (status, body) = match outcome {
            Ok(body) => (StatusCode::OK, body),
            Err(refusal) => (refusal.status, json!({"error": refusal.error})),
        };
        self.keep(&mut state, status, &body);
        json_bytes(status, body.to_string().into())
    }

    /// What is answered without doing anything: the key was used before.
    fn before(&self, state: &State) -> Option<Response> {
        let key = self.key.as_ref()?;
        if state.stripe.in_flight.contains(key) {
            let message = "There is currently another in-progress request using this Idempotent Key.";
            let refusal =
                Refusal::new(StatusCode::CONFLICT, "idempotency_error", "idempotency_key_in_use", message);
            return Some(refusal.into_response());
        }
        let kept = state.stripe.kept.get(key).filter(|kept| state.now() - kept.at < DAY)?;
        if kept.print != self.print {
            let message = "Keys for idempotent requests can only be used with the same parameters they were first used with.";
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, "idempotency_error", "", message);
            return Some(refusal.into_response());
        }
        let status = StatusCode::from_u16(kept.status).unwrap_or_default();
        let mut response = json_bytes(status, kept.body.to_string().into());
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
        Some(response)
    }

    /// Nothing is kept of a request that wasn't valid; a server's error is.
    fn keep(&self, state: &mut State, status: StatusCode, body: &Value) {
        let Some(key) = &self.key else { return };
        let (mut status, mut body) = (status.as_u16(), body.clone());
        if let Some(Action::Status { status: broken @ 500.., body: said, when: When::After, .. }) =
            &self.fault
        {
            (status, body) = (*broken, said.clone());
        }
        if matches!(self.fault, Some(Action::Hold)) {
            state.stripe.in_flight.insert(key.clone());
        }
        if matches!(status, 200 | 402 | 500..) {
            let kept = Kept { print: self.print.clone(), at: state.now(), status, body };
            state.stripe.kept.insert(key.clone(), kept);
        }
    }
}
