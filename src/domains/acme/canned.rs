//! Answers from memory instead of an authority's, for fuzzers and tests.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
#[cfg(test)]
use http::HeaderValue;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

use super::wire::Sent;

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

type Answers = Box<dyn FnMut(&Method, &Uri) -> Option<Answer> + Send>;

/// Gives an answer to each request; where there is none, the connection is lost.
pub(super) struct Canned(Mutex<Answers>);

impl Canned {
    pub(super) fn new(answers: impl FnMut(&Method, &Uri) -> Option<Answer> + Send + 'static) -> Self {
        Self(Mutex::new(Box::new(answers)))
    }
}

impl HttpClient for Canned {
    fn request(&self, request: Request<BodyWrapper<Bytes>>) -> Sent {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answers(request.method(), request.uri());
        Box::pin(async move {
            let answer = answer.ok_or(Error::Str("an answer"))?;
            let (mut parts, ()) = http::Response::new(()).into_parts();
            parts.status = answer.status;
            parts.headers = answer.headers;
            Ok(BytesResponse { parts, body: Box::new(answer.body) })
        })
    }
}

/// An account at an authority that takes every order, and no two of which are the same.
///
/// # Panics
/// If the system gives no randomness for its key.
#[cfg(test)]
pub fn canned_account() -> super::Account {
    const URL: &str = "https://ca.example/dir";
    const DIRECTORY: &str = r#"{"newNonce": "https://ca.example/nonce", "newAccount": "https://ca.example/account",
        "newOrder": "https://ca.example/order"}"#;
    const ORDER: &str = r#"{"status": "pending", "authorizations": ["https://ca.example/authz/1"],
        "finalize": "https://ca.example/finalize"}"#;
    let answers = |method: &Method, url: &Uri| {
        let mut headers = HeaderMap::new();
        headers.insert("replay-nonce", HeaderValue::from_static("n"));
        headers.insert("location", HeaderValue::from_static("https://ca.example/order/1"));
        let (status, body) = match (method, url.path()) {
            (_, "/dir") => (StatusCode::OK, DIRECTORY),
            (&Method::HEAD, _) => (StatusCode::OK, ""),
            _ => (StatusCode::CREATED, ORDER),
        };
        Some(Answer { status, headers, body: Bytes::from_static(body.as_bytes()) })
    };
    let http = super::http::Http::through(URL, Box::new(Canned::new(answers)));
    let credentials = super::Credentials::at("https://ca.example/account/1", URL).unwrap();
    super::Account::new(&http, credentials, None)
}
