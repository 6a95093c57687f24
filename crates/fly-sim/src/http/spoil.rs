//! Answers that go wrong: cut, replaced, emptied, broken, held.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName};
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;

use super::answer::json_bytes;
use super::pipeline::Cut;
use crate::faults::Action;
use crate::faults::rule::When;
use crate::ledger::{Entry, Kind};
use crate::world::Sim;

/// An answer that is never sent.
pub fn cut() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.extensions_mut().insert(Cut);
    response
}

/// An answer that a rule gives.
pub fn answer(status: u16, body: &Value, headers: &BTreeMap<String, String>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match body {
        Value::Null => json_bytes(status, Bytes::new()),
        Value::String(text) => {
            let mut plain = Response::new(Body::from(text.clone()));
            *plain.status_mut() = status;
            plain
        }
        body => json_bytes(status, body.to_string().into()),
    };
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Does to an answer what a rule says.
pub async fn after(response: Response, action: &Action) -> Response {
    match action {
        Action::DropReply => cut(),
        Action::Status { status, body, headers, when: When::After } => answer(*status, body, headers),
        Action::Latency { ms, when: When::After } => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            response
        }
        Action::Empty => shorten(response, 0).await,
        Action::Partial { keep } => shorten(response, *keep).await,
        Action::Malformed => rewrite(response, |text| half(text).to_vec()).await,
        Action::Truncate => truncate(response).await,
        _ => response,
    }
}

async fn shorten(response: Response, keep: usize) -> Response {
    rewrite(response, |text| {
        let mut body: Value = serde_json::from_slice(text).unwrap_or_default();
        let lists: Vec<&mut Value> = match &mut body {
            Value::Object(fields) => fields.values_mut().collect(),
            list => vec![list],
        };
        lists.into_iter().filter_map(Value::as_array_mut).for_each(|list| list.truncate(keep));
        body.to_string().into_bytes()
    })
    .await
}

async fn rewrite(response: Response, change: impl FnOnce(&[u8]) -> Vec<u8>) -> Response {
    let (mut parts, body) = response.into_parts();
    let text = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(change(&text)))
}

/// The first half of the body under the length of the whole, and then the end of the connection.
async fn truncate(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let text = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    let first = text.slice(..text.len() / 2);
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let chunks = futures::stream::iter([Ok(first), Err(broken)]);
    Response::from_parts(parts, Body::from_stream(chunks))
}

fn half(text: &[u8]) -> &[u8] {
    text.get(..text.len() / 2).unwrap_or_default()
}

/// A reply that is being held. Dropped unreleased, its client has gone away.
pub struct Held {
    sim: Arc<Sim>,
    rule: u64,
    request: u64,
    entry: u64,
    how: &'static str,
}

impl Held {
    /// Begins to hold.
    pub fn new(sim: &Arc<Sim>, rule: u64, request: u64, entry: u64) -> Self {
        Self { sim: Arc::clone(sim), rule, request, entry, how: "dropped" }
    }

    /// Lets go.
    pub fn released(&mut self) {
        self.how = "released";
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.sim.enter();
        if let Some(rule) = state.faults.rule_mut(self.rule) {
            rule.held.retain(|held| *held != self.request);
        }
        let entry = Entry {
            seq: 0,
            at: state.now,
            kind: Kind::Release,
            request: Some(self.request),
            app: String::new(),
            effect: self.how.into(),
            id: self.entry.to_string(),
            detail: Value::Null,
            call: None,
        };
        state.ledger.append(entry);
    }
}
