//! Orders that are paid at Stripe.

use anyhow::ensure;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use testbed::{Identity, eventually, platform};

use crate::scene::{Scene, bought, place, receipts};
use crate::shop::{get, order, record, removed, wait};
use crate::support::{SOON, Tenant, condition, reason, text};

#[tokio::test]
async fn a_paid_checkout_makes_one_runtime_and_leaves_a_receipt() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("pay-once").await;
    place(&tenant, "ops", "OneTime").await;
    scene.session(&tenant, "ops").await;
    let waits = wait(&tenant, "ops", "pending_payment").await.unwrap();
    assert_eq!(condition(&waits, "CheckoutOpen")["status"], "True");
    assert_eq!(waits["status"]["checkout"]["attempt"], 1);
    assert!(text(&waits, "/status/checkout/url").starts_with("http"), "{}", waits["status"]);
    assert!(tenant.names().await.unwrap().is_empty(), "nothing is made before it is paid");
    scene.pay(&tenant, "ops").await;
    let done = wait(&tenant, "ops", "running").await.unwrap();
    let uid = text(&done, "/metadata/uid");
    assert_eq!((scene.sessions_of(uid).await, done["status"]["checkout"].is_null()), (1, true));
    assert_eq!(condition(&done, "Paid")["status"], "True");
    let stored = receipts(&tenant, uid).await;
    assert_eq!(stored.len(), 1, "{stored:?}");
    assert_eq!(
        (&stored[0]["spec"]["provider"], &stored[0]["spec"]["amount"]),
        (&json!("Stripe"), &json!(2900))
    );
    let runtime = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(condition(&runtime, "Entitled")["status"], "True");
}

/// Waits until an order is refused for this reason and shows no page.
async fn isnt_to_be_paid(tenant: &Tenant<'_>, name: &str, why: &str) -> Value {
    eventually(&format!("{name} isn't to be paid"), SOON, async || {
        let order = get(tenant, name).await?;
        ensure!(reason(&order) == why, "{}", order["status"]);
        ensure!(order["status"]["checkout"].is_null(), "{}", order["status"]);
        Ok(order)
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_slug_that_another_took_isnt_to_be_paid_any_more() {
    let scene = Scene::shared().await;
    let (first, second) = (scene.tenant("slug-first").await, scene.tenant("slug-second").await);
    let wanted =
        json!({"runtime": {"name": "ops", "slug": "wanted-by-two"}, "payment": {"provider": "Stripe"}});
    for tenant in [&first, &second] {
        order(tenant, "ops", wanted.clone()).await.unwrap();
    }
    let session = scene.session(&second, "ops").await;
    scene.pay(&first, "ops").await;
    wait(&first, "ops", "running").await.unwrap();
    isnt_to_be_paid(&second, "ops", "NameTaken").await;
    assert_eq!(scene.counted("session.expire", &session).await, 1);
    // A third finds it taken from the beginning.
    let third = scene.tenant("slug-third").await;
    order(&third, "ops", wanted).await.unwrap();
    let refused = isnt_to_be_paid(&third, "ops", "NameTaken").await;
    assert_eq!(scene.sessions_of(text(&refused, "/metadata/uid")).await, 0);
}

#[tokio::test]
async fn of_two_orders_for_one_runtime_one_can_be_paid() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("one-of-two").await;
    let wanted =
        json!({"runtime": {"name": "ops", "slug": "one-of-two-ops"}, "payment": {"provider": "Stripe"}});
    order(&tenant, "first", wanted.clone()).await.unwrap();
    scene.session(&tenant, "first").await;
    // Times of creation are told in seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    order(&tenant, "second", wanted).await.unwrap();
    let second = isnt_to_be_paid(&tenant, "second", "RuntimeFunded").await;
    assert_eq!(scene.sessions_of(text(&second, "/metadata/uid")).await, 0);
    removed(&tenant, "first").await;
    scene.session(&tenant, "second").await;
    wait(&tenant, "second", "pending_payment").await.unwrap();
}

#[tokio::test]
async fn a_subscription_tells_its_invoices_and_ends_with_its_runtime() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("pay-sub").await;
    let done = bought(scene, &tenant, "ops", "Subscription").await;
    let subscription = &done["status"]["subscription"];
    assert_eq!((&subscription["state"], subscription["endTime"].is_null()), (&json!("Paid"), true));
    assert_eq!(subscription["invoices"][0]["state"], "Paid", "{subscription}");
    assert_eq!(subscription["paymentMethod"]["last4"], "4242", "{subscription}");
    tenant.runtimes().delete("ops", &DeleteParams::default()).await.unwrap();
    wait(&tenant, "ops", "ended").await.unwrap();
    let record = record(&tenant, "ops").await.unwrap();
    let ending = &record["spec"]["order"]["endings"][0];
    assert_eq!(ending["when"], "AtPeriodEnd");
    assert!(!ending["doneTime"].is_null(), "{record}");
    let id = text(&record, "/spec/order/subscriptionID").to_owned();
    assert_eq!(scene.counted("subscription.cancel_at_period_end", &id).await, 1);
}

#[tokio::test]
async fn money_that_goes_back_stops_the_runtime_and_the_subscription() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("pay-back").await;
    let done = bought(scene, &tenant, "ops", "Subscription").await;
    let stored = receipts(&tenant, text(&done, "/metadata/uid")).await;
    let payment = text(&stored[0], "/spec/providerID").to_owned();
    scene.act(json!({"do": "refund", "payment": payment})).await;
    // No event tells of it here: the order is asked to be read again as a replica does that took one.
    ask_to_read(&tenant, "ops").await;
    let refunded = wait(&tenant, "ops", "refunded").await.unwrap();
    assert_eq!(condition(&refunded, "Paid")["reason"], "Refunded");
    let stopped = tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
    assert_eq!(stopped["status"]["state"], "stopped");
    let uid = text(&refunded, "/metadata/uid");
    assert_eq!(receipts(&tenant, uid).await.len(), 2, "what went back has a receipt too");
    let id = text(&record(&tenant, "ops").await.unwrap(), "/spec/order/subscriptionID").to_owned();
    assert_eq!(scene.counted("subscription.end", &id).await, 1);
}

#[tokio::test]
async fn a_deleted_order_that_isnt_paid_leaves_no_page_open() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("pay-none").await;
    place(&tenant, "ops", "OneTime").await;
    let session = scene.session(&tenant, "ops").await;
    removed(&tenant, "ops").await;
    assert_eq!(scene.counted("session.expire", &session).await, 1);
}

#[tokio::test]
async fn an_approval_by_hand_closes_the_page() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("pay-hand").await;
    place(&tenant, "ops", "OneTime").await;
    let session = scene.session(&tenant, "ops").await;
    let order = get(&tenant, "ops").await.unwrap();
    crate::scene::platform(scene, &crate::shop::receipt(&order, "pay-hand-1", json!({}))).await;
    wait(&tenant, "ops", "running").await.unwrap();
    assert_eq!(scene.counted("session.expire", &session).await, 1);
}

#[tokio::test]
async fn money_that_comes_after_the_order_was_deleted_has_a_receipt_and_nothing_further_is_collected() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("pay-late").await;
    place(&tenant, "ops", "Subscription").await;
    let session = scene.session(&tenant, "ops").await;
    scene.act(json!({"do": "visit", "session": session, "how": "pay_later"})).await;
    let uid = text(&get(&tenant, "ops").await.unwrap(), "/metadata/uid").to_owned();
    removed(&tenant, "ops").await;
    scene.act(json!({"do": "settle", "session": session, "how": "came"})).await;
    let claims: kube::Api<moorage::api::NameClaim> = kube::Api::all(tenant.client.clone());
    let key = moorage::api::NameClaim::order_key(&uid);
    let said = claims.get(&key).await.unwrap().spec.tombstone.unwrap().message;
    assert!(said.contains("on its way"), "{said}");
    ask_to_read_claim(&tenant, &key).await;
    eventually("it has a receipt", SOON, async || {
        ensure!(receipts(&tenant, &uid).await.len() == 1);
        Ok(())
    })
    .await
    .unwrap();
    assert!(tenant.names().await.unwrap().is_empty(), "nothing is made for it");
    let subscriptions = scene.sim.read("stripe/subscription").await.unwrap();
    let ours = subscriptions["data"].as_array().unwrap().iter();
    let collects = |it: &&serde_json::Value| {
        it["metadata"]["order"] == uid.as_str()
            && it["status"] != "canceled"
            && it["cancel_at_period_end"] != true
    };
    assert_eq!(ours.filter(collects).count(), 0, "{subscriptions}");
}

/// Has an order read again, as a replica does that took an event.
pub async fn ask_to_read(tenant: &crate::support::Tenant<'_>, name: &str) {
    let key = text(&record(tenant, name).await.unwrap(), "/metadata/name").to_owned();
    ask_to_read_claim(tenant, &key).await;
}

pub async fn ask_to_read_claim(tenant: &crate::support::Tenant<'_>, key: &str) {
    let operator = Identity::service_account(platform::NAMESPACE, platform::SERVICE_ACCOUNT);
    let client = tenant.cluster.client(&operator).await.unwrap();
    let claims: kube::Api<moorage::api::NameClaim> = kube::Api::all(client);
    let patch = json!({"spec": {"order": {"noticeTime": jiff::Timestamp::now()}}});
    let patch = kube::api::Patch::Merge(patch);
    claims.patch(key, &kube::api::PatchParams::default(), &patch).await.unwrap();
}
