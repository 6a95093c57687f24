//! The namespaces, Workspaces and Runtimes of a run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::arrivals::{Wanted, arrivals};
use crate::objects::{apply, condition_is, eventually};

/// Requests of the bench at a time while it creates Runtimes.
pub(super) const CREATORS: usize = 32;
const LABEL: &str = "policy.moorage.dev/bench";

/// One of our kinds.
pub(super) fn resource(kind: &str, plural: &str) -> ApiResource {
    let gvk = GroupVersionKind::gvk("moorage.dev", "v1alpha1", kind);
    ApiResource::from_gvk_with_plural(&gvk, plural)
}

/// Runtimes of all namespaces.
pub(super) fn all_runtimes(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &resource("Runtime", "runtimes"))
}

/// Runtimes of one namespace.
pub(super) fn runtimes_in(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource("Runtime", "runtimes"))
}

/// Claims.
pub(super) fn claims(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &resource("NameClaim", "nameclaims"))
}

/// The name of a namespace; all are of the same length.
pub(super) fn namespace(index: usize) -> String {
    format!("bench-{index:02}")
}

/// Whether so many of a hundred Runtimes have a Secret, and the one of this name is among them.
fn has_secret(name: &str, secrets: u8) -> bool {
    let number = name.strip_prefix('r').and_then(|number| number.parse::<usize>().ok());
    number.is_some_and(|number| number % 100 < usize::from(secrets))
}

/// Name of a Runtime's Secret.
fn secret(name: &str) -> String {
    format!("keys-{name}")
}

/// The variables of a Runtime.
pub(super) fn env(name: &str, model: &str, secrets: u8) -> Value {
    let mut env = vec![json!({"name": "LLM_MODEL", "value": model})];
    if has_secret(name, secrets) {
        let from = json!({"secretKeyRef": {"name": secret(name), "key": "anthropic"}});
        env.push(json!({"name": "ANTHROPIC_API_KEY", "valueFrom": from}));
    }
    Value::Array(env)
}

/// A Runtime as the bench declares it.
fn declared(namespace: &str, name: &str, secrets: u8) -> Value {
    json!({
        "apiVersion": "moorage.dev/v1alpha1",
        "kind": "Runtime",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "persona": {"name": "Ada"},
            "env": env(name, "claude-sonnet-4-20250514", secrets),
            "deletionPolicy": "Delete",
        },
    })
}

/// Makes the policy, the namespaces and their Workspaces, and waits until these are Ready.
pub(super) async fn prepare(client: &Client, namespaces: usize, runtimes: usize) -> Result<()> {
    let policy = json!({
        "apiVersion": "moorage.dev/v1alpha1",
        "kind": "WorkspacePolicy",
        "metadata": {"name": "bench"},
        "spec": {
            "selector": {"matchLabels": {LABEL: "true"}},
            "allowedPlans": ["openclaw-trial", super::warm::PLAN],
            "maxRuntimes": runtimes + 1,
        },
    });
    apply(client, &policy.to_string()).await?;
    for name in (0..namespaces).map(namespace) {
        let labels = json!({LABEL: "true"});
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels},
        });
        apply(client, &object.to_string()).await?;
        let workspace = json!({
            "apiVersion": "moorage.dev/v1alpha1",
            "kind": "Workspace",
            "metadata": {"namespace": name, "name": name},
            "spec": {
                "displayName": name,
                "subdomain": name,
                "defaultPlanRef": {"name": "openclaw-trial"},
                "defaultRegion": "fra",
            },
        });
        apply(client, &workspace.to_string()).await?;
    }
    let workspaces: Api<DynamicObject> = Api::all_with(client.clone(), &resource("Workspace", "workspaces"));
    eventually("every Workspace Ready", Duration::from_mins(1), async || {
        let all = workspaces.list(&ListParams::default()).await?;
        let ready = all.items.iter().filter(|one| condition_is(&one.data, "Ready", "True")).count();
        if ready < namespaces {
            bail!("{ready} of {namespaces}");
        }
        Ok(())
    })
    .await
}

/// Where a run's Runtimes are: namespace and name of each.
pub(super) fn places(prefix: char, namespaces: usize, runtimes: usize) -> Vec<(String, String)> {
    (0..runtimes).map(|index| (namespace(index % namespaces), format!("{prefix}{index:05}"))).collect()
}

/// Makes the Secrets that they refer to.
pub(super) async fn create_secrets(client: &Client, places: &[(String, String)], secrets: u8) -> Result<()> {
    let wanted: Vec<_> = places.iter().filter(|(_, name)| has_secret(name, secrets)).cloned().collect();
    stream::iter(wanted)
        .map(Ok)
        .try_for_each_concurrent(CREATORS, |(namespace, name)| async move {
            let object = json!({
                "metadata": {"name": secret(&name), "labels": {"moorage.dev/use": "runtime-env"}},
                "stringData": {"anthropic": format!("sk-{name}")},
            });
            let api: Api<Secret> = Api::namespaced(client.clone(), &namespace);
            api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
            Ok(())
        })
        .await
}

/// Creates them as fast as the API server takes them.
async fn create(client: Client, places: Vec<(String, String)>, secrets: u8) -> Result<()> {
    stream::iter(places)
        .map(Ok)
        .try_for_each_concurrent(CREATORS, |(namespace, name)| {
            let client = client.clone();
            async move { create_one(&client, &namespace, &name, secrets).await.map(drop) }
        })
        .await
}

/// Creates one.
pub(super) async fn create_one(
    client: &Client,
    namespace: &str,
    name: &str,
    secrets: u8,
) -> Result<DynamicObject> {
    let object = serde_json::from_value(declared(namespace, name, secrets))?;
    let api = runtimes_in(client, namespace);
    api.create(&PostParams::default(), &object).await.with_context(|| format!("create Runtime {name}"))
}

/// When Runtimes became Ready.
pub(super) struct Arrivals {
    /// Times since the first was created, in order.
    pub(super) at: Vec<Duration>,
}

/// Creates them and waits until all run, by a watch on those that do. The API server sends it one event for each.
pub(super) async fn create_and_wait(
    client: &Client,
    places: Vec<(String, String)>,
    secrets: u8,
    check: impl Fn() -> Result<()>,
) -> Result<Arrivals> {
    let api = all_runtimes(client);
    let wanted = Wanted { fields: "status.state=running", count: places.len() };
    let creation = create(client.clone(), places, secrets);
    let mut at: Vec<Duration> = arrivals(&api, &wanted, creation, check).await?.into_values().collect();
    at.sort();
    all_ready(client).await?;
    Ok(Arrivals { at })
}

async fn all_ready(client: &Client) -> Result<()> {
    let all = all_runtimes(client).list(&ListParams::default()).await?.items;
    let ready = all.iter().filter(|one| condition_is(&one.data, "Ready", "True")).count();
    if ready < all.len() {
        bail!("{} Runtimes run, but only {ready} are Ready", all.len());
    }
    Ok(())
}

/// Deletes all Runtimes and waits until none is left; how long that took.
pub(super) async fn delete_all(client: &Client, namespaces: usize) -> Result<Duration> {
    let began = Instant::now();
    for name in (0..namespaces).map(namespace) {
        let api = runtimes_in(client, &name);
        api.delete_collection(&DeleteParams::background(), &ListParams::default()).await?;
    }
    let api = Arc::new(all_runtimes(client));
    eventually("every Runtime gone", Duration::from_mins(15), async || {
        // A list of one tells how many remain, and costs next to nothing.
        let left = api.list(&ListParams::default().limit(1)).await?;
        if left.items.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(450)).await;
        bail!("{} are left", left.metadata.remaining_item_count.unwrap_or_default() + 1)
    })
    .await?;
    Ok(began.elapsed())
}

/// The resource version of every object of ours, by kind, namespace and name.
pub(super) async fn versions(client: &Client) -> Result<BTreeMap<String, String>> {
    let mut versions = BTreeMap::new();
    let kinds = [
        ("Runtime", "runtimes"),
        ("NameClaim", "nameclaims"),
        ("Workspace", "workspaces"),
        ("CustomDomain", "customdomains"),
    ];
    for (kind, plural) in kinds {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(kind, plural));
        for object in api.list_metadata(&ListParams::default()).await?.items {
            let key = format!("{kind} {}/{}", object.namespace().unwrap_or_default(), object.name_any());
            versions.insert(key, object.resource_version().unwrap_or_default());
        }
    }
    Ok(versions)
}
