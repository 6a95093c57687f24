//! Requests to a certificate authority, by the HTTP client that everything else uses.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::RETRY_AFTER;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

use crate::domains::DomainError;

/// Longest time that one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer that is read, in bytes.
const LARGEST: usize = 512 * 1024;

type Sent = Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>>;

/// An HTTP client that remembers what pause the authority last asked for.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    pause: Arc<Mutex<Option<Duration>>>,
}

impl Http {
    /// One that trusts the system's authorities, or the one of a private directory.
    ///
    /// # Errors
    /// If that one can't be read.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, DomainError> {
        let mut builder = reqwest::Client::builder()
            .https_only(true)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(file) = ca_file {
            for certificate in authorities(file)? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().map_err(|error| {
            DomainError::authority_unavailable(format!("The HTTP client for ACME can't be made: {error}."))
        })?;
        Ok(Self { client, pause: Arc::default() })
    }

    /// The pause that the last refusal asked for. Told once.
    pub fn asked_pause(&self) -> Option<Duration> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl HttpClient for Http {
    fn request(&self, request: http::Request<BodyWrapper<bytes::Bytes>>) -> Sent {
        let http = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let sent = http
                .client
                .request(parts.method, parts.uri.to_string())
                .headers(parts.headers)
                .body(reqwest::Body::wrap(body));
            let answer = sent.send().await.map_err(other)?;
            http.read(answer).await
        })
    }
}

impl Http {
    async fn read(&self, mut answer: reqwest::Response) -> Result<BytesResponse, Error> {
        let (mut parts, ()) = http::Response::new(()).into_parts();
        parts.status = answer.status();
        parts.headers = answer.headers().clone();
        if matches!(parts.status.as_u16(), 429 | 503) {
            let seconds = parts.headers.get(RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
            *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = seconds.map(Duration::from_secs);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(other)? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err(Error::Str("an answer that is too long"));
            }
        }
        Ok(BytesResponse { parts, body: Box::new(bytes::Bytes::from(body)) })
    }
}

fn other(error: reqwest::Error) -> Error {
    Error::Other(Box::new(error))
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
