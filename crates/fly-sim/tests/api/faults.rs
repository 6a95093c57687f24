//! Everything that goes wrong on request.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::{Fly, config};

const CREATE: &str = "/v1/apps/{app}/machines";

fn rule(method: &str, route: &str, action: &Value) -> Value {
    json!({ "match": { "method": method, "route": route, "ordinal": 1 }, "action": action })
}

async fn create(fly: &Fly) -> Result<crate::support::Reply, String> {
    let body = Bytes::from(json!({ "name": "m", "config": config() }).to_string());
    fly.try_call("POST", "/v1/apps/a/machines", &[], body).await
}

async fn machines(fly: &Fly) -> usize {
    fly.get("/v1/apps/a/machines").await.expect(200).json().as_array().unwrap().len()
}

#[tokio::test]
async fn a_call_is_cut_before_or_after_its_effect() {
    let fly = Fly::start(&[]).await;
    fly.app("a").await;
    fly.fault(rule("POST", CREATE, &json!({ "kind": "refuse" }))).await;
    create(&fly).await.unwrap_err();
    assert_eq!(machines(&fly).await, 0);
    fly.fault(rule("POST", CREATE, &json!({ "kind": "drop_reply" }))).await;
    create(&fly).await.unwrap_err();
    assert_eq!(machines(&fly).await, 1, "the effect is there though no reply came");
    let calls = fly.ledger("kind=request&app=a").await;
    let faults: Vec<&str> =
        calls.iter().filter_map(|call| call["call"]["fault"]["action"].as_str()).collect();
    assert_eq!(faults, ["refuse", "drop_reply"]);
}

#[tokio::test]
async fn any_status_before_or_after_the_effect() {
    let fly = Fly::start(&[]).await;
    fly.app("a").await;
    let early = json!({ "kind": "status", "status": 503, "body": "upstream gone", "headers": { "retry-after": "2" } });
    fly.fault(rule("POST", CREATE, &early)).await;
    let reply = create(&fly).await.unwrap().expect(503);
    assert_eq!((reply.text.as_str(), reply.headers["retry-after"].to_str().unwrap()), ("upstream gone", "2"));
    assert_eq!(machines(&fly).await, 0);
    let late = json!({ "kind": "status", "status": 500, "body": { "error": "unknown: x" }, "when": "after" });
    fly.fault(rule("POST", CREATE, &late)).await;
    assert_eq!(create(&fly).await.unwrap().expect(500).error(), "unknown: x");
    assert_eq!(machines(&fly).await, 1);
}

#[tokio::test]
async fn what_is_slow_is_committed_though_the_client_gives_up() {
    let fly = Fly::start(&[]).await;
    fly.app("a").await;
    fly.fault(rule("POST", CREATE, &json!({ "kind": "latency", "ms": 300 }))).await;
    tokio::time::timeout(Duration::from_millis(100), create(&fly)).await.unwrap_err();
    assert_eq!(machines(&fly).await, 0);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(machines(&fly).await, 1);
    fly.settings(json!({ "latencyMs": 50 })).await;
    let before = Instant::now();
    machines(&fly).await;
    assert!(before.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn lists_that_are_empty_partial_or_stale() {
    let fly = Fly::manual(&[]).await;
    fly.app("a").await;
    for name in ["one", "two"] {
        fly.machine("/v1/apps/a", json!({ "name": name })).await;
    }
    let list = |action: Value| json!({ "match": { "method": "GET", "route": CREATE, "count": 1 }, "action": action });
    fly.fault(list(json!({ "kind": "empty" }))).await;
    assert_eq!(machines(&fly).await, 0);
    fly.fault(list(json!({ "kind": "partial", "keep": 1 }))).await;
    assert_eq!(machines(&fly).await, 1);
    fly.fault(list(json!({ "kind": "stale", "ms": 5000 }))).await;
    assert_eq!(machines(&fly).await, 0, "five seconds ago there was none");
    assert_eq!(machines(&fly).await, 2);
    let org =
        json!({ "match": { "route": "/v1/orgs/{org}/machines", "count": 1 }, "action": { "kind": "empty" } });
    fly.fault(org).await;
    let listed = fly.get("/v1/orgs/personal/machines").await.expect(200).json();
    assert_eq!(listed["machines"], json!([]));
}

#[tokio::test]
async fn bodies_that_end_early_or_are_no_json() {
    let fly = Fly::start(&[]).await;
    fly.app("a").await;
    let show =
        |action: Value| json!({ "match": { "route": "/v1/apps/{app}", "count": 1 }, "action": action });
    fly.fault(show(json!({ "kind": "malformed" }))).await;
    let reply = fly.get("/v1/apps/a").await.expect(200);
    serde_json::from_str::<Value>(&reply.text).unwrap_err();
    fly.fault(show(json!({ "kind": "truncate" }))).await;
    fly.try_call("GET", "/v1/apps/a", &[], Bytes::new()).await.unwrap_err();
    fly.get("/v1/apps/a").await.expect(200).json();
}

#[tokio::test]
async fn a_reply_is_held_until_it_is_released() {
    let fly = std::sync::Arc::new(Fly::start(&[]).await);
    fly.app("a").await;
    let id = fly.fault(rule("POST", CREATE, &json!({ "kind": "hold" }))).await;
    let caller = fly.clone();
    let held = tokio::spawn(async move { create(&caller).await });
    let seen = fly.ledger("kind=request&app=a&wait_ms=5000").await;
    assert_eq!(seen[0]["call"]["fault"]["action"], "hold");
    assert_eq!(fly.effects("a").await, ["app.create", "machine.create"], "the effect is committed");
    let shown = fly.get(&format!("/_sim/faults/{id}")).await.expect(200).json();
    assert_eq!(shown["rule"]["held"], json!([seen[0]["request"]]));
    assert!(!held.is_finished());
    let released = fly.post(&format!("/_sim/faults/{id}/release"), Value::Null).await.expect(200).json();
    assert_eq!(released, json!({ "released": 1 }));
    held.await.unwrap().unwrap().expect(200);
    let ends = fly.ledger("kind=release&wait_ms=5000").await;
    assert_eq!((&ends[0]["effect"], &ends[0]["request"]), (&json!("released"), &seen[0]["request"]));
}

#[tokio::test]
async fn a_client_that_dies_while_its_reply_is_held_is_on_record() {
    let fly = std::sync::Arc::new(Fly::start(&[]).await);
    fly.app("a").await;
    let id = fly.fault(rule("POST", CREATE, &json!({ "kind": "hold" }))).await;
    let caller = fly.clone();
    let held = tokio::spawn(async move { create(&caller).await });
    fly.ledger("kind=request&app=a&wait_ms=5000").await;
    held.abort();
    let ends = fly.ledger("kind=release&wait_ms=5000").await;
    assert_eq!(ends[0]["effect"], "dropped");
    assert_eq!(machines(&fly).await, 1);
    assert_eq!(fly.get(&format!("/_sim/faults/{id}")).await.json()["rule"]["held"], json!([]));
}

#[tokio::test]
async fn chance_repeats_with_the_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let fly = Fly::start(&["--seed", "42"]).await;
        fly.app("a").await;
        let action = json!({ "kind": "status", "status": 502 });
        fly.fault(json!({ "match": { "route": "/v1/apps/{app}", "probability": 0.5 }, "action": action }))
            .await;
        let mut statuses = Vec::new();
        for _ in 0..20 {
            statuses.push(fly.get("/v1/apps/a").await.status);
        }
        assert!(statuses.contains(&200) && statuses.contains(&502));
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn a_fault_that_makes_no_sense_is_refused() {
    let fly = Fly::start(&[]).await;
    fly.post("/_sim/faults", json!({ "action": { "kind": "explode" } })).await.expect(400);
    fly.post("/_sim/faults", json!({ "match": { "rout": "x" }, "action": { "kind": "refuse" } }))
        .await
        .expect(400);
    fly.post("/_sim/settings", json!({ "latency": 5 })).await.expect(400);
    fly.post("/_sim/clock", json!({ "advanceMs": 5 })).await.expect(412);
    fly.get("/_sim/faults/7").await.expect(404);
}
