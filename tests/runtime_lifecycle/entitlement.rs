//! What the platform has to allow first.

use kube::Api;
use kube::api::{Patch, PatchParams};
use moorage::api::WorkspacePolicy;
use serde_json::json;
use testbed::{Kstatus, apply, kstatus};

use crate::support::{Witness, condition};
use crate::tenant;

#[tokio::test]
async fn a_plan_that_has_to_be_paid_for_makes_nothing_until_it_is() {
    let tenant = tenant("unpaid").await;
    tenant.declare("ops", json!({"planRef": {"name": "openclaw-basic"}})).await.unwrap();
    let object = tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
    assert_eq!(object["status"]["state"], "stopped");
    assert_eq!(condition(&object, "Ready")["status"], "False");
    assert_eq!(condition(&object, "Entitled")["status"], "False");
    assert_eq!(kstatus(&object), Kstatus::InProgress);
    assert!(tenant.changes().await.unwrap().is_empty());
    assert!(tenant.claim("ops").await.is_err(), "no name is held for what isn't paid for");
}

#[tokio::test]
async fn a_suspended_namespace_stops_and_comes_back() {
    let tenant = tenant("suspended").await;
    let policy = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "WorkspacePolicy",
        "metadata": {"name": "suspended"}, "spec": {"selector": {"namespaces": ["suspended"]}}});
    apply(&tenant.client, &policy.to_string()).await.unwrap();
    let policies: Api<WorkspacePolicy> = Api::all(tenant.client.clone());
    let witness = Witness::new(tenant.runtimes());
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let set = async |suspended: bool| {
        let patch = Patch::Merge(json!({"spec": {"suspended": suspended}}));
        policies.patch("suspended", &PatchParams::default(), &patch).await.unwrap();
    };
    set(true).await;
    let object = tenant.wait_reason("ops", "AwaitingResume").await.unwrap();
    assert_eq!(object["status"]["state"], "stopped");
    assert_eq!(condition(&object, "Available")["status"], "False");
    let app = tenant.app("ops").await.unwrap();
    assert_eq!(tenant.fly.standing(&app).await.unwrap()["machines"][0]["state"], "stopped");
    set(false).await;
    tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(witness.problems(), [""; 0]);
}

#[tokio::test]
async fn the_annotation_holds_one_and_lets_it_go() {
    let tenant = tenant("held").await;
    let hold = |value: serde_json::Value| json!({"metadata": {"annotations": {"moorage.dev/paused": value}}});
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    tenant.patch("ops", hold(json!("true"))).await.unwrap();
    tenant.patch("ops", json!({"spec": {"powerState": "Stopped"}})).await.unwrap();
    tenant.wait_reason("ops", "AwaitingUnpause").await.unwrap();
    let app = tenant.app("ops").await.unwrap();
    assert_eq!(tenant.fly.standing(&app).await.unwrap()["machines"][0]["state"], "started");
    tenant.patch("ops", hold(json!(null))).await.unwrap();
    tenant.wait_ready("ops", "stopped").await.unwrap();
}

#[tokio::test]
async fn a_namespace_holds_no_more_slugs_than_it_may() {
    let tenant = tenant("limit").await;
    let policy = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "WorkspacePolicy",
        "metadata": {"name": "limit"}, "spec": {"selector": {"namespaces": ["limit"]}, "maxRuntimes": 2}});
    apply(&tenant.client, &policy.to_string()).await.unwrap();
    for name in ["a", "b", "c", "d", "e", "f"] {
        tenant.declare(name, json!({})).await.unwrap();
    }
    let mut running = 0;
    for name in ["a", "b", "c", "d", "e", "f"] {
        let settled = |object: &serde_json::Value| {
            let ready = condition(object, "Ready");
            ready["reason"] == "Running" || ready["reason"] == "RuntimeLimitReached"
        };
        let object = tenant.wait(name, "settled", settled).await.unwrap();
        running += i32::from(object["status"]["state"] == "running");
    }
    assert_eq!(running, 2);
}
