//! Objects of the tenant's making under the names that ours would have.

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::hostile;
use crate::support::{condition, text};

#[tokio::test]
async fn a_token_that_was_there_first_is_taken_or_refused() {
    let (_, tenant) = hostile("early").await;
    let secret = |token: &str| json!({"stringData": {"token": token}});
    tenant.apply("v1", "Secret", "good-gateway-token", secret(&"a1".repeat(20))).await.unwrap();
    tenant.apply("v1", "Secret", "bad-gateway-token", secret("short")).await.unwrap();
    tenant.apply("v1", "Secret", "none-gateway-token", json!({"stringData": {"other": "x"}})).await.unwrap();
    for name in ["good", "bad", "none", "own"] {
        tenant.declare(name, json!({})).await.unwrap();
    }
    tenant.wait_ready("good", "running").await.unwrap();
    tenant.wait_ready("own", "running").await.unwrap();
    for name in ["bad", "none"] {
        let object = tenant.wait_reason(name, "SecretValueInvalid").await.unwrap();
        let ready = condition(&object, "Ready");
        assert!(text(&ready, "/message").contains("Delete the Secret"), "{ready}");
    }
    let secrets = tenant.api("v1", "Secret").await.unwrap();
    secrets.delete("bad-gateway-token", &DeleteParams::default()).await.unwrap();
    tenant.wait_ready("bad", "running").await.unwrap();
}

#[tokio::test]
async fn a_quota_that_forbids_secrets_stops_only_its_owner() {
    let (platform, tenant) = hostile("miser").await;
    let quota = json!({"spec": {"hard": {"count/secrets": "0"}}});
    tenant.apply("v1", "ResourceQuota", "none", quota).await.unwrap();
    // The quota controller has to have counted once before it refuses.
    let refused = testbed::eventually("the quota in force", crate::support::SOON, async || {
        let tried = tenant.apply("v1", "Secret", "probe", json!({"stringData": {"a": "b"}})).await;
        let secrets = tenant.api("v1", "Secret").await?;
        if tried.is_ok() {
            secrets.delete("probe", &DeleteParams::default()).await?;
        }
        anyhow::ensure!(tried.is_err(), "it isn't yet");
        Ok(())
    });
    refused.await.unwrap();
    let (_, other) = hostile("generous").await;
    tenant.declare("ops", json!({})).await.unwrap();
    other.declare("ops", json!({})).await.unwrap();
    let object = tenant.wait_reason("ops", "KubernetesRefused").await.unwrap();
    let ready = condition(&object, "Ready");
    assert!(text(&ready, "/message").contains("quota"), "{ready}");
    other.wait_ready("ops", "running").await.unwrap();
    let quotas = tenant.api("v1", "ResourceQuota").await.unwrap();
    quotas.delete("none", &DeleteParams::default()).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(platform.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn bindings_and_tasks_of_its_own_change_nothing() {
    let (platform, tenant) = hostile("busy").await;
    let role = json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "all"},
        "subjects": [{"kind": "User", "name": "busy-owner", "apiGroup": "rbac.authorization.k8s.io"}]});
    for name in ["moorage", "moorage-member", "ops"] {
        tenant.apply("rbac.authorization.k8s.io/v1", "RoleBinding", name, role.clone()).await.unwrap();
    }
    let task = json!({"spec": {"runtimeRef": {"name": "ops"}, "type": "Destroy"}});
    let tried = tenant.apply("moorage.dev/v1alpha1", "RuntimeTask", "mine", task).await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    assert_ne!(object["status"]["external"]["machineID"], Value::Null, "{tried:?}");
    assert_eq!(platform.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
}
