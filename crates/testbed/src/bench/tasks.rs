//! Finished tasks, as the operator would have kept them.

use std::time::Duration;

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::edits::epoch_ms;
use super::fleet::{CREATORS, resource};

const MANAGER: &str = "moorage";
const BEGAN: &str = "2026-01-01T00:00:00Z";

/// Keeps so many finished tasks for each Runtime, with the operator's rights.
pub(super) async fn finish(operator: Client, places: Vec<(String, String)>, count: usize) -> Result<()> {
    let all = places.into_iter().flat_map(|place| (0..count).map(move |index| (place.clone(), index)));
    stream::iter(all)
        .map(Ok)
        .try_for_each_concurrent(CREATORS, |((namespace, runtime), index)| {
            let client = operator.clone();
            async move { finish_one(&client, &namespace, &runtime, index).await }
        })
        .await
}

/// As the operator writes one: first the task, then how it ended.
async fn finish_one(client: &Client, namespace: &str, runtime: &str, index: usize) -> Result<()> {
    let tasks: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &resource("RuntimeTask", "runtimetasks"));
    let operation = format!("bench{index:03}");
    let name = format!("{runtime}-update-{operation}");
    let object = json!({
        "apiVersion": "moorage.dev/v1alpha1",
        "kind": "RuntimeTask",
        "metadata": {
            "name": name,
            "labels": {"moorage.dev/runtime": runtime, "app.kubernetes.io/managed-by": MANAGER},
        },
        "spec": {"runtimeRef": {"name": runtime}, "type": "Update", "operationID": operation},
    });
    let status = json!({"status": {
        "observedGeneration": 1,
        "state": "completed",
        "startTime": BEGAN,
        "finishTime": now()?,
        "log": ["0.0 s: SetSecrets", "0.1 s: UpdateMachine"],
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Completed", "message": "Done.",
            "observedGeneration": 1, "lastTransitionTime": BEGAN,
        }],
    }});
    let creation = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
    let object = serde_json::from_value(object)?;
    match patiently(async || tasks.create(&creation, &object).await).await {
        // Made by the try whose answer was lost.
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        made => drop(made?),
    }
    let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    patiently(async || tasks.patch_status(&name, &params, &Patch::Merge(&status)).await).await?;
    Ok(())
}

/// Tens of thousands of writes meet every hiccup of a connection: those are tried again.
async fn patiently<T>(mut write: impl AsyncFnMut() -> kube::Result<T>) -> kube::Result<T> {
    for pause in [1, 5, 20].map(Duration::from_secs) {
        match write().await {
            Ok(done) => return Ok(done),
            Err(kube::Error::Api(status)) if status.code < 500 => return Err(kube::Error::Api(status)),
            Err(_) => tokio::time::sleep(pause).await,
        }
    }
    write().await
}

/// Not so long ago that the history's age limit removes it.
fn now() -> Result<String> {
    Ok(jiff::Timestamp::from_second(epoch_ms()? / 1000)?.to_string())
}
