//! Asks a gateway for its health at its public URL.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::facts::ProbeResult;
use crate::engine::config::EdgeConfig;
use crate::gateway::health::{MAX_BODY_BYTES, Probe, Verdict, judge};

/// Longest time that one question may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why gateways can't be asked.
#[derive(Debug, thiserror::Error)]
pub enum ProberError {
    /// The edge's address isn't one.
    #[error("`fly.edge.address` must be an address and a port, such as 127.0.0.1:8443")]
    Address,
    /// The edge's authority can't be read.
    #[error("`fly.edge.caFile` can't be read as PEM certificates: {0}")]
    Authority(String),
    /// The HTTP client can't be made.
    #[error("the HTTP client for gateways can't be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// Asks gateways for their health. Sends no token, follows no redirect, reads little.
#[derive(Clone, Debug)]
pub struct Prober {
    http: reqwest::Client,
}

impl Prober {
    /// A prober that finds `{app}.fly.dev` by DNS, or all of them at one edge.
    ///
    /// # Errors
    /// If the edge's address or authority can't be used.
    pub fn new(edge: Option<&EdgeConfig>) -> Result<Self, ProberError> {
        let mut builder = reqwest::Client::builder()
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(Duration::from_secs(1))
            .timeout(TIMEOUT);
        if let Some(edge) = edge {
            let address = edge.address.parse().map_err(|_| ProberError::Address)?;
            builder = builder.dns_resolver(Arc::new(OneAddress(address)));
            if let Some(file) = &edge.ca_file {
                for certificate in authorities(file)? {
                    builder = builder.add_root_certificate(certificate);
                }
            }
        }
        Ok(Self { http: builder.build()? })
    }

    /// Whether the gateway of the app serves. Any trouble on the way reads as not live.
    ///
    /// Its health endpoint answers before the start has come to its end, so that is asked for as well; a gateway that
    /// doesn't know that question answers with a web page, and is taken at its first word.
    pub async fn ask(&self, app: &str) -> ProbeResult {
        for probe in [Probe::Health, Probe::Startup] {
            let url = format!("https://{app}.fly.dev{}", probe.path());
            let verdict = match self.verdict(probe, &url).await {
                Ok(verdict) => verdict,
                Err(error) => {
                    tracing::debug!(app, %error, "the gateway can't be reached");
                    return ProbeResult::NotLive;
                }
            };
            let unknown = probe == Probe::Startup && verdict == Verdict::NotAGateway;
            if verdict != Verdict::Healthy && !unknown {
                tracing::debug!(app, verdict = verdict.message(), "the gateway isn't live");
                return ProbeResult::NotLive;
            }
        }
        ProbeResult::Live
    }

    async fn verdict(&self, probe: Probe, url: &str) -> Result<Verdict, reqwest::Error> {
        let mut response = self.http.get(url).send().await?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY_BYTES {
                break;
            }
        }
        Ok(judge(probe, status, &body))
    }
}

fn authorities(file: &std::path::Path) -> Result<Vec<reqwest::Certificate>, ProberError> {
    let pem = std::fs::read(file).map_err(|error| ProberError::Authority(error.to_string()))?;
    reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| ProberError::Authority(error.to_string()))
}

/// Finds every name at one address.
struct OneAddress(SocketAddr);

impl Resolve for OneAddress {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}
