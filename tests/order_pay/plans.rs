//! A dearer Plan on a real subscription: paid first, then in place; declined, the earlier size runs on.

use anyhow::ensure;
use serde_json::json;
use testbed::eventually;

use crate::scene::{Scene, bought, platform};
use crate::shop::{get, record, wait};
use crate::support::{SOON, Tenant, condition, text};

/// A dearer Plan than `openclaw-basic`.
pub async fn dearer(scene: &Scene) {
    let spec = json!({"displayName": "Late", "cpuKind": "Shared", "cpus": 4, "memoryMB": 4096, "volumeGB": 10,
        "amount": 5900, "currency": "USD", "interval": "Month"});
    let plan = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Plan", "metadata": {"name": "late"},
        "spec": spec});
    platform(scene, &plan).await;
}

async fn ask(tenant: &Tenant<'_>, plan: &str) {
    tenant.patch("ops", json!({"spec": {"planRef": {"name": plan}}})).await.unwrap();
}

async fn bought_plan(tenant: &Tenant<'_>, plan: &str) {
    eventually(&format!("{plan} is bought"), SOON, async || {
        let record = record(tenant, "ops").await?;
        ensure!(text(&record, "/spec/order/price/plan/name") == plan, "{record}");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn it_is_in_place_once_the_difference_is_paid() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("plan-more").await;
    dearer(scene).await;
    bought(scene, &tenant, "ops", "Subscription").await;
    let subscription = text(&record(&tenant, "ops").await.unwrap(), "/spec/order/subscriptionID").to_owned();
    ask(&tenant, "late").await;
    bought_plan(&tenant, "late").await;
    eventually("the Runtime has its size", SOON, async || {
        let runtime = tenant.get("ops").await?;
        ensure!(text(&runtime, "/status/pinned/plan") == "late", "{}", runtime["status"]);
        ensure!(condition(&runtime, "Entitled")["status"] == "True", "{}", runtime["status"]);
        Ok(())
    })
    .await
    .unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let order = wait(&tenant, "ops", "running").await.unwrap();
    assert_eq!(order["status"]["amount"], json!({"value": 5900, "currency": "USD"}));
    assert_eq!(scene.counted("subscription.change", &subscription).await, 1);
}

#[tokio::test]
async fn declined_it_is_told_and_the_earlier_size_runs_on() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("plan-none").await;
    dearer(scene).await;
    bought(scene, &tenant, "ops", "Subscription").await;
    tenant.wait_ready("ops", "running").await.unwrap();
    let customer = text(&record(&tenant, "ops").await.unwrap(), "/spec/order/customerID").to_owned();
    scene.sim.send(&format!("card/{customer}/declined"), &json!({})).await.unwrap();
    ask(&tenant, "late").await;
    eventually("both tell", SOON, async || {
        let order = get(&tenant, "ops").await?;
        let paid = condition(&order, "Paid");
        ensure!(text(&paid, "/message").contains("declined") && paid["status"] == "True", "{paid}");
        let runtime = tenant.get("ops").await?;
        let entitled = condition(&runtime, "Entitled");
        ensure!(entitled["reason"] == "PlanNotPaid" && entitled["status"] == "False", "{entitled}");
        ensure!(runtime["status"]["state"] == "running", "{}", runtime["status"]);
        Ok(())
    })
    .await
    .unwrap();
    scene.sim.send(&format!("card/{customer}/good"), &json!({})).await.unwrap();
    // The wish is given up, and had anew.
    ask(&tenant, "openclaw-basic").await;
    eventually("the declined change is forgotten", SOON, async || {
        ensure!(record(&tenant, "ops").await?["spec"]["order"]["change"].is_null());
        Ok(())
    })
    .await
    .unwrap();
    ask(&tenant, "late").await;
    bought_plan(&tenant, "late").await;
    tenant.wait_ready("ops", "running").await.unwrap();
}
