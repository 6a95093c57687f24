//! Asks an authority as seldom as can be: its directory is kept, and so are the nonces that answers bring.
//!
//! The library that speaks ACME asks for the directory with each account and for a nonce with each request. Both
//! questions end here, and go out only if there is nothing to answer them with.

use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient, Problem};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::directory::Directory;
use super::error::AcmeError;
use super::judge::{Head, Subject, judge};
use super::nonces::{GAP, Nonces};
use super::retry_after::retry_after;
use super::wire::{Sent, Wire};
use crate::domains::DomainError;

/// Longest time that one call may take, with all its requests and waiting for its turn.
const LONGEST: Duration = Duration::from_mins(2);
/// How often a call is tried whose nonces aren't taken. The library tries each request three times.
pub(super) const ATTEMPTS: usize = 6;
/// Most requests to one authority at a time.
const MOST_AT_ONCE: usize = 32;
/// How long a directory is good for.
const DIRECTORY_FOR: Duration = Duration::from_hours(1);
/// What an authority's own refusal is, as opposed to one of a server before it.
const PROBLEM: &str = "application/problem+json";
const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("moorage/", env!("CARGO_PKG_VERSION")));

/// Tries anew at once while nonces aren't taken. What is tried is written down once, and made anew each time.
macro_rules! retried {
    ($attempt:expr) => {
        async {
            let mut left = $crate::domains::acme::http::ATTEMPTS;
            loop {
                left -= 1;
                match $attempt.await {
                    Err(error) if left > 0 && $crate::domains::acme::judge::is_bad_nonce(&error) => {}
                    done => break done,
                }
            }
        }
    };
}
pub(super) use retried;

/// Requests to one authority. Copies share all but the count of their requests and the head of the last answer.
#[derive(Clone)]
pub(super) struct Http {
    shared: Arc<Shared>,
    meter: Arc<Meter>,
}

struct Shared {
    transport: Box<dyn HttpClient>,
    directory_url: String,
    directory: tokio::sync::Mutex<Option<Kept>>,
    nonces: Nonces,
    turns: Semaphore,
    requests: AtomicU64,
}

/// A directory, as it came and as it is read.
#[derive(Clone)]
struct Kept {
    at: Instant,
    bytes: Bytes,
    read: Arc<Directory>,
}

#[derive(Default)]
struct Meter {
    requests: AtomicU32,
    head: Mutex<Option<Head>>,
    in_doubt: AtomicBool,
}

impl Http {
    /// Over the network.
    pub(super) fn new(directory_url: &str, ca_file: Option<&Path>) -> Result<Self, DomainError> {
        Ok(Self::paced(directory_url, Box::new(Wire::new(ca_file)?), GAP))
    }

    /// Over something that needn't be spared.
    pub(super) fn through(directory_url: &str, transport: Box<dyn HttpClient>) -> Self {
        Self::paced(directory_url, transport, Duration::ZERO)
    }

    fn paced(directory_url: &str, transport: Box<dyn HttpClient>, gap: Duration) -> Self {
        let shared = Shared {
            transport,
            directory_url: directory_url.to_owned(),
            directory: tokio::sync::Mutex::default(),
            nonces: Nonces::new(gap),
            turns: Semaphore::new(MOST_AT_ONCE),
            requests: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), meter: Arc::default() }
    }

    /// The same with a count of its own, for one order or one call: what an answer asks for is told to whoever asked.
    pub(super) fn metered(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), meter: Arc::default() }
    }

    pub(super) fn directory_url(&self) -> &str {
        &self.shared.directory_url
    }

    /// Requests that went out by this copy.
    pub(super) fn requests(&self) -> u32 {
        self.meter.requests.load(Ordering::Relaxed)
    }

    /// Requests that went out by all copies.
    pub(super) fn all_requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// The head of the last answer of the last call by this copy.
    pub(super) fn head(&self) -> Option<Head> {
        *self.meter.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the authority may have done what it was last told by this copy, although it didn't say so.
    pub(super) fn may_have_acted(&self) -> bool {
        self.meter.in_doubt.load(Ordering::Relaxed)
    }

    fn note(&self, head: Option<Head>) {
        *self.meter.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
    }

    /// One call, bounded in time, with what its failure means.
    pub(super) async fn call<T>(
        &self,
        subject: Subject,
        tried: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, AcmeError> {
        self.note(None);
        self.meter.in_doubt.store(false, Ordering::Relaxed);
        match timeout(LONGEST, tried).await {
            Ok(done) => done.map_err(|error| judge(&error, self.head(), subject)),
            Err(_) => Err(AcmeError::unavailable(
                "The certificate authority doesn't answer in time; it is tried again.",
            )),
        }
    }

    /// The authority's directory.
    pub(super) async fn directory(&self) -> Result<Arc<Directory>, Error> {
        Ok(self.kept().await?.read)
    }

    /// The directory, fetched if there is none that is fresh; only one fetches it at a time.
    async fn kept(&self) -> Result<Kept, Error> {
        let mut kept = self.shared.directory.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.at.elapsed() < DIRECTORY_FOR) {
            return Ok(kept.clone());
        }
        match (self.fetch().await, kept.as_ref()) {
            (Ok(fresh), _) => {
                *kept = Some(fresh.clone());
                Ok(fresh)
            }
            // What was read before is as good as it was.
            (Err(_), Some(old)) => Ok(old.clone()),
            (Err(error), None) => Err(error),
        }
    }

    async fn fetch(&self) -> Result<Kept, Error> {
        let bytes = self.get_bytes(&self.shared.directory_url).await?;
        let read = Arc::new(serde_json::from_slice(&bytes)?);
        Ok(Kept { at: Instant::now(), bytes, read })
    }

    /// What is at an address that needs no account.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, Error> {
        Ok(serde_json::from_slice(&self.get_bytes(url).await?)?)
    }

    async fn get_bytes(&self, url: &str) -> Result<Bytes, Error> {
        content(self.send(Request::get(url).body(BodyWrapper::default())?).await?).await
    }

    /// Sends what is signed already.
    pub(super) async fn post(&self, url: &str, signed: Vec<u8>) -> Result<Bytes, Error> {
        let request = Request::post(url)
            .header(CONTENT_TYPE, "application/jose+json")
            .body(BodyWrapper::from(signed))?;
        content(self.posted(request).await?).await
    }

    /// A nonce to sign with.
    pub(super) async fn nonce(&self) -> Result<String, Error> {
        let url = self.directory().await?.new_nonce.clone();
        let answer = self.nonce_from(Request::head(url).body(BodyWrapper::default())?).await?;
        let nonce = answer.parts.headers.get(REPLAY_NONCE).and_then(|nonce| nonce.to_str().ok());
        nonce.map(str::to_owned).ok_or(Error::Str("a nonce"))
    }

    /// A nonce that is kept, or else a fresh one.
    async fn nonce_from(&self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        match self.shared.nonces.next().await.and_then(|nonce| HeaderValue::try_from(nonce).ok()) {
            Some(nonce) => {
                let mut answer = answered(Bytes::new());
                answer.parts.headers.insert(REPLAY_NONCE, nonce);
                Ok(answer)
            }
            None => self.send(request).await,
        }
    }

    /// Nonces go to whoever needs the next, not to whoever got the answer.
    async fn posted(&self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        // Until there is an answer: none may ever come.
        self.meter.in_doubt.store(true, Ordering::Relaxed);
        let sent = self.send(request).await;
        self.meter.in_doubt.store(is_in_doubt(&sent), Ordering::Relaxed);
        let mut answer = sent?;
        if let Some(nonce) = answer.parts.headers.remove(REPLAY_NONCE)
            && let Ok(nonce) = nonce.to_str()
        {
            self.shared.nonces.put(nonce);
        }
        Ok(answer)
    }

    async fn send(&self, mut request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        self.note(None);
        request.headers_mut().insert(USER_AGENT, AGENT);
        let _turn = self.shared.turns.acquire().await.map_err(|_| Error::Str("a turn"))?;
        self.meter.requests.fetch_add(1, Ordering::Relaxed);
        self.shared.requests.fetch_add(1, Ordering::Relaxed);
        let answer = self.shared.transport.request(request).await?;
        let status = answer.parts.status.as_u16();
        self.note(Some(Head { status, retry_after: retry_after(&answer.parts.headers) }));
        Ok(answer)
    }
}

impl HttpClient for Http {
    fn request(&self, request: Request<BodyWrapper<Bytes>>) -> Sent {
        let http = self.clone();
        Box::pin(async move {
            match *request.method() {
                Method::HEAD => http.nonce_from(request).await,
                Method::POST => http.posted(request).await,
                _ if *request.uri() == *http.shared.directory_url => Ok(answered(http.kept().await?.bytes)),
                _ => http.send(request).await,
            }
        })
    }
}

/// Whether what was sent may have been done, as far as its answer tells: a server in between that gives the authority up
/// doesn't know, and an answer that says that it was done may not be understood.
fn is_in_doubt(sent: &Result<BytesResponse, Error>) -> bool {
    match sent {
        Ok(answer) => {
            let kind = answer.parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            let is_own = kind.is_some_and(|kind| kind.starts_with(PROBLEM));
            let status = answer.parts.status.as_u16();
            status < 300 || (matches!(status, 500 | 502 | 504) && !is_own)
        }
        Err(Error::Other(error)) => !error.downcast_ref().is_some_and(reqwest::Error::is_connect),
        Err(_) => true,
    }
}

fn answered(body: Bytes) -> BytesResponse {
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = StatusCode::OK;
    BytesResponse { parts, body: Box::new(body) }
}

/// The body of a good answer, or the problem that another tells.
async fn content(mut answer: BytesResponse) -> Result<Bytes, Error> {
    let body = answer.body.into_bytes().await.map_err(Error::Other)?;
    if answer.parts.status.is_success() {
        return Ok(body);
    }
    Err(Error::Api(serde_json::from_slice::<Problem>(&body)?))
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
