//! Health checks that are really made, from inside the Machine's network.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::clock::{Clock, RealClock, rfc3339};
use crate::model::config::{CheckSpec, Parts};
use crate::model::machine::CheckResult;
use crate::sandbox::Sandbox;
use crate::world::checks::service_check;

/// Fly's own defaults.
const INTERVAL: Duration = Duration::from_secs(15);
const TIMEOUT: Duration = Duration::from_secs(10);
/// So much of an answer is shown.
const SHOWN: usize = 4 << 10;

/// One check.
#[derive(Clone, Debug)]
pub struct Probe {
    name: String,
    port: u16,
    spec: CheckSpec,
}

/// The checks of a configuration.
pub fn checks_of(config: &Value) -> Vec<Probe> {
    let Ok(parts) = Parts::deserialize(config) else { return Vec::new() };
    let first_port = parts.services.first().map_or(8080, |service| service.internal_port);
    let own = parts.checks.iter().map(|(name, spec)| Probe {
        name: name.clone(),
        port: spec.port.unwrap_or(first_port),
        spec: spec.clone(),
    });
    let of_services = parts.services.iter().flat_map(|s| s.checks.iter().map(|spec| (s.internal_port, spec)));
    let of_services = of_services.enumerate().map(|(number, (port, spec))| Probe {
        name: service_check(number, &spec.kind, port),
        port: spec.port.unwrap_or(port),
        spec: spec.clone(),
    });
    own.chain(of_services).collect()
}

impl Probe {
    /// Checks again and again until it is stopped.
    pub async fn repeat(self, sandbox: Sandbox, report: impl Fn(CheckResult) + Send) {
        let grace = Instant::now() + self.spec.grace_period.unwrap_or_default();
        let mut tick = tokio::time::interval(self.spec.interval.filter(|i| !i.is_zero()).unwrap_or(INTERVAL));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let timeout = self.spec.timeout.filter(|t| !t.is_zero()).unwrap_or(TIMEOUT);
            let made = tokio::time::timeout(timeout, self.once(&sandbox)).await;
            let (status, output) = match made.unwrap_or_else(|_| Err("timeout: no answer in time".to_owned()))
            {
                Ok(output) => ("passing", output),
                Err(output) if Instant::now() < grace => ("warning", output),
                Err(output) => ("critical", output),
            };
            let updated_at = rfc3339(RealClock.now());
            report(CheckResult { name: self.name.clone(), status: status.to_owned(), output, updated_at });
        }
    }

    async fn once(&self, sandbox: &Sandbox) -> Result<String, String> {
        let stream = sandbox.connect(self.port).await.map_err(|error| error.to_string())?;
        if self.spec.kind != "http" {
            return Ok("Success".to_owned());
        }
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let driven = tokio::spawn(connection);
        let answer = self.ask(&mut sender).await;
        driven.abort();
        answer
    }

    async fn ask(&self, sender: &mut http1::SendRequest<Empty<Bytes>>) -> Result<String, String> {
        let request = self.request().map_err(|error| error.to_string())?;
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = response.status();
        let body = Limited::new(response.into_body(), SHOWN).collect().await;
        let body =
            body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()).unwrap_or_default();
        if status.is_success() { Ok(body) } else { Err(format!("{status} {body}")) }
    }

    fn request(&self) -> http::Result<http::Request<Empty<Bytes>>> {
        let mut request = http::Request::builder()
            .method(self.spec.method.as_deref().filter(|method| !method.is_empty()).unwrap_or("GET"))
            .uri(self.spec.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/"));
        let named = self.spec.headers.iter().any(|header| header.name.eq_ignore_ascii_case("host"));
        if !named {
            request = request.header("host", format!("127.0.0.1:{}", self.port));
        }
        for header in &self.spec.headers {
            for value in &header.values {
                request = request.header(&header.name, value);
            }
        }
        request.body(Empty::new())
    }
}
