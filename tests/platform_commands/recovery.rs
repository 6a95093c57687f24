//! A Runtime that is stuck or gone comes back.

use anyhow::ensure;
use serde_json::json;
use testbed::{Identity, eventually};

use crate::support::{SOON, Tenant, condition, shared, text};
use crate::{done, moorage, refused};

async fn running(namespace: &str) -> Tenant<'static> {
    let rig = shared().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap();
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    tenant
}

#[tokio::test]
async fn one_that_is_well_is_left_alone_unless_somebody_says_how() {
    let tenant = running("rec-well").await;
    let head = tenant.fly.head().await.unwrap();
    let said = refused(&["recover", "rec-well/ops"]).await;
    assert!(said.contains("It is well (Running)"), "{said}");
    let said = done(&["recover", "rec-well/ops", "--way", "restart"]).await;
    assert!(said.contains("1. Restart it") && said.contains("Nothing was changed"), "{said}");
    assert_eq!(tenant.changes().await.unwrap().iter().filter(|it| it.seq > head).count(), 0);
    let said = done(&["recover", "rec-well/ops", "--way", "restart", "--yes"]).await;
    assert!(said.contains("Restart done"), "{said}");
    assert!(refused(&["recover", "rec-well/nobody"]).await.contains("Declare it anew"));
}

#[tokio::test]
async fn a_lost_volume_is_restored_from_its_newest_snapshot() {
    let tenant = running("rec-lost").await;
    tenant.ask("ops", "Snapshot").await.unwrap();
    tenant.wait_task("ops", "completed").await.unwrap();
    let object = tenant.get("ops").await.unwrap();
    let external = &object["status"]["external"];
    tenant.fly.event(json!({"kind": "machine_destroy", "machine": external["machineID"]})).await.unwrap();
    let gone = json!({"kind": "volume_destroy", "app": external["app"], "volume": external["volumeID"]});
    tenant.fly.event(gone).await.unwrap();
    tenant.wait_reason("ops", "VolumeLost").await.unwrap();
    let said = done(&["recover", "rec-lost/ops", "--yes"]).await;
    assert!(said.contains("newest snapshot") && said.contains("Restore done"), "{said}");
    tenant.wait_ready("ops", "running").await.unwrap();
}

#[tokio::test]
async fn one_that_was_deleted_comes_back_from_its_snapshot_and_from_its_volume() {
    for (namespace, policy, steps) in [("rec-snap", "Snapshot", 3), ("rec-keep", "Retain", 2)] {
        let tenant = running(namespace).await;
        let app = tenant.app("ops").await.unwrap();
        tenant.delete("ops", policy).await.unwrap();
        tenant.wait_gone("ops").await.unwrap();
        let place = format!("{namespace}/ops");
        let shown = done(&["recover", &place]).await;
        assert!(shown.contains(&format!("{steps}. ")) && shown.contains("Nothing was changed"), "{shown}");
        let said = done(&["recover", &place, "--yes", "--timeout", "120"]).await;
        assert!(said.contains("taken over"), "{said}");
        let object = tenant.wait_ready("ops", "running").await.unwrap();
        assert_eq!(text(&object, "/status/external/app"), app, "the same app");
    }
}

#[tokio::test]
async fn nothing_is_done_for_what_waits_for_a_person() {
    let tenant = running("rec-held").await;
    tenant.declare("unpaid", json!({"planRef": {"name": "openclaw-basic"}})).await.unwrap();
    tenant.wait_reason("unpaid", "AwaitingOrder").await.unwrap();
    let said = refused(&["recover", "rec-held/unpaid", "--way", "restart", "--yes"]).await;
    assert!(said.contains("AwaitingOrder"), "{said}");
    let pause = json!({"metadata": {"annotations": {"moorage.dev/paused": "true"}}});
    tenant.patch("ops", pause).await.unwrap();
    let said = refused(&["recover", "rec-held/ops", "--way", "restart"]).await;
    assert!(said.contains("kubectl annotate runtime ops"), "{said}");
}

#[tokio::test]
async fn whoever_may_not_ask_is_refused_by_the_api_server() {
    let tenant = running("rec-who").await;
    let (well, said) =
        moorage(&Identity::user("nobody", &[]), &["recover", "rec-who/ops", "--way", "restart", "--yes"])
            .await;
    assert!(!well && said.contains("forbidden"), "{said}");
    eventually("it runs on", SOON, async || {
        let object = tenant.get("ops").await?;
        ensure!(condition(&object, "Available")["status"] == "True");
        Ok(())
    })
    .await
    .unwrap();
}
