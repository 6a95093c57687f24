//! A Secret that changes reaches who refers to it, with a restart only where one is needed.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use testbed::eventually;
use tokio::sync::OnceCell;

use crate::support::{SOON, Tenant, condition, start, text};

/// Declares a Runtime with a variable that needs a restart and one that needs none, both from a Secret.
async fn tenant(namespace: &str) -> Tenant<'static> {
    static RIG: OnceCell<testbed::Rig> = OnceCell::const_new();
    let rig = RIG
        .get_or_init(|| async { start(vec![("/timing/rotationSeconds", json!(2))]).await.expect("a rig") })
        .await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap();
    let mut blueprint: Value = platform_blueprint(&tenant).await;
    let rules = json!([{"name": "CALM", "type": "Plain", "onChange": "NextStart"},
        {"name": "URGENT", "type": "Secret"}]);
    blueprint["spec"]["envSchema"] = rules;
    testbed::apply(&tenant.client, &blueprint.to_string()).await.unwrap();
    set(&tenant, "first", "first").await;
    let from = |key: &str| json!({"secretKeyRef": {"name": "keys", "key": key}});
    let env =
        json!([{"name": "URGENT", "valueFrom": from("urgent")}, {"name": "CALM", "valueFrom": from("calm")}]);
    tenant.declare("ops", json!({"blueprintRef": {"name": "calm"}, "env": env})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    tenant
}

/// The shipped Blueprint under another name.
async fn platform_blueprint(tenant: &Tenant<'_>) -> Value {
    let all: kube::Api<moorage::api::Blueprint> = kube::Api::all(tenant.client.clone());
    let shipped = serde_json::to_value(all.get("openclaw").await.unwrap()).unwrap();
    json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Blueprint", "metadata": {"name": "calm"},
        "spec": shipped["spec"]})
}

async fn set(tenant: &Tenant<'_>, urgent: &str, calm: &str) {
    let secret = json!({"metadata": {"labels": {"moorage.dev/use": "runtime-env"}},
        "stringData": {"urgent": format!("canary-{urgent}-urgent-5d1"), "calm": format!("canary-{calm}-calm-5d1")}});
    tenant.apply("v1", "Secret", "keys", secret).await.unwrap();
}

async fn effects(tenant: &Tenant<'_>, since: u64) -> Vec<String> {
    let all = tenant.changes().await.unwrap();
    all.into_iter().filter(|it| it.seq > since).map(|it| it.effect).collect()
}

async fn wait_effect(tenant: &Tenant<'_>, since: u64, effect: &str) {
    eventually(effect, SOON, async || {
        let seen = effects(tenant, since).await;
        ensure!(seen.iter().any(|it| it == effect), "{seen:?}");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_rotated_secret_is_applied_by_a_restart() {
    let tenant = tenant("rotated").await;
    let head = tenant.fly.head().await.unwrap();
    set(&tenant, "second", "first").await;
    wait_effect(&tenant, head, "machine.update").await;
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    let seen = effects(&tenant, head).await;
    assert_eq!(seen.iter().filter(|it| *it == "machine.update").count(), 1, "{seen:?}");
    let shown = &object["status"]["env"];
    assert_eq!(
        shown[0],
        json!({"name": "URGENT", "source": "Secret", "secretKeyRef": {"name": "keys", "key": "urgent"}})
    );
    for canary in ["canary-first-urgent-5d1", "canary-second-urgent-5d1"] {
        let status = object.to_string();
        assert!(!status.contains(canary), "{status}");
    }
}

#[tokio::test]
async fn one_that_needs_no_restart_is_ready_for_the_next_start() {
    let tenant = tenant("calm").await;
    let (head, app) = (tenant.fly.head().await.unwrap(), tenant.app("ops").await.unwrap());
    let before = tenant.fly.standing(&app).await.unwrap()["machines"][0]["version"].clone();
    set(&tenant, "first", "second").await;
    let waits = |it: &Value| it["status"]["env"][1]["effective"] == "NextStart";
    let object = tenant.wait("ops", "it waits for the next start", waits).await.unwrap();
    assert!(
        text(&condition(&object, "ConfigApplied"), "/message")
            .contains("`CALM` takes effect at the next start")
    );
    tokio::time::sleep(Duration::from_secs(6)).await;
    let settled = tenant.get("ops").await.unwrap();
    assert_eq!(
        settled["metadata"]["resourceVersion"], object["metadata"]["resourceVersion"],
        "at rest nothing is written"
    );
    assert_eq!(
        tenant.fly.standing(&app).await.unwrap()["machines"][0]["version"],
        before,
        "it was left running"
    );
    let seen = effects(&tenant, head).await;
    assert!(!seen.iter().any(|it| it == "machine.update" || it == "machine.stop"), "{seen:?}");
    tenant.patch("ops", json!({"spec": {"powerState": "Stopped"}})).await.unwrap();
    let stopped = tenant.wait_ready("ops", "stopped").await.unwrap();
    assert_eq!(stopped["status"]["env"][1]["effective"], json!(null));
}

#[tokio::test]
async fn what_is_removed_is_removed_from_the_app_too() {
    let tenant = tenant("removed").await;
    let (head, app) = (tenant.fly.head().await.unwrap(), tenant.app("ops").await.unwrap());
    tenant.patch("ops", json!({"spec": {"env": []}})).await.unwrap();
    wait_effect(&tenant, head, "machine.update").await;
    tenant.wait_ready("ops", "running").await.unwrap();
    let standing = tenant.fly.standing(&app).await.unwrap();
    assert!(!standing.to_string().contains("URGENT"), "{standing}");
}

#[tokio::test]
async fn a_token_that_was_deleted_is_made_anew_with_one_restart() {
    let tenant = tenant("token").await;
    let head = tenant.fly.head().await.unwrap();
    let secrets = tenant.api("v1", "Secret").await.unwrap();
    let before = secrets.get("ops-gateway-token").await.unwrap().data["data"]["token"].clone();
    secrets.delete("ops-gateway-token", &kube::api::DeleteParams::default()).await.unwrap();
    wait_effect(&tenant, head, "machine.update").await;
    tenant.wait_ready("ops", "running").await.unwrap();
    let after = secrets.get("ops-gateway-token").await.unwrap().data["data"]["token"].clone();
    assert_ne!(before, after);
    let seen = effects(&tenant, head).await;
    assert_eq!(seen.iter().filter(|it| *it == "machine.update").count(), 1, "{seen:?}");
}

#[tokio::test]
async fn a_token_that_somebody_puts_there_reaches_the_gateway_once_the_sweep_has_seen_it() {
    let tenant = tenant("given").await;
    let secrets = tenant.api("v1", "Secret").await.unwrap();
    let set = async |token: &str| {
        let patch = json!({"stringData": {"token": token}});
        let params = kube::api::PatchParams::default();
        secrets.patch("ops-gateway-token", &params, &kube::api::Patch::Merge(patch)).await.unwrap();
    };
    // The sweep has to come by once to know the one that is there.
    let sweep = Duration::from_secs(3 * 8);
    tokio::time::sleep(sweep).await;
    let head = tenant.fly.head().await.unwrap();
    set("ffffffffffffffffffffffffffffffff").await;
    wait_effect(&tenant, head, "machine.update").await;
    tenant.wait_ready("ops", "running").await.unwrap();
    let seen = effects(&tenant, head).await;
    assert_eq!(seen.iter().filter(|it| *it == "machine.update").count(), 1, "{seen:?}");
}
