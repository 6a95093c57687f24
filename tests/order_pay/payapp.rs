//! Orders that are paid at PayApp, which tells of payments in notices and can't be asked.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testbed::eventually;

use crate::scene::{Scene, receipts};
use crate::shop::{get, order, record, removed, wait};
use crate::support::{SOON, Tenant, condition, reason, text};

pub const CALLS: &str = "/oapi/apiLoad.html";

pub async fn place(tenant: &Tenant<'_>, name: &str, mode: &str) {
    let more = json!({"planRef": {"name": "sold"}, "runtime": {"name": name, "slug": tenant.slug(name)},
        "payment": {"provider": "PayApp", "mode": mode}});
    order(tenant, name, more).await.unwrap();
}

/// What is recorded of the attempts.
pub async fn attempts(tenant: &Tenant<'_>, name: &str) -> Result<Vec<Value>> {
    Ok(record(tenant, name).await?["spec"]["order"]["attempts"].as_array().cloned().unwrap_or_default())
}

/// The number of the open request that the customer sees, once its page is shown.
async fn number(scene: &Scene, tenant: &Tenant<'_>, name: &str) -> String {
    let id = scene.session(tenant, name).await;
    let all = scene.sim.read("payapp").await.unwrap();
    let requests = all["requests"].as_array().unwrap().iter();
    let mut ours = requests.filter(|it| it["number"] == id.as_str() || it["rebill"] == id.as_str());
    text(ours.next_back().unwrap(), "/number").to_owned()
}

pub async fn pay(scene: &Scene, tenant: &Tenant<'_>, name: &str) -> String {
    let number = number(scene, tenant, name).await;
    scene.act(json!({"do": "pay_app", "request": number, "how": "pay"})).await;
    number
}

pub async fn of_order(scene: &Scene, effect: &str, uid: &str) -> usize {
    scene.effects(effect).await.iter().filter(|entry| entry["detail"]["order"] == uid).count()
}

#[tokio::test]
async fn a_notice_pays_and_a_refund_stops_it() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("app-once").await;
    place(&tenant, "ops", "OneTime").await;
    let number = pay(scene, &tenant, "ops").await;
    let done = wait(&tenant, "ops", "running").await.unwrap();
    let uid = text(&done, "/metadata/uid");
    assert_eq!(done["status"]["amount"], json!({"value": 19900, "currency": "KRW"}));
    assert_eq!(of_order(scene, "charge", uid).await, 1);
    assert_eq!(receipts(&tenant, uid).await.len(), 1);
    scene.act(json!({"do": "pay_app_refund", "request": number, "amount": null})).await;
    let refunded = wait(&tenant, "ops", "refunded").await.unwrap();
    assert_eq!(condition(&refunded, "Paid")["reason"], "Refunded");
}

#[tokio::test]
async fn a_registration_pays_and_is_cancelled_with_its_order() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("app-month").await;
    place(&tenant, "ops", "Subscription").await;
    pay(scene, &tenant, "ops").await;
    let done = wait(&tenant, "ops", "running").await.unwrap();
    assert!(!text(&done, "/status/subscription/paidUntil").is_empty(), "{}", done["status"]);
    let attempt = attempts(&tenant, "ops").await.unwrap().pop().unwrap();
    let registration = text(&attempt, "/subscriptionID").to_owned();
    removed(&tenant, "ops").await;
    assert_eq!(scene.counted("rebill.change", &registration).await, 1);
    tenant.wait_ready("ops", "running").await.unwrap();
}

#[tokio::test]
async fn a_price_that_payapp_cant_take_says_so() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("app-usd").await;
    let more = json!({"runtime": {"name": "ops"}, "payment": {"provider": "PayApp", "mode": "OneTime"}});
    order(&tenant, "ops", more).await.unwrap();
    eventually("it is refused", SOON, async || {
        let order = get(&tenant, "ops").await?;
        ensure!(reason(&order) == "ProviderRefused", "{}", order["status"]);
        ensure!(text(&condition(&order, "Ready"), "/message").contains("won"), "{}", order["status"]);
        Ok(())
    })
    .await
    .unwrap();
}

/// Waits until the first attempt was withdrawn, and another can be paid.
async fn second_attempt(tenant: &Tenant<'_>, name: &str) {
    eventually(&format!("the second attempt of {name}"), SOON, async || {
        let attempts = attempts(tenant, name).await?;
        let states: Vec<_> = attempts.iter().map(|it| text(it, "/state")).collect();
        ensure!(states == ["Expired", "Open"], "{attempts:?}");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_lost_reply_is_never_asked_for_again_but_withdrawn_by_the_number_that_was_told() {
    let scene = Scene::start(json!({})).await.unwrap();
    let tenant = scene.tenant("app-loss").await;
    for (word, action) in [
        ("reply", json!({"kind": "drop_reply"})),
        ("after", json!({"kind": "status", "status": 503, "when": "after"})),
        ("cut", json!({"kind": "truncate"})),
    ] {
        for mode in ["OneTime", "Subscription"] {
            let name = format!("{word}-{}", mode.to_lowercase());
            scene.rule(CALLS, action.clone()).await;
            place(&tenant, &name, mode).await;
            second_attempt(&tenant, &name).await;
            pay(&scene, &tenant, &name).await;
            let done = wait(&tenant, &name, "running").await.unwrap();
            let uid = text(&done, "/metadata/uid");
            assert_eq!(of_order(&scene, "request.create", uid).await, 2, "{name}");
            assert_eq!(of_order(&scene, "charge", uid).await, 1, "{name}");
            if mode == "Subscription" {
                let attempts = attempts(&tenant, &name).await.unwrap();
                removed(&tenant, &name).await;
                for attempt in attempts {
                    let registration = text(&attempt, "/subscriptionID");
                    assert_eq!(scene.counted("rebill.change", registration).await, 1, "{name}: {attempt}");
                }
            }
        }
    }
}

#[tokio::test]
async fn our_word_that_is_lost_jams_nothing() {
    let scene = Scene::start(json!({})).await.unwrap();
    let tenant = scene.tenant("app-deaf").await;
    for mode in ["OneTime", "Subscription"] {
        let name = format!("deaf-{}", mode.to_lowercase());
        scene.sim.send("settings", &json!({"lostAnswers": 1})).await.unwrap();
        place(&tenant, &name, mode).await;
        second_attempt(&tenant, &name).await;
        pay(&scene, &tenant, &name).await;
        let done = wait(&tenant, &name, "running").await.unwrap();
        let uid = text(&done, "/metadata/uid");
        assert_eq!(
            (of_order(&scene, "charge", uid).await, of_order(&scene, "request.create", uid).await),
            (1, 2)
        );
    }
}

/// Waits until an order says that PayApp refused something.
async fn refused(tenant: &Tenant<'_>, name: &str) {
    eventually(&format!("{name} says so"), SOON, async || {
        let order = get(tenant, name).await?;
        ensure!(reason(&order) == "ProviderRefused", "{}", order["status"]);
        ensure!(
            text(&condition(&order, "Ready"), "/message").contains("the merchant isnt known"),
            "{}",
            order["status"]
        );
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_is_refused_with_a_wrong_key_isnt_taken_for_done_also_after_a_restart() {
    let mut scene = Scene::start(json!({})).await.unwrap();
    let (registration, session) = {
        let tenant = scene.tenant("app-key").await;
        place(&tenant, "paid", "Subscription").await;
        pay(&scene, &tenant, "paid").await;
        wait(&tenant, "paid", "running").await.unwrap();
        let attempt = attempts(&tenant, "paid").await.unwrap().pop().unwrap();
        place(&tenant, "open", "OneTime").await;
        let session = scene.session(&tenant, "open").await;
        let refusal = "state=0&errno=70020&errorMessage=the+merchant+isnt+known";
        let action = json!({"kind": "status", "status": 200, "body": refusal});
        scene.sim.send("faults", &json!({"match": {"route": CALLS}, "action": action})).await.unwrap();
        for name in ["paid", "open"] {
            let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
            orders.delete(name, &kube::api::DeleteParams::default()).await.unwrap();
            refused(&tenant, name).await;
        }
        (text(&attempt, "/subscriptionID").to_owned(), session)
    };
    scene.rig.operator.kill().unwrap();
    scene.rig.operator.restart().unwrap();
    let tenant = scene.tenant("app-key").await;
    tokio::time::sleep(std::time::Duration::from_secs(8)).await;
    for name in ["paid", "open"] {
        refused(&tenant, name).await;
    }
    assert_eq!(scene.counted("rebill.change", &registration).await, 0);
    assert_eq!(scene.counted("request.cancel", &session).await, 0);
    scene.sim.clear_faults().await.unwrap();
    for name in ["paid", "open"] {
        crate::faults::gone(&tenant, name).await;
    }
    assert_eq!(scene.counted("rebill.change", &registration).await, 1);
    assert_eq!(scene.counted("request.cancel", &session).await, 1);
}

#[tokio::test]
async fn money_that_comes_after_its_order_was_deleted_is_flagged() {
    let scene = Scene::shared().await;
    let tenant = scene.tenant("app-late").await;
    place(&tenant, "ops", "OneTime").await;
    let number = number(scene, &tenant, "ops").await;
    let uid = text(&get(&tenant, "ops").await.unwrap(), "/metadata/uid").to_owned();
    scene.act(json!({"do": "pay_app", "request": number, "how": "wait"})).await;
    eventually("its deposit is waited for", SOON, async || {
        ensure!(receipts(&tenant, &uid).await.len() == 1);
        Ok(())
    })
    .await
    .unwrap();
    removed(&tenant, "ops").await;
    scene.act(json!({"do": "pay_app", "request": number, "how": "pay"})).await;
    eventually("its payment has a receipt with a flag", SOON, async || {
        let stored = receipts(&tenant, &uid).await;
        let paid = stored.iter().find(|receipt| receipt["spec"]["type"] == "Payment");
        let flags = paid.map(|receipt| receipt["spec"]["flags"].clone());
        ensure!(flags == Some(json!(["FundsNothing"])), "{stored:?}");
        Ok(())
    })
    .await
    .unwrap();
    assert!(tenant.names().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_kill_during_the_call_is_no_second_charge() {
    let mut scene = Scene::start(json!({})).await.unwrap();
    let rule = {
        let tenant = scene.tenant("app-kill").await;
        let rule = scene.rule(CALLS, json!({"kind": "hold"})).await;
        place(&tenant, "ops", "OneTime").await;
        eventually("the call", SOON, async || {
            ensure!(!scene.effects("request.create").await.is_empty(), "not called yet");
            let attempts = attempts(&tenant, "ops").await?;
            ensure!(attempts.iter().any(|it| !text(it, "/checkoutID").is_empty()), "not told yet");
            Ok(())
        })
        .await
        .unwrap();
        rule
    };
    scene.rig.operator.kill().unwrap();
    scene.sim.send(&format!("faults/{rule}/release"), &json!({})).await.unwrap();
    scene.rig.operator.restart().unwrap();
    let tenant = scene.tenant("app-kill").await;
    second_attempt(&tenant, "ops").await;
    pay(&scene, &tenant, "ops").await;
    let done = wait(&tenant, "ops", "running").await.unwrap();
    assert_eq!(of_order(&scene, "charge", text(&done, "/metadata/uid")).await, 1);
}
