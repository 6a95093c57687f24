//! What the platform does by hand, with the rights of the current kubeconfig.

pub mod adopt;
pub mod confirm;
pub mod orphans;

use std::path::PathBuf;

use clap::Args;
use kube::api::ListParams;
use kube::{Api, Client, Config};

use crate::api::NameClaim;
use crate::engine::config::{Config as Configuration, ConfigError, Overrides};
use crate::engine::preflight::connect_fly;

/// Why a command couldn't be carried out.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// No cluster is configured.
    #[error(
        "no cluster is configured ({0}); set KUBECONFIG, or choose a context with `kubectl config use-context`"
    )]
    Unconfigured(String),
    /// The API server refused or doesn't answer.
    #[error("{what}: {source}")]
    Kubernetes {
        /// What was tried.
        what: String,
        /// What the API server said.
        source: Box<kube::Error>,
    },
    /// Fly refused or doesn't answer.
    #[error("{what}: {source}")]
    Fly {
        /// What was tried.
        what: String,
        /// What Fly said.
        source: Box<fly_machines::Error>,
    },
    /// The operator's configuration can't be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The command itself can't be carried out.
    #[error("{0}")]
    Refused(String),
}

impl AdminError {
    fn kubernetes(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Kubernetes { what, source: Box::new(source) }
    }

    fn fly(what: impl Into<String>) -> impl FnOnce(fly_machines::Error) -> Self {
        let what = what.into();
        move |source| Self::Fly { what, source: Box::new(source) }
    }
}

/// A client of the current kubeconfig.
///
/// # Errors
/// If none is configured.
pub async fn client() -> Result<Client, AdminError> {
    let config = Config::infer().await.map_err(|error| AdminError::Unconfigured(error.to_string()))?;
    Client::try_from(config).map_err(|error| AdminError::Unconfigured(error.to_string()))
}

/// The operator's configuration, which says how Fly is reached.
#[derive(Debug, Args)]
pub struct FlyFile {
    /// The operator's configuration file: it names the organisation and the file with its token.
    #[arg(long, env = "MOORAGE_CONFIG")]
    pub config: PathBuf,
}

impl FlyFile {
    fn connect(&self) -> Result<(Configuration, fly_machines::Client), AdminError> {
        let config = Configuration::load(&self.config, &Overrides::default())?;
        let fly = connect_fly(&config.fly, &crate::engine::metrics::Metrics::default());
        let fly = fly.map_err(AdminError::fly("reach Fly"))?;
        Ok((config, fly))
    }
}

async fn claims(client: &Client) -> Result<Vec<NameClaim>, AdminError> {
    let list = Api::all(client.clone()).list(&ListParams::default()).await;
    Ok(list.map_err(AdminError::kubernetes("list NameClaims"))?.items)
}
