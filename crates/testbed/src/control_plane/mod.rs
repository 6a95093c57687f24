//! etcd, kube-apiserver and kube-controller-manager on loopback, with RBAC and every default admission
//! plugin, in a temporary folder.

mod audit;
mod programs;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kube::Client;
use tempfile::TempDir;
use tokio::sync::OnceCell;

pub use audit::AuditEvent;

use crate::certs::Authority;
use crate::kubeconfig::{self, Identity};
use crate::process::{POLL, Process};
use crate::progress::Progress;
use crate::{go, janitor, objects};

const READY_WITHIN: Duration = Duration::from_mins(1);

/// Whether the API server writes down who asked for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Audit {
    /// No log, as for a bench of raw speed.
    #[default]
    Off,
    /// Verb, user, object and answer of each request, without bodies. See [`ControlPlane::audit_events`].
    Requests,
    /// The same with the bodies, to look for what should never be written.
    Bodies,
}

/// How a control plane is started. The default is quick and complete.
#[derive(Debug, Clone, Default)]
pub struct ControlPlaneOptions {
    /// The audit log.
    pub audit: Audit,
    /// A folder of CRDs, installed before the controller manager starts: its garbage collector otherwise
    /// learns of new kinds only every 30 seconds.
    pub crds: Option<PathBuf>,
    /// More flags for kube-apiserver, such as `--max-requests-inflight=800`.
    pub api_server_flags: Vec<String>,
    /// Where building the programs shows its progress; nowhere if left out.
    pub progress: Option<Progress>,
}

/// A running control plane. Dropping it kills its processes and removes its folder.
pub struct ControlPlane {
    // Fields drop in this order: clients of a server go before it, the folder last.
    controller_manager: Process,
    api_server: Process,
    etcd: Process,
    url: String,
    authority: Authority,
    binaries: PathBuf,
    dir: TempDir,
}

impl ControlPlane {
    /// Starts one, building the programs first if that was never done on this machine.
    pub async fn start(options: &ControlPlaneOptions) -> Result<Self> {
        kubeconfig::install_crypto_provider();
        let progress = options.progress.unwrap_or_else(Progress::quiet);
        let binaries = tokio::task::spawn_blocking(move || go::control_plane_binaries(progress)).await??;
        let mut last = None;
        // Each program takes a port that was free a moment ago; somebody else may be quicker.
        for _ in 0..3 {
            match Self::attempt(options, binaries.clone()).await {
                Ok(cluster) => return Ok(cluster),
                Err(error) if format!("{error:#}").contains("address already in use") => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.context("no attempt was made")?)
    }

    /// One for the whole process, started by the first who asks: tests in one binary share it and take a
    /// namespace each. Its audit log is on, and the repository's `crds/` are installed if there are any.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        SHARED
            .get_or_try_init(|| async {
                let crds = Some(crate::repository().join("crds")).filter(|dir| dir.exists());
                let options = ControlPlaneOptions { audit: Audit::Requests, crds, ..Default::default() };
                Self::start(&options).await
            })
            .await
    }

    async fn attempt(options: &ControlPlaneOptions, binaries: PathBuf) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("moorage-cluster-").tempdir()?;
        janitor::remove(dir.path())?;
        let authority = Authority::new()?;
        let layout = programs::Layout { binaries: &binaries, dir: dir.path() };
        layout.write_credentials(&authority)?;
        let (etcd, etcd_url) = layout.start_etcd()?;
        let (api_server, url) = layout.start_api_server(&etcd_url, options)?;
        kubeconfig::write(dir.path(), &url, &authority, &Identity::Admin, None)?;
        let client = kubeconfig::connect(&kubeconfig::path(dir.path(), &Identity::Admin)).await?;
        wait_until_ready(&client, &[&etcd, &api_server]).await?;
        if let Some(crds) = &options.crds {
            install_crds(&client, crds).await?;
        }
        let controller_manager = layout.start_controller_manager(&url, &authority)?;
        Ok(Self { controller_manager, api_server, etcd, url, authority, binaries, dir })
    }

    /// The API server's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its temporary folder, with the logs of the three programs.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A `kubectl` of the cluster's own version, if one was built.
    pub fn kubectl(&self) -> PathBuf {
        self.binaries.join("kubectl")
    }

    /// A kubeconfig file with which its holder is `identity`. A `ServiceAccount` must exist.
    pub async fn kubeconfig(&self, identity: &Identity) -> Result<PathBuf> {
        let path = kubeconfig::path(self.dir.path(), identity);
        if path.exists() {
            return Ok(path);
        }
        let token = match identity {
            Identity::ServiceAccount { namespace, name } => {
                Some(kubeconfig::token(&self.client(&Identity::Admin).await?, namespace, name).await?)
            }
            _ => None,
        };
        kubeconfig::write(self.dir.path(), &self.url, &self.authority, identity, token)?;
        Ok(path)
    }

    /// A new client that acts as `identity`. A client belongs to the async runtime that it was made in:
    /// each test makes its own.
    pub async fn client(&self, identity: &Identity) -> Result<Client> {
        // Boxed, since a ServiceAccount's token is asked for with the administrator's client.
        let path = Box::pin(self.kubeconfig(identity)).await?;
        kubeconfig::connect(&path).await
    }

    /// What the API server has answered so far, oldest first. Empty if the audit log is off.
    pub fn audit_events(&self) -> Result<Vec<AuditEvent>> {
        audit::read(&self.dir.path().join(programs::AUDIT_LOG))
    }

    /// Resident memory of the three programs together, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let all = [&self.etcd, &self.api_server, &self.controller_manager];
        all.into_iter().filter_map(Process::resident_bytes).sum()
    }

    /// The API server itself, for tests that pause or watch it.
    pub fn api_server(&self) -> &Process {
        &self.api_server
    }

    /// The store itself.
    pub fn etcd(&self) -> &Process {
        &self.etcd
    }

    /// The controller manager itself.
    pub fn controller_manager(&self) -> &Process {
        &self.controller_manager
    }
}

async fn wait_until_ready(client: &Client, programs: &[&Process]) -> Result<()> {
    let until = Instant::now() + READY_WITHIN;
    loop {
        let request = http::Request::get("/readyz").body(Vec::new())?;
        let Err(error) = client.request_text(request).await else { return Ok(()) };
        for program in programs {
            program.check_running()?;
        }
        if Instant::now() > until {
            bail!("the API server was not ready within {READY_WITHIN:?}: {error}");
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Applies every YAML file in `dir` and waits until all its kinds are served.
pub(crate) async fn install_crds(client: &Client, dir: &Path) -> Result<()> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .with_context(|| format!("read the CRDs in {}", dir.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let mut crds = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file)?;
        crds.extend(
            objects::apply(client, &text).await.with_context(|| format!("apply {}", file.display()))?,
        );
    }
    objects::await_established(client, &crds).await
}
