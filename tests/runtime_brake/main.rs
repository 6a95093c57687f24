//! Very many Runtimes deleted at once, by mistake: exactly as many go as may, the rest go on running, and one command
//! lets them go.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail loudly, and its helpers are its own"
)]

mod held;
#[path = "../runtime_support/mod.rs"]
mod support;

use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use futures::StreamExt;
use kube::ResourceExt;
use kube::api::DeleteParams;
use serde_json::json;
use testbed::ledger::{Expectation, Intent, check_ledger};
use testbed::{ControlPlane, Identity, Rig, eventually};

use support::{Tenant, condition, reason, start};

const ALL: usize = 200;
/// A fifth of them may go: `deletionBrake` is left as it is shipped.
const MAY_GO: usize = 40;
const PATIENCE: Duration = Duration::from_mins(4);

/// The program, as the platform's administrator runs it.
pub async fn moorage(cluster: &ControlPlane, arguments: &[&str]) -> String {
    let kubeconfig = cluster.kubeconfig(&Identity::Admin).await.unwrap();
    let program = env!("CARGO_BIN_EXE_moorage");
    let output = Command::new(program).args(arguments).env("KUBECONFIG", kubeconfig).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {err}{out}");
    out.into_owned()
}

/// Runtimes that are held, and those that go still.
async fn held_and_going(tenant: &Tenant<'_>) -> (usize, usize) {
    let all = tenant.runtimes().list(&Default::default()).await.unwrap().items;
    let objects = all.iter().map(|runtime| serde_json::to_value(runtime).unwrap());
    let held = objects.filter(|object| reason(object) == "AwaitingConfirm").count();
    (held, all.len() - held)
}

async fn machines(tenant: &Tenant<'_>, name: &str) -> usize {
    let app = tenant.app(name).await.unwrap();
    let standing = tenant.fly.standing(&app).await.unwrap();
    let all = standing["machines"].as_array().cloned().unwrap_or_default();
    all.iter().filter(|machine| machine["state"] == "started").count()
}

async fn declare_all(tenant: &Tenant<'_>) -> Vec<String> {
    let names: Vec<String> = (0..ALL).map(|n| format!("r{n}")).collect();
    futures::stream::iter(&names)
        .for_each_concurrent(8, async |name| {
            tenant.declare(name, json!({"deletionPolicy": "Delete"})).await.unwrap();
        })
        .await;
    eventually("all to run", PATIENCE, async || {
        let all = tenant.runtimes().list(&Default::default()).await?.items;
        let ready = all.iter().filter(|it| it.status.as_ref().is_some_and(|it| it.observed_generation == 1));
        let ready = ready.count();
        ensure!(ready == ALL, "{ready} are ready");
        Ok(())
    })
    .await
    .unwrap();
    names
}

#[tokio::test]
async fn two_hundred_deleted_by_mistake() {
    let mut rig: Rig =
        start(vec![("/deletionBrake/windowMinutes", json!(30)), ("/deletionBrake/percent", json!(20))])
            .await
            .unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "mistake").await.unwrap();
    let names = declare_all(&tenant).await;
    let mut apps = Vec::new();
    for name in &names {
        apps.push(tenant.app(name).await.unwrap());
    }
    tenant.runtimes().delete_collection(&DeleteParams::default(), &Default::default()).await.unwrap();
    // Killed while some have begun and some are about to.
    eventually("the first to go", PATIENCE, async || {
        let (held, going) = held_and_going(&tenant).await;
        ensure!(held + going < ALL || held > 0, "none has gone or is held");
        Ok(())
    })
    .await
    .unwrap();
    drop(tenant);
    rig.operator.kill().unwrap();
    rig.operator.restart().unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "mistake").await.unwrap();
    eventually("the brake to hold", PATIENCE, async || {
        let (held, going) = held_and_going(&tenant).await;
        ensure!(held == ALL - MAY_GO && going == 0, "{held} are held, {going} go");
        Ok(())
    })
    .await
    .unwrap();
    says_so(&rig, &tenant).await;
    let shown = moorage(&rig.cluster, &["confirm", "deletions"]).await;
    assert!(shown.contains("160 wait"), "{shown}");
    let done = moorage(&rig.cluster, &["confirm", "deletions", "--all"]).await;
    assert!(done.contains("160 confirmed."), "{done}");
    eventually("all to go", PATIENCE, async || {
        let left = tenant.names().await?;
        ensure!(left.is_empty(), "{} are left", left.len());
        Ok(())
    })
    .await
    .unwrap();
    let mut expected = Expectation::default();
    for app in apps {
        expected.intents.insert(app, Intent::Delete);
    }
    let problems = check_ledger(&tenant.changes().await.unwrap(), &expected);
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Those that are held serve on, and whoever looks is told.
async fn says_so(rig: &Rig, tenant: &Tenant<'_>) {
    let all = tenant.runtimes().list(&Default::default()).await.unwrap().items;
    for runtime in all.iter().step_by(20) {
        let object = serde_json::to_value(runtime).unwrap();
        assert_eq!(machines(tenant, &runtime.name_any()).await, 1, "{}", runtime.name_any());
        assert_eq!(condition(&object, "Reconciling")["reason"], "AwaitingConfirm");
        assert_eq!(condition(&object, "Available")["status"], "True");
        assert_eq!(object["status"]["state"], "destroying");
    }
    eventually("the gauge", PATIENCE, async || {
        let metrics = rig.operator.metrics().await?;
        ensure!(metrics.contains("moorage_deletions_held 160"), "no gauge of 160");
        Ok(())
    })
    .await
    .unwrap();
}
