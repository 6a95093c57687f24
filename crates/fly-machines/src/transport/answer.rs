//! What came back.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Call, chain, lost};
use crate::classify::{Effect, Refusal, classify, outcome};
use crate::error::{Error, ErrorClass, Facts, Outcome, Result};
use crate::scrub::{self, Numbers};
use crate::types::wire::nullable;

/// The largest refusal that is read, in bytes.
const MAX_REFUSAL: usize = 64 * 1024;
/// A Retry-After beyond this is taken as this.
const LONGEST_RETRY_AFTER: u64 = 3600;

/// An answer with a good status.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) request_id: Option<Box<str>>,
    pub(crate) next_cursor: Option<String>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn decode<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // The parser's own words may quote a value, so only the place is told.
            let place = format!("{:?} at line {} column {}", error.classify(), error.line(), error.column());
            not_understood(
                call,
                self.status,
                self.request_id.clone(),
                "the answer isn't what was expected",
                place,
            )
        })
    }
}

/// Reads an answer, whole and bounded.
pub(super) async fn receive(
    call: &Call<'_>,
    mut response: reqwest::Response,
    max_body: usize,
) -> Result<Answer> {
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let request_id = header(&headers, "fly-request-id").map(|id| scrub::detail(id).into_boxed_str());
    let limit = if status.is_success() { max_body } else { MAX_REFUSAL };
    let (body, whole) = match read(&mut response, limit).await {
        Ok(read) => read,
        // A refusal is one even if its words got lost on the way.
        Err(_) if !status.is_success() => (Bytes::new(), true),
        Err(error) => return Err(lost(call, "the connection was lost within the answer", &chain(&error))),
    };
    if !status.is_success() {
        return Err(refusal(call, status.as_u16(), request_id, &headers, &body));
    }
    if !whole {
        let cause = "the answer is larger than is read";
        return Err(not_understood(call, status.as_u16(), request_id, cause, format!("{limit} bytes")));
    }
    let next_cursor = header(&headers, "fly-next-cursor").filter(|cursor| !cursor.is_empty());
    Ok(Answer { status: status.as_u16(), request_id, next_cursor: next_cursor.map(str::to_owned), body })
}

/// Reads up to `limit` bytes, and tells whether that was all.
async fn read(response: &mut reqwest::Response, limit: usize) -> reqwest::Result<(Bytes, bool)> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            body.extend_from_slice(&chunk[..limit - body.len()]);
            return Ok((body.freeze(), false));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((body.freeze(), true))
}

/// A body that says why: `message` comes from leases, `error` from all else.
#[derive(Default, Deserialize)]
struct Words {
    #[serde(default, deserialize_with = "nullable")]
    message: String,
    #[serde(default, deserialize_with = "nullable")]
    error: String,
    #[serde(default, deserialize_with = "nullable")]
    status: String,
}

fn refusal(
    call: &Call<'_>,
    status: u16,
    request_id: Option<Box<str>>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Error {
    let plain = String::from_utf8_lossy(body);
    let words: Words = serde_json::from_slice(body).unwrap_or_default();
    let text = [words.message.as_str(), words.error.as_str()].into_iter().find(|text| !text.is_empty());
    let text = text.unwrap_or(if plain.trim_start().starts_with('<') { "" } else { plain.as_ref() });
    let class = classify(&Refusal {
        effect: call.effect,
        status,
        text,
        code: &words.status,
        retry_after: header(headers, "retry-after").and_then(retry_after),
    });
    let counts = matches!(
        class,
        ErrorClass::Quota
            | ErrorClass::Capacity(_)
            | ErrorClass::Throttled { .. }
            | ErrorClass::PolicyBlocked
    );
    // A refusal may quote what was sent.
    let text = if call.sends_secrets() { "" } else { text };
    let said = scrub::message(text, if counts { Numbers::Hidden } else { Numbers::Shown });
    let said = if said.is_empty() { format!("HTTP {status} ({class})") } else { said };
    Error::new(Facts {
        class,
        outcome: outcome(call.effect, status, class),
        operation: call.operation,
        status: Some(status),
        request_id,
        message: format!("{}: {said}", call.operation),
        detail: scrub::detail(text),
    })
}

fn not_understood(
    call: &Call<'_>,
    status: u16,
    request_id: Option<Box<str>>,
    cause: &str,
    detail: String,
) -> Error {
    // A change was answered well, so it most likely happened: its caller has to look.
    let (class, outcome) = match call.effect {
        Effect::Read => (ErrorClass::BadAnswer, Outcome::Refused),
        Effect::Write => (ErrorClass::Ambiguous, Outcome::Unknown),
    };
    let message = format!("{}: {cause}", call.operation);
    Error::new(Facts {
        class,
        outcome,
        operation: call.operation,
        status: Some(status),
        request_id,
        message,
        detail,
    })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Seconds only: a date would need a clock, and Fly sends none.
fn retry_after(text: &str) -> Option<Duration> {
    let seconds = text.trim().parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST_RETRY_AFTER)))
}
