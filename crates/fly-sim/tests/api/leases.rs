//! Leases.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Fly, config};

async fn leased() -> (Fly, String, String) {
    let fly = Fly::manual(&[]).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({})).await;
    fly.wait(&machine, "started").await;
    let lease = fly.post(&format!("{machine}/lease"), json!({ "ttl": 60, "description": "deploy" })).await;
    let nonce = lease.expect(201).json()["data"]["nonce"].as_str().unwrap().to_owned();
    (fly, machine, nonce)
}

#[tokio::test]
async fn every_change_needs_the_nonce() {
    let (fly, machine, nonce) = leased().await;
    let at = |action: &str| format!("{machine}/{action}");
    let lease = fly.get(&at("lease")).await.expect(200).json()["data"].clone();
    let until = jiff::Timestamp::from_second(lease["expires_at"].as_i64().unwrap()).unwrap();
    let told = format!(
        "machine ID {} lease currently held by {}, expires at {}",
        machine.rsplit('/').next().unwrap(),
        lease["owner"].as_str().unwrap(),
        until.strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
    );
    let calls = [
        ("POST", machine.clone(), json!({ "config": config() })),
        ("POST", at("stop"), Value::Null),
        ("POST", at("start"), Value::Null),
        ("POST", at("restart"), Value::Null),
        ("POST", at("suspend"), Value::Null),
        ("POST", at("cordon"), Value::Null),
        ("DELETE", format!("{machine}?force=true"), Value::Null),
        ("POST", at("lease"), json!({ "ttl": 5 })),
    ];
    for (method, path, body) in calls {
        let reply = fly.call(method, &path, body).await.expect(409);
        let body = reply.json();
        assert_eq!(
            (body["status"].as_str(), body["code"].as_str()),
            (Some("error"), Some("invalid")),
            "{path}"
        );
        assert_eq!(body["message"], told, "{path}");
    }
    fly.post(&at("metadata/a"), json!({ "value": "labels need no lease" })).await.expect(204);
    fly.with_nonce(&nonce, "POST", &at("cordon"), Value::Null).await.expect(200);
}

#[tokio::test]
async fn renewed_released_and_run_out() {
    let (fly, machine, nonce) = leased().await;
    let lease = format!("{machine}/lease");
    fly.advance(Duration::from_secs(50)).await;
    let renewed = fly.with_nonce(&nonce, "POST", &format!("{lease}?ttl=60"), Value::Null).await.expect(201);
    assert_eq!(renewed.json()["data"]["nonce"], nonce.as_str());
    fly.advance(Duration::from_secs(50)).await;
    assert_eq!(fly.get(&lease).await.expect(200).json()["data"]["nonce"], nonce.as_str());
    fly.delete(&lease).await.expect(400);
    fly.with_nonce("wrong", "DELETE", &lease, Value::Null).await.expect(400);
    let released = fly.with_nonce(&nonce, "DELETE", &lease, Value::Null).await.expect(200);
    assert_eq!(released.json(), json!({ "status": "success", "data": { "ok": true } }));
    fly.get(&lease).await.expect(404);
    fly.post(&lease, json!({ "ttl": 10 })).await.expect(201);
    fly.advance(Duration::from_secs(11)).await;
    fly.get(&lease).await.expect(404);
    fly.post(&format!("{machine}/stop"), Value::Null).await.expect(200);
}

#[tokio::test]
async fn taken_with_the_creation() {
    let fly = Fly::manual(&[]).await;
    let app = fly.app("a").await;
    let body = json!({ "config": config(), "lease_ttl": 30 });
    let made = fly.post(&format!("{app}/machines"), body).await.expect(200).json();
    let machine = format!("{app}/machines/{}", made["id"].as_str().unwrap());
    let nonce = made["nonce"].as_str().unwrap();
    fly.post(&format!("{machine}/stop"), Value::Null).await.expect(409);
    fly.with_nonce(nonce, "POST", &format!("{machine}/stop"), Value::Null).await.expect(200);
    let shown = fly.get(&format!("{machine}?include_leases=true")).await.json();
    assert_eq!(shown["lease"]["nonce"], nonce);
    assert!(shown["nonce"].is_null(), "only the answer to the creation has it at the top");
}
