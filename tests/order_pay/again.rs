//! What isn't paid any more is paid again at its own order. Its time is over by a receipt of the platform, so that no test
//! waits for a month.

use anyhow::ensure;
use serde_json::{Value, json};
use testbed::eventually;

use crate::faults::events;
use crate::scene::{Scene, place, platform};
use crate::shop::{get, grace_ends_in, receipt, record, wait};
use crate::support::{SOON, Tenant, condition, text};

/// An order that was paid by hand for such a time.
async fn overdue(scene: &Scene, tenant: &Tenant<'_>, name: &str, mode: &str, period: Value) {
    place(tenant, name, mode).await;
    scene.session(tenant, name).await;
    let order = get(tenant, name).await.unwrap();
    let id = format!("{}-{name}", tenant.namespace);
    platform(scene, &receipt(&order, &id, period)).await;
}

/// Waits until the page of this attempt is open.
async fn offered(tenant: &Tenant<'_>, name: &str, attempt: u64) -> Value {
    eventually(&format!("another page for {name}"), SOON, async || {
        let order = get(tenant, name).await?;
        ensure!(order["status"]["checkout"]["attempt"] == attempt, "{}", order["status"]);
        ensure!(condition(&order, "CheckoutOpen")["status"] == "True", "{}", order["status"]);
        Ok(order)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn in_its_grace_it_is_paid_at_another_page() {
    let scene = Scene::start(json!({})).await.unwrap();
    events(&scene).await;
    let tenant = scene.tenant("again-due").await;
    for mode in ["OneTime", "Subscription"] {
        let name = mode.to_lowercase();
        // Its first page is closed while it is paid, which it is for some seconds.
        overdue(&scene, &tenant, &name, mode, grace_ends_in(3 * 24 * 3600 + 15)).await;
        tenant.wait_ready(&name, "running").await.unwrap();
        wait(&tenant, &name, "past_due").await.unwrap();
        let due = offered(&tenant, &name, 2).await;
        assert!(text(&condition(&due, "Ready"), "/message").contains("status.checkout.url"), "{due}");
        scene.pay(&tenant, &name).await;
        let done = wait(&tenant, &name, "running").await.unwrap();
        let uid = text(&done, "/metadata/uid");
        assert_eq!((scene.sessions_of(uid).await, done["status"]["checkout"].is_null()), (2, true));
        assert!(!text(&condition(&done, "Paid"), "/message").contains("already"), "{done}");
        tenant.wait_ready(&name, "running").await.unwrap();
    }
    let record = record(&tenant, "subscription").await.unwrap();
    assert!(text(&record, "/spec/order/subscriptionID").starts_with("sub_"), "{record}");
}

#[tokio::test]
async fn what_was_stopped_is_started_again() {
    let scene = Scene::start(json!({})).await.unwrap();
    events(&scene).await;
    let tenant = scene.tenant("again-stop").await;
    overdue(&scene, &tenant, "ops", "OneTime", grace_ends_in(25)).await;
    tenant.wait_ready("ops", "running").await.unwrap();
    wait(&tenant, "ops", "suspended").await.unwrap();
    let stopped = tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
    assert_eq!(stopped["status"]["state"], "stopped");
    // The page that was open isn't paid yet, and serves as well.
    offered(&tenant, "ops", 1).await;
    // Nobody is asked to pay for the same Runtime at another order meanwhile.
    let more = json!({"runtimeRef": {"name": "ops"}, "payment": {"provider": "Stripe", "mode": "OneTime"}});
    crate::shop::order(&tenant, "other", more).await.unwrap();
    eventually("the other is refused", SOON, async || {
        let other = get(&tenant, "other").await?;
        ensure!(crate::support::reason(&other) == "RuntimeFunded", "{}", other["status"]);
        Ok(())
    })
    .await
    .unwrap();
    scene.pay(&tenant, "ops").await;
    wait(&tenant, "ops", "running").await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
}
