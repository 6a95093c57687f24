//! A tenant that holds every verb on everything in its namespace, and lies: no call ever touches another's app, no
//! limit moves, nothing is destroyed that shouldn't be, and what is shown is put right again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

mod early;
mod forged;
mod limits;
mod stripped;
#[path = "../runtime_support/mod.rs"]
mod support;

use kube::Client;
use serde_json::json;
use support::{Tenant, shared};
use testbed::{Identity, apply};

/// A namespace with a tenant in it who may do everything there, and nothing elsewhere. The `Tenant` acts as that user.
async fn hostile(namespace: &str) -> (Tenant<'static>, Tenant<'static>) {
    let rig = shared().await;
    let platform = Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap();
    let user = format!("{namespace}-owner");
    for object in [
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "all", "namespace": namespace},
            "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "all", "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "all"},
            "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]}),
    ] {
        apply(&platform.client, &object.to_string()).await.unwrap();
    }
    let client: Client = rig.cluster.client(&Identity::user(&user, &[])).await.unwrap();
    let tenant = Tenant {
        client,
        namespace: namespace.to_owned(),
        ..Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap()
    };
    (platform, tenant)
}
