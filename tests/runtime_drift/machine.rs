//! A Machine that somebody else changed, stripped, stopped or destroyed.

use anyhow::ensure;
use fly_machines::types as fly;
use moorage::control::runtime::desired::metadata;
use moorage::control::runtime::drift::drift;
use serde_json::json;
use testbed::eventually;

use crate::support::{SOON, condition};
use crate::{Scene, running, somebody};

async fn config(scene: &Scene) -> fly::MachineConfig {
    let read = somebody().await.machines(&scene.app).get(&scene.machine).await.unwrap();
    *read.config.unwrap()
}

/// Somebody gives the Machine a configuration of theirs.
async fn meddle(scene: &Scene, change: fn(&mut fly::MachineConfig)) {
    let mut config = config(scene).await;
    change(&mut config);
    let update = fly::UpdateMachine { config, ..fly::UpdateMachine::default() };
    somebody().await.machines(&scene.app).update(&scene.machine, &update).await.unwrap();
}

/// Waits until the Machine is as it was.
async fn put_back(scene: &Scene, before: &fly::MachineConfig) {
    eventually("the Machine to be as it was", SOON, async || {
        let config = config(scene).await;
        ensure!(config.metadata.contains_key(metadata::ASKED) && drift(&config).is_none(), "{config:?}");
        ensure!(config.guest == before.guest && config.env == before.env, "{config:?}");
        Ok(())
    })
    .await
    .unwrap();
    scene.unharmed().await;
}

#[tokio::test]
async fn what_somebody_else_changed_is_put_back_and_told() {
    let scene = running("changed", json!({"env": [{"name": "TZ", "value": "Europe/Berlin"}]})).await;
    let before = config(&scene).await;
    type Change = fn(&mut fly::MachineConfig);
    let changes: [(&str, Change); 4] = [
        ("guest", |it| it.guest = Some(fly::Guest::shared(1, 1024))),
        ("env", |it| drop(it.env.insert("TZ".into(), "UTC".into()))),
        ("services", |it| it.services.clear()),
        ("metadata", |it| it.metadata.clear()),
    ];
    for (at, (field, change)) in changes.into_iter().enumerate() {
        // Each is another declaration: one that is fought over would be left.
        scene.tenant.patch("ops", json!({"spec": {"persona": {"name": format!("Ada {at}")}}})).await.unwrap();
        scene.unharmed().await;
        meddle(&scene, change).await;
        put_back(&scene, &before).await;
        // Further ones are counted in the first event: one reason is one event of an object.
        if at == 0 {
            scene.told("Drifted", &format!("({field})")).await;
        }
    }
    assert_eq!(scene.counted("machine.create").await, 1);
    assert_eq!(scene.tenant.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn what_somebody_else_changed_while_it_was_off_never_runs() {
    // The proxy has to be told to leave one alone that it would start.
    let env = json!([{"name": "TZ", "value": "Europe/Berlin"}]);
    let scene = running("off", json!({"sleep": {"mode": "Stop"}, "env": env})).await;
    let before = config(&scene).await;
    scene.tenant.patch("ops", json!({"spec": {"powerState": "Stopped"}})).await.unwrap();
    scene.tenant.wait_ready("ops", "stopped").await.unwrap();
    let mut theirs = config(&scene).await;
    theirs.env.insert("TZ".into(), "UTC".into());
    let update =
        fly::UpdateMachine { config: theirs, launch: fly::Launch::Skip, ..fly::UpdateMachine::default() };
    somebody().await.machines(&scene.app).update(&scene.machine, &update).await.unwrap();
    scene.told("Drifted", "(env)").await;
    scene.tenant.patch("ops", json!({"spec": {"powerState": "Running"}})).await.unwrap();
    scene.tenant.wait_ready("ops", "running").await.unwrap();
    put_back(&scene, &before).await;
}

#[tokio::test]
async fn one_that_is_fought_over_is_left_after_a_while_and_serves() {
    let scene = running("fought", json!({})).await;
    let before = config(&scene).await;
    for _ in 0..3 {
        meddle(&scene, |it| it.guest = Some(fly::Guest::shared(1, 1024))).await;
        put_back(&scene, &before).await;
    }
    meddle(&scene, |it| it.guest = Some(fly::Guest::shared(1, 1024))).await;
    let is_told = |object: &serde_json::Value| {
        let serves = condition(object, "Available")["status"] == "True";
        serves && condition(object, "ConfigApplied")["reason"] == "Drifted"
    };
    let object = scene.tenant.wait("ops", "to be told, and to serve", is_told).await.unwrap();
    assert_eq!(condition(&object, "Stalled"), serde_json::Value::Null);
    assert!(
        crate::support::text(&condition(&object, "ConfigApplied"), "/message")
            .contains("again and again (guest)")
    );
    let updates = scene.counted("machine.update").await;
    tokio::time::sleep(std::time::Duration::from_secs(8)).await;
    assert_eq!(scene.counted("machine.update").await, updates);
    scene.tenant.patch("ops", json!({"spec": {"persona": {"name": "Ada"}}})).await.unwrap();
    put_back(&scene, &before).await;
}

#[tokio::test]
async fn one_that_was_stopped_or_destroyed_comes_back_on_its_volume() {
    let mut scene = running("halted", json!({})).await;
    let machines = somebody().await;
    machines.machines(&scene.app).stop(&scene.machine, &fly::StopMachine::default()).await.unwrap();
    eventually("a second start", SOON, async || {
        ensure!(scene.counted("machine.start").await >= 1, "not started again");
        Ok(())
    })
    .await
    .unwrap();
    scene.unharmed().await;
    machines.machines(&scene.app).delete(&scene.machine, fly::MachineDeletion::Force).await.unwrap();
    let other = |object: &serde_json::Value| {
        let now = object.pointer("/status/external/machineID").and_then(serde_json::Value::as_str);
        now.is_some_and(|now| now != scene.machine) && object["status"]["state"] == "running"
    };
    let object = scene.tenant.wait("ops", "another Machine", other).await.unwrap();
    scene.machine = crate::support::text(&object, "/status/external/machineID").to_owned();
    scene.unharmed().await;
    assert_eq!((scene.counted("machine.create").await, scene.counted("volume.create").await), (2, 1));
}
