use std::time::Duration;

use anyhow::bail;
use kube::api::{DynamicObject, ListParams};
use serde_json::json;
use testbed::eventually;

use crate::world::{PATIENCE, World, condition, rig};

const OWNERS: &str = "members: [{kind: User, name: ada, role: Owner}, {kind: ServiceAccount, name: bot, role: Owner}, \
                      {kind: Group, name: staff, role: Viewer}]";

/// Whom a binding binds, sorted.
async fn subjects(world: &World, binding: &str) -> anyhow::Result<Vec<String>> {
    let binding = world.get("RoleBinding", binding).await?;
    let mut names: Vec<String> = binding["subjects"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|subject| format!("{}/{}", subject["kind"].as_str().unwrap(), subject["name"].as_str().unwrap()))
        .collect();
    names.sort();
    Ok(names)
}

async fn bound(world: &World, binding: &str, wanted: &[&str]) {
    eventually(&format!("{binding} to bind {wanted:?}"), PATIENCE, async || {
        let found = subjects(world, binding).await?;
        if found == wanted { Ok(()) } else { bail!("it binds {found:?}") }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn members_are_bound_changed_and_removed() {
    let world = World::new("members-life").await;
    world.workspace("main", "members-life", OWNERS).await;
    world.state("Workspace", "main", "active").await;
    bound(&world, "moorage-owner", &["ServiceAccount/bot", "User/ada"]).await;
    bound(&world, "moorage-viewer", &["Group/staff"]).await;
    let binding = world.get("RoleBinding", "moorage-owner").await.unwrap();
    assert_eq!(binding["metadata"]["ownerReferences"][0]["uid"], world.uid("Workspace", "main").await);
    assert_eq!(binding["roleRef"]["name"], "moorage-owner");
    let bot = &binding["subjects"].as_array().unwrap().iter().find(|it| it["name"] == "bot").unwrap();
    assert_eq!(bot["namespace"], "members-life");
    assert!(world.get("RoleBinding", "moorage-operator").await.is_err());

    let changed = "members: [{kind: User, name: bob, role: Owner}, {kind: User, name: ada, role: Operator}]";
    world.workspace("main", "members-life", changed).await;
    bound(&world, "moorage-owner", &["User/bob"]).await;
    bound(&world, "moorage-operator", &["User/ada"]).await;
    world.gone("RoleBinding", "moorage-viewer").await;
    world.at_rest().await;
}

#[tokio::test]
async fn forged_bindings_are_put_right() {
    let world = World::new("members-forged").await;
    // An early one under our name that binds more than members hold.
    world
        .apply(
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, \
             metadata: {name: moorage-operator, namespace: members-forged}, \
             roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, \
             subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: mallory}]}",
        )
        .await;
    world.workspace("main", "members-forged", OWNERS).await;
    world.state("Workspace", "main", "active").await;
    world.gone("RoleBinding", "moorage-operator").await;
    let mallory =
        json!({"subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}]});
    world.patch("RoleBinding", "moorage-owner", mallory).await;
    bound(&world, "moorage-owner", &["ServiceAccount/bot", "User/ada"]).await;
    world.delete("RoleBinding", "moorage-viewer").await;
    bound(&world, "moorage-viewer", &["Group/staff"]).await;
    world.at_rest().await;
}

#[tokio::test]
async fn an_existing_binding_to_another_role_is_made_anew() {
    let world = World::new("members-anew").await;
    world
        .apply(
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, \
             metadata: {name: moorage-owner, namespace: members-anew}, \
             roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, \
             subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ada}]}",
        )
        .await;
    world.workspace("main", "members-anew", OWNERS).await;
    let workspace = world.state("Workspace", "main", "active").await;
    assert_eq!(condition(&workspace, "MembersBound")["status"], "True");
    assert_eq!(world.get("RoleBinding", "moorage-owner").await.unwrap()["roleRef"]["name"], "moorage-owner");
}

#[tokio::test]
async fn at_rest_bindings_are_looked_at_and_not_written() {
    let world = World::new("members-rest").await;
    world.workspace("main", "members-rest", OWNERS).await;
    world.state("Workspace", "main", "active").await;
    // The first dashboard may still be under way.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let versions = async || {
        let bindings = world.api("RoleBinding").await.list(&ListParams::default()).await.unwrap();
        let mut all: Vec<DynamicObject> = bindings.items;
        all.push(world.api("Workspace").await.get("main").await.unwrap());
        all.into_iter().map(|object| object.metadata.resource_version).collect::<Vec<_>>()
    };
    let before = versions().await;
    let reads = |events: &[testbed::AuditEvent]| {
        events.iter().filter(|event| event.resource == "rolebindings" && event.verb == "get").count()
    };
    let read_before = reads(&rig().await.cluster.audit_events().unwrap());
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(versions().await, before);
    assert!(reads(&rig().await.cluster.audit_events().unwrap()) > read_before, "nobody looked");
}

#[tokio::test]
async fn system_subjects_are_refused_by_the_schema() {
    let world = World::new("members-system").await;
    let yaml = "{apiVersion: moorage.dev/v1alpha1, kind: Workspace, metadata: {name: main, namespace: members-system}, \
                spec: {displayName: x, subdomain: members-system, \
                members: [{kind: Group, name: 'system:authenticated', role: Owner}]}}";
    let error = testbed::apply(&world.client, yaml).await.unwrap_err();
    assert!(format!("{error:#}").contains("system subject"), "{error:#}");
}
