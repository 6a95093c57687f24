//! The simulator's side of the public edge.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::edge::{ByteStream, CertificateChoice, Connection, Leaf, Refusal, Request, Routes};
use crate::model::certificate::{Certificate, Custom};
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
        if hostname == app.default_hostname() {
            return if app.is_public() { CertificateChoice::Own } else { CertificateChoice::Unknown };
        }
        state
            .certificate_of(&app.name, hostname)
            .map_or(CertificateChoice::Unknown, |certificate| chosen(&app.name, certificate))
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

/// The customer's own certificate before Fly's, even if it has expired.
fn chosen(app: &str, certificate: &Certificate) -> CertificateChoice {
    match certificate.active_custom().map(Custom::certified) {
        Some(Ok(key)) => return CertificateChoice::Custom(key),
        Some(Err(error)) => {
            tracing::warn!(%error, hostname = certificate.hostname, "the certificate can't be used");
        }
        None => {}
    }
    certificate.issued.map_or(CertificateChoice::Unknown, |issued| {
        CertificateChoice::Issued(Leaf {
            app: app.to_owned(),
            name: certificate.hostname.clone(),
            not_before: issued.created_at,
            not_after: issued.expires_at,
        })
    })
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
