//! The roles for a Workspace's members and for the platform.

use crate::world::{attributes, may, user};

const OLGA: &str = "olga (owner)";
const OSCAR: &str = "oscar (operator)";
const VERA: &str = "vera (viewer)";

/// Group, resource, verb, and which of owner, operator and viewer may.
const TABLE: &[(&str, &str, &str, [bool; 3])] = &[
    ("moorage.dev", "workspaces", "get", [true, true, true]),
    ("moorage.dev", "workspaces", "patch", [true, false, false]),
    ("moorage.dev", "workspaces", "delete", [true, false, false]),
    ("moorage.dev", "workspaces/status", "patch", [false, false, false]),
    ("moorage.dev", "runtimes", "watch", [true, true, true]),
    ("moorage.dev", "runtimes", "create", [true, true, false]),
    ("moorage.dev", "runtimes", "patch", [true, true, false]),
    ("moorage.dev", "runtimes", "delete", [true, true, false]),
    ("moorage.dev", "runtimes/status", "patch", [false, false, false]),
    ("moorage.dev", "runtimetasks", "list", [true, true, true]),
    ("moorage.dev", "runtimetasks", "create", [true, true, false]),
    ("", "secrets", "get", [true, false, false]),
    ("", "secrets", "list", [true, false, false]),
    ("", "secrets", "create", [true, false, false]),
    ("", "events", "list", [true, true, true]),
    ("events.k8s.io", "events", "list", [true, true, true]),
    ("rbac.authorization.k8s.io", "rolebindings", "list", [true, false, false]),
    ("rbac.authorization.k8s.io", "rolebindings", "create", [false, false, false]),
    ("", "pods", "get", [false, false, false]),
    ("", "configmaps", "create", [false, false, false]),
];

#[tokio::test]
async fn members_may_do_what_their_role_says_in_their_namespace_alone() {
    for (index, who) in [OLGA, OSCAR, VERA].into_iter().enumerate() {
        let client = user(who.split(' ').next().unwrap()).await;
        for (group, resource, verb, expected) in TABLE {
            let here = may(&client, attributes(group, resource, verb, Some("acme"))).await;
            assert_eq!(here, expected[index], "{who}: {verb} {resource}");
            let elsewhere = may(&client, attributes(group, resource, verb, Some("other"))).await;
            assert!(!elsewhere, "{who}: {verb} {resource} in another namespace");
        }
    }
}

#[tokio::test]
async fn members_reach_nothing_that_is_believed() {
    for who in ["olga", "oscar", "vera"] {
        let client = user(who).await;
        for resource in ["nameclaims", "paymentreceipts", "workspacepolicies", "plans", "blueprints"] {
            for verb in ["get", "list", "create", "patch", "delete", "confirm", "resolve"] {
                assert!(!may(&client, attributes("moorage.dev", resource, verb, None)).await, "{who} {verb}");
            }
        }
    }
}

#[tokio::test]
async fn the_platform_runs_the_catalogue_and_sees_no_secret() {
    let pat = user("pat").await;
    for (resource, verb) in [
        ("plans", "create"),
        ("blueprints", "delete"),
        ("workspacepolicies", "patch"),
        ("nameclaims", "patch"),
        ("nameclaims", "create"),
        ("nameclaims", "confirm"),
        ("paymentreceipts", "create"),
        ("paymentreceipts", "resolve"),
        ("runtimes", "patch"),
    ] {
        assert!(may(&pat, attributes("moorage.dev", resource, verb, None)).await, "{verb} {resource}");
    }
    for (group, resource, verb) in [
        ("moorage.dev", "nameclaims", "delete"),
        ("moorage.dev", "paymentreceipts", "delete"),
        ("moorage.dev", "plans/status", "patch"),
        ("", "secrets", "get"),
        ("", "pods", "list"),
        ("rbac.authorization.k8s.io", "rolebindings", "create"),
    ] {
        assert!(!may(&pat, attributes(group, resource, verb, None)).await, "{verb} {resource}");
    }
}
