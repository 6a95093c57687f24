//! The fleet, and what was done.

use serde_json::{Value, json};
use testbed::{Identity, eventually};

use crate::support::{SOON, Tenant, shared};
use crate::{done, moorage};

async fn tenant(namespace: &str) -> Tenant<'static> {
    let rig = shared().await;
    Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap()
}

fn total(fleet: &Value, state: &str) -> u64 {
    fleet["runtimes"]["byState"][state].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn the_fleet_is_told_with_what_is_stalled_and_what_waits() {
    let tenant = tenant("glance").await;
    tenant.declare("well", json!({})).await.unwrap();
    tenant.declare("bad", json!({"planRef": {"name": "nowhere"}})).await.unwrap();
    tenant.declare("unpaid", json!({"planRef": {"name": "openclaw-basic"}})).await.unwrap();
    tenant.wait_ready("well", "running").await.unwrap();
    tenant.wait_reason("bad", "PlanNotFound").await.unwrap();
    tenant.wait_reason("unpaid", "AwaitingOrder").await.unwrap();
    let said = done(&["status"]).await;
    for part in ["PlanNotFound", "glance/bad", "WAITS FOR A PERSON", "AwaitingOrder", "no lease"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.lines().all(|line| line.chars().count() <= 100), "{said}");
    let fleet: Value = serde_json::from_str(&done(&["status", "-o", "json"]).await).unwrap();
    assert!(total(&fleet, "running") >= 1 && total(&fleet, "error") >= 1, "{fleet}");
}

#[tokio::test]
async fn whoever_may_not_look_is_told_what_is_missing_and_how_to_get_it() {
    let (well, said) = moorage(&Identity::user("nobody", &[]), &["status"]).await;
    assert!(well, "{said}");
    assert!(said.contains("Not shown:") && said.contains("moorage-platform"), "{said}");
    let (well, said) =
        moorage(&Identity::user("nobody", &[]), &["deployments", "-A", "--logs", "/nowhere"]).await;
    assert!(!well && said.contains("forbidden"), "{said}");
}

#[tokio::test]
async fn each_deployment_has_a_log_that_opens() {
    let tenant = tenant("history").await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    tenant.ask("ops", "Restart").await.unwrap();
    tenant.wait_task("ops", "completed").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().to_str().unwrap();
    // What was done is written down a moment later than what was asked for is answered.
    let all = eventually("its provisioning in the history", SOON, async || {
        let said = done(&["deployments", "-n", "history", "--logs", logs, "-o", "json"]).await;
        let all: Vec<Value> = serde_json::from_str(&said)?;
        anyhow::ensure!(all.iter().any(|one| one["type"] == "Provision"), "{said}");
        Ok(all)
    })
    .await
    .unwrap();
    let asked = all.iter().find(|one| one["id"] == "history/ops").unwrap();
    assert_eq!((&asked["status"], &asked["type"]), (&json!("completed"), &json!("Restart")));
    for one in &all {
        let log = std::fs::read_to_string(one["logPath"].as_str().unwrap()).unwrap();
        assert!(log.contains("of the Runtime ops"), "{log}");
    }
    let table = done(&["deployments", "-n", "history", "--logs", logs]).await;
    assert!(table.starts_with("ID") && table.contains("CREATED") && table.contains("UPDATED"), "{table}");
    let none = done(&["deployments", "-n", "default", "--logs", logs]).await;
    assert!(none.contains("Nothing was done"), "{none}");
}
