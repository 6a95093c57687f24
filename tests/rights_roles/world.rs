//! One cluster with the shipped rights, and the question "may I?".

use std::time::Duration;

use anyhow::{Result, ensure};
use futures::{StreamExt, stream};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use moorage::rights::{Installation, yaml};
use testbed::{ControlPlane, Identity, apply, eventually};
use tokio::sync::OnceCell;

/// The cluster that all tests of this program share.
pub async fn cluster() -> &'static ControlPlane {
    static READY: OnceCell<()> = OnceCell::const_new();
    let cluster = ControlPlane::shared().await.unwrap();
    READY.get_or_init(|| async { prepare(cluster).await.unwrap() }).await;
    cluster
}

pub async fn operator() -> Client {
    cluster().await.client(&Identity::service_account("moorage-system", "moorage")).await.unwrap()
}

pub async fn user(name: &str) -> Client {
    cluster().await.client(&Identity::user(name, &[])).await.unwrap()
}

async fn prepare(cluster: &ControlPlane) -> Result<()> {
    let admin = cluster.client(&Identity::Admin).await?;
    let manifests = yaml(&Installation::default()).map_err(|error| anyhow::anyhow!("{error}"))?;
    apply(&admin, &manifests).await?;
    apply(&admin, include_str!("people.yaml")).await?;
    // Roles are in force a moment after they are made, and the platform's is filled by a controller.
    let pat = cluster.client(&Identity::user("pat", &[])).await?;
    let robot = cluster.client(&Identity::service_account("moorage-system", "moorage")).await?;
    eventually("the roles to be in force", Duration::from_secs(20), async || {
        ensure!(may(&robot, attributes("", "secrets", "get", None)).await, "the operator's");
        ensure!(may(&pat, attributes("moorage.dev", "plans", "create", None)).await, "the platform's");
        Ok(())
    })
    .await
}

pub fn attributes(group: &str, resource: &str, verb: &str, namespace: Option<&str>) -> ResourceAttributes {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    ResourceAttributes {
        group: Some(group.into()),
        resource: Some(resource.into()),
        subresource: (!subresource.is_empty()).then(|| subresource.into()),
        verb: Some(verb.into()),
        namespace: namespace.map(Into::into),
        ..ResourceAttributes::default()
    }
}

/// Asks the API server.
pub async fn may(client: &Client, what: ResourceAttributes) -> bool {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(what), non_resource_attributes: None };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
    answer.status.unwrap().allowed
}

/// Those of many that are allowed.
pub async fn allowed(client: &Client, all: Vec<ResourceAttributes>) -> Vec<ResourceAttributes> {
    let asked = stream::iter(all).map(|what| async {
        let yes = may(client, what.clone()).await;
        yes.then_some(what)
    });
    asked.buffer_unordered(16).filter_map(async |one| one).collect().await
}
