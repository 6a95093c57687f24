//! Volumes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Fly;

async fn volume(fly: &Fly, app: &str, more: Value) -> String {
    let mut body = json!({ "name": "data", "region": "fra", "size_gb": 2 });
    crate::support::merge(&mut body, more);
    let id = fly.post(&format!("{app}/volumes"), body).await.expect(200).id();
    format!("{app}/volumes/{id}")
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn deletion_is_soft_and_still_listed() {
    let fly = Fly::manual(&[]).await;
    fly.settings(json!({ "delays": { "destroy": [2000, 2000] } })).await;
    let app = fly.app("a").await;
    let path = volume(&fly, &app, json!({})).await;
    let deleted = fly.delete(&path).await.expect(200).json();
    assert_eq!(deleted["state"], "scheduling_destroy");
    fly.advance(Duration::from_secs(2)).await;
    let listed = fly.get(&format!("{app}/volumes")).await.json();
    assert_eq!(listed[0]["state"], "pending_destroy");
    fly.delete(&path).await.expect(404);
    fly.advance(Duration::from_hours(24)).await;
    fly.get(&path).await.expect(404);
    assert_eq!(fly.get(&format!("{app}/volumes")).await.json(), json!([]));
}

#[tokio::test]
async fn a_snapshot_outlives_its_volume_and_restores() {
    let fly = Fly::manual(&[]).await;
    fly.settings(json!({ "delays": { "snapshot": [5000, 5000], "hydrate": [9000, 9000] } })).await;
    let app = fly.app("a").await;
    let path = volume(&fly, &app, json!({ "snapshot_retention": 14 })).await;
    let made = fly.post(&format!("{path}/snapshots"), Value::Null).await.expect(200).json();
    assert!(made["Msg"]["id"].as_str().unwrap().starts_with("vs_"));
    let pending = fly.post(&format!("{path}/snapshots"), Value::Null).await.expect(412);
    assert!(
        pending.error().starts_with("failed_precondition: snapshot is already scheduled at "),
        "{pending:?}"
    );
    let snapshot = fly.get(&format!("{path}/snapshots")).await.json()[0].clone();
    assert_eq!((&snapshot["status"], &snapshot["retention_days"]), (&json!("pending"), &json!(14)));
    let restore = json!({ "name": "data", "region": "fra", "snapshot_id": snapshot["id"] });
    fly.post(&format!("{app}/volumes"), restore.clone()).await.expect(400);
    fly.advance(Duration::from_secs(5)).await;
    fly.delete(&path).await.expect(200);
    fly.advance(Duration::from_hours(25)).await;
    assert_eq!(fly.get(&format!("{path}/snapshots")).await.expect(200).json()[0]["status"], "created");
    let restored = fly.post(&format!("{app}/volumes"), restore).await.expect(200).json();
    assert_eq!((&restored["state"], &restored["size_gb"]), (&json!("restoring"), &json!(2)));
    fly.advance(Duration::from_secs(9)).await;
    let path = format!("{app}/volumes/{}", restored["id"].as_str().unwrap());
    assert_eq!(fly.get(&path).await.json()["state"], "created");
}

#[tokio::test]
async fn one_is_made_each_day_and_kept_as_long_as_the_volume_said_then() {
    let fly = Fly::manual(&[]).await;
    let app = fly.app("a").await;
    let path = volume(&fly, &app, json!({ "snapshot_retention": 2 })).await;
    let quiet = volume(&fly, &app, json!({ "auto_backup_enabled": false })).await;
    let kept = async || {
        let listed = fly.get(&format!("{path}/snapshots")).await.expect(200).json();
        let days = |it: &Value| it["retention_days"].as_u64().unwrap();
        listed.as_array().unwrap().iter().map(days).collect::<Vec<_>>()
    };
    fly.advance(Duration::from_hours(23)).await;
    assert_eq!(kept().await, [0; 0]);
    fly.advance(Duration::from_hours(2)).await;
    assert_eq!(kept().await, [2]);
    fly.call("PUT", &path, json!({ "snapshot_retention": 60 })).await.expect(200);
    fly.advance(Duration::from_hours(24)).await;
    assert_eq!(kept().await, [2, 60], "another setting is for those to come");
    let first = fly.get(&format!("{path}/snapshots")).await.json()[0]["id"].clone();
    fly.advance(Duration::from_hours(24)).await;
    assert_eq!(kept().await, [60, 60], "the first has expired");
    let expired = json!({ "name": "data", "region": "fra", "snapshot_id": first });
    fly.post(&format!("{app}/volumes"), expired).await.expect(400);
    assert_eq!(fly.get(&format!("{quiet}/snapshots")).await.json(), json!([]));
}

#[tokio::test]
async fn what_was_written_goes_into_copies_and_snapshots() {
    let fly = Fly::manual(&[]).await;
    let app = fly.app("a").await;
    let path = volume(&fly, &app, json!({})).await;
    let mounts = json!([{ "volume": id(&path), "path": "/data" }]);
    let machine = fly.machine(&app, json!({ "config": { "mounts": mounts } })).await;
    let write = json!({ "event": { "kind": "volume_write", "machine": id(&machine), "content": "diary" } });
    fly.post("/_sim/faults", write).await.expect(201);
    let made = fly.post(&format!("{path}/snapshots"), Value::Null).await.expect(200).json();
    let fork = json!({ "name": "data", "source_volume_id": id(&path) });
    fly.post(&format!("{app}/volumes"), fork).await.expect(200);
    let restore = json!({ "name": "data", "region": "fra", "snapshot_id": made["Msg"]["id"] });
    fly.post(&format!("{app}/volumes"), restore).await.expect(200);
    let state = fly.get("/_sim/state").await.json();
    let volumes = state["apps"][0]["volumes"].as_array().unwrap();
    assert_eq!(volumes.len(), 3);
    assert!(volumes.iter().all(|volume| volume["content"] == "diary"), "{volumes:?}");
}

#[tokio::test]
async fn a_fork_hydrates_and_can_be_mounted_meanwhile() {
    let fly = Fly::manual(&[]).await;
    fly.settings(json!({ "delays": { "hydrate": [9000, 9000] } })).await;
    let app = fly.app("a").await;
    let path = volume(&fly, &app, json!({})).await;
    let body = json!({ "name": "data", "source_volume_id": id(&path) });
    let fork = fly.post(&format!("{app}/volumes"), body).await.expect(200).json();
    assert_eq!((&fork["state"], &fork["region"]), (&json!("hydrating"), &json!("fra")));
    let mounts = json!([{ "volume": fork["id"], "path": "/data" }]);
    let machine = fly.machine(&app, json!({ "config": { "mounts": mounts } })).await;
    assert_eq!(fly.state_of(&machine).await, "started");
    let change = json!({ "config": { "image": "i", "mounts": [] } });
    fly.post(&machine, change).await.expect(400);
}

#[tokio::test]
async fn it_only_grows_and_its_name_and_region_are_checked() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    let path = volume(&fly, &app, json!({})).await;
    let grown = fly.call("PUT", &format!("{path}/extend"), json!({ "size_gb": 5 })).await.expect(200).json();
    assert_eq!((&grown["volume"]["size_gb"], &grown["needs_restart"]), (&json!(5), &json!(false)));
    fly.call("PUT", &format!("{path}/extend"), json!({ "size_gb": 4 })).await.expect(400);
    fly.call("PUT", &path, json!({ "snapshot_retention": 61 })).await.expect(400);
    for bad in [
        json!({ "name": "Data" }),
        json!({ "name": "a-b" }),
        json!({ "region": "eu" }),
        json!({ "size_gb": 501 }),
    ] {
        let mut body = json!({ "name": "data", "region": "fra" });
        crate::support::merge(&mut body, bad);
        fly.post(&format!("{app}/volumes"), body).await.expect(400);
    }
    assert_eq!(volume_size(&fly, &app).await, 3, "the default");
}

#[tokio::test]
async fn one_that_a_machine_has_asks_for_a_restart_unless_volumes_grow_online() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    let path = volume(&fly, &app, json!({})).await;
    let mounts = json!([{ "volume": id(&path), "path": "/data" }]);
    fly.machine(&app, json!({ "config": { "mounts": mounts } })).await;
    let extend = async |size: u64| {
        let body = json!({ "size_gb": size });
        fly.call("PUT", &format!("{path}/extend"), body).await.expect(200).json()["needs_restart"].clone()
    };
    assert_eq!(extend(5).await, json!(true));
    fly.fault(json!({ "environment": { "kind": "volumes_grow_online" } })).await;
    assert_eq!(extend(6).await, json!(false));
}

async fn volume_size(fly: &Fly, app: &str) -> u64 {
    let made = fly.post(&format!("{app}/volumes"), json!({ "name": "x", "region": "fra" })).await.expect(200);
    made.json()["size_gb"].as_u64().unwrap()
}

#[tokio::test]
async fn volumes_of_one_name_are_on_different_hosts() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    let mut zones = Vec::new();
    for _ in 0..8 {
        let path = volume(&fly, &app, json!({})).await;
        zones.push(fly.get(&path).await.json()["zone"].as_str().unwrap().to_owned());
    }
    zones.sort();
    zones.dedup();
    assert_eq!(zones.len(), 8);
    let body = json!({ "name": "data", "region": "fra" });
    fly.post(&format!("{app}/volumes"), body).await.expect(412);
    volume(&fly, &app, json!({ "require_unique_zone": false })).await;
}
