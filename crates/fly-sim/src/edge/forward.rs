//! One request, from the edge to a Machine and back.

use std::{any::Any, sync::Arc};

use http::{HeaderValue, Response, StatusCode, header, uri::PathAndQuery};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;

use super::{Connection, Refusal, Request, Routes, body, body::ReplyBody, headers, reply, upgrade};

/// The region that a refused request's id names.
const NO_REGION: &str = "edge";
/// Bound on a reply's header bytes.
const MAX_HEADERS: usize = 64 * 1024;

/// Closes the client's connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the hostname has no service here")]
pub(super) struct Closed;

/// Dropped when nothing needs the connection to the Machine any more.
pub(super) type Guard = Arc<Box<dyn Any + Send + Sync>>;

/// Answers one request of a client.
pub(super) async fn forward<R: Routes>(
    routes: &R,
    request: Request,
    https_port: u16,
    mut incoming: hyper::Request<Incoming>,
) -> Result<Response<ReplyBody>, Closed> {
    let path = incoming.uri().path_and_query().map_or("/", PathAndQuery::as_str).to_owned();
    let connection = match routes.connect(request.clone()).await {
        Ok(connection) => connection,
        Err(refusal) => return refused(refusal, &request, &path, https_port),
    };
    let id = headers::request_id(&connection.region);
    prepare(&mut incoming, &request, &path, &connection, &id)?;
    let mut answer = exchange(connection, incoming).await.unwrap_or_else(|cause| unfinished(&cause));
    headers::mark_reply(answer.headers_mut(), &id);
    Ok(answer)
}

fn refused(
    refusal: Refusal,
    request: &Request,
    path: &str,
    https_port: u16,
) -> Result<Response<ReplyBody>, Closed> {
    let mut answer = reply::refused(refusal, request, path, https_port).ok_or(Closed)?;
    headers::mark_reply(answer.headers_mut(), &headers::request_id(NO_REGION));
    Ok(answer)
}

/// What a client hears of a Machine that closes a connection without a whole answer.
fn unfinished(cause: &hyper::Error) -> Response<ReplyBody> {
    tracing::debug!(%cause, "a Machine gave no whole answer");
    reply::plain(StatusCode::BAD_GATEWAY, format!("could not complete HTTP request to instance: {cause}"))
}

/// Turns the client's request into the one that the Machine gets.
fn prepare(
    incoming: &mut hyper::Request<Incoming>,
    request: &Request,
    path: &str,
    connection: &Connection,
    id: &HeaderValue,
) -> Result<(), Closed> {
    *incoming.uri_mut() = path.parse().map_err(|_| Closed)?;
    *incoming.version_mut() = http::Version::HTTP_11;
    if !incoming.headers().contains_key(header::HOST) {
        let host = HeaderValue::try_from(&request.hostname).map_err(|_| Closed)?;
        incoming.headers_mut().insert(header::HOST, host);
    }
    headers::strip_hop_by_hop(incoming.headers_mut());
    headers::mark_request(incoming.headers_mut(), request, connection, id);
    Ok(())
}

async fn exchange(
    connection: Connection,
    mut incoming: hyper::Request<Incoming>,
) -> Result<Response<ReplyBody>, hyper::Error> {
    let (mut sender, driver) =
        http1::Builder::new().max_buf_size(MAX_HEADERS).handshake(TokioIo::new(connection.stream)).await?;
    let guard: Guard = Arc::new(connection.guard);
    tokio::spawn(drive(driver.with_upgrades(), guard.clone()));
    let client_side = upgrade::requested(&mut incoming);
    let mut answer = sender.send_request(incoming).await?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        upgrade::splice(client_side, hyper::upgrade::on(&mut answer), guard);
    }
    headers::strip_hop_by_hop(answer.headers_mut());
    Ok(answer.map(body::streamed))
}

/// Moves bytes until the answer is complete; the load counts as long.
async fn drive<F: Future<Output = hyper::Result<()>>>(driver: F, guard: Guard) {
    if let Err(error) = driver.await {
        tracing::debug!(%error, "a connection to a Machine ended early");
    }
    drop(guard);
}
