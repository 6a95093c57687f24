//! Takes a request in: of the right kind, of bounded size, in bounded time, and so many at once.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::outcome::Outcome;
use super::seats::Seat;

/// What each connection may send without anybody's leave, in bytes: more than most of what providers send. With all
/// connections there can be, 32 MiB.
const SMALL: usize = 32 * 1024;
/// Larger bodies that are held at once. With the largest there can be, 16 MiB.
const LARGE: usize = 64;
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
        Self(Semaphore::new(LARGE))
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
        let read = timeout(BODY_WITHIN, self.read(body, length(&head.headers), shape.largest)).await;
        let (body, _place) = read.map_err(|_| Outcome::Late)??;
        if let Some(seat) = head.extensions.get::<Arc<Seat>>() {
            seat.works();
        }
        look(&head.headers, &body)
    }

    /// A body that is small waits for nobody: whoever is slow, or sends what is large, holds up only their like.
    async fn read(
        &self,
        body: Body,
        length: Option<usize>,
        largest: usize,
    ) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Outcome> {
        let (mut chunks, mut read, mut place) = (body.into_data_stream(), BytesMut::new(), None);
        if length.is_some_and(|length| length > SMALL) {
            place = Some(self.place().await?);
        }
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Outcome::Refused)?;
            if read.len() + chunk.len() > largest {
                return Err(Outcome::TooLarge);
            }
            if read.len() + chunk.len() > SMALL && place.is_none() {
                place = Some(self.place().await?);
            }
            read.extend_from_slice(&chunk);
        }
        Ok((read.freeze(), place))
    }

    async fn place(&self) -> Result<SemaphorePermit<'_>, Outcome> {
        self.0.acquire().await.map_err(|_| Outcome::Unavailable)
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
