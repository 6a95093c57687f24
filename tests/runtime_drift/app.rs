//! What else somebody made in the app, or took away from it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;
use fly_machines::types as fly;
use secrecy::SecretString;
use serde_json::{Value, json};
use testbed::eventually;

use crate::support::{SOON, condition, text};
use crate::{Scene, running, somebody};

/// Waits until this is told of what stands in the app; null if nothing is to be.
async fn told(scene: &Scene, reason: Value) -> Value {
    let is = |object: &Value| condition(object, "UnknownResources")["reason"] == reason;
    let object = scene.tenant.wait("ops", &format!("UnknownResources: {reason}"), is).await.unwrap();
    scene.unharmed().await;
    condition(&object, "UnknownResources")
}

#[tokio::test]
async fn another_machine_and_another_volume_are_told_left_alone_and_forgotten_once_they_are_gone() {
    let scene = running("doubled", json!({})).await;
    let fly = somebody().await;
    let volume = fly.volumes(&scene.app).create(&fly::CreateVolume::new("data", "fra", 1)).await.unwrap();
    told(&scene, json!("UnknownVolume")).await;
    let config =
        fly::MachineConfig { image: "ghcr.io/openclaw/openclaw:2026.9.6".into(), ..Default::default() };
    let request = fly::CreateMachine { config, region: Some("fra".into()), ..Default::default() };
    let machine = fly.machines(&scene.app).create(&request).await.unwrap();
    let condition = told(&scene, json!("UnknownMachine")).await;
    for words in [&machine.id, &volume.id, "fly machine destroy", "leaves them alone"] {
        assert!(text(&condition, "/message").contains(words), "{condition}");
    }
    scene.told("UnknownMachine", &machine.id).await;
    fly.machines(&scene.app).delete(&machine.id, fly::MachineDeletion::Force).await.unwrap();
    told(&scene, json!("UnknownVolume")).await;
    fly.volumes(&scene.app).delete(&volume.id).await.unwrap();
    told(&scene, Value::Null).await;
    assert_eq!(scene.counted("machine.update").await, 0);
}

#[tokio::test]
async fn an_address_that_was_taken_away_is_replaced_and_one_that_was_added_is_told() {
    let scene = running("address", json!({})).await;
    let fly = somebody().await;
    let addresses = fly.addresses(&scene.app);
    let own = addresses.list().await.unwrap();
    let extra = addresses.assign(&fly::AssignIp::new(fly::IpKind::V4)).await.unwrap();
    let condition = told(&scene, json!("UnknownAddress")).await;
    assert!(text(&condition, "/message").contains(&extra.ip), "{condition}");
    addresses.release(&extra.ip).await.unwrap();
    told(&scene, Value::Null).await;
    let v6 = own.iter().find(|address| address.kind() == fly::IpKind::V6).unwrap();
    addresses.release(&v6.ip).await.unwrap();
    eventually("another address", SOON, async || {
        let object = scene.tenant.get("ops").await?;
        let listed = addresses.list().await?;
        ensure!(listed.len() == 2, "{listed:?}");
        let shown = object.pointer("/status/external/addresses").cloned().unwrap_or_default();
        let all = listed.iter().all(|it| shown.as_array().is_some_and(|ips| ips.contains(&json!(it.ip))));
        ensure!(all && shown.as_array().is_some_and(|ips| ips.len() == 2), "{shown}");
        Ok(())
    })
    .await
    .unwrap();
    scene.unharmed().await;
    scene.told("Drifted", "address").await;
}

#[tokio::test]
async fn a_secret_that_was_taken_away_is_set_again_and_one_that_was_added_goes() {
    let scene = running("unset", json!({})).await;
    let fly = somebody().await;
    let secrets = fly.secrets(&scene.app);
    let before: Vec<String> = secrets.list().await.unwrap().into_iter().map(|secret| secret.name).collect();
    assert!(!before.is_empty());
    for change in [
        before.iter().map(|name| (name.clone(), None)).collect::<BTreeMap<_, _>>(),
        BTreeMap::from([("THEIRS".to_owned(), Some(SecretString::from("theirs".to_owned())))]),
    ] {
        secrets.update(&change).await.unwrap();
        eventually("the secrets to be as they were", SOON, async || {
            let now: Vec<String> = secrets.list().await?.into_iter().map(|secret| secret.name).collect();
            ensure!(now == before, "{now:?}");
            Ok(())
        })
        .await
        .unwrap();
    }
    scene.unharmed().await;
    scene.told("Drifted", "secrets").await;
    assert_eq!(scene.counted("machine.update").await, 0, "nothing was restarted for it");
}

#[tokio::test]
async fn another_volume_does_not_go_with_the_app_of_a_deleted_runtime() {
    let scene = running("keeping", json!({})).await;
    let fly = somebody().await;
    let theirs = fly.volumes(&scene.app).create(&fly::CreateVolume::new("theirs", "fra", 1)).await.unwrap();
    scene.tenant.delete("ops", "Delete").await.unwrap();
    let object = scene.tenant.wait_reason("ops", "UnknownVolume").await.unwrap();
    assert!(text(&condition(&object, "Ready"), "/message").contains(&theirs.id), "{object}");
    let standing = scene.tenant.fly.standing(&scene.app).await.unwrap();
    // One that is destroyed can be read for a while.
    let gone = |machine: &Value| machine["state"] == "destroyed";
    assert!(standing["machines"].as_array().unwrap().iter().all(gone), "its own goes: {standing}");
    fly.volumes(&scene.app).delete(&theirs.id).await.unwrap();
    scene.tenant.wait_gone("ops").await.unwrap();
    assert!(scene.tenant.fly.standing(&scene.app).await.unwrap().is_null());
}

#[tokio::test]
async fn a_value_that_was_changed_is_set_again_and_only_a_gateway_that_has_it_is_restarted() {
    let scene = running("tampered", json!({})).await;
    let fly = somebody().await;
    let secrets = fly.secrets(&scene.app);
    let digests = async || {
        let listed = secrets.list().await.unwrap();
        listed.into_iter().map(|secret| (secret.name, secret.digest)).collect::<BTreeMap<_, _>>()
    };
    let before = digests().await;
    let machine = scene.machine.clone();
    let marked = async || {
        let standing = fly.machines(&scene.app).get(&machine).await?;
        ensure!(standing.metadata("moorage_digests").is_some(), "it isn't marked yet");
        Ok(())
    };
    eventually("the mark of digests", SOON, marked).await.unwrap();
    let hold = async |held: Value| {
        let annotations = json!({"metadata": {"annotations": {"moorage.dev/paused": held}}});
        scene.tenant.patch("ops", annotations).await.unwrap();
    };
    for restarts in [0, 1] {
        // While it is held, somebody starts its gateway with the other value.
        hold(if restarts == 1 { json!("true") } else { Value::Null }).await;
        let name = before.keys().next().unwrap().clone();
        let theirs = Some(SecretString::from(format!("theirs-{restarts}")));
        secrets.update(&BTreeMap::from([(name, theirs)])).await.unwrap();
        if restarts == 1 {
            fly.machines(&scene.app).restart(&machine, &fly::RestartMachine::default()).await.unwrap();
            tokio::time::sleep(Duration::from_secs(2)).await;
            hold(Value::Null).await;
        }
        eventually("the value to be as it was", SOON, async || {
            ensure!(digests().await == before, "not yet");
            ensure!(scene.counted("machine.update").await == restarts, "restarted otherwise");
            Ok(())
        })
        .await
        .unwrap();
        eventually("the mark of digests", SOON, marked).await.unwrap();
    }
    scene.unharmed().await;
    scene.told("Drifted", "value of a secret").await;
}
