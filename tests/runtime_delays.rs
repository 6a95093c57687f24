//! How long a customer waits on the delays that were measured at Fly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test may fail loudly, and its helpers are its own"
)]

use std::time::{Duration, Instant};

use testbed::{Delays, FlySimOptions, Rig, RigOptions, api_for, apply, condition_is, eventually};

/// Runtimes that are declared together.
const RUNTIMES: usize = 20;

/// Seconds from the declaration to `Ready` of the slowest but one.
async fn p95(delays: Delays, within: Duration) -> f64 {
    let options =
        RigOptions { fly: FlySimOptions { delays, ..FlySimOptions::default() }, ..RigOptions::default() };
    let rig = Rig::start(options).await.unwrap();
    let client = rig.client().await.unwrap();
    apply(&client, &manifests()).await.unwrap();
    let begun = Instant::now();
    let types = kube::core::TypeMeta { api_version: "moorage.dev/v1alpha1".into(), kind: "Runtime".into() };
    let runtimes = api_for(&client, &types, Some("delays")).await.unwrap();
    let mut took: Vec<f64> = Vec::new();
    eventually("every Runtime ready", within, async || {
        let ready = runtimes.list(&kube::api::ListParams::default()).await?;
        let ready = ready.iter().filter(|runtime| condition_is(&runtime.data, "Ready", "True")).count();
        took.resize(ready.max(took.len()), begun.elapsed().as_secs_f64());
        anyhow::ensure!(ready == RUNTIMES, "{ready} of {RUNTIMES} are ready");
        Ok(())
    })
    .await
    .unwrap();
    took[RUNTIMES * 95 / 100 - 1]
}

fn manifests() -> String {
    let head = "{apiVersion: v1, kind: Namespace, metadata: {name: delays}}\n---\n\
         {apiVersion: moorage.dev/v1alpha1, kind: WorkspacePolicy, metadata: {name: delays}, \
          spec: {selector: {namespaces: [delays]}, allowedPlans: [openclaw-trial], maxRuntimes: 100}}\n";
    let runtime = |number| {
        format!(
            "{{apiVersion: moorage.dev/v1alpha1, kind: Runtime, metadata: {{name: r{number}, namespace: delays}}, \
             spec: {{planRef: {{name: openclaw-trial}}, regions: [fra]}}}}\n"
        )
    };
    let all: Vec<String> = std::iter::once(head.to_owned()).chain((0..RUNTIMES).map(runtime)).collect();
    all.join("---\n")
}

#[tokio::test]
async fn with_the_image_on_the_host_it_is_ready_within_20_seconds() {
    let seconds = p95(Delays::Warm, Duration::from_mins(1)).await;
    println!("warm: p95 {seconds:.1} s");
    assert!(seconds < 20.0, "{seconds} s");
}

#[tokio::test]
async fn with_an_image_that_must_be_pulled_it_is_ready_within_three_minutes() {
    let seconds = p95(Delays::Cold, Duration::from_secs(200)).await;
    println!("cold: p95 {seconds:.1} s");
    assert!(seconds < 180.0, "{seconds} s");
}
