//! Who a client is, and the kubeconfig that makes it so.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use crate::certs::{Authority, Pair};

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Member of `system:masters`, to whom everything is allowed.
    Admin,
    /// A person. Authenticated by impersonation, which carries any number of groups; RBAC and admission
    /// see exactly this user.
    User {
        /// The user name.
        name: String,
        /// Groups beside `system:authenticated`.
        groups: Vec<String>,
    },
    /// A program in the cluster, with a real token.
    ServiceAccount {
        /// The account's namespace.
        namespace: String,
        /// The account's name.
        name: String,
    },
}

impl Identity {
    /// A user with these groups.
    pub fn user(name: &str, groups: &[&str]) -> Self {
        Self::User { name: name.to_owned(), groups: groups.iter().map(|&group| group.to_owned()).collect() }
    }

    /// A `ServiceAccount`.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self::ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    fn file_name(&self) -> String {
        let text = match self {
            Self::Admin => "admin".to_owned(),
            Self::User { name, groups } => format!("user-{name}-{}", groups.join("-")),
            Self::ServiceAccount { namespace, name } => format!("service-account-{namespace}-{name}"),
        };
        let safe = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
        format!("{}.kubeconfig", text.chars().map(safe).collect::<String>())
    }
}

/// What a kubeconfig proves its holder with.
pub(crate) enum Credential {
    Certificate { pair: Pair, impersonate: Option<(String, Vec<String>)> },
    Token(String),
}

/// A client by a kubeconfig file, in its current context.
pub async fn connect(path: &Path) -> Result<Client> {
    install_crypto_provider();
    let kubeconfig = Kubeconfig::read_from(path).with_context(|| format!("read {}", path.display()))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

/// Ring for the whole process; a second call finds the first one's choice and leaves it.
pub(crate) fn install_crypto_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

pub(crate) fn path(dir: &Path, identity: &Identity) -> PathBuf {
    dir.join(identity.file_name())
}

pub(crate) fn write(
    dir: &Path,
    url: &str,
    authority: &Authority,
    identity: &Identity,
    token: Option<String>,
) -> Result<()> {
    let credential = match (identity, token) {
        (_, Some(token)) => Credential::Token(token),
        (Identity::User { name, groups }, None) => Credential::Certificate {
            pair: authority.client("admin", Some("system:masters"))?,
            impersonate: Some((name.clone(), groups.clone())),
        },
        (_, None) => Credential::Certificate {
            pair: authority.client("admin", Some("system:masters"))?,
            impersonate: None,
        },
    };
    let text = render(url, &authority.certificate, credential)?;
    let mut file =
        fs::File::options().create(true).truncate(true).write(true).mode(0o600).open(path(dir, identity))?;
    Ok(file.write_all(text.as_bytes())?)
}

pub(crate) fn render(url: &str, ca: &str, credential: Credential) -> Result<String> {
    let user = match credential {
        Credential::Token(token) => json!({"token": token}),
        Credential::Certificate { pair, impersonate } => with_certificate(&pair, impersonate),
    };
    let cluster = json!({"server": url, "certificate-authority-data": STANDARD.encode(ca)});
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": cluster}],
        "users": [{"name": "testbed", "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "testbed"}}],
        "current-context": "testbed",
    });
    Ok(serde_saphyr::to_string(&config)?)
}

fn with_certificate(pair: &Pair, impersonate: Option<(String, Vec<String>)>) -> Value {
    let mut user = json!({
        "client-certificate-data": STANDARD.encode(&pair.certificate),
        "client-key-data": STANDARD.encode(&pair.key),
    });
    if let Some((name, groups)) = impersonate {
        user["as"] = json!(name);
        user["as-groups"] = json!(groups);
    }
    user
}

/// A token for a `ServiceAccount`, good for a day.
pub(crate) async fn token(client: &Client, namespace: &str, name: &str) -> Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let spec = TokenRequestSpec { expiration_seconds: Some(86_400), ..Default::default() };
    let request = TokenRequest { spec: Some(spec), ..Default::default() };
    let answer = accounts
        .create_token_request(name, &PostParams::default(), &request)
        .await
        .with_context(|| format!("ask for a token of ServiceAccount {namespace}/{name}"))?;
    answer.status.and_then(|status| status.token).context("the API server gave no token")
}
