//! A tenant tries to run for free. None of it works, and each says why.

use kube::api::{Patch, PatchParams};
use serde_json::json;
use testbed::{Identity, apply};

use crate::shop::{get, order, order_new, pay, receipt, tenant, wait};
use crate::support::{reason, shared, text};

#[tokio::test]
async fn a_forged_status_makes_nothing() {
    let tenant = tenant("theft-status").await;
    order_new(&tenant, "first", "ops").await.unwrap();
    wait(&tenant, "first", "pending_payment").await.unwrap();
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
    let forged = json!({"status": {"state": "ready", "runtimeRef": {"name": "ops"},
        "subscription": {"state": "Paid", "paidUntil": "2099-01-01T00:00:00Z"}}});
    orders.patch_status("first", &PatchParams::default(), &Patch::Merge(&forged)).await.unwrap();
    let order = wait(&tenant, "first", "pending_payment").await.unwrap();
    assert_eq!(text(&order, "/status/subscription/state"), "Unpaid");
    assert!(tenant.names().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_tenant_writes_no_receipt_of_any_provider() {
    let tenant = tenant("theft-receipt").await;
    order_new(&tenant, "first", "ops").await.unwrap();
    let order = wait(&tenant, "first", "pending_payment").await.unwrap();
    let user = Identity::user("mallory", &[]);
    let client = shared().await.cluster.client(&user).await.unwrap();
    for provider in ["Manual", "Stripe", "PayApp"] {
        let forged =
            receipt(&order, &format!("forged-{}", provider.to_lowercase()), json!({"provider": provider}));
        assert!(apply(&client, &forged.to_string()).await.is_err(), "{provider}");
    }
    assert_eq!(
        wait(&tenant, "first", "pending_payment").await.unwrap()["status"]["state"],
        "pending_payment"
    );
}

#[tokio::test]
async fn an_order_funds_only_the_plan_that_it_is_for() {
    let tenant = tenant("theft-plan").await;
    tenant.declare("ops", json!({"planRef": {"name": "openclaw-basic"}})).await.unwrap();
    order(&tenant, "first", json!({"runtimeRef": {"name": "ops"}})).await.unwrap();
    wait(&tenant, "first", "pending_payment").await.unwrap();
    pay(&tenant, "first", "theft-plan-1", json!({})).await.unwrap();
    wait(&tenant, "first", "running").await.unwrap();
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
    let dearer = json!({"spec": {"planRef": {"name": "openclaw-pro"}}});
    let refused = orders.patch("first", &PatchParams::default(), &Patch::Merge(&dearer)).await.unwrap_err();
    assert!(refused.to_string().contains("must not change"), "{refused}");
}

#[tokio::test]
async fn one_order_funds_one_runtime_and_a_second_order_on_it_is_told() {
    let tenant = tenant("theft-twice").await;
    order_new(&tenant, "first", "ops").await.unwrap();
    wait(&tenant, "first", "pending_payment").await.unwrap();
    pay(&tenant, "first", "theft-twice-1", json!({})).await.unwrap();
    wait(&tenant, "first", "running").await.unwrap();
    order(&tenant, "second", json!({"runtimeRef": {"name": "ops"}})).await.unwrap();
    testbed::eventually("the second is refused", crate::support::SOON, async || {
        let second = get(&tenant, "second").await?;
        anyhow::ensure!(reason(&second) == "RuntimeFunded", "{}", second["status"]);
        Ok(())
    })
    .await
    .unwrap();
    tenant.declare("more", json!({"planRef": {"name": "openclaw-basic"}})).await.unwrap();
    tenant.wait_reason("more", "AwaitingOrder").await.unwrap();
}

#[tokio::test]
async fn a_wrong_amount_funds_nothing_and_is_told() {
    let tenant = tenant("theft-amount").await;
    order_new(&tenant, "first", "ops").await.unwrap();
    wait(&tenant, "first", "pending_payment").await.unwrap();
    pay(&tenant, "first", "theft-amount-1", json!({"amount": 2899})).await.unwrap();
    testbed::eventually("it is told", crate::support::SOON, async || {
        let order = get(&tenant, "first").await?;
        let paid = crate::support::condition(&order, "Paid");
        anyhow::ensure!(text(&paid, "/message").contains("`theft-amount-1`"), "{}", order["status"]);
        Ok(())
    })
    .await
    .unwrap();
    assert!(tenant.names().await.unwrap().is_empty());
}
