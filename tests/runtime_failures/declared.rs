//! What is declared and leads nowhere, until what it refers to is there.

use kube::api::DeleteParams;
use serde_json::json;
use testbed::apply;

use crate::{tells, tenant};

fn secret(label: &str) -> serde_json::Value {
    json!({"metadata": {"labels": {"moorage.dev/use": label}}, "stringData": {"key": "a value"}})
}

#[tokio::test]
async fn a_secret_that_is_missing_unlabelled_or_lacks_the_key() {
    let tenant = tenant("secret").await;
    let from = json!({"secretKeyRef": {"name": "keys", "key": "key"}});
    tenant.declare("ops", json!({"env": [{"name": "OPENAI_API_KEY", "valueFrom": from}]})).await.unwrap();
    tenant.declare("other", json!({})).await.unwrap();
    tells(&tenant.wait_reason("ops", "SecretNotFound").await.unwrap(), "`keys`");
    tenant.apply("v1", "Secret", "keys", json!({"stringData": {"other": "a value"}})).await.unwrap();
    tells(&tenant.wait_reason("ops", "SecretNotLabelled").await.unwrap(), "moorage.dev/use");
    let unfit =
        json!({"metadata": {"labels": {"moorage.dev/use": "runtime-env"}}, "stringData": {"other": "x"}});
    tenant.apply("v1", "Secret", "keys", unfit).await.unwrap();
    tells(&tenant.wait_reason("ops", "SecretKeyNotFound").await.unwrap(), "`key`");
    tenant.wait_ready("other", "running").await.unwrap();
    tenant.apply("v1", "Secret", "keys", secret("runtime-env")).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(tenant.problems(&["ops", "other"], &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_secret_that_goes_later_stops_nothing() {
    let tenant = tenant("later").await;
    tenant.apply("v1", "Secret", "keys", secret("runtime-env")).await.unwrap();
    let from = json!({"secretKeyRef": {"name": "keys", "key": "key"}});
    tenant.declare("ops", json!({"env": [{"name": "OPENAI_API_KEY", "valueFrom": from}]})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let secrets = tenant.api("v1", "Secret").await.unwrap();
    secrets.delete("keys", &DeleteParams::default()).await.unwrap();
    tenant.patch("ops", json!({"spec": {"persona": {"name": "Ada"}}})).await.unwrap();
    tenant.wait_reason("ops", "SecretNotFound").await.unwrap();
    let app = tenant.app("ops").await.unwrap();
    assert_eq!(tenant.fly.standing(&app).await.unwrap()["machines"][0]["state"], "started");
    tenant.apply("v1", "Secret", "keys", secret("runtime-env")).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
}

#[tokio::test]
async fn a_plan_that_comes_later() {
    let tenant = tenant("plan").await;
    tenant.declare("ops", json!({"planRef": {"name": "late"}})).await.unwrap();
    tells(&tenant.wait_reason("ops", "PlanNotFound").await.unwrap(), "kubectl get plans");
    let plan = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Plan", "metadata": {"name": "late"},
        "spec": {"displayName": "Late", "cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 3,
            "amount": 0, "currency": "USD", "interval": "Month", "requiresOrder": false}});
    apply(&tenant.client, &plan.to_string()).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
}

#[tokio::test]
async fn a_plan_that_is_too_small_or_not_allowed() {
    let tenant = tenant("size").await;
    let plan = |name: &str, memory: i32| {
        json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Plan", "metadata": {"name": name},
            "spec": {"displayName": name, "cpuKind": "Shared", "cpus": 1, "memoryMB": memory, "volumeGB": 3,
                "amount": 0, "currency": "USD", "interval": "Month", "requiresOrder": false}})
    };
    apply(&tenant.client, &plan("tiny", 512).to_string()).await.unwrap();
    apply(&tenant.client, &plan("secret-deal", 2048).to_string()).await.unwrap();
    tenant.declare("tiny", json!({"planRef": {"name": "tiny"}})).await.unwrap();
    tenant.declare("deal", json!({"planRef": {"name": "secret-deal"}})).await.unwrap();
    tells(&tenant.wait_reason("tiny", "PlanTooSmall").await.unwrap(), "larger Plan");
    tells(&tenant.wait_reason("deal", "PlanNotAllowed").await.unwrap(), "WorkspacePolicy");
    assert!(tenant.changes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_blueprint_that_comes_later() {
    let tenant = tenant("blue").await;
    tenant.declare("ops", json!({"blueprintRef": {"name": "late"}})).await.unwrap();
    tells(&tenant.wait_reason("ops", "BlueprintNotFound").await.unwrap(), "kubectl get blueprints");
    apply(&tenant.client, &crate::machine::blueprint(&tenant, "late", "late:1").await).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
}

#[tokio::test]
async fn a_workspace_that_comes_later() {
    let tenant = tenant("space").await;
    tenant.declare("ops", json!({"workspaceRef": {"name": "acme"}})).await.unwrap();
    tells(&tenant.wait_reason("ops", "WorkspaceNotFound").await.unwrap(), "`acme`");
    let workspace = json!({"spec": {"displayName": "Acme", "subdomain": "space"}});
    tenant.apply("moorage.dev/v1alpha1", "Workspace", "acme", workspace).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
}

#[tokio::test]
async fn a_slug_that_somebody_has() {
    let (first, second) = (tenant("slug-a").await, tenant("slug-b").await);
    first.declare("ops", json!({"slug": "one-for-all"})).await.unwrap();
    first.wait_ready("ops", "running").await.unwrap();
    second.declare("ops", json!({"slug": "one-for-all"})).await.unwrap();
    tells(&second.wait_reason("ops", "NameTaken").await.unwrap(), "Choose another");
    second.delete("ops", "Delete").await.unwrap();
    second.wait_gone("ops").await.unwrap();
    first.wait_ready("ops", "running").await.unwrap();
    first.delete("ops", "Delete").await.unwrap();
    first.wait_gone("ops").await.unwrap();
}

#[tokio::test]
async fn a_secret_written_into_the_manifest_is_refused() {
    let tenant = tenant("literal").await;
    let env = json!({"env": [{"name": "OPENAI_API_KEY", "value": "sk-in-plain-sight"}]});
    tenant.declare("ops", env).await.unwrap();
    let object = tenant.wait_reason("ops", "SecretLiteral").await.unwrap();
    tells(&object, "secretKeyRef");
    assert!(!object["status"].to_string().contains("sk-in-plain-sight"));
    tenant.patch("ops", json!({"spec": {"env": []}})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
}

#[tokio::test]
async fn names_that_are_too_long_are_refused_at_the_door() {
    let tenant = tenant("long").await;
    let refused = tenant.declare(&"a".repeat(250), json!({"slug": "short"})).await;
    let told = format!("{:#}", refused.unwrap_err());
    assert!(told.contains("40 characters"), "{told}");
}
