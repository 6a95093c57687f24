//! Where the objects live: in a control plane of the demo's own, or in the one that kubectl points at.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::control_plane::{ControlPlane, ControlPlaneOptions, install_crds};
use crate::kubeconfig::{self, Identity};
use crate::progress::Progress;
use crate::{janitor, platform, repository};

/// Where the demo runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterChoice {
    /// In a new control plane that ends with it.
    Own,
    /// In the cluster of the current kubectl context.
    Current,
}

pub(super) enum Cluster {
    Own { client: Client, kubeconfig: PathBuf, control_plane: Box<ControlPlane> },
    Borrowed { client: Client, kubeconfig: Box<Kubeconfig>, user: String, dir: TempDir },
}

impl Cluster {
    pub(super) async fn open(choice: ClusterChoice, progress: Progress) -> Result<Self> {
        kubeconfig::install_crypto_provider();
        match choice {
            ClusterChoice::Own => Self::start(progress).await,
            ClusterChoice::Current => Self::borrow(progress).await,
        }
    }

    async fn start(progress: Progress) -> Result<Self> {
        let crds = Some(repository().join("crds"));
        let options = ControlPlaneOptions { crds, progress: Some(progress), ..Default::default() };
        let control_plane = Box::new(ControlPlane::start(&options).await?);
        let client = control_plane.client(&Identity::Admin).await?;
        let kubeconfig = control_plane.kubeconfig(&Identity::Admin).await?;
        progress.note(&format!("Kubernetes runs at {}", control_plane.url()));
        Ok(Self::Own { client, kubeconfig, control_plane })
    }

    async fn borrow(progress: Progress) -> Result<Self> {
        let kubeconfig = Box::new(Kubeconfig::read().context("read the current kubeconfig")?);
        let context = kubeconfig.current_context.clone().context("the kubeconfig has no current context")?;
        let config =
            Config::from_custom_kubeconfig((*kubeconfig).clone(), &KubeConfigOptions::default()).await?;
        let client = Client::try_from(config)?;
        refuse_second_operator(&client).await.with_context(|| format!("look at the context {context}"))?;
        let user = who_am_i(&client).await?;
        install_crds(&client, &repository().join("crds")).await?;
        let dir = tempfile::Builder::new().prefix("moorage-demo-").tempdir()?;
        janitor::remove(dir.path())?;
        progress.note(&format!("Kubernetes is the current context, {context}, as {user}"));
        Ok(Self::Borrowed { client, kubeconfig, user, dir })
    }

    pub(super) fn client(&self) -> &Client {
        match self {
            Self::Own { client, .. } | Self::Borrowed { client, .. } => client,
        }
    }

    pub(super) fn is_borrowed(&self) -> bool {
        matches!(self, Self::Borrowed { .. })
    }

    /// The user to add to the platform's list: whoever lends the cluster.
    pub(super) fn platform_user(&self) -> Option<&str> {
        match self {
            Self::Own { .. } => None,
            Self::Borrowed { user, .. } => Some(user),
        }
    }

    /// The kubeconfig that a person uses, if it isn't the usual one already.
    pub(super) fn kubeconfig(&self) -> Option<&Path> {
        match self {
            Self::Own { kubeconfig, .. } => Some(kubeconfig),
            Self::Borrowed { .. } => None,
        }
    }

    /// `kubectl` to suggest: the cluster's own build if there is none on the PATH is told in the guide.
    pub(super) fn kubectl(&self) -> Option<PathBuf> {
        match self {
            Self::Own { control_plane, .. } => Some(control_plane.kubectl()).filter(|path| path.exists()),
            Self::Borrowed { .. } => None,
        }
    }

    /// With which the operator is its `ServiceAccount` and nothing more.
    pub(super) async fn operator_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        match self {
            Self::Own { control_plane, .. } => {
                control_plane.kubeconfig(&Identity::service_account(namespace, name)).await
            }
            Self::Borrowed { client, kubeconfig, dir, .. } => {
                let token = kubeconfig::token(client, namespace, name).await?;
                let path = dir.path().join("operator.kubeconfig");
                let text = serde_saphyr::to_string(&with_token(kubeconfig, &token)?)?;
                fs::write(&path, text)?;
                Ok(path)
            }
        }
    }
}

/// The current context's cluster with another user.
fn with_token(kubeconfig: &Kubeconfig, token: &str) -> Result<Value> {
    let current = kubeconfig.current_context.as_deref();
    let context = kubeconfig.contexts.iter().find(|context| Some(context.name.as_str()) == current);
    let cluster =
        context.and_then(|context| context.context.as_ref()).map(|context| context.cluster.as_str());
    let entry = kubeconfig.clusters.iter().find(|entry| Some(entry.name.as_str()) == cluster);
    let cluster = entry.and_then(|entry| entry.cluster.as_ref()).context("the context names no cluster")?;
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "demo", "cluster": serde_json::to_value(cluster)?}],
        "users": [{"name": "demo", "user": {"token": token}}],
        "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "demo"}}],
        "current-context": "demo",
    }))
}

/// Two operators with different ideas of Fly would fight over the same objects.
async fn refuse_second_operator(client: &Client) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), platform::NAMESPACE);
    if deployments.get_opt(platform::SERVICE_ACCOUNT).await?.is_some() {
        bail!("Moorage is installed in this cluster already; the demo needs one where it isn't");
    }
    Ok(())
}

async fn who_am_i(client: &Client) -> Result<String> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    let user = answer.status.and_then(|status| status.user_info).and_then(|info| info.username);
    user.context("the API server doesn't say who you are")
}
