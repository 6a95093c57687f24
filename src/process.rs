//! The operator process, from its arguments to its end.
//!
//! Start: configuration, logs, HTTP, preflight, lease, controllers. End: the controllers drain, then the lease is
//! given back. Whatever ends by itself ends the process with an error, so that something restarts it.

mod clients;
mod hooks;
mod level;
mod replica;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::engine::clock::{Clock, SystemClock};
use crate::engine::config::{Config, ConfigError, Overrides};
use crate::engine::lease::{Leadership, Lost};
use crate::engine::metrics::Metrics;
use crate::engine::shutdown::Signals;
use crate::engine::telemetry::{self, LogError};
use crate::serve::{self, Health};

/// An error of any kind, for the log.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Arguments of `moorage run`. Flags and environment variables set single values over the file's.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// The configuration file (YAML); `moorage config-schema` prints its schema.
    #[arg(long, env = "MOORAGE_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
    /// Values over the file's.
    #[command(flatten)]
    pub overrides: Overrides,
}

/// What the controllers are given when their time has come.
pub struct Parts {
    /// The configuration, checked.
    pub config: Config,
    /// The API server. A request that isn't answered within 30 seconds, retries included, fails.
    pub kube: kube::Client,
    /// Fly, with a token that was good a moment ago.
    pub fly: fly_machines::Client,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Counters and gauges.
    pub metrics: Metrics,
    /// To be told when the caches are filled.
    pub health: Health,
    /// To be asked before each external effect.
    pub leadership: Leadership,
    /// When cancelled: take no new work, finish what runs, return.
    pub stop: CancellationToken,
}

/// The controllers. They return `Ok` only after `stop` was cancelled and what ran has ended.
pub type Controllers = fn(Parts) -> BoxFuture<'static, Result<(), BoxError>>;

/// Why the process ends with an error.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Logs can't be as asked for.
    #[error(transparent)]
    Log(#[from] LogError),
    /// An address can't be listened on.
    #[error("can't listen on `{field}` {address}: {source}; give another address, or end what listens there")]
    Listen {
        /// The field of the configuration.
        field: &'static str,
        /// The address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// There is no way to the API server.
    #[error("no Kubernetes client: {0}; set KUBECONFIG, or run in a Pod with a ServiceAccount")]
    Kube(#[source] BoxError),
    /// The system refuses something that the process can't do without.
    #[error("the system refuses: {0}")]
    System(#[from] std::io::Error),
    /// The lease is gone.
    #[error("it must not act any more: {0}")]
    Lost(#[from] Lost),
    /// The controllers failed, or ended without being asked to.
    #[error("the controllers have ended: {0}")]
    Controllers(BoxError),
    /// The HTTP server has ended.
    #[error("the HTTP server has ended: {0}")]
    Server(BoxError),
}

/// Runs until SIGINT or SIGTERM. A second signal ends the process where it is.
///
/// # Errors
/// When it can't start, may no longer act, or a part of it has ended by itself.
pub fn run(args: &RunArgs, controllers: Controllers) -> Result<(), ProcessError> {
    let config = Config::load(&args.config, &args.overrides)?;
    let level = telemetry::init(config.logging.format, &config.logging.level)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        let stop = CancellationToken::new();
        let _signals = spawn(Signals::catch()?.watch(stop.clone()));
        let _level = spawn(level::follow(args.clone(), config.logging.level.clone(), level)?);
        live(config, controllers, stop).await
    });
    // What was cut off may hold a thread; the process doesn't wait for it.
    runtime.shutdown_background();
    result
}

/// The process without what only a whole process has: signals and a log.
async fn live(config: Config, controllers: Controllers, stop: CancellationToken) -> Result<(), ProcessError> {
    let (metrics, health) = (Metrics::new(), Health::default());
    let listener = listen("address", &config.address).await?;
    let challenges = match config.custom_domains.http01() {
        Some(http01) => Some(listen("customDomains.acme.http01.listen", &http01.listen).await?),
        None => None,
    };
    let hooks = if config.billing.has_provider() {
        Some(listen("billing.webhookAddress", &config.billing.webhook_address).await?)
    } else {
        None
    };
    tracing::info!(address = %config.address, version = env!("CARGO_PKG_VERSION"), mode = ?config.mode, "starts");
    let server = spawn(serve::serve(listener, health.clone(), metrics.clone()));
    let clients = clients::connect().await.map_err(ProcessError::Kube)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let hooks = hooks.map(|listener| hooks::Hooks::webhooks(listener, &config, &clients, &clock, &metrics));
    let challenges = challenges.map(|listener| hooks::Hooks::challenges(listener, &config, &clients));
    let replica = replica::Replica { config, clients, clock, metrics, health, controllers, stop };
    let result = tokio::select! {
        result = Box::pin(replica.live()) => result,
        ended = server => Err(ProcessError::Server(match ended {
            Ok(Ok(())) => "it was not asked to".into(),
            Ok(Err(error)) => error.into(),
            Err(error) => error.into(),
        })),
    };
    // To the last: each replica takes webhooks and answers challenges while it lives.
    for hooks in [hooks, challenges].into_iter().flatten() {
        hooks.end().await;
    }
    result
}

async fn listen(field: &'static str, address: &str) -> Result<TcpListener, ProcessError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| ProcessError::Listen { field, address: address.to_owned(), source })
}

fn spawn<F>(work: F) -> AbortOnDropHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    AbortOnDropHandle::new(tokio::spawn(work))
}

#[cfg(test)]
mod tests;
