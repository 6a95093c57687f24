//! Waiting for a state.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Fly, config};

#[tokio::test]
async fn a_wait_ends_when_the_state_comes() {
    let fly = std::sync::Arc::new(Fly::manual(&[]).await);
    fly.settings(json!({ "delays": { "image": [8000, 8000], "start": [2000, 2000] } })).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({})).await;
    let (waiter, path) = (fly.clone(), format!("{machine}/wait?state=started&timeout=30"));
    let waiting = tokio::spawn(async move { waiter.get(&path).await });
    assert_eq!(fly.state_of(&machine).await, "created");
    fly.advance(Duration::from_secs(8)).await;
    assert_eq!(fly.state_of(&machine).await, "starting");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    fly.advance(Duration::from_secs(2)).await;
    let reply =
        tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap().expect(200).json();
    assert_eq!((&reply["ok"], &reply["state"]), (&json!(true), &json!("started")));
    assert_eq!(reply["version"].as_str().unwrap().len(), 26);
}

#[tokio::test]
async fn several_states_versions_and_events() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({})).await;
    let first = fly.wait(&machine, "started").await.json();
    let wait = |query: String| format!("{machine}/wait?timeout=1&{query}");
    fly.get(&wait("state=stopped&state=started".into())).await.expect(200);
    fly.get(&wait("state=stopped,started".into())).await.expect(200);
    fly.get(&wait("state=settled".into())).await.expect(200);
    fly.get(&wait("state=blue".into())).await.expect(400);
    let version = first["version"].as_str().unwrap();
    fly.get(&wait(format!("state=started&instance_id={version}"))).await.expect(200);
    let event = first["event_id"].as_str().unwrap();
    fly.get(&wait(format!("state=started&from_event_id={event}"))).await.expect(408);
    fly.post(&machine, json!({ "config": config() })).await.expect(200);
    let second = fly.wait(&machine, "started").await.json();
    assert_ne!(second["version"], first["version"]);
    let old = fly.get(&wait(format!("state=started&version={version}"))).await.expect(400);
    let replaced = "failed_precondition: machine failed to reach desired state, started, currently replaced";
    assert_eq!(old.error(), replaced);
    let shown = fly.get(&format!("{machine}?version={version}")).await.expect(200).json();
    assert_eq!(shown["state"], "replaced");
    fly.get(&wait("state=started&version=01HEPA330HZ37A78TK080NAK1M".into())).await.expect(404);
}

#[tokio::test]
async fn a_wait_that_cannot_succeed_ends_at_once() {
    let fly = Fly::manual(&[]).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({})).await;
    fly.wait(&machine, "started").await;
    fly.settings(json!({ "delays": { "destroy": [5000, 5000] } })).await;
    fly.delete(&format!("{machine}?force=true")).await.expect(200);
    let before = Instant::now();
    fly.get(&format!("{machine}/wait?state=started&timeout=30")).await.expect(400);
    fly.advance(Duration::from_secs(5)).await;
    fly.get(&format!("{machine}/wait?state=started&timeout=30")).await.expect(404);
    fly.get(&format!("{machine}/wait?state=destroyed&timeout=30")).await.expect(200);
    assert!(before.elapsed() < Duration::from_secs(5));
    fly.advance(Duration::from_mins(2)).await;
    fly.get(&format!("{machine}/wait?state=destroyed&timeout=30")).await.expect(404);
    fly.get(&machine).await.expect(404);
}

#[tokio::test]
async fn an_update_passes_through_stopped_without_counting_as_stopped() {
    let fly = Fly::manual(&[]).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({})).await;
    fly.wait(&machine, "started").await;
    fly.settings(json!({ "delays": { "replace": [3000, 3000] } })).await;
    fly.post(&machine, json!({ "config": config() })).await.expect(200);
    assert_eq!(fly.state_of(&machine).await, "stopped");
    let events = fly.get(&format!("{machine}/events")).await.json();
    assert_eq!(events[0]["request"]["exit_event"]["requested_stop"], false);
    fly.get(&format!("{machine}/wait?state=stopped&timeout=1")).await.expect(408);
    fly.advance(Duration::from_secs(3)).await;
    assert_eq!(fly.state_of(&machine).await, "started");
    fly.post(&format!("{machine}/stop"), Value::Null).await.expect(200);
}
