//! What the platform does by hand, with the rights of the current kubeconfig.

pub mod adopt;
pub mod billing;
pub mod confirm;
pub mod deployments;
pub mod fleet;
pub mod orphans;
pub mod output;
pub mod recover;

use std::fmt::Debug;
use std::path::PathBuf;

use clap::Args;
use kube::api::ListParams;
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;

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

    /// Whether the API server answered: then it is there, and refused.
    fn is_answer(&self) -> bool {
        matches!(self, Self::Kubernetes { source, .. } if matches!(source.as_ref(), kube::Error::Api(_)))
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

/// Objects that are asked for at once.
const PAGE: u32 = 500;

/// Every object of a kind, in all namespaces; `what` is its name in the plural.
async fn list<K>(client: &Client, what: &str) -> Result<Vec<K>, AdminError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    pages(&Api::all(client.clone()), &ListParams::default(), what).await
}

/// Every object that matches, page by page.
async fn pages<K>(api: &Api<K>, params: &ListParams, what: &str) -> Result<Vec<K>, AdminError>
where
    K: Clone + DeserializeOwned + Debug,
{
    let (mut all, mut params) = (Vec::new(), params.clone().limit(PAGE));
    loop {
        let page = api.list(&params).await.map_err(AdminError::kubernetes(format!("list {what}")))?;
        all.extend(page.items);
        match page.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => params.continue_token = Some(next),
            None => return Ok(all),
        }
    }
}

async fn claims(client: &Client) -> Result<Vec<NameClaim>, AdminError> {
    list(client, "NameClaims").await
}
