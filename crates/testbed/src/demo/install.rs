//! What is put into the cluster: rights and policies, the catalogue, the quickstart.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::Client;
use kube::api::{DeleteParams, TypeMeta};
use serde_json::{Value, json};

use super::cluster::Cluster;
use crate::objects::{self, api_for, eventually};
use crate::progress::Progress;
use crate::{platform, repository};

const GONE_WITHIN: Duration = Duration::from_mins(1);

/// The operator's rights and admission policies as it prints them itself, then Plans and Blueprints.
pub(super) async fn platform(cluster: &Cluster, progress: Progress) -> Result<()> {
    let users: Vec<&str> = cluster.platform_user().into_iter().collect();
    let rights = platform::install_rights(cluster.client(), &users).await?.len();
    let entries = platform::install_catalogue(cluster.client()).await?.len();
    progress.note(&format!(
        "Installed CRDs, {rights} rights and policies, {entries} Plans, Blueprints and policies"
    ));
    Ok(())
}

/// The quickstart, its order and its hostname, as they stand in the repository.
pub(super) struct Declared(Vec<Value>);

impl Declared {
    /// What these folders of `examples` have.
    pub(super) fn load(folders: &[&str]) -> Result<Self> {
        let read = |folder: &&str| platform::read_kustomization(&repository().join("examples").join(folder));
        Ok(Self(folders.iter().map(read).collect::<Result<Vec<_>>>()?.concat()))
    }

    /// How many Runtimes there will be: those that it declares, and one for each order.
    pub(super) fn runtimes(&self) -> usize {
        self.0.iter().filter(|document| document["kind"] == "Runtime" || is_order(document)).count()
    }

    /// The namespaces that its objects live in.
    pub(super) fn namespaces(&self) -> Vec<String> {
        let named = |document: &Value| document["metadata"]["namespace"].as_str().map(str::to_owned);
        let mut all: Vec<String> = self.0.iter().filter_map(named).collect();
        all.sort();
        all.dedup();
        all
    }

    pub(super) async fn apply(&self, client: &Client) -> Result<()> {
        for document in &self.0 {
            objects::apply(client, &document.to_string()).await?;
        }
        Ok(())
    }

    /// Deletes what was applied, last first, and says what couldn't be taken back in time.
    pub(super) async fn take_back(&self, client: &Client, progress: Progress) {
        progress.note("Taking the quickstart back out of the cluster");
        for document in self.0.iter().rev() {
            // What an order was paid for outlives it.
            for gone in [Some(document.clone()), made(document)].into_iter().flatten() {
                if let Err(error) = delete(client, &gone).await {
                    let (kind, name) = (&gone["kind"], &gone["metadata"]["name"]);
                    progress.note(&format!("{kind} {name} is left: {error:#}"));
                }
            }
        }
        progress.note(&format!(
            "CRDs, roles, policies and namespace {} stay; `kubectl delete` them when you no longer want them",
            platform::NAMESPACE
        ));
    }
}

fn is_order(document: &Value) -> bool {
    document["kind"] == "RuntimeOrder"
}

/// The Runtime that an order makes.
fn made(document: &Value) -> Option<Value> {
    let metadata =
        json!({"namespace": document["metadata"]["namespace"], "name": document["spec"]["runtime"]["name"]});
    is_order(document)
        .then(|| json!({"apiVersion": document["apiVersion"], "kind": "Runtime", "metadata": metadata}))
}

async fn delete(client: &Client, document: &Value) -> Result<()> {
    let types: TypeMeta = serde_json::from_value(document.clone())?;
    let metadata = &document["metadata"];
    let name = metadata["name"].as_str().context("an object without a name")?;
    let api = api_for(client, &types, metadata["namespace"].as_str()).await?;
    if let Err(error) = api.delete(name, &DeleteParams::default()).await
        && !matches!(&error, kube::Error::Api(status) if status.code == 404)
    {
        return Err(error.into());
    }
    eventually("its end", GONE_WITHIN, async || match api.get_opt(name).await? {
        None => Ok(()),
        Some(_) => bail!("it waits for its finalizers"),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quickstart_declares_a_namespace_before_what_lives_in_it() {
        let declared = Declared::load(&["quickstart", "order", "custom-domain"]).unwrap();
        assert_eq!(declared.0[0]["kind"], "Namespace");
        assert_eq!(declared.runtimes(), 2, "its own, and the one that is paid for");
        assert_eq!(declared.namespaces(), [declared.0[0]["metadata"]["name"].as_str().unwrap()]);
    }
}
