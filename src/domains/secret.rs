//! Reads the secret values that the configuration refers to, each time that they are needed.

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use secrecy::SecretString;

use super::DomainError;
use crate::engine::config::base_domain::{SecretKey, SecretSource};

/// Largest file that is read, in bytes.
const LARGEST: u64 = 64 * 1024;

/// Reads secret values from files and from the operator's own namespace.
#[derive(Clone)]
pub struct Secrets {
    kube: Client,
    namespace: String,
}

impl Secrets {
    /// Of the operator that lives in `namespace`.
    pub fn new(kube: Client, namespace: &str) -> Self {
        Self { kube, namespace: namespace.to_owned() }
    }

    /// The value, without blanks around it.
    ///
    /// # Errors
    /// If it isn't there or isn't text.
    pub async fn read(&self, source: &SecretSource) -> Result<SecretString, DomainError> {
        let bytes = match source {
            SecretSource::File(path) => file(path).await?,
            SecretSource::SecretRef(key) => self.key(key).await?,
        };
        match String::from_utf8(bytes) {
            Ok(text) if !text.trim().is_empty() => Ok(SecretString::from(text.trim())),
            _ => Err(DomainError::secret(format!("{} holds no text.", place(source)))),
        }
    }

    async fn key(&self, wanted: &SecretKey) -> Result<Vec<u8>, DomainError> {
        let secrets: Api<Secret> = Api::namespaced(self.kube.clone(), &self.namespace);
        let secret = secrets.get_opt(&wanted.name).await.map_err(|error| unreadable(&error, wanted))?;
        let value = secret.and_then(|secret| secret.data?.remove(&wanted.key));
        value.map(|bytes| bytes.0).ok_or_else(|| {
            DomainError::secret(format!(
                "The key `{}` of the Secret `{}` in the operator's namespace doesn't exist. Create it.",
                wanted.key, wanted.name
            ))
        })
    }
}

fn unreadable(error: &kube::Error, wanted: &SecretKey) -> DomainError {
    tracing::debug!(%error, secret = wanted.name, "a Secret can't be read");
    DomainError::secret(format!("The Secret `{}` in the operator's namespace can't be read.", wanted.name))
}

async fn file(path: &std::path::Path) -> Result<Vec<u8>, DomainError> {
    let unreadable =
        |error: std::io::Error| DomainError::secret(format!("{} can't be read: {error}.", path.display()));
    let size = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if size > LARGEST {
        return Err(DomainError::secret(format!("{} is too large for a secret.", path.display())));
    }
    tokio::fs::read(path).await.map_err(unreadable)
}

fn place(source: &SecretSource) -> String {
    match source {
        SecretSource::File(path) => path.display().to_string(),
        SecretSource::SecretRef(key) => format!("The key `{}` of the Secret `{}`", key.key, key.name),
    }
}
