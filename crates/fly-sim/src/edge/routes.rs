//! What the edge asks the simulator: certificates, and connections to Machines.

use std::{any::Any, fmt, net::IpAddr, sync::Arc};

use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Leaf;

/// The simulator's side of the edge.
pub trait Routes: Send + Sync + 'static {
    /// Which certificate a hostname has. The hostname is lower-case and without a port.
    fn certificate(&self, hostname: &str) -> impl Future<Output = CertificateChoice> + Send;

    /// Opens a connection to a Machine of the app that owns the hostname.
    ///
    /// It wakes a stopped Machine where autostart says so, waits until its port
    /// accepts, and counts the connection as load until [`Connection::guard`] is dropped.
    fn connect(&self, request: Request) -> impl Future<Output = Result<Connection, Refusal>> + Send;
}

/// The certificate with which the edge answers for a hostname.
#[derive(Clone, Debug)]
pub enum CertificateChoice {
    /// One made by the edge's own authority for a name that is Fly's own, such as `{app}.fly.dev`.
    Own,
    /// One made by the edge's own authority in the place of Let's Encrypt.
    Issued(Leaf),
    /// One that was issued or uploaded elsewhere.
    Custom(Arc<CertifiedKey>),
    /// None: the handshake is refused.
    Unknown,
}

/// One request that needs a Machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Lower-case, without a port.
    pub hostname: String,
    /// The public port at which the request came in.
    pub port: PublicPort,
    /// The client's address, as the Machine will see it in `Fly-Client-IP`.
    pub client: IpAddr,
}

/// The public ports that the edge stands for, whatever loopback ports it listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PublicPort {
    /// 80, without TLS.
    Http,
    /// 443, with TLS.
    Https,
}

impl PublicPort {
    /// The port's number on the internet.
    pub fn number(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A byte stream to a Machine's internal port.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> ByteStream for T {}

/// An open connection to a Machine.
pub struct Connection {
    /// To the Machine's internal port.
    pub stream: Box<dyn ByteStream>,
    /// The app's own anycast address, the rightmost entry of `X-Forwarded-For`.
    pub app_address: IpAddr,
    /// The region whose edge took the request, such as `fra`.
    pub region: String,
    /// Dropped when the request, or the upgraded connection that came of it, has ended.
    pub guard: Box<dyn Any + Send + Sync>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("app_address", &self.app_address)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The port has `force_https`: the client is sent to `https://`.
    RedirectToHttps,
    /// No app, no service on this port, or no address: the connection is closed without an answer.
    NoService,
    /// No Machine that could take it: 503.
    NoCandidate(String),
    /// A Machine was chosen and doesn't accept: 502.
    Unreachable(String),
}
