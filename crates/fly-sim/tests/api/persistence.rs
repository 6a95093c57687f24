//! The simulator's own restart.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::support::Fly;

fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    (folder, path)
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let (_folder, path) = folder();
    let fly = Fly::start(&["--state-dir", &path]).await;
    let app = fly.app("a").await;
    fly.app("gone").await;
    fly.delete("/v1/apps/gone").await.expect(202);
    fly.post(&format!("{app}/secrets"), json!({ "values": { "A": "1" } })).await.expect(200);
    fly.post(&format!("{app}/ip_assignments"), json!({ "type": "v6" })).await.expect(200);
    let volume =
        fly.post(&format!("{app}/volumes"), json!({ "name": "d", "region": "fra" })).await.expect(200).id();
    let mounts = json!([{ "volume": volume, "path": "/data" }]);
    let machine = fly.machine(&app, json!({ "name": "m", "config": { "mounts": mounts } })).await;
    fly.wait(&machine, "started").await;
    let lease = fly.post(&format!("{machine}/lease"), json!({ "ttl": 60 })).await.expect(201).json();
    let (before, state) =
        (fly.get(&machine).await.json(), fly.get("/_sim/state").await.json()["apps"].clone());
    let ledger = fly.ledger("").await;
    fly.stop().await;

    let fly = Fly::start(&["--state-dir", &path]).await;
    assert_eq!(fly.get(&machine).await.expect(200).json(), before);
    assert_eq!(fly.get("/_sim/state").await.json()["apps"], state);
    assert_eq!(fly.ledger("").await[..ledger.len()], ledger[..]);
    fly.get("/v1/apps/gone").await.expect(404);
    fly.post(&format!("{machine}/stop"), Value::Null).await.expect(409);
    let nonce = lease["data"]["nonce"].as_str().unwrap();
    fly.with_nonce(nonce, "POST", &format!("{machine}/stop"), Value::Null).await.expect(200);
    let other = fly.machine(&app, json!({})).await;
    assert_ne!(other, machine, "no id is given twice");
    let listed = fly.get("/v1/orgs/personal/machines").await.json();
    assert_eq!(listed["machines"].as_array().unwrap().len(), 2);
    fly.stop().await;
}

#[tokio::test]
async fn what_hung_in_the_air_goes_on() {
    let (_folder, path) = folder();
    let slow = json!({ "delays": { "image": [600_000, 600_000] } });
    let fly = Fly::start(&["--state-dir", &path]).await;
    fly.settings(slow).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({})).await;
    assert_eq!(fly.state_of(&machine).await, "created");
    fly.stop().await;
    let fly = Fly::start(&["--state-dir", &path]).await;
    fly.wait(&machine, "started").await;
    fly.stop().await;
}

#[tokio::test]
async fn a_line_that_was_cut_short_costs_only_itself() {
    let (folder, path) = folder();
    let fly = Fly::start(&["--state-dir", &path]).await;
    fly.app("a").await;
    fly.stop().await;
    for file in ["apps.jsonl", "ledger.jsonl"] {
        let mut file = std::fs::OpenOptions::new().append(true).open(folder.path().join(file)).unwrap();
        file.write_all(b"{\"name\":\"b\",\"app\":{\"id").unwrap();
    }
    let fly = Fly::start(&["--state-dir", &path]).await;
    fly.get("/v1/apps/a").await.expect(200);
    fly.app("c").await;
    fly.stop().await;
    let fly = Fly::start(&["--state-dir", &path]).await;
    fly.get("/v1/apps/c").await.expect(200);
    fly.get("/v1/apps/b").await.expect(404);
    fly.stop().await;
}

#[tokio::test]
async fn the_log_is_rewritten_when_most_of_it_is_old() {
    let (folder, path) = folder();
    let fly = Fly::start(&["--state-dir", &path]).await;
    for n in 0..550 {
        fly.app(&format!("app-{n}")).await;
        fly.delete(&format!("/v1/apps/app-{n}")).await.expect(202);
    }
    fly.app("kept").await;
    fly.stop().await;
    let lines = std::fs::read_to_string(folder.path().join("apps.jsonl")).unwrap().lines().count();
    assert!(lines < 1_000, "{lines} lines for one app");
    let fly = Fly::start(&["--state-dir", &path]).await;
    assert_eq!(fly.get("/v1/apps").await.json()["total_apps"], 1);
    fly.stop().await;
}
