//! The edge's own answers, where no Machine answers.

use http::{HeaderValue, Response, StatusCode, header};

use super::{Refusal, Request, body, body::ReplyBody};

/// The answer to a refused request; `None` closes the connection without one.
pub(super) fn refused(
    refusal: Refusal,
    request: &Request,
    path: &str,
    https_port: u16,
) -> Option<Response<ReplyBody>> {
    match refusal {
        Refusal::NoService => None,
        Refusal::RedirectToHttps => Some(redirect(&request.hostname, path, https_port)),
        Refusal::NoCandidate(cause) => Some(plain(StatusCode::SERVICE_UNAVAILABLE, cause)),
        Refusal::Unreachable(cause) => Some(plain(StatusCode::BAD_GATEWAY, cause)),
    }
}

/// A plain text, as Fly's proxy sends.
pub(super) fn plain(status: StatusCode, text: String) -> Response<ReplyBody> {
    let mut reply = Response::new(body::text(text));
    *reply.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, kind);
    reply
}

/// Names the edge's own port, unless it has the one that clients assume.
fn redirect(hostname: &str, path: &str, https_port: u16) -> Response<ReplyBody> {
    let port = if https_port == 443 { String::new() } else { format!(":{https_port}") };
    let mut reply = plain(StatusCode::MOVED_PERMANENTLY, String::new());
    if let Ok(location) = HeaderValue::try_from(format!("https://{hostname}{port}{path}")) {
        reply.headers_mut().insert(header::LOCATION, location);
    }
    reply
}
