//! One request and its answer: a deadline, a bounded body, and whether anything was sent.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use reqwest::RequestBuilder;
use tokio::time::timeout;

/// The largest answer that is read, in bytes.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// An answer, whatever it says.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Nothing was sent.
    NotSent,
    /// No answer came within the deadline.
    Late,
    /// The connection ended before the whole answer was there.
    Cut,
    /// The answer is larger than is read.
    TooLarge,
}

impl Lost {
    pub(super) fn cause(self) -> &'static str {
        match self {
            Self::NotSent => "it can't be reached",
            Self::Late => "no answer came in time",
            Self::Cut => "the connection was lost before the answer",
            Self::TooLarge => "the answer is larger than is read",
        }
    }
}

/// Sends a request and reads its answer.
pub(super) async fn exchange(request: RequestBuilder, deadline: Duration) -> Result<Answer, Lost> {
    timeout(deadline, send(request)).await.unwrap_or(Err(Lost::Late))
}

async fn send(request: RequestBuilder) -> Result<Answer, Lost> {
    let mut response = request.send().await.map_err(|error| {
        // An error's own words hold the address, which may hold an id.
        let error = error.without_url();
        tracing::debug!(%error, "a payment provider didn't answer");
        if error.is_connect() || error.is_builder() { Lost::NotSent } else { Lost::Cut }
    })?;
    let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| Lost::Cut)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Lost::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body: body.freeze() })
}

/// An HTTP client as all providers are asked with: no redirects, since a key must not follow them.
///
/// # Errors
/// If TLS can't be set up.
pub fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(concat!("moorage/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .pool_idle_timeout(Duration::from_mins(1))
        .build()
}
