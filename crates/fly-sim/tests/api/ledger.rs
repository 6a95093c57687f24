//! The record of effects and requests.

use serde_json::{Value, json};

use crate::support::Fly;

#[tokio::test]
async fn every_effect_once_and_in_order() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    fly.post(&format!("{app}/ip_assignments"), json!({ "type": "v6" })).await.expect(200);
    fly.post(&format!("{app}/secrets"), json!({ "values": { "TOKEN": "canary-value" } })).await.expect(200);
    let volume = json!({ "name": "data", "region": "fra" });
    let volume = fly.post(&format!("{app}/volumes"), volume).await.expect(200).id();
    let mounts = json!([{ "volume": volume, "path": "/data" }]);
    let machine = fly.machine(&app, json!({ "config": { "mounts": mounts } })).await;
    fly.wait(&machine, "started").await;
    fly.post(&format!("{machine}/stop"), Value::Null).await.expect(200);
    fly.wait(&machine, "stopped").await;
    fly.post(&format!("{machine}/stop"), Value::Null).await.expect(200);
    fly.delete(&machine).await.expect(200);
    fly.wait(&machine, "destroyed").await;
    fly.delete(&format!("{app}/volumes/{volume}")).await.expect(200);
    fly.delete(&app).await.expect(202);
    let wanted = [
        "app.create",
        "ip.assign",
        "secret.set",
        "volume.create",
        "machine.create",
        "machine.stop",
        "machine.destroy",
        "machine.destroyed",
        "volume.delete",
        "app.delete",
        "volume.destroyed",
    ];
    assert_eq!(fly.effects("a").await, wanted);
    let all = fly.get("/_sim/ledger").await.text;
    assert!(!all.contains("canary-value"), "no secret is ever on record");
}

#[tokio::test]
async fn an_effect_names_its_request_and_a_refused_call_has_none() {
    let fly = Fly::start(&[]).await;
    fly.app("a").await;
    fly.post("/v1/apps", json!({ "name": "a", "org_slug": "personal" })).await.expect(422);
    let entries = fly.ledger("").await;
    let kinds: Vec<&str> = entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["effect", "request", "request"]);
    assert_eq!(entries[0]["request"], entries[1]["request"]);
    let call = &entries[2]["call"];
    assert_eq!((&call["method"], &call["route"]), (&json!("POST"), &json!("/v1/apps")));
    assert_eq!((&call["status"], &call["org"]), (&json!(422), &json!("personal")));
    assert_eq!(entries[1]["call"]["requestId"].as_str().unwrap().len(), 30);
}

#[tokio::test]
async fn a_query_goes_on_from_a_number_and_can_wait() {
    let fly = std::sync::Arc::new(Fly::start(&[]).await);
    fly.app("a").await;
    let head = fly.get("/_sim/ledger").await.json()["head"].as_u64().unwrap();
    assert_eq!(fly.ledger(&format!("since={head}")).await, [Value::Null; 0]);
    let waiter = fly.clone();
    let path = format!("since={head}&kind=effect&app=b&wait_ms=5000");
    let waiting = tokio::spawn(async move { waiter.ledger(&path).await });
    fly.app("c").await;
    fly.app("b").await;
    assert_eq!(waiting.await.unwrap()[0]["app"], "b");
}
