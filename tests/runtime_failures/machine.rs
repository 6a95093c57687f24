//! Machines that end, vanish or can't be reached.

use anyhow::ensure;
use serde_json::{Value, json};
use testbed::eventually;

use crate::support::{SOON, Tenant, condition, text};
use crate::{tells, tenant};

async fn machine(tenant: &Tenant<'_>, name: &str) -> Value {
    let app = tenant.app(name).await.unwrap();
    tenant.fly.standing(&app).await.unwrap()["machines"][0].clone()
}

/// A running Runtime; its Machine's id.
async fn running(tenant: &Tenant<'_>, name: &str) -> String {
    tenant.declare(name, json!({})).await.unwrap();
    text(&tenant.wait_ready(name, "running").await.unwrap(), "/status/external/machineID").to_owned()
}

/// The shipped Blueprint under another name and image.
pub async fn blueprint(tenant: &Tenant<'_>, name: &str, image: &str) -> String {
    let blueprints = tenant.api("moorage.dev/v1alpha1", "Blueprint").await.unwrap();
    let mut shipped = serde_json::to_value(blueprints.get("openclaw").await.unwrap()).unwrap();
    shipped["spec"]["image"] = json!(image);
    json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Blueprint", "metadata": {"name": name},
        "spec": shipped["spec"]})
    .to_string()
}

#[tokio::test]
async fn one_that_was_stopped_behind_our_back_is_started_again() {
    let tenant = tenant("stopped").await;
    let id = running(&tenant, "ops").await;
    tenant.fly.event(json!({"kind": "machine_stop", "machine": id})).await.unwrap();
    eventually("started again", SOON, async || {
        ensure!(machine(&tenant, "ops").await["state"] == "started", "still stopped");
        Ok(())
    })
    .await
    .unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
}

#[tokio::test]
async fn one_that_was_started_behind_our_back_is_stopped_again() {
    let tenant = tenant("started").await;
    tenant.declare("ops", json!({"powerState": "Stopped"})).await.unwrap();
    let object = tenant.wait_ready("ops", "stopped").await.unwrap();
    let id = text(&object, "/status/external/machineID");
    tenant.fly.event(json!({"kind": "machine_start", "machine": id})).await.unwrap();
    eventually("stopped again", SOON, async || {
        ensure!(machine(&tenant, "ops").await["state"] == "stopped", "still running");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn one_that_was_destroyed_is_made_again_on_its_volume() {
    let tenant = tenant("gone").await;
    let id = running(&tenant, "ops").await;
    let before = tenant.get("ops").await.unwrap();
    tenant.fly.event(json!({"kind": "machine_destroy", "machine": id})).await.unwrap();
    let other = |object: &Value| {
        let now = text(object, "/status/external/machineID");
        object["status"]["state"] == "running" && !now.is_empty() && now != id
    };
    let after = tenant.wait("ops", "another Machine", other).await.unwrap();
    assert_eq!(after["status"]["external"]["volumeID"], before["status"]["external"]["volumeID"]);
    let changes = tenant.changes().await.unwrap();
    assert_eq!(changes.iter().filter(|it| it.effect == "volume.create").count(), 1);
}

#[tokio::test]
async fn one_whose_volume_is_gone_gets_no_empty_one() {
    let tenant = tenant("lostvol").await;
    let id = running(&tenant, "ops").await;
    let app = tenant.app("ops").await.unwrap();
    let volume = tenant.claim("ops").await.unwrap()["spec"]["runtime"]["volumeID"].clone();
    tenant.fly.event(json!({"kind": "machine_destroy", "machine": id})).await.unwrap();
    tenant.fly.event(json!({"kind": "volume_destroy", "app": app, "volume": volume})).await.unwrap();
    tells(&tenant.wait_reason("ops", "VolumeLost").await.unwrap(), "Restore its newest snapshot");
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let changes = tenant.changes().await.unwrap();
    assert_eq!(changes.iter().filter(|it| it.effect == "volume.create").count(), 1);
}

#[tokio::test]
async fn one_whose_host_is_silent_is_waited_for() {
    let tenant = tenant("silent").await;
    tenant.declare("ops", json!({"regions": ["gru"]})).await.unwrap();
    tenant.declare("other", json!({})).await.unwrap();
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    let id = text(&object, "/status/external/machineID").to_owned();
    let silent = tenant.fly.world(json!({"kind": "host_unreachable", "on": id})).await.unwrap();
    tenant.patch("ops", json!({"spec": {"powerState": "Stopped"}})).await.unwrap();
    tells(&tenant.wait_reason("ops", "HostUnreachable").await.unwrap(), "comes back");
    tenant.wait_ready("other", "running").await.unwrap();
    tenant.fly.mend(silent).await.unwrap();
    tenant.wait_ready("ops", "stopped").await.unwrap();
    assert_eq!(tenant.problems(&["ops", "other"], &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn one_of_whose_host_nobody_knows_is_left_as_it_is_and_asked_again() {
    let tenant = tenant("unknown").await;
    let object = {
        tenant.declare("ops", json!({"regions": ["syd"]})).await.unwrap();
        tenant.wait_ready("ops", "running").await.unwrap()
    };
    let id = text(&object, "/status/external/machineID").to_owned();
    let unknown = tenant.fly.world(json!({"kind": "host_unknown", "on": id})).await.unwrap();
    let before = tenant.changes().await.unwrap().len();
    tenant.patch("ops", json!({"spec": {"env": [{"name": "NEWS", "value": "1"}]}})).await.unwrap();
    tenant
        .wait("ops", "told that Fly doesn't tell all", |object| {
            condition(object, "Ready")["message"].as_str().is_some_and(|it| it.contains("asked again"))
        })
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(tenant.changes().await.unwrap().len(), before, "nothing is concluded from what is missing");
    tenant.fly.mend(unknown).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(tenant.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn an_image_that_is_not_there_is_told() {
    let tenant = tenant("image").await;
    let missing = json!({"kind": "image_failure", "image": "missing:1", "how": "manifest_unknown"});
    let missing = tenant.fly.world(missing).await.unwrap();
    apply_blueprint(&tenant, "missing", "missing:1").await;
    tenant.declare("ops", json!({"blueprintRef": {"name": "missing"}})).await.unwrap();
    tells(&tenant.wait_reason("ops", "ImageNotFound").await.unwrap(), "image");
    tenant.fly.mend(missing).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(tenant.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
}

async fn apply_blueprint(tenant: &Tenant<'_>, name: &str, image: &str) {
    let manifest = blueprint(tenant, name, image).await;
    testbed::apply(&tenant.client, &manifest).await.unwrap();
}

/// Ends the Machine's program so often that Fly gives up on it.
async fn end_until_stopped(tenant: &Tenant<'_>, id: &str, exit: Value) {
    for _ in 0..40 {
        let state = machine(tenant, "ops").await["state"].clone();
        if state == "stopped" || state == "failed" {
            return;
        }
        let _ = tenant.fly.event(json!({"kind": "machine_exit", "machine": id, "exit": exit})).await;
    }
}

#[tokio::test]
async fn each_way_to_end_has_its_own_reason() {
    for (namespace, exit, reason, words) in [
        ("crash", json!({"exitCode": 75}), "CrashLoop", "log"),
        ("memory", json!({"exitCode": 137, "oomKilled": true}), "OutOfMemory", "more memory"),
        ("config", json!({"exitCode": 0}), "ConfigurationRefused", "configuration"),
    ] {
        let tenant = tenant(namespace).await;
        tenant.declare("other", json!({})).await.unwrap();
        let id = running(&tenant, "ops").await;
        // What is started again ends again at once.
        let again = json!({"method": "POST", "route": "/v1/apps/{app}/machines/{machine}/start", "app": format!("{namespace}-ops-*")});
        let held = json!({"kind": "status", "status": 200, "body": {}});
        let rule = tenant.fly.rule(again, held).await.unwrap();
        end_until_stopped(&tenant, &id, exit).await;
        let object = tenant.wait_reason("ops", reason).await.unwrap();
        assert_eq!(object["status"]["state"], "error");
        assert_eq!(condition(&object, "Available")["status"], "False");
        tells(&object, words);
        tenant.wait_ready("other", "running").await.unwrap();
        tenant.fly.mend(rule).await.unwrap();
        let restart = json!({"metadata": {"annotations": {"moorage.dev/restarted-at": "now"}}});
        tenant.patch("ops", restart).await.unwrap();
        tenant.wait_ready("ops", "running").await.unwrap();
    }
}
