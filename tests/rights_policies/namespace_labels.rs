//! Labels under `policy.moorage.dev/` on Namespaces: the platform alone, by whatever way they could be written.

use std::time::Duration;

use anyhow::ensure;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};
use testbed::eventually;

use crate::world::{Kind, OUTSIDERS, PLATFORM, Try, Verdict, Who, policy};

pub const NAMESPACES: Kind =
    Kind { api_version: "v1", name: "Namespace", plural: "namespaces", namespace: None };
const POLICY: &str = "moorage-namespace-labels";

fn labels(labels: &Value) -> Value {
    json!({"metadata": {"labels": labels}})
}

/// Set another, change one, remove one, remove all.
fn policy_changes() -> [Value; 4] {
    [
        labels(&json!({"policy.moorage.dev/more": "yes"})),
        labels(&json!({"policy.moorage.dev/tier": "silver"})),
        labels(&json!({"policy.moorage.dev/tier": null})),
        labels(&Value::Null),
    ]
}

fn new(policy_label: Option<&str>) -> Try {
    let mut namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}});
    if let Some(value) = policy_label {
        namespace["metadata"]["labels"] = json!({"policy.moorage.dev/tier": value});
    }
    Try::Create(namespace)
}

#[tokio::test]
async fn the_platform_sets_changes_and_removes_them() {
    NAMESPACES.expect(&PLATFORM, new(Some("gold")), &Verdict::Allowed).await;
    for change in policy_changes() {
        NAMESPACES.expect(&PLATFORM, Try::Change("acme", change), &Verdict::Allowed).await;
    }
}

#[tokio::test]
async fn nobody_else_does_on_the_namespace_or_its_subresources() {
    let others = [Who::Operator, Who::Tenant, Who::ClusterAdmin, Who::Masters];
    for change in policy_changes() {
        for what in [Try::Change("acme", change.clone()), Try::ChangeSub("acme", "status", change)] {
            NAMESPACES.expect(&others, what, &policy(POLICY)).await;
        }
    }
    NAMESPACES.expect(&OUTSIDERS, new(Some("gold")), &policy(POLICY)).await;
    NAMESPACES.expect(&[Who::Tenant], new(Some("gold")), &Verdict::Rights).await;
}

/// `finalize` takes whole objects by PUT alone.
#[tokio::test]
async fn the_finalize_subresource_is_no_way_around() {
    for (tier, expected) in [("gold", Verdict::Allowed), ("silver", policy(POLICY))] {
        for who in [Who::Tenant, Who::ClusterAdmin] {
            let api = NAMESPACES.api(who.client().await);
            let mut namespace = serde_json::to_value(api.get("acme").await.unwrap()).unwrap();
            namespace["metadata"]["labels"]["policy.moorage.dev/tier"] = json!(tier);

            let params = PostParams { dry_run: true, ..PostParams::default() };
            let seen = api.replace_subresource("finalize", "acme", &params, &namespace).await.map(drop);
            assert_eq!(crate::world::verdict(seen), expected, "{who:?} {tier}");
        }
    }
}

#[tokio::test]
async fn other_labels_and_namespaces_are_left_alone() {
    let everybody = [Who::Operator, Who::PlatformUser, Who::Tenant, Who::ClusterAdmin, Who::Masters];
    let near = json!({"team": "blue", "policy.moorage.dev": "x", "x.policy.moorage.dev/tier": "x"});
    for what in [
        Try::Change("acme", labels(&near)),
        Try::Change("acme", json!({"metadata": {"annotations": {"policy.moorage.dev/tier": "x"}}})),
        Try::Delete("acme"),
    ] {
        NAMESPACES.expect(&everybody, what, &Verdict::Allowed).await;
    }
    NAMESPACES.expect(&OUTSIDERS, new(None), &Verdict::Allowed).await;
    NAMESPACES.expect(&OUTSIDERS, Try::Change("plain", labels(&json!({"a": "b"}))), &Verdict::Allowed).await;
}

#[tokio::test]
async fn a_labelled_namespace_still_ends() {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "ends", "labels": {"policy.moorage.dev/tier": "gold"}}});
    let namespace = serde_json::from_value(namespace).unwrap();
    let platform = NAMESPACES.api(Who::PlatformUser.client().await);
    platform.create(&PostParams::default(), &namespace).await.unwrap();
    platform.delete("ends", &DeleteParams::default()).await.unwrap();
    eventually("the namespace gone", Duration::from_secs(20), async || {
        ensure!(platform.get_opt("ends").await?.is_none(), "still there");
        Ok(())
    })
    .await
    .unwrap();
}
