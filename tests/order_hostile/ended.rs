//! What isn't paid any more doesn't run on, whatever its owner does about it.

use anyhow::ensure;
use http::StatusCode;
use kube::api::DeleteParams;
use serde_json::json;
use testbed::eventually;

use crate::shop::{get, grace_ends_in, order, order_new, pay, refund, wait};
use crate::support::{SOON, Tenant, condition, text};
use crate::{change, customer, hostile, paused, refused, stopped};

/// A request to a hostname, as a visitor makes it.
async fn visit(tenant: &Tenant<'_>, host: &str) -> StatusCode {
    let browser = tenant.fly.0.browser(host).unwrap();
    let answer = browser.get(tenant.fly.0.edge_url(host, "/healthz")).send().await;
    answer.map_or(StatusCode::BAD_GATEWAY, |answer| answer.status())
}

#[tokio::test]
async fn a_request_to_its_url_starts_nothing_once_funding_ended() {
    let (platform, tenant) = customer("over-url").await;
    let app = platform.app("ops").await.unwrap();
    let host =
        text(&tenant.get("ops").await.unwrap(), "/status/url").trim_start_matches("https://").to_owned();
    assert!(visit(&tenant, &host).await.is_success(), "it serves while it is paid");
    refund(&platform, "first", "over-url-2", "over-url-1").await.unwrap();
    stopped(&tenant, &app).await;
    let object = tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
    assert_eq!(object["status"]["state"], "stopped");
    for _ in 0..5 {
        assert!(!visit(&tenant, &host).await.is_success());
    }
    stopped(&tenant, &app).await;
}

#[tokio::test]
async fn holding_the_order_and_the_runtime_keeps_nothing_running() {
    let (platform, tenant) = customer("over-paused").await;
    let app = platform.app("ops").await.unwrap();
    change(&tenant, "first", paused()).await.unwrap();
    tenant.patch("ops", paused()).await.unwrap();
    refund(&platform, "first", "over-paused-2", "over-paused-1").await.unwrap();
    stopped(&tenant, &app).await;
    let entitled = |object: &serde_json::Value| condition(object, "Entitled")["reason"] == "AwaitingOrder";
    tenant.wait("ops", "told why", entitled).await.unwrap();
    assert_eq!(text(&get(&tenant, "first").await.unwrap(), "/status/subscription/state"), "Refunded");
}

#[tokio::test]
async fn an_order_without_its_finalizer_ends_like_any_other() {
    let (platform, tenant) = customer("over-strip").await;
    let app = platform.app("ops").await.unwrap();
    let uid = text(&get(&tenant, "first").await.unwrap(), "/metadata/uid").to_owned();
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
    // The operator puts it back: it is taken off until the order has vanished.
    eventually("the order vanished", SOON, async || {
        let bare = json!({"metadata": {"finalizers": []}});
        let _ = change(&tenant, "first", bare).await;
        let _ = orders.delete("first", &DeleteParams::background()).await;
        ensure!(orders.get_opt("first").await?.is_none());
        Ok(())
    })
    .await
    .unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    // Its money goes back: its receipts are the platform's, and know the order by its UID.
    let gone = json!({"metadata": {"uid": uid}});
    let back =
        crate::shop::receipt(&gone, "over-strip-2", json!({"type": "Refund", "refunds": "over-strip-1"}));
    testbed::apply(&platform.client, &back.to_string()).await.unwrap();
    stopped(&tenant, &app).await;
    tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
}

#[tokio::test]
async fn a_quota_against_the_operators_own_objects_stops_no_stop() {
    let (platform, tenant) = customer("over-quota").await;
    let app = platform.app("ops").await.unwrap();
    let hard = json!({"count/secrets": "0", "count/runtimetasks.moorage.dev": "0",
        "count/runtimes.moorage.dev": "0", "count/rolebindings.rbac.authorization.k8s.io": "0",
        "count/events.events.k8s.io": "0"});
    tenant.apply("v1", "ResourceQuota", "none", json!({"spec": {"hard": hard}})).await.unwrap();
    eventually("the quota in force", SOON, async || {
        let tried = tenant.declare("probe", json!({})).await;
        if tried.is_ok() {
            tenant.runtimes().delete("probe", &DeleteParams::default()).await?;
        }
        ensure!(tried.is_err(), "it isn't yet");
        Ok(())
    })
    .await
    .unwrap();
    refund(&platform, "first", "over-quota-2", "over-quota-1").await.unwrap();
    stopped(&tenant, &app).await;
    tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
    // What a quota keeps from being made is told, and nothing is made twice once it is gone.
    order(&tenant, "second", json!({"runtime": {"name": "two", "slug": tenant.slug("two")}})).await.unwrap();
    wait(&tenant, "second", "pending_payment").await.unwrap();
    pay(&platform, "second", "over-quota-3", json!({})).await.unwrap();
    refused(&tenant, "second", "KubernetesRefused", "quota").await;
    let quotas = tenant.api("v1", "ResourceQuota").await.unwrap();
    quotas.delete("none", &DeleteParams::default()).await.unwrap();
    wait(&tenant, "second", "running").await.unwrap();
    assert_eq!(tenant.names().await.unwrap(), ["ops", "two"]);
}

#[tokio::test]
async fn what_is_retained_and_declared_again_doesnt_run_on_the_old_money() {
    let (platform, tenant) = customer("over-retain").await;
    let app = platform.app("ops").await.unwrap();
    tenant.delete("ops", "Retain").await.unwrap();
    tenant.wait_gone("ops").await.unwrap();
    wait(&tenant, "first", "ended").await.unwrap();
    stopped(&tenant, &app).await;
    tenant.declare("ops", json!({"planRef": {"name": "openclaw-basic"}})).await.unwrap();
    let object = tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
    assert!(text(&condition(&object, "Ready"), "/message").contains("Place a RuntimeOrder"));
    stopped(&tenant, &app).await;
    // Paid for anew, it still isn't its earlier self until the platform says so.
    crate::order_for(&tenant, "second", "ops").await;
    wait(&tenant, "second", "pending_payment").await.unwrap();
    pay(&platform, "second", "over-retain-2", json!({})).await.unwrap();
    let object = tenant.wait_reason("ops", "IdentityChanged").await.unwrap();
    assert!(text(&condition(&object, "Ready"), "/message").contains("The platform decides"));
    stopped(&tenant, &app).await;
}

#[tokio::test]
async fn what_ran_out_while_nobody_looked_is_stopped_and_paying_brings_it_back() {
    let (platform, tenant) = hostile("over-due").await;
    order_new(&tenant, "first", "ops").await.unwrap();
    wait(&tenant, "first", "pending_payment").await.unwrap();
    pay(&platform, "first", "over-due-1", grace_ends_in(30)).await.unwrap();
    wait(&tenant, "first", "past_due").await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let app = platform.app("ops").await.unwrap();
    wait(&tenant, "first", "suspended").await.unwrap();
    stopped(&tenant, &app).await;
    pay(&platform, "first", "over-due-2", json!({})).await.unwrap();
    wait(&tenant, "first", "running").await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
}
