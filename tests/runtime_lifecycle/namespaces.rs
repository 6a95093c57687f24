//! A namespace that goes with everything in it, whatever the order.

use std::time::Duration;

use anyhow::ensure;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use testbed::eventually;
use testbed::ledger::Intent;

use crate::support::Tenant;
use crate::tenant;

/// The namespace controller comes back to what it couldn't finish with a back-off of its own.
const GONE_WITHIN: Duration = Duration::from_secs(90);

async fn filled(namespace: &str) -> (Tenant<'static>, Vec<(String, Intent)>) {
    let tenant = tenant(namespace).await;
    let subdomain = json!({"spec": {"displayName": "Acme", "subdomain": namespace}});
    tenant.apply("moorage.dev/v1alpha1", "Workspace", "acme", subdomain).await.unwrap();
    let all = [
        ("d", "Delete", Intent::Delete),
        ("s", "Snapshot", Intent::Snapshot),
        ("r", "Retain", Intent::Retain),
    ];
    for (name, policy, _) in all {
        tenant.declare(name, json!({"deletionPolicy": policy})).await.unwrap();
    }
    let mut intents = Vec::new();
    for (name, _, intent) in all {
        tenant.wait_ready(name, "running").await.unwrap();
        intents.push((tenant.app(name).await.unwrap(), intent));
    }
    (tenant, intents)
}

async fn delete_namespace(tenant: &Tenant<'_>) {
    let namespaces: Api<Namespace> = Api::all(tenant.client.clone());
    namespaces.delete(&tenant.namespace, &DeleteParams::default()).await.unwrap();
}

async fn goes(tenant: &Tenant<'_>, intents: &[(String, Intent)]) {
    let namespaces: Api<Namespace> = Api::all(tenant.client.clone());
    eventually(&format!("the namespace {} gone", tenant.namespace), GONE_WITHIN, async || {
        let left = namespaces.get_opt(&tenant.namespace).await?;
        ensure!(left.is_none(), "{:?}", left.and_then(|left| left.status));
        Ok(())
    })
    .await
    .unwrap();
    let intents: Vec<(&str, Intent)> = intents.iter().map(|(app, intent)| (app.as_str(), *intent)).collect();
    assert_eq!(tenant.problems(&[], &intents).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn everything_at_once() {
    let (tenant, intents) = filled("ns-all").await;
    delete_namespace(&tenant).await;
    goes(&tenant, &intents).await;
}

#[tokio::test]
async fn the_workspace_first() {
    let (tenant, intents) = filled("ns-ws").await;
    let workspaces = tenant.api("moorage.dev/v1alpha1", "Workspace").await.unwrap();
    workspaces.delete("acme", &DeleteParams::default()).await.unwrap();
    delete_namespace(&tenant).await;
    goes(&tenant, &intents).await;
}

#[tokio::test]
async fn the_secrets_first() {
    let (tenant, intents) = filled("ns-secrets").await;
    let secrets = tenant.api("v1", "Secret").await.unwrap();
    secrets.delete_collection(&DeleteParams::default(), &kube::api::ListParams::default()).await.unwrap();
    delete_namespace(&tenant).await;
    goes(&tenant, &intents).await;
}

#[tokio::test]
async fn while_they_change() {
    let (tenant, intents) = filled("ns-busy").await;
    for name in ["d", "s", "r"] {
        tenant.patch(name, json!({"spec": {"powerState": "Stopped"}})).await.unwrap();
    }
    delete_namespace(&tenant).await;
    goes(&tenant, &intents).await;
}

#[tokio::test]
async fn while_they_are_made() {
    let tenant = tenant("ns-new").await;
    for name in ["a", "b", "c", "d"] {
        tenant.declare(name, json!({"deletionPolicy": "Delete"})).await.unwrap();
    }
    delete_namespace(&tenant).await;
    let namespaces: Api<Namespace> = Api::all(tenant.client.clone());
    eventually("the namespace ns-new gone", GONE_WITHIN, async || {
        ensure!(namespaces.get_opt("ns-new").await?.is_none(), "still there");
        Ok(())
    })
    .await
    .unwrap();
    let apps = tenant.fly.0.read("state").await.unwrap()["apps"].clone();
    let ours = |app: &&serde_json::Value| app["name"].as_str().unwrap().starts_with("ns-new-");
    assert_eq!(apps.as_array().unwrap().iter().find(ours), None);
}

#[tokio::test]
async fn its_finalizer_stays_until_all_is_gone() {
    let tenant = tenant("ns-fin").await;
    tenant.declare("ops", json!({"deletionPolicy": "Delete"})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let app = tenant.app("ops").await.unwrap();
    let stuck = tenant
        .fly
        .rule(
            json!({"method": "DELETE", "app": app, "route": "/v1/apps/{app}"}),
            json!({"kind": "status", "status": 500}),
        )
        .await
        .unwrap();
    delete_namespace(&tenant).await;
    eventually("a refused deletion", GONE_WITHIN, async || {
        ensure!(tenant.fly.applied(stuck).await? > 0, "not tried yet");
        Ok(())
    })
    .await
    .unwrap();
    eventually("a status that says so", GONE_WITHIN, async || {
        let object = tenant.get("ops").await?;
        ensure!(object["status"]["state"] == "destroying", "{}", object["status"]);
        Ok(())
    })
    .await
    .unwrap();
    tenant.fly.mend(stuck).await.unwrap();
    goes(&tenant, &[(app, Intent::Delete)]).await;
    let patch = Patch::Merge(json!({}));
    let gone = tenant.runtimes().patch("ops", &PatchParams::default(), &patch).await;
    assert!(gone.is_err());
}
