//! Finalizers that are taken off or added, and objects that vanish by that.

use anyhow::ensure;
use kube::api::DeleteParams;
use serde_json::json;
use testbed::eventually;
use testbed::ledger::Intent;

use crate::hostile;
use crate::support::{SOON, Tenant, text};

fn finalizers(of: &[&str]) -> serde_json::Value {
    json!({"metadata": {"finalizers": of}})
}

#[tokio::test]
async fn a_finalizer_that_was_taken_off_comes_back() {
    let (platform, tenant) = hostile("strip").await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    tenant.patch("ops", finalizers(&[])).await.unwrap();
    let back = |object: &serde_json::Value| {
        object["metadata"]["finalizers"].as_array().is_some_and(|all| all.len() == 1)
    };
    tenant.wait("ops", "its finalizer", back).await.unwrap();
    assert_eq!(platform.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_finalizer_of_the_tenants_own_holds_nothing_up_at_fly() {
    let (platform, tenant) = hostile("own").await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let object = tenant.get("ops").await.unwrap();
    let mine = text(&object, "/metadata/finalizers/0").to_owned();
    tenant.patch("ops", finalizers(&[&mine, "example.com/mine"])).await.unwrap();
    let app = platform.app("ops").await.unwrap();
    tenant.delete("ops", "Delete").await.unwrap();
    eventually("gone at Fly", SOON, async || {
        ensure!(tenant.fly.standing(&app).await?.is_null(), "still there");
        Ok(())
    })
    .await
    .unwrap();
    eventually("our finalizer gone", SOON, async || {
        let left = tenant.get("ops").await?["metadata"]["finalizers"].clone();
        ensure!(left == json!(["example.com/mine"]), "{left}");
        Ok(())
    })
    .await
    .unwrap();
    tenant.patch("ops", finalizers(&[])).await.unwrap();
    tenant.wait_gone("ops").await.unwrap();
    assert_eq!(platform.problems(&[], &[(&app, Intent::Delete)]).await.unwrap(), [""; 0]);
}

/// Deletes a Runtime and takes its finalizer off in the same moment, until it has vanished before it was finished.
async fn vanish(tenant: &Tenant<'_>, name: &str, policy: &str) {
    tenant.patch(name, json!({"spec": {"deletionPolicy": policy}})).await.unwrap();
    tenant.wait_ready(name, "running").await.unwrap();
    // Held, so that the operator doesn't put the finalizer back in between.
    let hold = json!({"metadata": {"annotations": {"moorage.dev/paused": "true"}, "finalizers": []}});
    tenant.patch(name, hold).await.unwrap();
    tenant.runtimes().delete(name, &DeleteParams::background()).await.unwrap();
    tenant.wait_gone(name).await.unwrap();
}

#[tokio::test]
async fn one_that_vanished_is_finished_from_its_claim_and_its_data_saved() {
    let (platform, tenant) = hostile("vanish").await;
    let mut intents = Vec::new();
    // Whatever the policy was, nothing goes without a snapshot once nobody can be asked any more.
    for (name, policy) in [("d", "Delete"), ("s", "Snapshot")] {
        tenant.declare(name, json!({})).await.unwrap();
        tenant.wait_ready(name, "running").await.unwrap();
        intents.push((platform.app(name).await.unwrap(), Intent::Snapshot));
        vanish(&tenant, name, policy).await;
    }
    for name in ["d", "s"] {
        eventually(&format!("the claim of {name} finished"), SOON, async || {
            let claim = platform.claim(name).await?;
            ensure!(claim["spec"]["tombstone"].is_object(), "{}", claim["spec"]);
            Ok(())
        })
        .await
        .unwrap();
    }
    let intents: Vec<_> = intents.iter().map(|(app, intent)| (app.as_str(), *intent)).collect();
    assert_eq!(platform.problems(&[], &intents).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn so_it_is_where_tenants_may_ask_for_nothing_but_delete() {
    let (platform, tenant) = hostile("bare").await;
    let policy = json!({
        "apiVersion": "moorage.dev/v1alpha1", "kind": "WorkspacePolicy", "metadata": {"name": "bare"},
        "spec": {"selector": {"namespaces": ["bare"]}, "allowedDeletionPolicies": ["Delete"]},
    });
    testbed::apply(&platform.client, &policy.to_string()).await.unwrap();
    tenant.declare("ops", json!({"deletionPolicy": "Delete"})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let app = platform.app("ops").await.unwrap();
    vanish(&tenant, "ops", "Delete").await;
    eventually("its claim finished", SOON, async || {
        let claim = platform.claim("ops").await?;
        ensure!(claim["spec"]["tombstone"].is_object(), "{}", claim["spec"]);
        Ok(())
    })
    .await
    .unwrap();
    let left = platform.claim("ops").await.unwrap()["spec"]["runtime"].clone();
    assert!(text(&left, "/snapshot/id").starts_with("vs_"), "{left}");
    assert_eq!(platform.problems(&[], &[(&app, Intent::Snapshot)]).await.unwrap(), [""; 0]);
}
