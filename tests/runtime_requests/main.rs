//! What people ask for by RuntimeTasks, against a real API server.
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

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use support::{Tenant, condition, shared, text};

async fn tenant(namespace: &str) -> Tenant<'static> {
    let rig = shared().await;
    Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap()
}

/// Asks for something of the Runtime `ops` by a task of that name.
async fn ask(tenant: &Tenant<'_>, task: &str, what: &str) {
    let spec = json!({"runtimeRef": {"name": "ops"}, "type": what});
    tenant.apply("moorage.dev/v1alpha1", "RuntimeTask", task, json!({"spec": spec})).await.unwrap();
}

async fn effects(tenant: &Tenant<'_>, since: u64, route: &str) -> usize {
    let app = tenant.app("ops").await.unwrap();
    let ledger = tenant.fly.ledger(since).await.unwrap();
    let entries = ledger["entries"].as_array().unwrap().clone();
    let call = |entry: &&Value| {
        entry["kind"] == "request"
            && entry["call"]["method"] == "POST"
            && text(entry, "/call/path").contains(&app)
            && text(entry, "/call/route").ends_with(route)
    };
    entries.iter().filter(call).count()
}

#[tokio::test]
async fn a_restart_is_carried_out_once_and_those_behind_it_say_for_which_they_wait() {
    let tenant = tenant("ask-restart").await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let head = tenant.fly.head().await.unwrap();
    ask(&tenant, "again", "Restart").await;
    ask(&tenant, "keep", "Snapshot").await;
    let done = tenant.wait_task("again", "completed").await.unwrap();
    assert_eq!(text(&condition(&done, "Ready"), "/message"), "Restarted.");
    let kept = tenant.wait_task("keep", "completed").await.unwrap();
    assert!(text(&kept, "/status/result/snapshotID").starts_with("vs_"), "{}", kept["status"]);
    assert!(!text(&kept, "/status/result/expiryTime").is_empty());
    tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(effects(&tenant, head, "/stop").await, 1);
    assert_eq!(effects(&tenant, head, "/start").await, 1);
    assert_eq!(effects(&tenant, head, "/snapshots").await, 1);
}

#[tokio::test]
async fn what_can_t_be_carried_out_says_why() {
    let tenant = tenant("ask-why").await;
    ask(&tenant, "nobody", "Restart").await;
    let failed = tenant.wait_task("nobody", "failed").await.unwrap();
    assert_eq!(condition(&failed, "Ready")["reason"], "RuntimeNotFound");
    tenant.declare("ops", json!({"powerState": "Stopped"})).await.unwrap();
    tenant.wait_ready("ops", "stopped").await.unwrap();
    ask(&tenant, "again", "Restart").await;
    let failed = tenant.wait_task("again", "failed").await.unwrap();
    assert_eq!(condition(&failed, "Ready")["reason"], "NotPossible");
}

#[tokio::test]
async fn what_is_said_of_a_task_by_somebody_else_harms_nobody() {
    let tenant = tenant("ask-forged").await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let tasks = tenant.api("moorage.dev/v1alpha1", "RuntimeTask").await.unwrap();
    ask(&tenant, "again", "Restart").await;
    let forged = json!({"status": {"state": "completed", "finishTime": "2020-01-01T00:00:00Z"}});
    let refused = tasks.patch_status("again", &PatchParams::default(), &Patch::Merge(forged)).await;
    assert!(refused.is_err(), "the admission policy let a task's status be written");
    tenant.wait_task("again", "completed").await.unwrap();
}

#[tokio::test]
async fn a_deleted_runtime_s_requests_are_cancelled() {
    let tenant = tenant("ask-gone").await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let hold = json!({"metadata": {"annotations": {"moorage.dev/paused": "true"}}});
    tenant.patch("ops", hold).await.unwrap();
    ask(&tenant, "again", "Restart").await;
    tenant.wait_task("again", "running").await.unwrap();
    tenant.delete("ops", "Delete").await.unwrap();
    let cancelled = tenant.wait_task("again", "cancelled").await.unwrap();
    assert_eq!(condition(&cancelled, "Ready")["reason"], "Superseded");
    tenant.patch("ops", json!({"metadata": {"annotations": {"moorage.dev/paused": null}}})).await.unwrap();
    tenant.wait_gone("ops").await.unwrap();
}
