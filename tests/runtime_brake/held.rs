//! A deletion that waits for the platform for longer than a day, while the gateway serves on and Fly makes its daily
//! snapshot: what is kept is what the Machine left.

use std::time::Duration;

use serde_json::{Value, json};
use testbed::ledger::Intent;
use testbed::{Audit, FlySimOptions, RateLimits, Rig, RigOptions, SimClock};

use crate::moorage;
use crate::support::{Tenant, config, prepare, text};

async fn rig() -> Rig {
    let fly =
        FlySimOptions { rate_limits: RateLimits::Off, clock: SimClock::Manual, ..FlySimOptions::default() };
    let brake = [("windowMinutes", 30), ("count", 0), ("percent", 0)];
    let mut config = config();
    config.retain(|(path, _)| *path != "/deletionBrake/windowMinutes");
    config.push(("/deletionBrake", brake.iter().map(|(name, it)| ((*name).to_owned(), json!(it))).collect()));
    let rig = Rig::start(RigOptions { audit: Audit::Requests, fly, config, env: Vec::new() }).await.unwrap();
    prepare(&rig.client().await.unwrap()).await.unwrap();
    rig
}

async fn volume(tenant: &Tenant<'_>, app: &str) -> Value {
    tenant.fly.standing(app).await.unwrap()["volumes"][0].clone()
}

async fn write(tenant: &Tenant<'_>, machine: &str, content: &str) {
    let event = json!({"kind": "volume_write", "machine": machine, "content": content});
    tenant.fly.event(event).await.unwrap();
}

#[tokio::test]
async fn a_deletion_held_for_a_day_keeps_the_last_writes_for_as_long_as_fly_can() {
    let rig = rig().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "held").await.unwrap();
    tenant.declare("ops", json!({"deletionPolicy": "Snapshot"})).await.unwrap();
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    let (app, machine) = (tenant.app("ops").await.unwrap(), text(&object, "/status/external/machineID"));
    write(&tenant, machine, "diary").await;
    tenant.delete("ops", "Snapshot").await.unwrap();
    tenant.wait_reason("ops", "AwaitingConfirm").await.unwrap();
    rig.fly.advance(Duration::from_hours(25)).await.unwrap();
    let daily = volume(&tenant, &app).await["snapshots"].clone();
    assert_eq!((daily[0]["content"].as_str(), daily.as_array().unwrap().len()), (Some("diary"), 1));
    write(&tenant, machine, "diary, continued").await;

    moorage(&rig.cluster, &["confirm", "deletions", "--all"]).await;
    tenant.wait_gone("ops").await.unwrap();
    let claim = tenant.claim("ops").await.unwrap();
    let kept = text(&claim, "/spec/runtime/snapshot/id");
    let all = volume(&tenant, &app).await["snapshots"].clone();
    let last = all.as_array().unwrap().iter().find(|it| it["id"] == kept).unwrap();
    assert_eq!((&last["content"], &last["retentionDays"]), (&json!("diary, continued"), &json!(60)), "{all}");
    assert_eq!(tenant.problems(&[], &[(&app, Intent::Snapshot)]).await.unwrap(), [""; 0]);
}
