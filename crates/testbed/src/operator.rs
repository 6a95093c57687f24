//! The operator as a child process: started, killed, frozen and started again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fly_sim::{FlySim, RateLimits};
use crate::ports::free_port;
use crate::process::{POLL, Process};
use crate::{janitor, kubeconfig, programs};

/// How an operator is started.
#[derive(Debug, Clone)]
pub struct OperatorOptions {
    /// The program; the workspace's own `moorage` if left out.
    pub program: Option<PathBuf>,
    /// Whom it is to the API server.
    pub kubeconfig: PathBuf,
    /// Its configuration, in the shape of its file. `address` and `fly.tokenFile` are filled in if missing.
    pub config: Value,
    /// The token that it has for Fly.
    pub fly_token: String,
    /// More environment variables.
    pub env: Vec<(String, String)>,
}

impl OperatorOptions {
    /// For this simulator, acting as the holder of `kubeconfig`, with pretty logs.
    pub fn new(kubeconfig: PathBuf, cluster_id: &str, fly: &FlySim) -> Self {
        let config = json!({
            "clusterID": cluster_id,
            "fly": {
                "apiURL": fly.api_url(),
                "organization": fly.organization(),
                "edge": {"address": fly.edge(), "caFile": fly.edge_ca()},
                "rateLimits": if fly.rate_limits() == RateLimits::AsFly { "Fly" } else { "Off" },
            },
            "logging": {"format": "Pretty", "level": "info"},
        });
        let fly_token = "FlyV1 fm2_testbed".to_owned();
        Self { program: None, kubeconfig, config, fly_token, env: Vec::new() }
    }

    /// The same with one more value in the configuration, by JSON pointer path such as `/logging/level`.
    #[must_use]
    pub fn with(mut self, pointer: &str, value: Value) -> Self {
        let mut place = &mut self.config;
        for key in pointer.split('/').filter(|key| !key.is_empty()) {
            place = &mut place[key];
        }
        *place = value;
        self
    }
}

/// An operator, running or just killed.
pub struct Operator {
    process: Process,
    options: OperatorOptions,
    address: String,
    http: reqwest::Client,
    dir: TempDir,
}

impl Operator {
    /// Starts it without waiting; see [`Self::wait_ready`].
    pub fn start(options: OperatorOptions) -> Result<Self> {
        kubeconfig::install_crypto_provider();
        let dir = tempfile::Builder::new().prefix("moorage-operator-").tempdir()?;
        janitor::remove(dir.path())?;
        let mut config = options.config.clone();
        let address = match config["address"].as_str() {
            Some(address) => address.to_owned(),
            None => format!("127.0.0.1:{}", free_port()?),
        };
        config["address"] = json!(address);
        fs::write(dir.path().join("fly-token"), &options.fly_token)?;
        if config["fly"]["tokenFile"].is_null() {
            config["fly"]["tokenFile"] = json!(dir.path().join("fly-token"));
        }
        fs::write(config_file(dir.path()), serde_saphyr::to_string(&config)?)?;
        let process = spawn(&options, dir.path())?;
        let http = programs::http_client(Duration::from_secs(5))?;
        Ok(Self { process, options, address, http, dir })
    }

    /// Starts it again on the same configuration, after [`Self::kill`] or its own end.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = spawn(&self.options, self.dir.path())?;
        Ok(())
    }

    /// SIGKILL: not one more line of its code runs.
    pub fn kill(&self) -> Result<()> {
        self.process.kill().map(drop)
    }

    /// The process itself: pid, pause, resume, memory, log.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// SIGTERM, then waits for its own end within `patience`; killed if it takes longer.
    pub async fn stop(&self, patience: Duration) -> Result<std::process::ExitStatus> {
        self.process.terminate(patience).await
    }

    /// Everything that it logged, over all its lives.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Where it logs to.
    pub fn log_path(&self) -> PathBuf {
        log_file(self.dir.path())
    }

    /// Waits until `/readyz` says yes.
    pub async fn wait_ready(&self, deadline: Duration) -> Result<()> {
        let until = Instant::now() + deadline;
        loop {
            let Err(last) = self.get("/readyz").await else { return Ok(()) };
            self.process.check_running()?;
            if Instant::now() > until {
                let tail = self.process.log_tail(15);
                bail!("the operator was not ready within {deadline:?}: {last:#}; its last lines:\n{tail}");
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The text of `/metrics`.
    pub async fn metrics(&self) -> Result<String> {
        self.get("/metrics").await
    }

    /// The body of an answer 2xx of its own HTTP server.
    pub async fn get(&self, path: &str) -> Result<String> {
        let answer = self.http.get(format!("http://{}{path}", self.address)).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{path} answered {status}: {text}");
        }
        Ok(text)
    }
}

fn config_file(dir: &Path) -> PathBuf {
    dir.join("config.yaml")
}

fn log_file(dir: &Path) -> PathBuf {
    dir.join("moorage.log")
}

fn spawn(options: &OperatorOptions, dir: &Path) -> Result<Process> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => programs::program("moorage")?,
    };
    let mut command = Command::new(program);
    command.arg("run").arg("--config").arg(config_file(dir));
    command.env("KUBECONFIG", &options.kubeconfig).envs(options.env.iter().cloned());
    Process::spawn("moorage", &mut command, &log_file(dir))
}
