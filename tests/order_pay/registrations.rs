//! A dearer Plan at PayApp: paid at another page of the same order, in whose place the earlier registration ends.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use testbed::eventually;

use crate::payapp::{CALLS, attempts, of_order, pay, place};
use crate::scene::{Scene, platform};
use crate::shop::{get, record, removed, wait};
use crate::support::{SOON, Tenant, condition, text};

/// A dearer Plan than `sold`.
async fn dearer(scene: &Scene) {
    let spec = json!({"displayName": "More", "cpuKind": "Shared", "cpus": 4, "memoryMB": 4096, "volumeGB": 3,
        "amount": 39900, "currency": "KRW", "interval": "Month"});
    let plan = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Plan", "metadata": {"name": "sold-more"},
        "spec": spec});
    platform(scene, &plan).await;
}

async fn ask(tenant: &Tenant<'_>, name: &str, plan: &str) {
    tenant.patch(name, json!({"spec": {"planRef": {"name": plan}}})).await.unwrap();
}

/// An order whose registration is paid, and the number of that.
async fn bought(scene: &Scene, tenant: &Tenant<'_>, name: &str) -> String {
    place(tenant, name, "Subscription").await;
    pay(scene, tenant, name).await;
    wait(tenant, name, "running").await.unwrap();
    registrations(tenant, name).await.unwrap().remove(0)
}

async fn registrations(tenant: &Tenant<'_>, name: &str) -> Result<Vec<String>> {
    let attempts = attempts(tenant, name).await?;
    Ok(attempts.iter().map(|it| text(it, "/subscriptionID").to_owned()).collect())
}

/// Waits until the attempts are so far.
async fn reached(tenant: &Tenant<'_>, name: &str, wanted: &[&str]) {
    eventually(&format!("the attempts of {name}"), SOON, async || {
        let attempts = attempts(tenant, name).await?;
        let states: Vec<_> = attempts.iter().map(|it| text(it, "/state")).collect();
        ensure!(states == wanted, "{attempts:?}");
        Ok(())
    })
    .await
    .unwrap();
}

/// The dearer Plan is bought and in place, by one charge, and is the only thing that is collected for.
async fn in_place(scene: &Scene, tenant: &Tenant<'_>, name: &str) {
    let record = eventually(&format!("{name} has its Plan"), SOON, async || {
        let record = record(tenant, name).await?;
        ensure!(text(&record, "/spec/order/price/plan/name") == "sold-more", "{record}");
        let runtime = tenant.get(name).await?;
        ensure!(text(&runtime, "/status/pinned/plan") == "sold-more", "{}", runtime["status"]);
        ensure!(condition(&runtime, "Entitled")["status"] == "True", "{}", runtime["status"]);
        ensure!(going(scene, tenant, name).await?.len() == 1, "two are collected for");
        Ok(record)
    })
    .await
    .unwrap();
    eventually(&format!("{name} says so"), SOON, async || {
        let order = get(tenant, name).await?;
        ensure!(order["status"]["state"] == "running", "{}", order["status"]);
        ensure!(
            order["status"]["amount"] == json!({"value": 39900, "currency": "KRW"}),
            "{}",
            order["status"]
        );
        ensure!(text(&condition(&order, "Paid"), "/message") == "It is paid.", "{}", order["status"]);
        Ok(())
    })
    .await
    .unwrap();
    let last = registrations(tenant, name).await.unwrap().pop().unwrap();
    assert_eq!(going(scene, tenant, name).await.unwrap(), [last], "{name}");
    assert_eq!(of_order(scene, "charge", text(&record, "/spec/order/uid")).await, 2, "{name}");
}

/// The order's registrations that weren't cancelled.
async fn going(scene: &Scene, tenant: &Tenant<'_>, name: &str) -> Result<Vec<String>> {
    let ours = registrations(tenant, name).await?;
    let all = scene.sim.read("payapp").await?;
    let all = all["rebills"].as_array().cloned().unwrap_or_default();
    let goes_on = |it: &&Value| it["standing"] != "cancelled";
    let numbers = all.iter().filter(goes_on).map(|it| text(it, "/number").to_owned());
    Ok(numbers.filter(|number| ours.contains(number)).collect())
}

#[tokio::test]
async fn a_dearer_plan_is_paid_at_its_own_page_and_the_earlier_size_runs_on_until_then() {
    let scene = Scene::shared().await;
    dearer(scene).await;
    let tenant = scene.tenant("app-more").await;
    let earlier = bought(scene, &tenant, "ops").await;
    ask(&tenant, "ops", "sold-more").await;
    eventually("both tell", SOON, async || {
        let order = get(&tenant, "ops").await?;
        let paid = condition(&order, "Paid");
        ensure!(
            text(&paid, "/message").contains("status.checkout.url") && paid["status"] == "True",
            "{paid}"
        );
        ensure!(condition(&order, "CheckoutOpen")["status"] == "True", "{}", order["status"]);
        let runtime = tenant.get("ops").await?;
        let entitled = condition(&runtime, "Entitled");
        ensure!(entitled["reason"] == "PlanNotPaid" && entitled["status"] == "False", "{entitled}");
        ensure!(runtime["status"]["state"] == "running", "{}", runtime["status"]);
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(scene.counted("rebill.change", &earlier).await, 0);
    pay(scene, &tenant, "ops").await;
    in_place(scene, &tenant, "ops").await;
    assert_eq!(scene.counted("rebill.change", &earlier).await, 1);
    let dearer = registrations(&tenant, "ops").await.unwrap().remove(1);
    removed(&tenant, "ops").await;
    assert_eq!(scene.counted("rebill.change", &dearer).await, 1);
}

#[tokio::test]
async fn its_page_is_withdrawn_when_it_isnt_asked_for_any_more() {
    let scene = Scene::shared().await;
    dearer(scene).await;
    let tenant = scene.tenant("app-less").await;
    let earlier = bought(scene, &tenant, "ops").await;
    ask(&tenant, "ops", "sold-more").await;
    scene.session(&tenant, "ops").await;
    ask(&tenant, "ops", "sold").await;
    reached(&tenant, "ops", &["Closed", "Expired"]).await;
    eventually("it isn't told any more", SOON, async || {
        let order = get(&tenant, "ops").await?;
        ensure!(order["status"]["checkout"].is_null(), "{}", order["status"]);
        ensure!(text(&condition(&order, "Paid"), "/message") == "It is paid.", "{}", order["status"]);
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(going(scene, &tenant, "ops").await.unwrap(), [earlier]);
}

#[tokio::test]
async fn a_loss_at_any_call_is_one_charge_and_one_registration() {
    let scene = Scene::start(json!({})).await.unwrap();
    dearer(&scene).await;
    let tenant = scene.tenant("app-more-loss").await;
    for (word, action) in [
        ("reply", json!({"kind": "drop_reply"})),
        ("after", json!({"kind": "status", "status": 503, "when": "after"})),
        ("cut", json!({"kind": "truncate"})),
    ] {
        bought(&scene, &tenant, word).await;
        // The page's own, and then that of the end of the earlier registration.
        scene.rule(CALLS, action.clone()).await;
        ask(&tenant, word, "sold-more").await;
        reached(&tenant, word, &["Closed", "Expired", "Open"]).await;
        scene.rule(CALLS, action).await;
        pay(&scene, &tenant, word).await;
        in_place(&scene, &tenant, word).await;
    }
}

#[tokio::test]
async fn a_kill_after_any_call_is_one_charge_and_one_registration() {
    let mut scene = Scene::start(json!({})).await.unwrap();
    dearer(&scene).await;
    let (rule, earlier) = {
        let tenant = scene.tenant("app-more-kill").await;
        let earlier = bought(&scene, &tenant, "ops").await;
        let rule = scene.rule(CALLS, json!({"kind": "hold"})).await;
        ask(&tenant, "ops", "sold-more").await;
        eventually("the call is told of", SOON, async || {
            let told = registrations(&tenant, "ops").await?;
            ensure!(told.get(1).is_some_and(|number| !number.is_empty()), "{told:?}");
            Ok(())
        })
        .await
        .unwrap();
        (rule, earlier)
    };
    restarted(&mut scene, rule).await;
    let rule = {
        let tenant = scene.tenant("app-more-kill").await;
        reached(&tenant, "ops", &["Closed", "Expired", "Open"]).await;
        let rule = scene.rule(CALLS, json!({"kind": "hold"})).await;
        pay(&scene, &tenant, "ops").await;
        eventually("the earlier one ends", SOON, async || {
            ensure!(scene.counted("rebill.change", &earlier).await == 1);
            Ok(())
        })
        .await
        .unwrap();
        rule
    };
    restarted(&mut scene, rule).await;
    let tenant = scene.tenant("app-more-kill").await;
    in_place(&scene, &tenant, "ops").await;
}

/// The operator dies while a call waits for its answer, and comes back.
async fn restarted(scene: &mut Scene, rule: u64) {
    scene.rig.operator.kill().unwrap();
    scene.sim.send(&format!("faults/{rule}/release"), &json!({})).await.unwrap();
    scene.rig.operator.restart().unwrap();
}
