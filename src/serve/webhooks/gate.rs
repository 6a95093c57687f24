//! Takes a request in: of the right kind, of bounded size, in bounded time, and so many at once.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, header};
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::outcome::Outcome;

/// Bodies that are held at once. With the largest there can be, 32 MiB.
const BODIES: usize = 128;
/// Time that a body may take to come.
const BODY_WITHIN: Duration = Duration::from_secs(5);

/// What a provider's requests look like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The type of its bodies, without parameters.
    pub content_type: &'static str,
    /// The largest of its bodies, in bytes.
    pub largest: usize,
}

/// Limits what is held at once.
#[derive(Debug)]
pub struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(BODIES))
    }
}

impl Gate {
    /// Reads a request of this shape and gives its headers and body to `look`, which keeps what it needs. The body is
    /// gone before anything waits for anybody else.
    ///
    /// # Errors
    /// What becomes of a request that isn't of this shape.
    pub async fn take<T>(
        &self,
        shape: Shape,
        request: Request,
        look: impl FnOnce(&HeaderMap, &Bytes) -> Result<T, Outcome>,
    ) -> Result<T, Outcome> {
        let (head, body) = request.into_parts();
        if head.method != Method::POST || !is_of_type(&head.headers, shape.content_type) {
            return Err(Outcome::Refused);
        }
        // One that says how large it is isn't read to find out.
        if length(&head.headers).is_some_and(|length| length > shape.largest) {
            return Err(Outcome::TooLarge);
        }
        let _place = self.0.acquire().await.map_err(|_| Outcome::Unavailable)?;
        let read = timeout(BODY_WITHIN, to_bytes(body, shape.largest)).await;
        let body = read.map_err(|_| Outcome::Late)?.map_err(|_| Outcome::TooLarge)?;
        look(&head.headers, &body)
    }
}

/// The one value of a header. Two would be two readings.
pub fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn is_of_type(headers: &HeaderMap, expected: &str) -> bool {
    let essence = |value: &str| value.split(';').next().map(|it| it.trim().to_ascii_lowercase());
    one(headers, &header::CONTENT_TYPE).and_then(essence).as_deref() == Some(expected)
}

fn length(headers: &HeaderMap) -> Option<usize> {
    one(headers, &header::CONTENT_LENGTH)?.parse().ok()
}
