//! The stand-in for Fly, as a child process.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::hostnames::{History, histories};
use crate::process::{POLL, Process};
use crate::{janitor, kubeconfig, ledger, programs};

const READY_WITHIN: Duration = Duration::from_secs(20);

/// What a Machine is in the simulator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Driver {
    /// An entry in a table, with a light gateway behind the edge.
    #[default]
    Instant,
    /// A real process from an image in this folder.
    Process {
        /// The folder with `index.json`.
        images: PathBuf,
    },
}

/// Whether the simulator limits requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RateLimits {
    /// As Fly does.
    #[default]
    AsFly,
    /// Not at all, for benches.
    Off,
}

/// How long things take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delays {
    /// No time.
    #[default]
    Instant,
    /// What was measured at Fly with the image on the host.
    Warm,
    /// What was measured at Fly with an image that must be pulled.
    Cold,
}

/// Where a simulator takes its time from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SimClock {
    /// The machine's own.
    #[default]
    Real,
    /// It stands still until [`FlySim::advance`] moves it.
    Manual,
}

/// How a simulator is started.
#[derive(Debug, Clone)]
pub struct FlySimOptions {
    /// What a Machine is.
    pub driver: Driver,
    /// Slug of the organisation.
    pub organization: String,
    /// The seed of everything that is left to chance.
    pub seed: u64,
    /// Request limits.
    pub rate_limits: RateLimits,
    /// Delays of state changes.
    pub delays: Delays,
    /// Delay of each answer, in milliseconds.
    pub latency_ms: u64,
    /// Where it takes its time from.
    pub clock: SimClock,
    /// The name server that it looks hostnames up at, such as [`crate::NameServer::address`]; its own fake DNS if there
    /// is none. See also [`FlySim::resolve_at`].
    pub resolver: Option<SocketAddr>,
}

impl Default for FlySimOptions {
    fn default() -> Self {
        Self {
            driver: Driver::default(),
            organization: "demo".to_owned(),
            seed: 1,
            rate_limits: RateLimits::default(),
            delays: Delays::default(),
            latency_ms: 0,
            clock: SimClock::default(),
            resolver: None,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Addresses {
    api: String,
    edge: String,
    #[serde(rename = "edgeCA")]
    edge_ca: PathBuf,
}

/// A running simulator. Dropping it kills it with every Machine that it runs.
pub struct FlySim {
    process: Process,
    options: FlySimOptions,
    addresses: Addresses,
    http: reqwest::Client,
    dir: TempDir,
}

impl FlySim {
    /// Starts one on free loopback ports, with an empty state.
    pub async fn start(options: FlySimOptions) -> Result<Self> {
        kubeconfig::install_crypto_provider();
        let dir = tempfile::Builder::new().prefix("moorage-fly-").tempdir()?;
        janitor::remove(dir.path())?;
        let process = spawn(&options, dir.path(), "127.0.0.1:0", "127.0.0.1:0")?;
        let addresses = wait_until_ready(&process, dir.path()).await?;
        let http = programs::http_client(Duration::from_secs(30))?;
        Ok(Self { process, options, addresses, http, dir })
    }

    /// Base URL of the Machines API, without `/v1`.
    pub fn api_url(&self) -> &str {
        &self.addresses.api
    }

    /// Address and port that stand for port 443 of every hostname.
    pub fn edge(&self) -> &str {
        &self.addresses.edge
    }

    /// PEM file with the authority of the edge's certificates.
    pub fn edge_ca(&self) -> &Path {
        &self.addresses.edge_ca
    }

    /// Slug of the organisation.
    pub fn organization(&self) -> &str {
        &self.options.organization
    }

    /// Whether it limits requests.
    pub fn rate_limits(&self) -> RateLimits {
        self.options.rate_limits
    }

    /// The folder of its state and log.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The process itself, to pause it or read its log.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Kills it and starts it again on the same ports and state: Fly had an outage.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        fs::remove_file(ready_file(self.dir.path()))?;
        let api = self.addresses.api.trim_start_matches("http://").to_owned();
        self.process = spawn(&self.options, self.dir.path(), &api, &self.addresses.edge)?;
        self.addresses = wait_until_ready(&self.process, self.dir.path()).await?;
        Ok(())
    }

    /// Reads from the simulator's own control API, such as `ledger` or `state`.
    pub async fn read(&self, path: &str) -> Result<Value> {
        let url = format!("{}/_sim/{path}", self.addresses.api);
        let answer = self.http.get(&url).send().await?;
        Self::body(path, answer).await
    }

    /// Sends to the simulator's own control API, such as a rule to `faults`.
    pub async fn send(&self, method: http::Method, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}/_sim/{path}", self.addresses.api);
        let answer = self.http.request(method, &url).json(body).send().await?;
        Self::body(path, answer).await
    }

    /// Lets time pass in it.
    pub async fn advance(&self, by: Duration) -> Result<()> {
        let body = serde_json::json!({"advanceMs": u64::try_from(by.as_millis())?});
        self.send(http::Method::POST, "clock", &body).await.map(drop)
    }

    /// Has it look hostnames up at this name server from now on, also after a restart.
    pub async fn resolve_at(&mut self, server: SocketAddr) -> Result<()> {
        self.options.resolver = Some(server);
        self.send(http::Method::POST, "settings", &serde_json::json!({"resolver": server})).await.map(drop)
    }

    /// A proxy stands before this hostname, such as Cloudflare's, and leads to this app.
    pub async fn proxy(&self, hostname: &str, app: &str) -> Result<()> {
        let body = serde_json::json!({"hostname": hostname, "app": app});
        self.send(http::Method::POST, "dns/proxied", &body).await.map(drop)
    }

    /// What was done about each hostname, by the ledger.
    pub async fn hostnames(&self) -> Result<BTreeMap<String, History>> {
        Ok(histories(&ledger::changes(&self.read("ledger?kind=effect").await?)?))
    }

    /// An HTTP client that reaches `hostname` at the edge, as a browser would reach it at Fly: it resolves
    /// the name to the edge and trusts the edge's authority. The URL needs the edge's port.
    pub fn browser(&self, hostname: &str) -> Result<reqwest::Client> {
        let authority = reqwest::Certificate::from_pem(&fs::read(self.edge_ca())?)?;
        Ok(reqwest::Client::builder()
            .tls_certs_only([authority])
            .resolve(hostname, self.edge().parse().context("the edge's address")?)
            .timeout(Duration::from_mins(1))
            .build()?)
    }

    /// `https://{hostname}:{port of the edge}{path}`.
    pub fn edge_url(&self, hostname: &str, path: &str) -> String {
        let port = self.edge().rsplit(':').next().unwrap_or_default();
        format!("https://{hostname}:{port}{path}")
    }

    async fn body(path: &str, answer: reqwest::Response) -> Result<Value> {
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("the simulator answered {status} to {path}: {text}");
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("the simulator's answer to {path}: {text}"))
    }
}

fn ready_file(dir: &Path) -> PathBuf {
    dir.join("ready.json")
}

fn spawn(options: &FlySimOptions, dir: &Path, api: &str, edge: &str) -> Result<Process> {
    let mut command = Command::new(programs::program("fly-sim")?);
    command.arg("serve").args(["--listen", api, "--edge-listen", edge]);
    command.arg("--state-dir").arg(dir.join("state")).arg("--ready-file").arg(ready_file(dir));
    command.args(["--org", &options.organization, "--seed", &options.seed.to_string()]);
    command.args(["--latency-ms", &options.latency_ms.to_string()]);
    command.args(["--rate-limits", if options.rate_limits == RateLimits::AsFly { "on" } else { "off" }]);
    command.args(["--profile", profile(options.delays)]);
    command.args(["--clock", if options.clock == SimClock::Real { "real" } else { "manual" }]);
    if let Some(resolver) = options.resolver {
        command.args(["--resolver", &resolver.to_string()]);
    }
    match &options.driver {
        Driver::Instant => command.args(["--driver", "instant"]),
        Driver::Process { images } => command.args(["--driver", "process", "--images"]).arg(images),
    };
    Process::spawn("fly-sim", &mut command, &dir.join("fly-sim.log"))
}

fn profile(delays: Delays) -> &'static str {
    match delays {
        Delays::Instant => "instant",
        Delays::Warm => "warm",
        Delays::Cold => "cold",
    }
}

async fn wait_until_ready(process: &Process, dir: &Path) -> Result<Addresses> {
    let until = Instant::now() + READY_WITHIN;
    loop {
        let ready =
            fs::read_to_string(ready_file(dir)).ok().and_then(|text| serde_json::from_str(&text).ok());
        if let Some(addresses) = ready {
            return Ok(addresses);
        }
        process.check_running()?;
        if Instant::now() > until {
            bail!("fly-sim was not ready within {READY_WITHIN:?}; its last lines:\n{}", process.log_tail(15));
        }
        tokio::time::sleep(POLL).await;
    }
}
