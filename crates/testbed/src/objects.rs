//! Objects as JSON: applying YAML and waiting for conditions.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::{GroupVersionKind, TypeMeta};
use kube::discovery::{ApiResource, Scope, oneshot};
use kube::{Api, Client};
use serde_json::Value;

/// The field manager of everything that the testbed applies.
pub const FIELD_MANAGER: &str = "testbed";

const ESTABLISHED_WITHIN: Duration = Duration::from_secs(20);

/// The documents of a YAML stream, empty ones left out.
pub fn documents(yaml: &str) -> Result<Vec<Value>> {
    let all: Vec<Value> = serde_saphyr::from_multiple(yaml).context("read YAML")?;
    Ok(all.into_iter().filter(|document| !document.is_null()).collect())
}

/// Applies each document of a YAML stream on the server, in order, taking fields over from anyone.
///
/// Namespaced objects that name no namespace go to `default`.
pub async fn apply(client: &Client, yaml: &str) -> Result<Vec<DynamicObject>> {
    let mut applied = Vec::new();
    for document in documents(yaml)? {
        applied.push(apply_one(client, &document).await?);
    }
    Ok(applied)
}

async fn apply_one(client: &Client, document: &Value) -> Result<DynamicObject> {
    let object: DynamicObject =
        serde_json::from_value(document.clone()).context("not a Kubernetes object")?;
    let name = object.metadata.name.clone().context("an object without `metadata.name`")?;
    let types = object.types.clone().context("an object without `apiVersion` and `kind`")?;
    let api = api_for(client, &types, object.metadata.namespace.as_deref()).await?;
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&name, &params, &Patch::Apply(document))
        .await
        .with_context(|| format!("apply {} {name}", types.kind))
}

/// The API for a kind as the server describes it.
pub async fn api_for(
    client: &Client,
    types: &TypeMeta,
    namespace: Option<&str>,
) -> Result<Api<DynamicObject>> {
    let gvk = GroupVersionKind::try_from(types)?;
    let (resource, capabilities) = discover(client, &gvk).await?;
    Ok(match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => Api::namespaced_with(client.clone(), namespace.unwrap_or("default"), &resource),
    })
}

/// A kind that was installed a moment ago is served a moment later.
async fn discover(
    client: &Client,
    gvk: &GroupVersionKind,
) -> Result<(ApiResource, kube::discovery::ApiCapabilities)> {
    let mut attempts = 0;
    loop {
        match oneshot::pinned_kind(client, gvk).await {
            Ok(found) => return Ok(found),
            Err(_) if attempts < 20 => attempts += 1,
            Err(error) => {
                return Err(error).context(format!("{} {} is not served", gvk.api_version(), gvk.kind));
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Calls `probe` until it gives a value, or fails with what `what` says and the last reason for none.
pub async fn eventually<T, F>(what: &str, deadline: Duration, mut probe: F) -> Result<T>
where
    F: AsyncFnMut() -> Result<T>,
{
    let until = Instant::now() + deadline;
    loop {
        match probe().await {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() > until => {
                return Err(error).context(format!("{what}: not within {deadline:?}"));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Waits until the API server serves the kinds of these CRDs.
pub(crate) async fn await_established(client: &Client, crds: &[DynamicObject]) -> Result<()> {
    for crd in crds {
        let types = crd.types.clone().context("a CRD without a kind")?;
        let name = crd.metadata.name.clone().context("a CRD without a name")?;
        let api = api_for(client, &types, None).await?;
        eventually(&format!("CRD {name} established"), ESTABLISHED_WITHIN, async || {
            let seen = api.get(&name).await?;
            if condition_is(&seen.data, "Established", "True") {
                Ok(())
            } else {
                bail!("not established yet")
            }
        })
        .await?;
    }
    Ok(())
}

/// Whether `object.status.conditions` has `kind` with this status.
pub fn condition_is(object: &Value, kind: &str, status: &str) -> bool {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.is_some_and(|all| all.iter().any(|one| one["type"] == kind && one["status"] == status))
}
