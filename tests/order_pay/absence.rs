//! What Stripe doesn't find, or doesn't list, proves nothing: what is paid runs on, nothing is opened anew, and it is told.

use anyhow::ensure;
use serde_json::{Value, json};
use testbed::eventually;

use crate::checkout::ask_to_read;
use crate::scene::{Scene, bought, place};
use crate::shop::{get, wait};
use crate::support::{SOON, Tenant, condition, reason, text};

const SESSION: &str = "/v1/checkout/sessions/{id}";

fn nowhere() -> Value {
    let error =
        json!({"type": "invalid_request_error", "code": "resource_missing", "message": "No such object"});
    json!({"kind": "status", "status": 404, "body": {"error": error}})
}

fn empty() -> Value {
    json!({"kind": "status", "status": 200, "body": {"object": "list", "data": [], "has_more": false}})
}

/// A rule on what is read, so often.
async fn rule(scene: &Scene, route: &str, count: u64, action: Value) {
    let matching = json!({"method": "GET", "route": route, "ordinal": 1, "count": count});
    scene.sim.send("faults", &json!({"match": matching, "action": action})).await.unwrap();
}

/// Waits until the condition `Paid` has these words, or hasn't.
async fn says(tenant: &Tenant<'_>, name: &str, words: &str, expected: bool) {
    eventually(&format!("{name} tells of it: {expected}"), SOON, async || {
        let order = get(tenant, name).await?;
        let paid = condition(&order, "Paid");
        ensure!(text(&paid, "/message").contains(words) == expected, "{paid}");
        ensure!(paid["status"] == "True" && order["status"]["state"] == "running", "{}", order["status"]);
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_paid_order_that_stripe_doesnt_know_runs_on_and_says_so() {
    let scene = Scene::start(json!({})).await.unwrap();
    let tenant = scene.tenant("not-found").await;
    for mode in ["OneTime", "Subscription"] {
        let name = mode.to_lowercase();
        let done = bought(&scene, &tenant, &name, mode).await;
        tenant.wait_ready(&name, "running").await.unwrap();
        rule(&scene, SESSION, 3, nowhere()).await;
        ask_to_read(&tenant, &name).await;
        says(&tenant, &name, "It can't be looked up now: Stripe", true).await;
        tenant.wait_ready(&name, "running").await.unwrap();
        assert_eq!(scene.sessions_of(text(&done, "/metadata/uid")).await, 1, "{mode}: no other page");
        // The key of the right account is back.
        says(&tenant, &name, "looked up", false).await;
    }
}

#[tokio::test]
async fn a_list_that_lacks_what_was_paid_stops_nothing() {
    let scene = Scene::start(json!({})).await.unwrap();
    let tenant = scene.tenant("not-listed").await;
    for (mode, routes) in
        [("OneTime", &["/v1/charges"][..]), ("Subscription", &["/v1/charges", "/v1/invoices"])]
    {
        let name = mode.to_lowercase();
        bought(&scene, &tenant, &name, mode).await;
        tenant.wait_ready(&name, "running").await.unwrap();
        for route in routes {
            rule(&scene, route, 4, empty()).await;
        }
        ask_to_read(&tenant, &name).await;
        tokio::time::sleep(std::time::Duration::from_secs(6)).await;
        tenant.wait_ready(&name, "running").await.unwrap();
        let order = wait(&tenant, &name, "running").await.unwrap();
        assert_eq!(condition(&order, "Paid")["status"], "True", "{mode}: {}", order["status"]);
    }
}

#[tokio::test]
async fn an_open_page_that_isnt_found_is_followed_by_no_other() {
    let scene = Scene::start(json!({})).await.unwrap();
    let tenant = scene.tenant("not-open").await;
    place(&tenant, "ops", "OneTime").await;
    scene.session(&tenant, "ops").await;
    let uid = text(&get(&tenant, "ops").await.unwrap(), "/metadata/uid").to_owned();
    rule(&scene, SESSION, 2, nowhere()).await;
    ask_to_read(&tenant, "ops").await;
    eventually("it says so", SOON, async || {
        let order = get(&tenant, "ops").await?;
        ensure!(reason(&order) == "PaymentNotFound", "{}", order["status"]);
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(scene.sessions_of(&uid).await, 1);
    scene.pay(&tenant, "ops").await;
    wait(&tenant, "ops", "running").await.unwrap();
    assert_eq!(scene.sessions_of(&uid).await, 1);
}
