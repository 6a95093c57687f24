//! What becomes of a Machine.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Fly, config};

#[tokio::test]
async fn without_launch_it_ends_in_stopped_and_an_update_leaves_it_there() {
    let fly = Fly::manual(&[]).await;
    fly.settings(json!({ "delays": { "image": [7000, 7000], "replaceImage": [4000, 4000] } })).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({ "skip_launch": true, "skip_service_registration": true })).await;
    assert_eq!(fly.state_of(&machine).await, "created");
    fly.advance(Duration::from_secs(7)).await;
    assert_eq!(fly.state_of(&machine).await, "stopped");
    assert_eq!(fly.get(&machine).await.json()["cordoned"], true);
    let updated = fly.post(&machine, json!({ "config": { "image": "other:2" } })).await.expect(200).json();
    assert_eq!(updated["state"], "created");
    fly.advance(Duration::from_secs(4)).await;
    let shown = fly.get(&machine).await.json();
    assert_eq!((&shown["state"], &shown["image_ref"]["tag"]), (&json!("stopped"), &json!("2")));
    let versions = fly.get(&format!("{machine}/versions")).await.json();
    assert_eq!(versions.as_array().unwrap().len(), 2);
    assert_eq!(versions[0]["version"], shown["instance_id"]);
}

#[tokio::test]
async fn an_update_that_is_not_to_launch_stops_a_running_machine() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({})).await;
    fly.wait(&machine, "started").await;
    fly.post(&machine, json!({ "config": config(), "skip_launch": true })).await.expect(200);
    fly.wait(&machine, "stopped").await;
}

async fn crash(fly: &Fly, machine: &str, code: i64) {
    let id = machine.rsplit('/').next().unwrap();
    fly.fault(json!({ "event": { "kind": "machine_exit", "machine": id, "exit": { "exitCode": code } } }))
        .await;
}

#[tokio::test]
async fn a_crash_is_restarted_ten_times_in_five_minutes() {
    let fly = Fly::manual(&[]).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({})).await;
    for _ in 0..10 {
        crash(&fly, &machine, 1).await;
        assert_eq!(fly.state_of(&machine).await, "started");
    }
    let events = fly.get(&format!("{machine}/events")).await.json();
    let exit = &events[1]["request"]["exit_event"];
    assert_eq!((&exit["restarting"], &exit["exit_code"]), (&json!(true), &json!(1)));
    crash(&fly, &machine, 1).await;
    assert_eq!(fly.state_of(&machine).await, "stopped");
    fly.post(&format!("{machine}/start"), Value::Null).await.expect(200);
    fly.advance(Duration::from_mins(6)).await;
    crash(&fly, &machine, 1).await;
    assert_eq!(fly.state_of(&machine).await, "started", "the old ones no longer count");
    crash(&fly, &machine, 0).await;
    assert_eq!(fly.state_of(&machine).await, "stopped", "a clean end is no failure");
}

#[tokio::test]
async fn the_policies_no_and_always_and_auto_destroy() {
    let fly = Fly::manual(&[]).await;
    let app = fly.app("a").await;
    let restarts = |policy: &str| json!({ "config": { "restart": { "policy": policy } } });
    let never = fly.machine(&app, restarts("no")).await;
    let always = fly.machine(&app, restarts("always")).await;
    let brief = json!({ "config": { "auto_destroy": true, "restart": { "policy": "no" } } });
    let brief = fly.machine(&app, brief).await;
    for machine in [&never, &always, &brief] {
        crash(&fly, machine, 0).await;
    }
    assert_eq!(fly.state_of(&never).await, "stopped");
    assert_eq!(fly.state_of(&always).await, "started");
    assert_eq!(fly.state_of(&brief).await, "destroyed");
}

#[tokio::test]
async fn images_that_fail_after_the_creation() {
    let fly = Fly::manual(&[]).await;
    let app = fly.app("a").await;
    let failing = |how: &str| json!({ "environment": { "kind": "image_failure", "image": how, "how": how } });
    fly.fault(failing("failed")).await;
    fly.fault(failing("launch_failed")).await;
    let failed = fly.machine(&app, json!({ "config": { "image": "failed" } })).await;
    assert_eq!(fly.state_of(&failed).await, "failed");
    let gone = fly.machine(&app, json!({ "config": { "image": "launch_failed" } })).await;
    assert_eq!(fly.state_of(&gone).await, "destroyed");
    let events = fly.get(&format!("{gone}/events")).await.json();
    let statuses: Vec<&str> =
        events.as_array().unwrap().iter().map(|e| e["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["destroyed", "launch_failed", "created"]);
    fly.fault(failing("exits")).await;
    let restart = json!({ "config": { "image": "exits", "restart": { "policy": "no" } } });
    let ended = fly.machine(&app, restart).await;
    assert_eq!(fly.state_of(&ended).await, "stopped");
    fly.no_faults().await;
    fly.post(&failed, json!({ "config": config() })).await.expect(200);
    assert_eq!(fly.state_of(&failed).await, "started");
}

#[tokio::test]
async fn a_stuck_machine_moves_again_when_it_is_let_go_or_stopped() {
    let fly = Fly::manual(&[]).await;
    let app = fly.app("a").await;
    let id = fly.fault(json!({ "environment": { "kind": "stuck", "state": "starting" } })).await;
    let (one, two) = (fly.machine(&app, json!({})).await, fly.machine(&app, json!({})).await);
    fly.advance(Duration::from_mins(10)).await;
    assert_eq!(fly.state_of(&one).await, "starting");
    fly.post(&format!("{two}/stop"), Value::Null).await.expect(200);
    assert_eq!(fly.state_of(&two).await, "stopped");
    fly.delete(&format!("/_sim/faults/{id}")).await.expect(204);
    assert_eq!(fly.state_of(&one).await, "started");
}

#[tokio::test]
async fn a_migration_keeps_the_id_and_changes_address_and_volume() {
    let fly = Fly::manual(&[]).await;
    let app = fly.app("a").await;
    let volume =
        fly.post(&format!("{app}/volumes"), json!({ "name": "d", "region": "fra" })).await.expect(200).id();
    let mounts = json!([{ "volume": volume, "path": "/data" }]);
    let machine = fly.machine(&app, json!({ "config": { "mounts": mounts } })).await;
    let before = fly.get(&machine).await.json();
    let id = before["id"].as_str().unwrap();
    fly.fault(json!({ "event": { "kind": "migrate", "machine": id } })).await;
    let after = fly.get(&machine).await.json();
    assert_eq!((&after["state"], &after["id"]), (&json!("started"), &before["id"]));
    assert_ne!(after["private_ip"], before["private_ip"]);
    let moved = after["config"]["mounts"][0]["volume"].as_str().unwrap();
    assert_ne!(moved, volume);
    let shown = fly.get(&format!("{app}/volumes/{moved}")).await.expect(200).json();
    assert_eq!(shown["attached_machine_id"], before["id"]);
    let events = after["events"].as_array().unwrap();
    assert!(events.iter().any(|event| event["type"] == "launch" && event["source"] == "flyd"), "{events:?}");
    assert_eq!(fly.get(&format!("{app}/volumes/{volume}")).await.json()["state"], "pending_destroy");
}

#[tokio::test]
async fn an_unreachable_host_answers_from_the_cache() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({})).await;
    fly.wait(&machine, "started").await;
    let id = machine.rsplit('/').next().unwrap();
    fly.fault(json!({ "environment": { "kind": "host_unreachable", "on": id } })).await;
    let shown = fly.get(&machine).await.expect(200).json();
    assert_eq!((&shown["host_status"], &shown["config"]), (&json!("unreachable"), &Value::Null));
    assert_eq!(shown["incomplete_config"]["image"], config()["image"]);
    fly.post(&format!("{machine}/stop"), Value::Null).await.expect(503);
    fly.post(&format!("{machine}/lease"), json!({ "ttl": 5 })).await.expect(503);
    fly.no_faults().await;
    assert_eq!(fly.get(&machine).await.json()["host_status"], "ok");
}

#[tokio::test]
async fn suspended_and_resumed() {
    let fly = Fly::manual(&[]).await;
    fly.settings(json!({ "delays": { "start": [2000, 2000], "resume": [300, 300] } })).await;
    let app = fly.app("a").await;
    let machine = fly.machine(&app, json!({})).await;
    fly.advance(Duration::from_secs(2)).await;
    fly.post(&format!("{machine}/suspend"), Value::Null).await.expect(200);
    assert_eq!(fly.state_of(&machine).await, "suspended");
    fly.post(&format!("{machine}/suspend"), Value::Null).await.expect(200);
    let started = fly.post(&format!("{machine}/start"), Value::Null).await.expect(200).json();
    assert_eq!(started["previous_state"], "suspended");
    fly.advance(Duration::from_millis(300)).await;
    assert_eq!(fly.state_of(&machine).await, "started");
    fly.post(&format!("{machine}/stop"), Value::Null).await.expect(200);
    fly.post(&format!("{machine}/suspend"), Value::Null).await.expect(412);
}

#[tokio::test]
async fn a_moved_tag_shows_in_the_next_machine_only() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    let image = json!({ "config": { "image": "ghcr.io/o/c:main" } });
    let digest = async |machine: &str| fly.get(machine).await.json()["image_ref"]["digest"].clone();
    let first = fly.machine(&app, image.clone()).await;
    let before = digest(&first).await;
    let moved = json!({ "ref": "ghcr.io/o/c:main", "digest": "sha256:0123" });
    fly.post("/_sim/images", moved).await.expect(204);
    assert_eq!(digest(&first).await, before);
    let second = fly.machine(&app, image).await;
    assert_eq!(digest(&second).await, "sha256:0123");
}

#[tokio::test]
async fn commands_and_checks_answer_as_scripted() {
    let fly = Fly::start(&[]).await;
    let app = fly.app("a").await;
    let checks = json!({ "health": { "type": "http", "port": 3000, "path": "/healthz" } });
    let machine = fly.machine(&app, json!({ "config": { "checks": checks } })).await;
    fly.wait(&machine, "started").await;
    assert_eq!(fly.get(&machine).await.json()["checks"][0]["status"], "passing");
    let bad = json!({ "kind": "check_answer", "status": "critical", "output": "503" });
    fly.fault(json!({ "environment": bad })).await;
    let check = fly.get(&machine).await.json()["checks"][0].clone();
    assert_eq!((&check["status"], &check["output"]), (&json!("critical"), &json!("503")));
    let exec = async |body: Value| fly.post(&format!("{machine}/exec"), body).await.expect(200).json();
    assert_eq!(exec(json!({ "command": ["true"] })).await, json!({}), "what is zero is left out");
    assert_eq!(exec(json!({ "cmd": "echo 'a b' c" })).await, json!({ "stdout": "a b c\n" }));
    let answer = json!({ "kind": "exec_answer", "command": "node", "exitCode": 3, "stderr": "no" });
    fly.fault(json!({ "environment": answer })).await;
    assert_eq!(exec(json!({ "command": ["node", "x"] })).await, json!({ "exit_code": 3, "stderr": "no" }));
    let slow = json!({ "kind": "exec_answer", "command": "sleep", "ms": 60_000 });
    fly.fault(json!({ "environment": slow })).await;
    let body = json!({ "command": ["sleep", "60"], "timeout": 1 });
    let late = fly.post(&format!("{machine}/exec"), body).await.expect(408);
    assert!(late.error().starts_with("deadline_exceeded"), "{late:?}");
}

#[tokio::test]
async fn the_profiles_take_as_long_as_was_measured() {
    for (profile, least, most) in [("warm", 6, 12), ("cold", 40, 72)] {
        let fly = Fly::manual(&["--profile", profile]).await;
        let app = fly.app("a").await;
        let machine = fly.machine(&app, json!({})).await;
        fly.advance(Duration::from_millis(least * 1_000 - 1)).await;
        assert_eq!(fly.state_of(&machine).await, "created", "{profile}");
        fly.advance(Duration::from_secs(most - least)).await;
        assert_eq!(fly.state_of(&machine).await, "started", "{profile}");
        fly.post(&format!("{machine}/stop"), Value::Null).await.expect(200);
        fly.post(&format!("{machine}/start"), Value::Null).await.expect(412);
        fly.advance(Duration::from_secs(12)).await;
        fly.post(&format!("{machine}/start"), Value::Null).await.expect(200);
    }
}
