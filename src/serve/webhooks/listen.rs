//! The listener: so many connections at once, none of them for ever without a request, slow ones no longer than there is
//! room, and an end in order.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use super::seats::{Seat, Seats};

/// Connections at once; when there are so many, the one that has kept us waiting longest is closed for the next.
const CONNECTIONS: usize = 1024;
/// Time within which a connection has to send the head of its next request: longer than proxies keep an idle one, which
/// would else send a request into a connection that is just being closed.
const HEAD_WITHIN: Duration = Duration::from_secs(75);
/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 32 * 1024;
/// Time that requests have to be answered when the process ends.
const END_WITHIN: Duration = Duration::from_secs(5);
/// Pause when the system has no more descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop`, and then answers what it has begun to read.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let (seats, connections) = (Seats::new(CONNECTIONS), TaskTracker::new());
    while let Some(stream) = stop.run_until_cancelled(accept(&listener)).await {
        let Some(seat) = stop.run_until_cancelled(seats.take()).await else { break };
        let serving = connection(stream, router.clone(), Arc::clone(&seat), stop.clone());
        let seats = Arc::clone(&seats);
        connections.spawn(async move {
            tokio::select! {
                () = serving => {}
                () = seat.left() => tracing::debug!("a connection was closed that had kept others waiting"),
            }
            seats.free(&seat);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(END_WITHIN, connections.wait()).await.is_err() {
        tracing::warn!("some webhooks weren't answered before the end; their senders send them again");
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "a connection couldn't be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, seat: Arc<Seat>, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let (mut router, seat) = (router.clone(), Arc::clone(&seat));
        request.extensions_mut().insert(Arc::clone(&seat));
        async move {
            let answer = router.call(request.map(axum::body::Body::new)).await;
            seat.waits();
            answer
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(LARGEST_HEAD);
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
}
