//! Other sizes, full hosts, restores and migrations, against a real API server and the simulated Fly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail loudly, and its helpers are its own"
)]

#[path = "../runtime_support/mod.rs"]
mod support;

use fly_machines::types::UpdateVolume;
use fly_machines::{Client, TokenSource};
use serde_json::{Value, json};
use support::{Tenant, condition, start, text};
use testbed::{Rig, apply};
use tokio::sync::OnceCell;

/// A larger Plan, and one that has to be paid for.
const PLANS: &str = r"
apiVersion: moorage.dev/v1alpha1
kind: Plan
metadata: {name: late}
spec:
  {displayName: Large, cpuKind: Shared, cpus: 4, memoryMB: 4096, volumeGB: 5, amount: 0, currency: USD,
   interval: Month, requiresOrder: false}
---
apiVersion: moorage.dev/v1alpha1
kind: Plan
metadata: {name: tiny}
spec:
  {displayName: Small with a larger disk, cpuKind: Shared, cpus: 2, memoryMB: 2048, volumeGB: 8, amount: 0, currency: USD,
   interval: Month, requiresOrder: false}
---
apiVersion: moorage.dev/v1alpha1
kind: Plan
metadata: {name: sold}
spec:
  {displayName: Sold, cpuKind: Shared, cpus: 4, memoryMB: 4096, volumeGB: 5, amount: 900, currency: USD,
   interval: Month, requiresOrder: true}
";

async fn rig() -> &'static Rig {
    static RIG: OnceCell<Rig> = OnceCell::const_new();
    RIG.get_or_init(|| async {
        let rig = start(vec![("/timing/keepDisplacedSeconds", json!(4))]).await.expect("a rig");
        apply(&rig.client().await.unwrap(), PLANS).await.unwrap();
        rig
    })
    .await
}

/// A tenant with one Runtime that runs.
async fn running(namespace: &str) -> Tenant<'static> {
    let rig = rig().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap();
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    tenant
}

async fn resize(tenant: &Tenant<'_>, plan: &str) {
    tenant.patch("ops", json!({"spec": {"planRef": {"name": plan}}})).await.unwrap();
}

async fn volume(tenant: &Tenant<'_>) -> String {
    text(&tenant.get("ops").await.unwrap(), "/status/external/volumeID").to_owned()
}

async fn counted(tenant: &Tenant<'_>, effect: &str) -> usize {
    tenant.changes().await.unwrap().iter().filter(|change| change.effect == effect).count()
}

/// Waits until the Runtime runs on another volume, and on nothing else.
async fn moved(tenant: &Tenant<'_>, old: &str) -> Value {
    let object = tenant
        .wait("ops", "on another volume", |object| {
            support::is_ready(object, "running") && text(object, "/status/external/volumeID") != old
        })
        .await
        .unwrap();
    assert_ne!(text(&object, "/status/external/volumeID"), "");
    object
}

/// Waits until the volume that was there before is removed.
async fn cleared(tenant: &Tenant<'_>) {
    testbed::eventually("the old volume to go", support::SOON, async || {
        let claim = tenant.claim("ops").await?;
        anyhow::ensure!(claim.pointer("/spec/runtime/displaced").is_none(), "{claim}");
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(counted(tenant, "volume.delete").await, 1);
}

#[tokio::test]
async fn another_size_grows_the_volume_and_restarts_once() {
    let tenant = running("size").await;
    let before = volume(&tenant).await;
    resize(&tenant, "late").await;
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(object["status"]["pinned"]["plan"], "late");
    assert_eq!(object["status"]["external"]["volumeGB"], 5);
    assert_eq!(volume(&tenant).await, before);
    assert_eq!((counted(&tenant, "volume.extend").await, counted(&tenant, "machine.update").await), (1, 1));
    resize(&tenant, "small").await;
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(object["status"]["external"]["volumeGB"], 5, "a volume never shrinks");
    assert!(text(&condition(&object, "Provisioned"), "/message").contains("keeps its 5 GB"));
    assert_eq!(tenant.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn another_disk_alone_restarts_only_if_fly_asks_for_it() {
    let (asks, online) = (running("disk").await, running("online").await);
    resize(&asks, "tiny").await;
    let resized = async |tenant: &Tenant<'_>, plan: &str| {
        let done = |object: &Value| {
            support::is_ready(object, "running") && object["status"]["pinned"]["plan"] == plan
        };
        let object = tenant.wait("ops", "the Plan", done).await.unwrap();
        assert_eq!(object["status"]["external"]["volumeGB"], 8);
        (counted(tenant, "volume.extend").await, counted(tenant, "machine.update").await)
    };
    assert_eq!(resized(&asks, "tiny").await, (1, 1));
    let world = online.fly.world(json!({"kind": "volumes_grow_online"})).await.unwrap();
    resize(&online, "tiny").await;
    assert_eq!(resized(&online, "tiny").await, (1, 0));
    online.fly.mend(world).await.unwrap();
    resize(&online, "small").await;
    assert_eq!(resized(&online, "small").await, (1, 0));
    assert_eq!(online.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_size_that_is_not_paid_for_is_not_taken_on() {
    let tenant = running("unpaid").await;
    resize(&tenant, "sold").await;
    let object = tenant.wait_reason("ops", "AwaitingOrder").await.unwrap();
    assert_eq!(condition(&object, "Entitled")["reason"], "PlanNotPaid");
    assert_eq!(condition(&object, "Available")["status"], "True");
    assert_eq!(object["status"]["state"], "running");
    assert_eq!(counted(&tenant, "machine.update").await, 0);
}

#[tokio::test]
async fn a_full_host_is_left_with_a_copy_of_the_volume() {
    let tenant = running("fork").await;
    let before = volume(&tenant).await;
    let full = tenant.fly.world(json!({"kind": "host_full", "on": before})).await.unwrap();
    resize(&tenant, "late").await;
    let object = moved(&tenant, &before).await;
    assert_eq!(object["status"]["pinned"]["plan"], "late");
    cleared(&tenant).await;
    assert_eq!(counted(&tenant, "volume.create").await, 2);
    tenant.fly.mend(full).await.unwrap();
}

/// A client of Fly, beside the operator.
async fn client() -> Client {
    let token = TokenSource::fixed("FlyV1 fm2_testbed".to_owned());
    Client::builder(token).base_url(rig().await.fly.api_url()).build().unwrap()
}

#[tokio::test]
async fn a_snapshot_is_restored_on_request() {
    let tenant = running("back").await;
    let before = volume(&tenant).await;
    let task = |kind: &str| json!({"spec": {"runtimeRef": {"name": "ops"}, "type": kind}});
    tenant.apply("moorage.dev/v1alpha1", "RuntimeTask", "keep", task("Snapshot")).await.unwrap();
    testbed::eventually("a snapshot", support::SOON, async || {
        anyhow::ensure!(counted(&tenant, "snapshot.create").await == 1, "no snapshot yet");
        Ok(())
    })
    .await
    .unwrap();
    let (fly, app) = (client().await, tenant.app("ops").await.unwrap());
    let kept = UpdateVolume { snapshot_retention: Some(21), auto_backup_enabled: Some(false) };
    fly.volumes(&app).update(&before, &kept).await.unwrap();
    tenant.apply("moorage.dev/v1alpha1", "RuntimeTask", "restore", task("Restore")).await.unwrap();
    let object = moved(&tenant, &before).await;
    let new = fly.volumes(&app).get(&volume(&tenant).await).await.unwrap();
    assert_eq!((new.snapshot_retention, new.auto_backup_enabled), (Some(21), Some(false)));
    let restored = text(&object, "/status/external/restoredFrom/snapshotID");
    assert!(restored.starts_with("vs_"), "{restored}");
    cleared(&tenant).await;
    assert_eq!(counted(&tenant, "snapshot.create").await, 2, "one of what was there before");
}

#[tokio::test]
async fn a_migration_is_recorded_and_nothing_is_restarted() {
    let tenant = running("away").await;
    let before = volume(&tenant).await;
    let id = text(&tenant.get("ops").await.unwrap(), "/status/external/machineID").to_owned();
    let updates = counted(&tenant, "machine.update").await;
    tenant.fly.event(json!({"kind": "migrate", "machine": id})).await.unwrap();
    moved(&tenant, &before).await;
    assert_eq!(counted(&tenant, "machine.update").await, updates);
    assert_eq!(counted(&tenant, "machine.create").await, 1);
}

#[tokio::test]
async fn a_restore_waits_for_room_while_the_gateway_serves_on() {
    let rig = rig().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "patient").await.unwrap();
    tenant.declare("ops", json!({"regions": ["gru"]})).await.unwrap();
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    let (before, machine) = (volume(&tenant).await, text(&object, "/status/external/machineID"));
    let write = |content: &str| json!({"kind": "volume_write", "machine": machine, "content": content});
    tenant.fly.event(write("diary")).await.unwrap();
    let task = |kind: &str| json!({"spec": {"runtimeRef": {"name": "ops"}, "type": kind}});
    tenant.apply("moorage.dev/v1alpha1", "RuntimeTask", "keep", task("Snapshot")).await.unwrap();
    tenant.wait_task("keep", "completed").await.unwrap();
    let full = tenant.fly.world(json!({"kind": "volume_capacity", "region": "gru"})).await.unwrap();
    tenant.apply("moorage.dev/v1alpha1", "RuntimeTask", "restore", task("Restore")).await.unwrap();
    testbed::eventually("Fly to refuse it a few times", support::SOON, async || {
        let app = tenant.app("ops").await?;
        let calls = tenant.fly.calls(&app, 0).await?;
        let refused =
            |it: &&Value| it["call"]["route"] == "/v1/apps/{app}/volumes" && it["call"]["status"] == 412;
        anyhow::ensure!(calls.iter().filter(refused).count() > 1, "{calls:?}");
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(counted(&tenant, "machine.stop").await, 0, "nothing is stopped for what can't be had");
    tenant.fly.event(write("diary, continued")).await.unwrap();
    tenant.fly.mend(full).await.unwrap();
    moved(&tenant, &before).await;
    let standing = tenant.fly.standing(&tenant.app("ops").await.unwrap()).await.unwrap();
    let on = |id: &str| standing["volumes"].as_array().unwrap().iter().find(|it| it["id"] == id).cloned();
    assert_eq!(on(&volume(&tenant).await).unwrap()["content"], "diary");
    assert_eq!(
        on(&before).unwrap()["content"],
        "diary, continued",
        "what it wrote meanwhile is kept a while"
    );
}
