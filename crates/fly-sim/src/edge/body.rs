//! Bodies of replies, streamed.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::body::Incoming;

/// The body of any reply of the edge.
pub(super) type ReplyBody = BoxBody<Bytes, hyper::Error>;

/// A Machine's body, passed on as it comes.
pub(super) fn streamed(body: Incoming) -> ReplyBody {
    body.boxed()
}

/// A short text of the edge's own.
pub(super) fn text(text: String) -> ReplyBody {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed()
}
