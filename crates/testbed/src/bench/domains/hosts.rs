//! The hostnames of a run: their CustomDomains, and the records that these ask for.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::super::fleet::{CREATORS, namespace, resource};
use super::{OF_ONE, Source, Stage};
use crate::objects::{condition_is, eventually};
use crate::surroundings::asked_for;
use crate::zone_edit::RecordSet;

/// The customers' zone.
pub(super) const ZONE: &str = "customers.test";
const TOLD_WITHIN: Duration = Duration::from_mins(5);
/// Most that are told of when they stay behind.
const TOLD: usize = 5;
const GONE_WITHIN: Duration = Duration::from_mins(10);

/// One hostname.
#[derive(Debug, Clone)]
pub(super) struct Host {
    /// Namespace of its CustomDomain.
    pub(super) namespace: String,
    /// Name of its CustomDomain.
    pub(super) name: String,
    runtime: String,
    source: Source,
}

impl Host {
    fn object(&self) -> Result<DynamicObject> {
        Ok(serde_json::from_value(json!({
            "apiVersion": "moorage.dev/v1alpha1",
            "kind": "CustomDomain",
            "metadata": {"namespace": self.namespace, "name": self.name},
            "spec": {
                "hostname": format!("{}.{ZONE}", self.name),
                "runtimeRef": {"name": self.runtime},
                "certificate": {"source": self.source.word()},
            },
        }))?)
    }
}

/// So many, spread over the Runtimes. What they are named by has the same length for all.
pub(super) fn hosts(stage: &Stage, prefix: &str, source: Source, count: usize) -> Vec<Host> {
    let one = |index: usize| {
        // Each Runtime's namespace follows from its number, so numbers that lie so far apart are of one namespace.
        let runtime = index / (OF_ONE * stage.namespaces) * stage.namespaces + index % stage.namespaces;
        Host {
            namespace: namespace(index % stage.namespaces),
            name: format!("{prefix}{index:05}"),
            runtime: format!("r{runtime:05}"),
            source,
        }
    };
    (0..count).map(one).collect()
}

/// CustomDomains of all namespaces.
pub(super) fn all(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &resource("CustomDomain", "customdomains"))
}

/// CustomDomains of one namespace.
pub(super) fn of(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource("CustomDomain", "customdomains"))
}

/// Declares them as fast as the API server takes them.
pub(super) async fn declare(client: Client, hosts: Vec<Host>) -> Result<()> {
    stream::iter(hosts)
        .map(Ok)
        .try_for_each_concurrent(CREATORS, |host| {
            let api = of(&client, &host.namespace);
            async move {
                let made = api.create(&PostParams::default(), &host.object()?).await;
                made.map(drop).with_context(|| format!("create CustomDomain {}", host.name))
            }
        })
        .await
}

/// The records that they ask for, once each has said all of its own.
pub(super) async fn records(client: &Client, count: usize, each: usize) -> Result<Vec<RecordSet>> {
    eventually("what to set", TOLD_WITHIN, async || {
        let told = all(client).list(&ListParams::default()).await?.items;
        let asked = |domain: &DynamicObject| -> Result<Vec<RecordSet>> {
            let sets = asked_for(&serde_json::to_value(domain)?);
            ensure!(sets.len() == each, "{}", domain.data["status"]);
            Ok(sets)
        };
        let sets = told.iter().map(asked).collect::<Result<Vec<_>>>();
        if sets.is_err() {
            tokio::time::sleep(Duration::from_millis(450)).await;
        }
        let sets = sets?;
        ensure!(sets.len() == count, "{} of {count}", sets.len());
        Ok(sets.concat())
    })
    .await
}

/// How many records a hostname has to set.
pub(super) fn asked(source: Source) -> usize {
    match source {
        // What shows whose it is and leads here, and what lets a certificate be issued.
        Source::Acme => 2,
        Source::Fly => 1,
    }
}

/// Deletes all, and waits until none is left.
pub(super) async fn delete(stage: &Stage) -> Result<()> {
    for name in (0..stage.namespaces).map(namespace) {
        let api = of(&stage.client, &name);
        api.delete_collection(&DeleteParams::background(), &ListParams::default()).await?;
    }
    let api = all(&stage.client);
    eventually("every CustomDomain gone", GONE_WITHIN, async || {
        let left = api.list(&ListParams::default().limit(1)).await?;
        if left.items.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(450)).await;
        bail!("{} are left", left.metadata.remaining_item_count.unwrap_or_default() + 1)
    })
    .await
}

/// How many of them serve.
pub(super) async fn serving(client: &Client) -> Result<usize> {
    let all = all(client).list(&ListParams::default()).await?.items;
    Ok(all.iter().filter(|one| condition_is(&one.data, "Ready", "True")).count())
}

/// What some say that don't serve.
pub(super) async fn behind(client: &Client) -> Result<String> {
    let all = all(client).list(&ListParams::default()).await?.items;
    let behind = all.iter().filter(|one| !condition_is(&one.data, "Ready", "True")).take(TOLD);
    let said = behind.map(|one| format!("{} says {}", one.name_any(), one.data["status"]["conditions"]));
    Ok(said.collect::<Vec<_>>().join("\n"))
}
