//! The listener: so many connections at once, none of them for ever without a request, and an end in order.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

/// Connections at once; others wait to be accepted.
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
    let (slots, connections) = (Arc::new(Semaphore::new(CONNECTIONS)), TaskTracker::new());
    while let Some(stream) = stop.run_until_cancelled(accept(&listener)).await {
        let slot = stop.run_until_cancelled(Arc::clone(&slots).acquire_owned()).await;
        let Some(Ok(slot)) = slot else { break };
        let serving = connection(stream, router.clone(), stop.clone());
        connections.spawn(async move {
            serving.await;
            drop(slot);
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

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut router = router.clone();
        async move { router.call(request.map(axum::body::Body::new)).await }
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
