//! Stripe's own mock, which holds requests against the published description of its API. It remembers nothing.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::process::{POLL, Process};
use crate::progress::Progress;
use crate::{cache, go, janitor, repository};

const READY_WITHIN: Duration = Duration::from_secs(20);
const MODULE: &str = "github.com/stripe/stripe-mock";

/// A running mock. Dropping it ends it.
pub struct StripeMock {
    _process: Process,
    address: SocketAddr,
    _dir: TempDir,
}

impl StripeMock {
    /// Starts one on free loopback ports.
    pub async fn start() -> Result<Self> {
        let program = tokio::task::spawn_blocking(program).await??;
        let dir = tempfile::Builder::new().prefix("moorage-stripe-mock-").tempdir()?;
        janitor::remove(dir.path())?;
        // Without an address of its own it would serve TLS on all interfaces.
        let (address, tls) = (free_address()?, free_address()?);
        let mut command = Command::new(program);
        command.args(["-http-addr", &address.to_string(), "-https-addr", &tls.to_string()]);
        let process = Process::spawn("stripe-mock", &mut command, &dir.path().join("stripe-mock.log"))?;
        let until = Instant::now() + READY_WITHIN;
        while tokio::net::TcpStream::connect(address).await.is_err() {
            process.check_running()?;
            if Instant::now() > until {
                bail!("stripe-mock was not ready within {READY_WITHIN:?}:\n{}", process.log_tail(15));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(Self { _process: process, address, _dir: dir })
    }

    /// Its address, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn program() -> Result<PathBuf> {
    let module = repository().join("tools/stripe-mock");
    let pins = fs::read_to_string(module.join("go.mod"))?;
    let pin = pins.lines().find_map(|line| line.trim().strip_prefix(MODULE)?.split_whitespace().next());
    let version = pin.context("tools/stripe-mock/go.mod requires no stripe-mock")?;
    let dir = cache::root().join("stripe-mock").join(version);
    cache::ensure(&dir, Progress::stderr(), |staging| {
        let mut command = go::go(&module)?;
        command.args(["build", "-trimpath", "-ldflags", "-s -w", "-o"]).arg(staging.join("stripe-mock"));
        let built = command.arg(MODULE).output()?;
        ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Ok(())
    })?;
    Ok(dir.join("stripe-mock"))
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr()?)
}
