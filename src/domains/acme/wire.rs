//! Sends requests to an authority over the network: one client for all, so that connections are used again.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

use crate::domains::DomainError;

/// Longest time that one request may take, with its answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time that a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_mins(1);
/// Largest answer that is read, in bytes.
const LARGEST: usize = 512 * 1024;

/// An answer to be awaited.
pub(super) type Sent = Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>>;

/// The network.
#[derive(Clone)]
pub(super) struct Wire(reqwest::Client);

impl Wire {
    /// One that trusts the system's authorities, or the one of a private directory.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, DomainError> {
        let mut builder = reqwest::Client::builder()
            .https_only(true)
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(file) = ca_file {
            for certificate in authorities(file)? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().map_err(|error| {
            DomainError::authority_unavailable(format!("The HTTP client for ACME can't be made: {error}."))
        })?;
        Ok(Self(client))
    }
}

impl HttpClient for Wire {
    fn request(&self, request: http::Request<BodyWrapper<Bytes>>) -> Sent {
        let (parts, body) = request.into_parts();
        let sent = self
            .0
            .request(parts.method, parts.uri.to_string())
            .headers(parts.headers)
            .body(reqwest::Body::wrap(body));
        Box::pin(async move { read(sent.send().await.map_err(lost)?).await })
    }
}

async fn read(mut answer: reqwest::Response) -> Result<BytesResponse, Error> {
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = answer.status();
    parts.headers = std::mem::take(answer.headers_mut());
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(Error::Str("an answer that is short enough"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(BytesResponse { parts, body: Box::new(body.freeze()) })
}

/// An error's own words hold the address, which may hold an id.
fn lost(error: reqwest::Error) -> Error {
    Error::Other(Box::new(error.without_url()))
}

fn authorities(file: &Path) -> Result<Vec<reqwest::Certificate>, DomainError> {
    let unreadable = |why: String| {
        DomainError::secret(format!(
            "The authority of the ACME directory, {}, can't be read: {why}.",
            file.display()
        ))
    };
    let pem = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| unreadable("it isn't PEM".into()))
}
