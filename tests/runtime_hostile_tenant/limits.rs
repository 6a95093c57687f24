//! What only the platform may write.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use moorage::api::{NameClaim, Plan, WorkspacePolicy};
use serde_json::{Value, json};

use crate::hostile;

fn merge(value: &Value) -> Patch<&Value> {
    Patch::Merge(value)
}

#[tokio::test]
async fn neither_labels_nor_claims_nor_policies_are_the_tenants() {
    let (platform, tenant) = hostile("climber").await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let params = PatchParams::default();
    let namespaces: Api<Namespace> = Api::all(tenant.client.clone());
    for labels in [
        json!({"policy.moorage.dev/tier": "unlimited"}),
        json!({"policy.moorage.dev/tier": null}),
        json!({"policy.moorage.dev/more": "1"}),
    ] {
        let change = json!({"metadata": {"labels": labels}});
        assert!(namespaces.patch("climber", &params, &merge(&change)).await.is_err(), "{change}");
    }
    let claims: Api<NameClaim> = Api::all(tenant.client.clone());
    let name = NameClaim::label_key(&tenant.slug("ops"));
    let confirm = json!({"spec": {"confirm": {"uid": "x"}}});
    assert!(claims.patch(&name, &params, &merge(&confirm)).await.is_err());
    assert!(claims.delete(&name, &DeleteParams::default()).await.is_err());
    let policies: Api<WorkspacePolicy> = Api::all(tenant.client.clone());
    let more = json!({"spec": {"maxRuntimes": 1000}});
    assert!(policies.patch("tests", &params, &merge(&more)).await.is_err());
    let plans: Api<Plan> = Api::all(tenant.client.clone());
    let free = json!({"spec": {"requiresOrder": false}});
    assert!(plans.patch("openclaw-pro", &params, &merge(&free)).await.is_err());
    assert_eq!(platform.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_plan_that_must_be_paid_for_isnt_had_by_saying_so() {
    let (platform, tenant) = hostile("freerider").await;
    tenant.declare("ops", json!({"planRef": {"name": "openclaw-basic"}})).await.unwrap();
    tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
    let lies = json!({
        "status": {"state": "running", "pinned": {"plan": "small", "blueprint": "openclaw",
            "blueprintGeneration": 1, "image": "x"},
        "conditions": [{"type": "Entitled", "status": "True", "reason": "Allowed", "message": "forged",
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    let forged = tenant.runtimes().patch_status("ops", &PatchParams::default(), &merge(&lies)).await;
    forged.unwrap();
    tenant
        .patch(
            "ops",
            json!({"metadata": {"annotations": {"moorage.dev/paid": "true",
        "moorage.dev/restarted-at": "now"}}}),
        )
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
    assert!(platform.changes().await.unwrap().is_empty());
}
