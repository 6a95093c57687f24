//! The edge's listeners.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::{Uri, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::LazyConfigAcceptor;

use super::{Authority, PublicPort, Request, Routes, certificates::Certificates, forward};

/// Bound on a request's header bytes.
const MAX_HEADERS: usize = 64 * 1024;
/// A client that sends no whole handshake or header within this is dropped.
const PATIENCE: Duration = Duration::from_mins(1);
/// After a failed accept, mostly for want of descriptors.
const BREATHER: Duration = Duration::from_millis(50);

/// Where the edge listens and how it names its clients.
#[derive(Clone, Debug)]
pub struct EdgeOptions {
    /// For TLS, on loopback; port 0 picks a free one.
    pub https: SocketAddr,
    /// For plain HTTP; port 0 picks a free one.
    pub http: SocketAddr,
    /// What a client on loopback counts as. No visitor of Fly's edge has a
    /// loopback address, and gateways trust such ones.
    pub loopback_client: IpAddr,
}

impl Default for EdgeOptions {
    /// Free ports on 127.0.0.1; clients count as 203.0.113.7, an address for documentation.
    fn default() -> Self {
        Self {
            https: ([127, 0, 0, 1], 0).into(),
            http: ([127, 0, 0, 1], 0).into(),
            loopback_client: [203, 0, 113, 7].into(),
        }
    }
}

/// A running edge; it closes its ports when dropped.
#[derive(Debug)]
pub struct Edge {
    /// For TLS, and for plain HTTP.
    addresses: [SocketAddr; 2],
    ca: PathBuf,
    listeners: [JoinHandle<()>; 2],
}

impl Edge {
    /// Opens the ports and serves until dropped.
    pub async fn start<R: Routes>(
        options: EdgeOptions,
        authority: Authority,
        routes: Arc<R>,
    ) -> io::Result<Self> {
        let https = TcpListener::bind(options.https).await?;
        let http = TcpListener::bind(options.http).await?;
        let addresses = [https.local_addr()?, http.local_addr()?];
        let ca = authority.certificate_path().to_owned();
        let shared = Arc::new(Shared {
            routes,
            certificates: Certificates::new(authority)?,
            loopback_client: options.loopback_client,
            https_port: addresses[0].port(),
        });
        let listeners = [(https, PublicPort::Https), (http, PublicPort::Http)]
            .map(|(listener, port)| tokio::spawn(accept(shared.clone(), listener, port)));
        Ok(Self { addresses, ca, listeners })
    }

    /// Where TLS is spoken.
    pub fn https(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where plain HTTP is spoken.
    pub fn http(&self) -> SocketAddr {
        self.addresses[1]
    }

    /// The certificate authority that clients must trust, PEM.
    pub fn ca_path(&self) -> &Path {
        &self.ca
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

struct Shared<R> {
    routes: Arc<R>,
    certificates: Certificates,
    loopback_client: IpAddr,
    https_port: u16,
}

async fn accept<R: Routes>(shared: Arc<Shared<R>>, listener: TcpListener, port: PublicPort) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let client = if peer.ip().is_loopback() { shared.loopback_client } else { peer.ip() };
                tokio::spawn(greet(shared.clone(), stream, port, client));
            }
            Err(error) => {
                tracing::warn!(%error, "the edge can't accept a connection");
                tokio::time::sleep(BREATHER).await;
            }
        }
    }
}

async fn greet<R: Routes>(shared: Arc<Shared<R>>, stream: TcpStream, port: PublicPort, client: IpAddr) {
    // Only latency is at stake.
    let _ = stream.set_nodelay(true);
    let served = match port {
        PublicPort::Http => serve(&shared, stream, port, client).await,
        PublicPort::Https => match tokio::time::timeout(PATIENCE, handshake(&shared, stream)).await {
            Ok(Ok(stream)) => serve(&shared, stream, port, client).await,
            Ok(Err(error)) => Err(error),
            Err(_elapsed) => Ok(()),
        },
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the edge ended early");
    }
}

/// Chooses the certificate by the name that the client asks for.
async fn handshake<R: Routes>(
    shared: &Shared<R>,
    stream: TcpStream,
) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
    let name = start.client_hello().server_name().unwrap_or_default().to_ascii_lowercase();
    let choice = shared.routes.certificate(&name).await;
    start.into_stream(shared.certificates.config(&name, choice)?).await
}

async fn serve<R: Routes, S>(
    shared: &Shared<R>,
    stream: S,
    port: PublicPort,
    client: IpAddr,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(|incoming: hyper::Request<Incoming>| async move {
        let hostname = hostname(&incoming).ok_or(forward::Closed)?;
        let request = Request { hostname, port, client };
        forward::forward(&*shared.routes, request, shared.https_port, incoming).await
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await
        .map_err(io::Error::other)
}

/// The name in the request itself: one connection may serve several.
fn hostname(incoming: &hyper::Request<Incoming>) -> Option<String> {
    let named = incoming.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    let authority = named.or_else(|| incoming.uri().authority().map(http::uri::Authority::as_str))?;
    let host = Uri::try_from(authority).ok()?.host()?.to_ascii_lowercase();
    Some(host)
}
