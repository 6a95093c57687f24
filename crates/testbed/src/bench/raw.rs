//! The API server's raw rate: the operator's writes for each Runtime, by as many writers, with nothing decided.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::fleet::{self, CREATORS, claims, create_one, runtimes_in};
use super::sample::{Sample, Writes};

const MANAGER: &str = "moorage";

/// Who writes: the platform creates Runtimes, the operator's account does the rest, under its own rights.
pub(super) struct Writers {
    pub(super) platform: Client,
    pub(super) operator: Client,
}

/// Writes everything for so many Runtimes; how long that took.
pub(super) async fn measure(
    writers: Writers,
    sample: &Sample,
    namespaces: usize,
    runtimes: usize,
    concurrency: usize,
) -> Result<Duration> {
    let Writers { platform, operator } = writers;
    let places = fleet::places('x', namespaces, runtimes);
    let began = Instant::now();
    let (created, queue) = mpsc::unbounded_channel();
    let creation = tokio::spawn(create(platform, places, created));
    let queue = stream::unfold(queue, |mut queue| async { Some((queue.recv().await?, queue)) });
    let written = queue.map(Ok).try_for_each_concurrent(concurrency, |runtime: DynamicObject| {
        let (operator, sample) = (operator.clone(), sample.clone());
        async move {
            let work = async move { write(&operator, &sample, &runtime).await };
            tokio::spawn(work).await?
        }
    });
    written.await?;
    creation.await??;
    Ok(began.elapsed())
}

async fn create(
    client: Client,
    places: Vec<(String, String)>,
    created: mpsc::UnboundedSender<DynamicObject>,
) -> Result<()> {
    stream::iter(places)
        .map(Ok)
        .try_for_each_concurrent(CREATORS, |(namespace, name)| {
            let (client, created) = (client.clone(), created.clone());
            async move { Ok(created.send(create_one(&client, &namespace, &name, 0).await?)?) }
        })
        .await
}

/// The operator's six writes for one Runtime, in its order.
async fn write(client: &Client, sample: &Sample, runtime: &DynamicObject) -> Result<()> {
    let (namespace, name) = (runtime.namespace().unwrap_or_default(), runtime.name_any());
    let uid = runtime.uid().context("a Runtime without a uid")?;
    let Writes { finalizers, statuses: [first, last], claim, mut record, secret } =
        sample.writes(&namespace, &name, &uid)?;
    let runtimes = runtimes_in(client, &namespace);
    let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    let creation = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    let finalizer = json!({"metadata": {
        "finalizers": finalizers, "resourceVersion": runtime.resource_version(), "uid": uid,
    }});
    runtimes.patch(&name, &params, &Patch::Merge(&finalizer)).await?;
    let claim: DynamicObject = serde_json::from_value(claim)?;
    let standing = claims(client).create(&creation, &claim).await?;
    status(&runtimes, &name, &uid, first).await?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    secrets.create(&creation, &serde_json::from_value(secret)?).await?;
    record["metadata"] = json!({"resourceVersion": standing.resource_version()});
    claims(client).patch(&claim.name_any(), &params, &Patch::Merge(&record)).await?;
    status(&runtimes, &name, &uid, last).await
}

async fn status(api: &Api<DynamicObject>, name: &str, uid: &str, status: Value) -> Result<()> {
    let patch = serde_json::from_value(json!([
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "add", "path": "/status", "value": status},
    ]))?;
    let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    api.patch_status(name, &params, &Patch::Json::<()>(patch)).await?;
    Ok(())
}
