use crate::world::{World, condition};

#[tokio::test]
async fn limits_and_suspension_are_the_platforms() {
    let world = World::new("policy-limits").await;
    world.policy("allowedPlans: [openclaw-trial], maxRuntimes: 3").await;
    world.workspace("main", "policy-limits", "members: []").await;
    let active = world.state("Workspace", "main", "active").await;
    assert_eq!(active["status"]["limits"]["maxRuntimes"], 3);
    assert_eq!(active["status"]["limits"]["allowedPlans"][0], "openclaw-trial");
    assert_eq!(active["status"]["limits"]["suspended"], false);

    world.policy("allowedPlans: [openclaw-trial], suspended: true").await;
    let suspended = world.state("Workspace", "main", "suspended").await;
    let ready = condition(&suspended, "Ready");
    assert_eq!((ready["status"].as_str(), ready["reason"].as_str()), (Some("False"), Some("AwaitingResume")));
    assert_eq!(condition(&suspended, "Reconciling")["reason"], "AwaitingResume");
    assert_eq!(suspended["status"]["limits"]["suspended"], true);
    world.at_rest().await;

    world.policy("allowedPlans: [openclaw-trial]").await;
    world.state("Workspace", "main", "active").await;
    world.at_rest().await;
}

#[tokio::test]
async fn a_paused_workspace_is_left_alone() {
    let world = World::new("policy-paused").await;
    world
        .apply(
            "{apiVersion: moorage.dev/v1alpha1, kind: Workspace, metadata: {name: main, namespace: policy-paused, \
             annotations: {moorage.dev/paused: 'true'}}, spec: {displayName: x, subdomain: policy-paused}}",
        )
        .await;
    world.reason("Workspace", "main", "AwaitingUnpause").await;
    assert!(world.get("NameClaim", "namespace.policy-paused").await.is_err());
    world.at_rest().await;
    let unpause = serde_json::json!({"metadata": {"annotations": {"moorage.dev/paused": null}}});
    world.patch("Workspace", "main", unpause).await;
    world.state("Workspace", "main", "active").await;
}
