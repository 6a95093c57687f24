use std::time::Duration;

use serde_json::json;

use crate::world::{World, rig};

#[tokio::test]
async fn the_dashboard_tells_of_runtimes_as_they_change() {
    let world = World::new("dash-counts").await;
    world.workspace("main", "dash-counts", "members: []").await;
    world.runtime("one").await;
    world.runtime("two").await;
    let shown = world
        .until("Workspace", "main", "show two that run", |workspace| {
            workspace["status"]["runtimes"]["running"] == 2
        })
        .await;
    let status = &shown["status"];
    assert_eq!(status["runtimes"], json!({"total": 2, "running": 2, "byState": {"running": 2}}));
    let listed = &status["runtimeList"][0];
    assert_eq!((listed["name"].as_str(), listed["state"].as_str()), (Some("one"), Some("running")));
    assert_eq!((listed["plan"].as_str(), listed["ready"].as_bool()), (Some("openclaw-trial"), Some(true)));
    let runtime = world.get("Runtime", "one").await.unwrap();
    assert_eq!(listed["url"], runtime["status"]["url"]);
    assert!(status["alerts"].is_null());

    world.patch("Runtime", "two", json!({"spec": {"powerState": "Stopped"}})).await;
    world
        .until("Workspace", "main", "show one that is stopped", |workspace| {
            workspace["status"]["runtimes"]["byState"] == json!({"running": 1, "stopped": 1})
        })
        .await;
    world.delete("Runtime", "two").await;
    world
        .until("Workspace", "main", "show one", |workspace| workspace["status"]["runtimes"]["total"] == 1)
        .await;
    world.at_rest().await;
}

#[tokio::test]
async fn one_that_cannot_run_raises_an_alert_until_it_is_put_right() {
    let world = World::new("dash-alerts").await;
    world.workspace("main", "dash-alerts", "members: []").await;
    world
        .apply(
            "{apiVersion: moorage.dev/v1alpha1, kind: Runtime, metadata: {name: bad, namespace: dash-alerts}, \
             spec: {blueprintRef: {name: missing}}}",
        )
        .await;
    let shown = world
        .until("Workspace", "main", "raise an alert", |workspace| !workspace["status"]["alerts"].is_null())
        .await;
    let alert = &shown["status"]["alerts"][0];
    assert_eq!((alert["type"].as_str(), alert["runtime"].as_str()), (Some("unhealthy"), Some("bad")));
    assert!(alert["cause"].as_str().unwrap().contains("missing"), "{alert}");
    world.delete("Runtime", "bad").await;
    world
        .until("Workspace", "main", "have no alert", |workspace| workspace["status"]["alerts"].is_null())
        .await;
}

#[tokio::test]
async fn churn_costs_few_writes_and_the_last_change_is_told() {
    let world = World::new("dash-churn").await;
    world.policy("allowedPlans: [openclaw-trial], maxRuntimes: 50").await;
    world.workspace("main", "dash-churn", "members: []").await;
    world.state("Workspace", "main", "active").await;
    let before = writes().await;
    let began = std::time::Instant::now();
    for n in 0..30 {
        world.runtime(&format!("r-{n:02}")).await;
    }
    world
        .until("Workspace", "main", "show thirty that run", |workspace| {
            workspace["status"]["runtimes"]["byState"] == json!({"running": 30})
        })
        .await;
    let most = began.elapsed().as_secs() / 2 + 2;
    let wrote = writes().await - before;
    assert!(wrote as u64 <= most, "{wrote} status writes for thirty Runtimes, at most {most} are due");
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.at_rest().await;
}

/// Status writes of this file's Workspace so far.
async fn writes() -> usize {
    let events = rig().await.cluster.audit_events().unwrap();
    events
        .iter()
        .filter(|event| {
            event.is_write()
                && event.subresource == "status"
                && event.resource == "workspaces"
                && event.namespace == "dash-churn"
        })
        .count()
}
