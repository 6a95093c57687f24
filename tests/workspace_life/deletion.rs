use kube::api::{DeleteParams, PropagationPolicy};
use serde_json::json;

use crate::world::{World, condition};

async fn furnished(namespace: &str) -> World {
    let world = World::new(namespace).await;
    world.workspace("main", namespace, "members: [{kind: User, name: ada, role: Owner}]").await;
    world.runtime("ops").await;
    world.state("Workspace", "main", "active").await;
    world.state("Runtime", "ops", "running").await;
    world
}

async fn is_released(world: &World) {
    let key = format!("namespace.{}", world.namespace);
    let claim = world.get("NameClaim", &key).await.unwrap();
    assert!(!claim["spec"]["tombstone"].is_null(), "{key} is still held");
    // A name is free soon after, here.
    let key = format!("label.{}", world.namespace);
    if let Ok(claim) = world.get("NameClaim", &key).await {
        assert!(!claim["spec"]["tombstone"].is_null(), "{key} is still held");
    }
}

#[tokio::test]
async fn a_workspace_waits_for_its_runtimes() {
    let world = furnished("deletion-waits").await;
    world
        .patch(
            "Runtime",
            "ops",
            json!({"metadata": {"finalizers": ["test.example/hold", "moorage.dev/runtime-finalizer"]}}),
        )
        .await;
    world.delete("Workspace", "main").await;
    let waiting = world.reason("Workspace", "main", "AwaitingDependents").await;
    assert_eq!(condition(&waiting, "Ready")["status"], "Unknown");
    assert_eq!(condition(&waiting, "Reconciling")["status"], "True");
    world.delete("Runtime", "ops").await;
    world
        .until("Runtime", "ops", "be done with", |runtime| {
            runtime["metadata"]["finalizers"] == json!(["test.example/hold"])
        })
        .await;
    world.get("Workspace", "main").await.unwrap();
    world.patch("Runtime", "ops", json!({"metadata": {"finalizers": null}})).await;
    world.gone("Workspace", "main").await;
    is_released(&world).await;
    world.gone("RoleBinding", "moorage-owner").await;
}

#[tokio::test]
async fn a_name_comes_back_to_the_namespace_at_once() {
    let world = furnished("deletion-back").await;
    let tenant = world.get("NameClaim", "namespace.deletion-back").await.unwrap()["spec"]["tenantID"].clone();
    world.delete("Runtime", "ops").await;
    world.gone("Runtime", "ops").await;
    world.delete("Workspace", "main").await;
    world.gone("Workspace", "main").await;
    world.workspace("again", "deletion-back", "members: []").await;
    world.state("Workspace", "again", "active").await;
    assert_eq!(world.get("NameClaim", "namespace.deletion-back").await.unwrap()["spec"]["tenantID"], tenant);
}

/// What is deleted before the namespace is.
async fn ends(namespace: &str, before: &[(&str, &str)]) {
    let world = furnished(namespace).await;
    for (kind, name) in before {
        world.delete(kind, name).await;
    }
    let foreground =
        DeleteParams { propagation_policy: Some(PropagationPolicy::Foreground), ..DeleteParams::default() };
    world.api("Namespace").await.delete(namespace, &foreground).await.unwrap();
    world.gone("Namespace", namespace).await;
    is_released(&world).await;
}

#[tokio::test]
async fn a_namespace_with_everything_in_it_ends() {
    ends("deletion-all", &[]).await;
}

#[tokio::test]
async fn a_namespace_ends_after_its_workspace_was_deleted() {
    ends("deletion-workspace", &[("Workspace", "main")]).await;
}

#[tokio::test]
async fn a_namespace_ends_after_its_runtime_was_deleted() {
    ends("deletion-runtime", &[("Runtime", "ops")]).await;
}

#[tokio::test]
async fn a_namespace_ends_after_both_were_deleted_in_either_order() {
    ends("deletion-both", &[("Runtime", "ops"), ("Workspace", "main")]).await;
    ends("deletion-either", &[("Workspace", "main"), ("Runtime", "ops")]).await;
}
