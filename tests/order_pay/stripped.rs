//! An order whose finalizer is taken off vanishes without a word: what it was paid for at Stripe is followed all the same.

use std::time::Duration;

use anyhow::ensure;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use moorage::api::NameClaim;
use serde_json::{Value, json};
use testbed::eventually;

use crate::checkout::ask_to_read_claim;
use crate::scene::{Scene, bought, place, receipts};
use crate::shop::record;
use crate::support::{SOON, Tenant, text};

/// Takes the order away while the operator, which would put its finalizer back, looks elsewhere.
async fn stripped(scene: &Scene, tenant: &Tenant<'_>, name: &str) {
    scene.rig.operator.process().pause().unwrap();
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
    eventually("the order vanished", SOON, async || {
        let bare = Patch::Merge(json!({"metadata": {"finalizers": []}}));
        let _ = orders.patch(name, &PatchParams::default(), &bare).await;
        let _ = orders.delete(name, &DeleteParams::background()).await;
        ensure!(orders.get_opt(name).await?.is_none());
        Ok(())
    })
    .await
    .unwrap();
    scene.rig.operator.process().resume().unwrap();
}

async fn claim(tenant: &Tenant<'_>, key: &str) -> anyhow::Result<Value> {
    let claims: Api<NameClaim> = Api::all(tenant.client.clone());
    Ok(serde_json::to_value(claims.get(key).await?)?)
}

#[tokio::test]
async fn what_is_renewed_extends_it_and_what_goes_back_stops_it() {
    let scene = Scene::start(json!({})).await.unwrap();
    let tenant = scene.tenant("stripped").await;
    let order = bought(&scene, &tenant, "ops", "Subscription").await;
    tenant.wait_ready("ops", "running").await.unwrap();
    let uid = text(&order, "/metadata/uid").to_owned();
    let key = NameClaim::order_key(&uid);
    stripped(&scene, &tenant, "ops").await;
    let before = claim(&tenant, &key).await.unwrap();
    assert!(before["spec"]["tombstone"].is_null(), "it was never given up: {before}");
    let until = text(&before, "/spec/order/paidUntil").to_owned();
    // The next month is collected.
    scene.sim.advance(Duration::from_hours(24 * 32)).await.unwrap();
    ask_to_read_claim(&tenant, &key).await;
    eventually("the renewal counts", Duration::from_secs(120), async || {
        let now = claim(&tenant, &key).await?;
        ensure!(text(&now, "/spec/order/paidUntil") > until.as_str(), "{now}");
        ensure!(receipts(&tenant, &uid).await.len() == 2);
        Ok(())
    })
    .await
    .unwrap();
    let subscription = text(&before, "/spec/order/subscriptionID");
    assert_eq!(scene.counted("subscription.end", subscription).await, 0, "it may come back from a backup");
    assert_eq!(scene.counted("subscription.cancel_at_period_end", subscription).await, 0);
    tenant.wait_ready("ops", "running").await.unwrap();
    // All of it goes back.
    for receipt in receipts(&tenant, &uid).await {
        scene.act(json!({"do": "refund", "payment": receipt["spec"]["providerID"]})).await;
    }
    ask_to_read_claim(&tenant, &key).await;
    let stopped = tenant.wait("ops", "stopped", |object| object["status"]["state"] == "stopped");
    tokio::time::timeout(Duration::from_secs(120), stopped).await.unwrap().unwrap();
}

#[tokio::test]
async fn nobody_is_charged_for_what_vanished_and_funds_nothing() {
    let scene = Scene::start(json!({})).await.unwrap();
    let tenant = scene.tenant("stripped-gone").await;
    bought(&scene, &tenant, "ops", "Subscription").await;
    tenant.wait_ready("ops", "running").await.unwrap();
    place(&tenant, "new", "OneTime").await;
    let session = scene.session(&tenant, "new").await;
    let paid = text(&record(&tenant, "ops").await.unwrap(), "/metadata/name").to_owned();
    let unpaid = text(&record(&tenant, "new").await.unwrap(), "/metadata/name").to_owned();
    for name in ["ops", "new"] {
        stripped(&scene, &tenant, name).await;
    }
    tenant.delete("ops", "Delete").await.unwrap();
    let long = Duration::from_secs(150);
    eventually("the page is closed, and its order given up", long, async || {
        let now = claim(&tenant, &unpaid).await?;
        ensure!(text(&now, "/spec/tombstone/message").contains("before it was paid"), "{now}");
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(scene.counted("session.expire", &session).await, 1);
    eventually("its Runtime has gone, and nothing is renewed", long, async || {
        let now = claim(&tenant, &paid).await?;
        ensure!(now["spec"]["order"]["phase"] == "Ended", "{now}");
        let subscription = text(&now, "/spec/order/subscriptionID");
        ensure!(scene.counted("subscription.cancel_at_period_end", subscription).await == 1);
        Ok(())
    })
    .await
    .unwrap();
}
