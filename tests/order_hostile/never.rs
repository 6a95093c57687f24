//! What was never paid never runs, and what was paid runs once, at the size that was paid.

use kube::api::{Patch, PatchParams};
use serde_json::json;
use testbed::apply;

use crate::shop::{get, order_new, pay, receipt, wait};
use crate::support::{condition, reason, text};
use crate::{DEARER, customer, hostile, order_for, paused, refused};

#[tokio::test]
async fn without_an_order_nothing_runs_whatever_its_status_and_annotations_say() {
    let (platform, tenant) = hostile("free-none").await;
    tenant.declare("ops", json!({"planRef": {"name": "openclaw-basic"}})).await.unwrap();
    tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
    let entitled = json!({"type": "Entitled", "status": "True", "reason": "Allowed", "message": "forged",
        "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let lies = json!({"status": {"state": "running", "conditions": [entitled]}});
    let patch = Patch::Merge(&lies);
    tenant.runtimes().patch_status("ops", &PatchParams::default(), &patch).await.unwrap();
    tenant.patch("ops", paused()).await.unwrap();
    let object = tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
    assert!(text(&condition(&object, "Ready"), "/message").contains("Place a RuntimeOrder"));
    assert!(platform.changes().await.unwrap().is_empty());
}

#[tokio::test]
async fn neither_a_forged_status_nor_a_receipt_of_its_own_pays() {
    let (_, tenant) = hostile("free-forged").await;
    order_new(&tenant, "first", "ops").await.unwrap();
    let placed = wait(&tenant, "first", "pending_payment").await.unwrap();
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
    let forged = json!({"status": {"state": "ready", "runtimeRef": {"name": "ops"},
        "subscription": {"state": "Paid", "paidUntil": "2099-01-01T00:00:00Z"}}});
    orders.patch_status("first", &PatchParams::default(), &Patch::Merge(&forged)).await.unwrap();
    for provider in ["Manual", "Stripe", "PayApp"] {
        let name = format!("free-forged-{}", provider.to_lowercase());
        let mine = receipt(&placed, &name, json!({"provider": provider}));
        let refused = apply(&tenant.client, &mine.to_string()).await.unwrap_err();
        assert!(format!("{refused:#}").contains("forbidden"), "{provider}: {refused:#}");
    }
    let order = wait(&tenant, "first", "pending_payment").await.unwrap();
    assert_eq!(text(&order, "/status/subscription/state"), "Unpaid");
    assert_eq!(reason(&order), "AwaitingPayment");
    assert!(tenant.names().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_dearer_plan_after_a_cheap_order_is_not_taken_on() {
    let (platform, tenant) = customer("free-dearer").await;
    platform_allows(&platform).await;
    let before = tenant.get("ops").await.unwrap();
    tenant.patch("ops", json!({"spec": {"planRef": {"name": DEARER}}})).await.unwrap();
    let unpaid = |object: &serde_json::Value| condition(object, "Entitled")["reason"] == "PlanNotPaid";
    let object = tenant.wait("ops", "PlanNotPaid", unpaid).await.unwrap();
    assert!(
        text(&condition(&object, "Entitled"), "/message").contains("place one for `openclaw-pro`"),
        "{object}"
    );
    assert_eq!(object["status"]["pinned"]["plan"], "openclaw-basic");
    assert_eq!(object["status"]["external"], before["status"]["external"]);
}

/// The tests' policy lists the cheap Plan alone; what is tried here is to have the dear one without paying.
async fn platform_allows(platform: &crate::support::Tenant<'_>) {
    let policy = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "WorkspacePolicy",
        "metadata": {"name": platform.namespace}, "spec": {"selector": {"namespaces": [platform.namespace]},
            "allowedPlans": ["openclaw-basic", DEARER]}});
    apply(&platform.client, &policy.to_string()).await.unwrap();
    let label = json!({"metadata": {"labels": {"policy.moorage.dev/tier": null}}});
    let spaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(platform.client.clone());
    spaces.patch(&platform.namespace, &PatchParams::default(), &Patch::Merge(&label)).await.unwrap();
}

#[tokio::test]
async fn a_second_order_on_what_is_funded_or_anothers_funds_nothing() {
    let (platform, tenant) = customer("free-twice").await;
    let (_, stranger) = hostile("free-stranger").await;
    order_for(&tenant, "second", "ops").await;
    refused(&tenant, "second", "RuntimeFunded", "`first`").await;
    // A reference never leaves its namespace.
    order_for(&stranger, "theirs", "ops").await;
    refused(&stranger, "theirs", "RuntimeNotFound", "in this namespace").await;
    // One payment, one Runtime: the order's name on another changes nothing.
    tenant.declare("more", json!({"planRef": {"name": "openclaw-basic"}})).await.unwrap();
    tenant.wait_reason("more", "AwaitingOrder").await.unwrap();
    let first = get(&tenant, "first").await.unwrap();
    assert_eq!(first["status"]["runtimeRef"]["name"], "ops");
    assert_eq!(platform.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_restore_into_a_new_runtime_needs_an_order_of_its_own() {
    let (platform, tenant) = customer("free-restore").await;
    let app = platform.app("ops").await.unwrap();
    tenant.delete("ops", "Snapshot").await.unwrap();
    tenant.wait_gone("ops").await.unwrap();
    wait(&tenant, "first", "ended").await.unwrap();
    // Another of another name, and the same again: neither is had for what the first one cost.
    tenant.declare("new", json!({"planRef": {"name": "openclaw-basic"}})).await.unwrap();
    tenant.ask("new", "Restore").await.unwrap();
    tenant.wait_reason("new", "AwaitingOrder").await.unwrap();
    tenant.declare("ops", json!({"planRef": {"name": "openclaw-basic"}})).await.unwrap();
    let again = tenant.wait("ops", "refused", |object| {
        ["AwaitingOrder", "IdentityChanged"].contains(&reason(object).as_str())
    });
    again.await.unwrap();
    // A payment that comes too late brings nothing back.
    pay(&platform, "first", "free-restore-2", json!({})).await.unwrap();
    wait(&tenant, "first", "ended").await.unwrap();
    crate::stopped(&platform, &app).await;
    assert_eq!(
        platform.changes().await.unwrap().iter().filter(|it| it.effect == "machine.create").count(),
        1
    );
}
