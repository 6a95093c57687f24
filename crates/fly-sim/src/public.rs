//! The simulator's side of the public edge.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::edge::{ByteStream, CertificateChoice, Connection, Refusal, Request, Routes, certified_key};
use crate::world::Sim;
use crate::world::routing::Route;
use crate::world::state::Key;

/// A request is held so long while its Machine comes up.
const PATIENCE: Duration = Duration::from_mins(1);
/// A port that refuses is tried again after so long.
const AGAIN: Duration = Duration::from_millis(200);
/// So long a running Machine's port may refuse before the request fails.
const REFUSING: Duration = Duration::from_secs(15);

/// Routes of a simulator.
pub struct Public {
    sim: Arc<Sim>,
}

/// Counts a request as load until it is dropped.
struct Load {
    sim: Arc<Sim>,
    key: Key,
}

impl Drop for Load {
    fn drop(&mut self) {
        self.sim.enter().request_ended(&self.key);
    }
}

impl Public {
    /// Routes of this simulator.
    pub fn new(sim: Arc<Sim>) -> Self {
        Self { sim }
    }

    fn choose(&self, hostname: &str) -> CertificateChoice {
        let state = self.sim.enter();
        let Some(app) = state.app_of_host(hostname).and_then(|name| state.apps.get(name)) else {
            return CertificateChoice::Unknown;
        };
        if hostname == format!("{}.fly.dev", app.name) {
            return if app.is_public() { CertificateChoice::Own } else { CertificateChoice::Unknown };
        }
        let wildcard = hostname.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        let exact = app.certificates.get(hostname);
        let certificate = exact.or_else(|| wildcard.and_then(|name| app.certificates.get(&name)));
        let custom = certificate.and_then(|certificate| certificate.custom.as_ref());
        match custom.map(|custom| certified_key(&custom.chain, &custom.key)) {
            Some(Ok(key)) => CertificateChoice::Custom(Arc::new(key)),
            Some(Err(error)) => {
                tracing::warn!(%error, hostname, "the certificate can't be used");
                CertificateChoice::Unknown
            }
            None if certificate.is_some_and(|certificate| certificate.issued.is_some()) => {
                CertificateChoice::Own
            }
            None => CertificateChoice::Unknown,
        }
    }

    async fn open(&self, request: &Request, key: Key, port: u16) -> Result<Connection, Refusal> {
        let load = Load { sim: Arc::clone(&self.sim), key };
        let gone = || Refusal::NoCandidate("the machine has gone away".to_owned());
        let until = Instant::now() + REFUSING;
        loop {
            let (launch, region, address) = {
                let state = self.sim.enter();
                let launch = state.launch_spec(&load.key).ok_or_else(gone)?;
                let region = launch.region.clone();
                (launch, region, state.public_address(&load.key.app).and_then(|ip| ip.parse().ok()))
            };
            match self.sim.driver.connect(launch, port).await {
                Ok(stream) => {
                    let stream: Box<dyn ByteStream> = Box::new(stream);
                    let app_address = address.unwrap_or(IpAddr::V6(Ipv6Addr::LOCALHOST));
                    return Ok(Connection { stream, app_address, region, guard: Box::new(load) });
                }
                Err(error) if Instant::now() >= until => {
                    tracing::debug!(%error, hostname = request.hostname, "no connection to the machine");
                    return Err(Refusal::Unreachable(error.to_string()));
                }
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Waits until the Machine changes, for a moment at most.
    async fn changed(&self, key: &Key) {
        let changed = self.sim.enter().machine(key).map(|machine| Arc::clone(&machine.changed));
        let Some(changed) = changed else { return };
        // A change between looking and listening is caught by the time limit.
        let _ = tokio::time::timeout(AGAIN, changed.notified()).await;
    }
}

impl Routes for Public {
    async fn certificate(&self, hostname: &str) -> CertificateChoice {
        self.choose(hostname)
    }

    async fn connect(&self, request: Request) -> Result<Connection, Refusal> {
        let until = Instant::now() + PATIENCE;
        loop {
            let route = self.sim.enter().route(&request.hostname, request.port.number());
            match route {
                Route::To(key, port) => return self.open(&request, key, port).await,
                Route::RedirectToHttps => return Err(Refusal::RedirectToHttps),
                Route::NoService => return Err(Refusal::NoService),
                Route::NoCandidate(why) => return Err(Refusal::NoCandidate(why)),
                Route::Wait(_) if Instant::now() >= until => {
                    return Err(Refusal::NoCandidate("the machine didn't start in time".to_owned()));
                }
                Route::Wait(key) => self.changed(&key).await,
            }
        }
    }
}
