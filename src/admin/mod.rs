//! What the platform does by hand, with the rights of the current kubeconfig.

pub mod confirm;

use kube::{Client, Config};

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
    /// The command itself can't be carried out.
    #[error("{0}")]
    Refused(String),
}

impl AdminError {
    fn kubernetes(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Kubernetes { what, source: Box::new(source) }
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
