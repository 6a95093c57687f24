//! What is asked of one that sleeps.

use std::time::{Duration, Instant};

use anyhow::ensure;
use http::Method;
use serde_json::{Value, json};
use testbed::eventually;
use tokio::sync::OnceCell;

use crate::support::{SOON, Tenant, Witness, condition, shared, text};

/// A Runtime that may sleep, in a simulator where an idle Machine is stopped within ten seconds.
async fn sleeper(namespace: &str, more: Value) -> Tenant<'static> {
    static HURRIED: OnceCell<()> = OnceCell::const_new();
    let rig = shared().await;
    let hurry = json!({"autostopIdleMs": 8000, "autostopPassMs": 1000});
    HURRIED
        .get_or_init(|| async {
            rig.fly.send(Method::POST, "settings", &hurry).await.unwrap();
        })
        .await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap();
    let mut spec = json!({"sleep": {"mode": "Stop"}});
    crate::support::merge(&mut spec, more);
    tenant.declare("ops", spec).await.unwrap();
    tenant
}

async fn effects(tenant: &Tenant<'_>, since: u64) -> Vec<String> {
    let all = tenant.changes().await.unwrap();
    all.into_iter()
        .filter(|it| it.seq > since && it.effect.starts_with("machine."))
        .map(|it| it.effect)
        .collect()
}

async fn ask(tenant: &Tenant<'_>) -> http::StatusCode {
    let url = tenant.get("ops").await.unwrap();
    let host = text(&url, "/status/url").trim_start_matches("https://").to_owned();
    let browser = tenant.fly.0.browser(&host).unwrap();
    browser.get(tenant.fly.0.edge_url(&host, "/healthz")).send().await.unwrap().status()
}

#[tokio::test]
async fn it_falls_asleep_and_a_request_wakes_it_and_both_are_seen_within_ten_seconds() {
    for (mode, state) in [("Stop", "stopped"), ("Suspend", "suspended")] {
        let tenant =
            sleeper(&format!("wakes-{}", mode.to_lowercase()), json!({"sleep": {"mode": mode}})).await;
        let witness = Witness::new(tenant.runtimes());
        let asleep = tenant.wait_ready("ops", "sleeping").await.unwrap();
        assert_eq!(asleep["status"]["external"]["machineState"], state);
        assert_eq!(condition(&asleep, "Available")["status"], "True");
        assert!(
            text(&condition(&asleep, "Available"), "/message").contains("schedules and heartbeats don't run")
        );
        let begun = Instant::now();
        assert!(ask(&tenant).await.is_success());
        tenant.wait_ready("ops", "running").await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10), "seen awake after {:?}", begun.elapsed());
        let app = tenant.app("ops").await.unwrap();
        eventually("it is stopped again", SOON, async || {
            let standing = tenant.fly.standing(&app).await?;
            ensure!(standing["machines"][0]["state"] == state, "{standing}");
            Ok(())
        })
        .await
        .unwrap();
        let begun = Instant::now();
        tenant.wait_ready("ops", "sleeping").await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10), "seen asleep after {:?}", begun.elapsed());
        assert_eq!(witness.problems(), [""; 0]);
    }
}

#[tokio::test]
async fn a_change_leaves_it_asleep_and_is_there_when_it_wakes() {
    let tenant = sleeper("changed", json!({})).await;
    tenant.wait_ready("ops", "sleeping").await.unwrap();
    let head = tenant.fly.head().await.unwrap();
    tenant.patch("ops", json!({"spec": {"persona": {"name": "Ada"}}})).await.unwrap();
    let object = tenant.wait_ready("ops", "sleeping").await.unwrap();
    assert_eq!(condition(&object, "ConfigApplied")["status"], "True");
    assert_eq!(effects(&tenant, head).await, ["machine.update"]);
}

#[tokio::test]
async fn what_is_stopped_isnt_woken_by_requests_and_starts_when_asked_to() {
    let tenant = sleeper("off", json!({})).await;
    tenant.wait("ops", "awake or asleep", |it| it["status"]["observedGeneration"] == 1).await.unwrap();
    tenant.patch("ops", json!({"spec": {"powerState": "Stopped"}})).await.unwrap();
    tenant.wait_ready("ops", "stopped").await.unwrap();
    let head = tenant.fly.head().await.unwrap();
    assert!(!ask(&tenant).await.is_success());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(effects(&tenant, head).await, [""; 0]);
    tenant.wait_ready("ops", "stopped").await.unwrap();
    tenant.patch("ops", json!({"spec": {"powerState": "Running"}})).await.unwrap();
    tenant.wait("ops", "up again", |it| it["status"]["observedGeneration"] == 3).await.unwrap();
    assert!(effects(&tenant, head).await.contains(&"machine.start".to_owned()));
    tenant.wait_ready("ops", "sleeping").await.unwrap();
}

#[tokio::test]
async fn a_crash_reads_as_one() {
    let tenant = sleeper("crashed", json!({})).await;
    tenant.wait_ready("ops", "sleeping").await.unwrap();
    let app = tenant.app("ops").await.unwrap();
    assert!(ask(&tenant).await.is_success());
    let standing = tenant.fly.standing(&app).await.unwrap();
    let exit =
        json!({"kind": "machine_exit", "machine": standing["machines"][0]["id"], "exit": {"exitCode": 0}});
    tenant.fly.event(exit).await.unwrap();
    tenant.wait_reason("ops", "ConfigurationRefused").await.unwrap();
}

#[tokio::test]
async fn a_deaf_channel_is_warned_of() {
    let token = json!({"secretKeyRef": {"name": "bot", "key": "token"}});
    let env = json!([{"name": "TELEGRAM_BOT_TOKEN", "valueFrom": token}]);
    let tenant = sleeper("deaf", json!({"env": env})).await;
    let labels = json!({"moorage.dev/use": "runtime-env"});
    tenant
        .apply("v1", "Secret", "bot", json!({"metadata": {"labels": labels}, "stringData": {"token": "x"}}))
        .await
        .unwrap();
    let object = tenant.wait_ready("ops", "sleeping").await.unwrap();
    assert_eq!(condition(&object, "DeafWhileAsleep")["reason"], "ChannelsNeedAwake");
    let events = tenant.api("events.k8s.io/v1", "Event").await.unwrap();
    eventually("a Warning event", SOON, async || {
        let all = events.list(&kube::api::ListParams::default()).await?;
        let told =
            all.iter().any(|it| it.data["reason"] == "ChannelsNeedAwake" && it.data["type"] == "Warning");
        ensure!(told, "{} events", all.items.len());
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn too_large_to_suspend_is_refused_and_asleep_it_can_be_deleted() {
    let tenant = sleeper("large", json!({})).await;
    tenant.wait_ready("ops", "sleeping").await.unwrap();
    let at_rest = tenant.get("ops").await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(
        tenant.get("ops").await.unwrap()["metadata"],
        at_rest["metadata"],
        "at rest nothing is written"
    );
    let plan = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Plan", "metadata": {"name": "late"},
        "spec": {"displayName": "Large", "cpuKind": "Shared", "cpus": 4, "memoryMB": 4096, "volumeGB": 3,
            "amount": 0, "currency": "USD", "interval": "Month", "requiresOrder": false}});
    testbed::apply(&tenant.client, &plan.to_string()).await.unwrap();
    tenant.declare("big", json!({"planRef": {"name": "late"}, "sleep": {"mode": "Suspend"}})).await.unwrap();
    tenant.wait_reason("big", "SuspendTooLarge").await.unwrap();
    tenant.delete("ops", "Delete").await.unwrap();
    tenant.wait_gone("ops").await.unwrap();
}
