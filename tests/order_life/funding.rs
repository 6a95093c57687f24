//! A payment funds one Runtime, for as long as it is paid.

use anyhow::ensure;
use kube::api::DeleteParams;
use serde_json::json;
use testbed::{Identity, apply, eventually};

use crate::shop::{
    ends_in_days, get, grace_ends_in, order, order_new, pay, record, refund, removed, tenant, tenant_in, wait,
};
use crate::support::{SOON, Tenant, condition, reason, start, text};

#[tokio::test]
async fn a_paid_order_makes_its_runtime_and_says_how_far_it_is() {
    let tenant = tenant("order-new").await;
    order_new(&tenant, "first", "ops").await.unwrap();
    let waits = eventually("it can be paid", SOON, async || {
        let order = get(&tenant, "first").await?;
        ensure!(reason(&order) == "AwaitingPayment", "{}", order["status"]);
        Ok(order)
    })
    .await
    .unwrap();
    assert_eq!(waits["status"]["amount"], json!({"value": 2900, "currency": "USD"}));
    assert!(tenant.names().await.unwrap().is_empty(), "nothing is made before it is paid");
    pay(&tenant, "first", "order-new-1", json!({})).await.unwrap();
    let done = wait(&tenant, "first", "running").await.unwrap();
    assert_eq!(done["status"]["runtimeRef"]["name"], "ops");
    let steps = done["status"]["steps"].as_array().unwrap();
    let states: Vec<_> = steps.iter().map(|step| text(step, "/state")).collect();
    assert_eq!(states, ["completed", "completed", "completed", "completed", "pending", "pending"]);
    let runtime = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(condition(&runtime, "Entitled")["status"], "True");
    assert_eq!(tenant.names().await.unwrap(), ["ops"]);
    let claim = tenant.claim("ops").await.unwrap();
    assert_eq!(claim["spec"]["runtime"]["order"], done["metadata"]["uid"]);
}

#[tokio::test]
async fn a_declared_runtime_waits_for_its_order_and_stops_when_the_money_goes_back() {
    let tenant = tenant("order-ref").await;
    tenant.declare("ops", json!({"planRef": {"name": "openclaw-basic"}})).await.unwrap();
    tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
    order(&tenant, "first", json!({"runtimeRef": {"name": "ops"}})).await.unwrap();
    wait(&tenant, "first", "pending_payment").await.unwrap();
    pay(&tenant, "first", "order-ref-1", json!({})).await.unwrap();
    wait(&tenant, "first", "running").await.unwrap();
    refund(&tenant, "first", "order-ref-2", "order-ref-1").await.unwrap();
    let refunded = wait(&tenant, "first", "refunded").await.unwrap();
    assert_eq!(condition(&refunded, "Paid")["reason"], "Refunded");
    let stopped = tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
    assert_eq!(stopped["status"]["state"], "stopped");
    let app = tenant.app("ops").await.unwrap();
    let standing = tenant.fly.standing(&app).await.unwrap();
    assert_eq!(standing["machines"][0]["state"], "stopped");
    assert_eq!(standing["volumes"].as_array().unwrap().len(), 1, "its data is kept");
}

#[tokio::test]
async fn what_isnt_paid_any_more_runs_on_a_while_is_stopped_and_comes_back_when_it_is_paid() {
    let tenant = tenant("order-due").await;
    order_new(&tenant, "first", "ops").await.unwrap();
    wait(&tenant, "first", "pending_payment").await.unwrap();
    pay(&tenant, "first", "order-due-1", grace_ends_in(30)).await.unwrap();
    let due = wait(&tenant, "first", "past_due").await.unwrap();
    assert!(!text(&due, "/status/subscription/suspendTime").is_empty(), "{}", due["status"]);
    tenant.wait_ready("ops", "running").await.unwrap();
    let kept = wait(&tenant, "first", "suspended").await.unwrap();
    assert!(!text(&kept, "/status/subscription/deleteTime").is_empty(), "{}", kept["status"]);
    let stopped = tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
    assert_eq!(stopped["status"]["state"], "stopped");
    pay(&tenant, "first", "order-due-2", json!({})).await.unwrap();
    wait(&tenant, "first", "running").await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
}

#[tokio::test]
async fn what_isnt_paid_for_too_long_is_deleted_as_its_own_policy_says() {
    let rig = start(vec![("/billing/retentionSeconds", json!(10))]).await.unwrap();
    let tenant = tenant_in(&rig, "order-end").await;
    order_new(&tenant, "first", "ops").await.unwrap();
    wait(&tenant, "first", "pending_payment").await.unwrap();
    pay(&tenant, "first", "order-end-1", grace_ends_in(25)).await.unwrap();
    wait(&tenant, "first", "past_due").await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    // The tenant may hold both: data isn't kept for nothing.
    let held = json!({"metadata": {"annotations": {"moorage.dev/paused": "true"}}});
    tenant.patch("ops", held).await.unwrap();
    wait(&tenant, "first", "ended").await.unwrap();
    tenant.wait_gone("ops").await.unwrap();
    let claim = tenant.claim("ops").await.unwrap();
    assert!(
        !text(&claim, "/spec/runtime/snapshot/id").is_empty(),
        "the default policy keeps a snapshot: {claim}"
    );
    pay(&tenant, "first", "order-end-2", ends_in_days(20)).await.unwrap();
    wait(&tenant, "first", "ended").await.unwrap();
    assert!(tenant.names().await.unwrap().is_empty(), "it is never made again");
}

#[tokio::test]
async fn a_deleted_order_funds_what_it_was_paid_for_to_its_end() {
    let tenant = tenant("order-gone").await;
    order_new(&tenant, "first", "ops").await.unwrap();
    wait(&tenant, "first", "pending_payment").await.unwrap();
    pay(&tenant, "first", "order-gone-1", json!({})).await.unwrap();
    wait(&tenant, "first", "running").await.unwrap();
    let uid = text(&get(&tenant, "first").await.unwrap(), "/metadata/uid").to_owned();
    removed(&tenant, "first").await;
    let runtime = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(condition(&runtime, "Entitled")["status"], "True");
    // Another order of the same name is another checkout.
    order(&tenant, "first", json!({"runtimeRef": {"name": "ops"}})).await.unwrap();
    eventually("the second order says that the Runtime is funded", SOON, async || {
        let order = get(&tenant, "first").await?;
        ensure!(reason(&order) == "RuntimeFunded", "{}", order["status"]);
        Ok(())
    })
    .await
    .unwrap();
    assert_ne!(text(&record(&tenant, "first").await.unwrap(), "/spec/order/uid"), uid);
}

/// A Plan that costs more than `openclaw-basic`, under a name that the namespace may use.
async fn larger(tenant: &Tenant<'_>) {
    let spec = json!({"cpuKind": "Shared", "cpus": 4, "memoryMB": 4096, "volumeGB": 10, "amount": 5900,
        "currency": "USD", "interval": "Month"});
    let plan = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Plan", "metadata": {"name": "late"},
        "spec": spec});
    let platform = tenant.cluster.client(&Identity::Admin).await.unwrap();
    apply(&platform, &plan.to_string()).await.unwrap();
}

async fn until_order(tenant: &Tenant<'_>, name: &str, why: &str) {
    eventually(&format!("the order {name}: {why}"), SOON, async || {
        let order = get(tenant, name).await?;
        ensure!(reason(&order) == why, "{}", order["status"]);
        Ok(())
    })
    .await
    .unwrap();
}

async fn until_size(tenant: &Tenant<'_>, plan: &str, entitled: &str) {
    eventually(&format!("the Runtime runs with {plan}"), SOON, async || {
        let runtime = tenant.get("ops").await?;
        let status = &runtime["status"];
        ensure!(text(&runtime, "/status/pinned/plan") == plan, "{status}");
        ensure!(condition(&runtime, "Entitled")["reason"] == entitled, "{status}");
        ensure!(status["state"] == "running", "{status}");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn another_plan_is_another_order_that_takes_over_once_it_is_paid() {
    let tenant = tenant("order-more").await;
    larger(&tenant).await;
    order_new(&tenant, "first", "ops").await.unwrap();
    wait(&tenant, "first", "pending_payment").await.unwrap();
    pay(&tenant, "first", "order-more-1", json!({})).await.unwrap();
    wait(&tenant, "first", "running").await.unwrap();
    tenant.patch("ops", json!({"spec": {"planRef": {"name": "late"}}})).await.unwrap();
    until_size(&tenant, "openclaw-basic", "PlanNotPaid").await;
    until_order(&tenant, "first", "PlanDiffers").await;
    let another = json!({"planRef": {"name": "late"}, "runtimeRef": {"name": "ops"}});
    order(&tenant, "second", another).await.unwrap();
    until_order(&tenant, "second", "RuntimeFunded").await;
    removed(&tenant, "first").await;
    until_order(&tenant, "second", "AwaitingPayment").await;
    until_size(&tenant, "openclaw-basic", "PlanNotPaid").await;
    pay(&tenant, "second", "order-more-2", json!({"amount": 5900})).await.unwrap();
    wait(&tenant, "second", "running").await.unwrap();
    until_size(&tenant, "late", "Allowed").await;
}

#[tokio::test]
async fn a_deleted_namespace_ends_with_its_order() {
    let tenant = tenant("order-space").await;
    order_new(&tenant, "first", "ops").await.unwrap();
    wait(&tenant, "first", "pending_payment").await.unwrap();
    pay(&tenant, "first", "order-space-1", json!({})).await.unwrap();
    wait(&tenant, "first", "running").await.unwrap();
    let spaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(tenant.client.clone());
    spaces.delete("order-space", &DeleteParams::default()).await.unwrap();
    eventually("the namespace is gone", SOON, async || {
        ensure!(spaces.get_opt("order-space").await?.is_none());
        Ok(())
    })
    .await
    .unwrap();
}
