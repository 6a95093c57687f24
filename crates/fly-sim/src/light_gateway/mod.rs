//! A light stand-in for an OpenClaw gateway, with the same answers on the wire.
//!
//! It serves Machines that have no process. It reads the same inputs as the
//! gateway (environment and configuration) and answers the probes, the
//! attribution check, the admin RPC and the model list as the real one does. It
//! runs no agent and speaks no WebSocket.

mod answers;
mod settings;
mod version;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};

use settings::Settings;
pub use version::Version;

/// Bytes that one direction of an in-process connection buffers.
const BUFFER: usize = 16 * 1024;
/// Bound on a request's header bytes, well above any real client's.
const MAX_HEADERS: usize = 32 * 1024;

/// One gateway; cheap to clone.
#[derive(Clone, Debug)]
pub struct LightGateway {
    settings: Arc<Settings>,
}

impl LightGateway {
    /// A gateway of this version, with the Machine's environment and the files on its root filesystem.
    ///
    /// The configuration is the first file, in order of path, that is JSON and
    /// has an object `gateway` at its top or in an object below it.
    pub fn new(version: Version, env: &BTreeMap<String, String>, files: &BTreeMap<String, Vec<u8>>) -> Self {
        Self { settings: Arc::new(Settings::read(version, env, files)) }
    }

    /// A connection to the gateway from this address, in process.
    pub fn connect(&self, peer: IpAddr) -> DuplexStream {
        let (near, far) = tokio::io::duplex(BUFFER);
        let gateway = self.clone();
        tokio::spawn(async move { gateway.serve(far, peer).await });
        near
    }

    /// Answers requests on a byte stream until the other side closes it.
    pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, peer: IpAddr) {
        let service = service_fn(|request| answers::answer(&self.settings, peer, request));
        let served = http1::Builder::new()
            .max_buf_size(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "a connection to the light gateway ended early");
        }
    }
}
