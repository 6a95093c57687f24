//! A certificate authority that speaks ACME: Pebble, built once from its pinned Go module.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::certs::Authority;
use crate::process::{POLL, Process};
use crate::progress::Progress;
use crate::{cache, go, janitor, kubeconfig, repository};

const READY_WITHIN: Duration = Duration::from_secs(20);
const MODULE: &str = "github.com/letsencrypt/pebble/v2";

/// How an authority behaves.
#[derive(Debug, Clone)]
pub struct PebbleOptions {
    /// The name server by which it looks at proofs.
    pub dns: SocketAddr,
    /// Seconds for which its certificates are good.
    pub validity: u64,
    /// Percentage of good nonces that it refuses.
    pub bad_nonces: u8,
}

/// What is different about an authority than usual.
#[derive(Debug, Clone, Default)]
pub struct PebbleSetup {
    /// Settings that are set beside the usual ones, or instead of them, such as `domainBlocklist`.
    pub config: Map<String, Value>,
    /// Whether it looks at proofs.
    pub proofs: Proofs,
}

/// Whether an authority looks at proofs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Proofs {
    /// It does.
    #[default]
    Checked,
    /// It takes each for good.
    Believed,
}

/// A running authority. Dropping it ends it, with all that it knows.
pub struct Pebble {
    process: Process,
    options: PebbleOptions,
    proofs: Proofs,
    directory: String,
    management: String,
    http: reqwest::Client,
    dir: TempDir,
}

impl Pebble {
    /// Starts one on free loopback ports.
    pub async fn start(options: PebbleOptions) -> Result<Self> {
        Self::start_with(options, PebbleSetup::default()).await
    }

    /// The same, with some things different.
    pub async fn start_with(options: PebbleOptions, setup: PebbleSetup) -> Result<Self> {
        kubeconfig::install_crypto_provider();
        tokio::task::spawn_blocking(program).await??;
        let dir = tempfile::Builder::new().prefix("moorage-pebble-").tempdir()?;
        janitor::remove(dir.path())?;
        let (listen, manage) = (free_address()?, free_address()?);
        let ca = prepare(dir.path(), &options, setup.config, listen, manage)?;
        let process = spawn(dir.path(), &options, setup.proofs)?;
        let trusted = reqwest::Certificate::from_pem(ca.as_bytes())?;
        let http = reqwest::Client::builder()
            .user_agent("testbed")
            .pool_max_idle_per_host(0)
            .add_root_certificate(trusted)
            .build()?;
        let pebble = Self {
            process,
            options,
            proofs: setup.proofs,
            directory: format!("https://localhost:{}/dir", listen.port()),
            management: format!("https://localhost:{}", manage.port()),
            http,
            dir,
        };
        pebble.wait_until_ready().await?;
        Ok(pebble)
    }

    /// Ends it and starts it again at the same place: it has forgotten accounts, orders and nonces.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = spawn(self.dir.path(), &self.options, self.proofs)?;
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let until = Instant::now() + READY_WITHIN;
        loop {
            let Err(last) = self.roots().await else { return Ok(()) };
            self.process.check_running()?;
            if Instant::now() > until {
                bail!(
                    "Pebble was not ready within {READY_WITHIN:?}: {last:#}\n{}",
                    self.process.log_tail(15)
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Its directory.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// PEM file with the authority of the directory's own certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// The root of the certificates that it issues, PEM.
    pub async fn roots(&self) -> Result<String> {
        let answer = self.http.get(format!("{}/roots/0", self.management)).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// The process itself.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Tells what it has logged, such as requests.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Has it answer with this when it is asked when to renew a certificate.
    pub async fn suggest_renewal(&self, certificate: &str, answer: &Value) -> Result<()> {
        let body = json!({"Certificate": certificate, "ARIResponse": answer.to_string()});
        let url = format!("{}/set-renewal-info/", self.management);
        let answer = self.http.post(url).json(&body).send().await?;
        let (status, said) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "set-renewal-info answered {status}: {said}");
        Ok(())
    }
}

fn spawn(dir: &Path, options: &PebbleOptions, proofs: Proofs) -> Result<Process> {
    let mut command = Command::new(program()?);
    command.arg("-config").arg(dir.join("pebble.json"));
    command.arg("-dnsserver").arg(options.dns.to_string());
    command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", options.bad_nonces.to_string());
    // An authorization that is valid already would leave nothing to prove.
    command.env("PEBBLE_AUTHZREUSE", "0");
    if proofs == Proofs::Believed {
        command.env("PEBBLE_VA_ALWAYS_VALID", "1");
    }
    Process::spawn("pebble", &mut command, &dir.join("pebble.log"))
}

fn prepare(
    dir: &Path,
    options: &PebbleOptions,
    different: Map<String, Value>,
    listen: SocketAddr,
    manage: SocketAddr,
) -> Result<String> {
    let authority = Authority::new()?;
    let pair = authority.server()?;
    fs::write(dir.join("ca.pem"), &authority.certificate)?;
    fs::write(dir.join("cert.pem"), &pair.certificate)?;
    fs::write(dir.join("key.pem"), &pair.key)?;
    let mut pebble = json!({
        "listenAddress": listen.to_string(),
        "managementListenAddress": manage.to_string(),
        "certificate": dir.join("cert.pem"),
        "privateKey": dir.join("key.pem"),
        "httpPort": 5002,
        "tlsPort": 5001,
        "profiles": {"default": {"description": "for tests", "validityPeriod": options.validity}},
    });
    for (setting, value) in different {
        pebble[setting] = value;
    }
    fs::write(dir.join("pebble.json"), json!({"pebble": pebble}).to_string())?;
    Ok(authority.certificate)
}

fn program() -> Result<PathBuf> {
    let module = repository().join("tools/pebble");
    let pins = fs::read_to_string(module.join("go.mod"))?;
    let pin = pins.lines().find_map(|line| line.trim().strip_prefix(MODULE)?.split_whitespace().next());
    let version = pin.context("tools/pebble/go.mod requires no Pebble")?;
    let dir = cache::root().join("pebble").join(version);
    cache::ensure(&dir, Progress::stderr(), |staging| {
        let mut command = go::go(&module)?;
        command.args(["build", "-trimpath", "-ldflags", "-s -w", "-o"]).arg(staging.join("pebble"));
        let built = command.arg(format!("{MODULE}/cmd/pebble")).output()?;
        ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Ok(())
    })?;
    Ok(dir.join("pebble"))
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr()?)
}
