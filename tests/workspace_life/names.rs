use serde_json::json;

use crate::world::{World, condition, is_ready};

#[tokio::test]
async fn a_workspace_claims_its_namespace_and_its_subdomain() {
    let world = World::new("names-claims").await;
    world.workspace("main", "names-claims", "members: []").await;
    let workspace = world.state("Workspace", "main", "active").await;
    assert!(is_ready(&workspace));
    assert_eq!(workspace["status"]["observedGeneration"], 1);
    assert_eq!(condition(&workspace, "SubdomainClaimed")["status"], "True");
    assert_eq!(condition(&workspace, "MembersBound")["status"], "True");
    let uid = world.uid("Workspace", "main").await;
    let namespace = world.get("NameClaim", "namespace.names-claims").await.unwrap();
    let label = world.get("NameClaim", "label.names-claims").await.unwrap();
    for (claim, kind) in [(&namespace, "Namespace"), (&label, "Subdomain")] {
        assert_eq!(claim["spec"]["type"], kind);
        assert_eq!(claim["spec"]["holder"], json!({"namespace": "names-claims", "name": "main", "uid": uid}));
    }
    assert!(namespace["spec"]["tenantID"].as_str().unwrap().len() >= 8);
    assert!(label["spec"]["tenantID"].is_null());
    world.at_rest().await;
}

#[tokio::test]
async fn the_minimal_example_becomes_active() {
    let world = World::new("acme").await;
    let example = testbed::repository().join("examples/minimal-workspace");
    for document in testbed::platform::read_kustomization(&example).unwrap() {
        world.apply(&document.to_string()).await;
    }
    world.state("Workspace", "acme", "active").await;
    world.at_rest().await;
}

#[tokio::test]
async fn a_second_workspace_waits_until_the_first_has_gone_and_the_tenant_stays() {
    let world = World::new("names-second").await;
    world.workspace("first", "names-first", "members: []").await;
    world.state("Workspace", "first", "active").await;
    let tenant = world.get("NameClaim", "namespace.names-second").await.unwrap()["spec"]["tenantID"].clone();
    world.workspace("second", "names-second", "members: []").await;
    let second = world.reason("Workspace", "second", "NamespaceTaken").await;
    assert_eq!(second["status"]["state"], "error");
    assert_eq!(condition(&second, "Stalled")["status"], "True");
    world.at_rest().await;
    world.delete("Workspace", "first").await;
    world.gone("Workspace", "first").await;
    world.state("Workspace", "second", "active").await;
    let claim = world.get("NameClaim", "namespace.names-second").await.unwrap();
    assert_eq!(claim["spec"]["holder"]["name"], "second");
    assert_eq!(claim["spec"]["tenantID"], tenant);
    assert!(claim["spec"]["tombstone"].is_null());
}

#[tokio::test]
async fn a_taken_subdomain_is_refused_and_kept_for_its_last_holder_for_a_while() {
    let (one, other) = (World::new("names-one").await, World::new("names-other").await);
    one.workspace("main", "names-shared", "members: []").await;
    one.state("Workspace", "main", "active").await;
    other.workspace("main", "names-shared", "members: []").await;
    let refused = other.reason("Workspace", "main", "NameTaken").await;
    assert_eq!(refused["status"]["state"], "error");
    assert_eq!(condition(&refused, "SubdomainClaimed")["reason"], "NameTaken");
    other.at_rest().await;
    one.delete("Workspace", "main").await;
    one.gone("Workspace", "main").await;
    let freed = other.get("NameClaim", "label.names-shared").await.unwrap();
    assert_eq!(freed["spec"]["holder"]["namespace"], "names-one");
    assert!(!freed["spec"]["tombstone"].is_null());
    other.state("Workspace", "main", "active").await;
    let taken = other.get("NameClaim", "label.names-shared").await.unwrap();
    assert_eq!(taken["spec"]["holder"]["namespace"], "names-other");
}

#[tokio::test]
async fn another_object_of_the_same_name_needs_the_platforms_word() {
    let world = World::new("names-changed").await;
    for (kind, key, name) in [
        ("Namespace", "namespace.names-changed", "names-changed"),
        ("Subdomain", "label.names-changed", "names-changed"),
    ] {
        let tenant = if kind == "Namespace" { ", tenantID: tenant-of-old" } else { "" };
        world
            .apply(&format!(
                "{{apiVersion: moorage.dev/v1alpha1, kind: NameClaim, metadata: {{name: {key}}}, spec: \
                 {{type: {kind}, name: {name}, holder: {{namespace: names-changed, name: main, uid: gone}}{tenant}}}}}"
            ))
            .await;
    }
    world.workspace("main", "names-changed", "members: []").await;
    let changed = world.reason("Workspace", "main", "IdentityChanged").await;
    assert!(condition(&changed, "Ready")["message"].as_str().unwrap().contains("kubectl patch nameclaim"));
    world.at_rest().await;
    let confirm = json!({"spec": {"confirm": {"uid": world.uid("Workspace", "main").await}}});
    world.patch("NameClaim", "namespace.names-changed", confirm.clone()).await;
    world
        .until("Workspace", "main", "ask for the subdomain too", |workspace| {
            condition(workspace, "Ready")["message"].as_str().is_some_and(|text| text.contains("label."))
        })
        .await;
    world.patch("NameClaim", "label.names-changed", confirm).await;
    world.state("Workspace", "main", "active").await;
    let claim = world.get("NameClaim", "namespace.names-changed").await.unwrap();
    assert_eq!(claim["spec"]["tenantID"], "tenant-of-old");
    assert!(claim["spec"]["confirm"].is_null());
}
