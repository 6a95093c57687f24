//! Forged status: ids of another tenant's things in every field.

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testbed::{Moment, check_conditions};

use crate::hostile;
use crate::support::{Tenant, condition, text};

/// A status that claims another's things as one's own, and that all is done.
fn forged(victim: &Value) -> Value {
    json!({"status": {
        "observedGeneration": 999,
        "state": "running",
        "url": victim["status"]["url"],
        "operation": {"id": "forged", "type": "Destroy", "step": "DeleteVolume"},
        "pinned": {"plan": "openclaw-pro", "blueprint": "openclaw", "blueprintGeneration": 9, "image": "evil:1",
            "imageDigest": "sha256:0"},
        "external": victim["status"]["external"],
        "gateway": {"version": "9", "tokenSecretRef": {"name": "elsewhere"}},
        "lastError": {"reason": "Forged", "message": "forged", "at": "2026-01-01T00:00:00Z"},
        "lastHandledRestartAt": "forged",
        "conditions": [{"type": "Ready", "status": "True", "reason": "Running", "message": "forged",
            "observedGeneration": 999, "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    }})
}

async fn forge(tenant: &Tenant<'_>, name: &str, status: &Value) {
    let patch = Patch::Merge(status);
    tenant.runtimes().patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

async fn victim(namespace: &str) -> (Tenant<'static>, Value) {
    let (_, victim) = hostile(namespace).await;
    victim.declare("ops", json!({})).await.unwrap();
    let object = victim.wait_ready("ops", "running").await.unwrap();
    (victim, object)
}

/// The calls on the victim's app since an entry that weren't mere looks by the operator.
async fn touched(victim: &Tenant<'_>, object: &Value, since: u64) -> Vec<Value> {
    let app = text(object, "/status/external/app");
    let mut calls = victim.fly.calls(app, since).await.unwrap();
    calls.retain(|call| text(call, "/call/method") != "GET");
    calls
}

#[tokio::test]
async fn a_status_that_names_anothers_things_is_put_right() {
    let (victim, theirs) = victim("victim").await;
    let (platform, tenant) = hostile("forger").await;
    for name in ["on", "off"] {
        tenant.declare(name, json!({})).await.unwrap();
    }
    let mine = tenant.wait_ready("on", "running").await.unwrap();
    tenant.wait_ready("off", "running").await.unwrap();
    let head = victim.fly.head().await.unwrap();
    forge(&tenant, "on", &forged(&theirs)).await;
    let external = mine["status"]["external"].clone();
    let right = |object: &Value| {
        object["status"]["external"] == external && object["status"]["url"] == mine["status"]["url"]
    };
    let object = tenant.wait("on", "put right", right).await.unwrap();
    tenant.wait_ready("on", "running").await.unwrap();
    assert_eq!(object["status"]["pinned"]["plan"], "small");
    // Changes while it is forged are made to one's own things.
    forge(&tenant, "off", &forged(&theirs)).await;
    tenant.patch("off", json!({"spec": {"powerState": "Stopped"}})).await.unwrap();
    tenant.wait_ready("off", "stopped").await.unwrap();
    assert_eq!(touched(&victim, &theirs, head).await, [Value::Null; 0]);
    assert_eq!(platform.problems(&["on", "off"], &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn what_is_deleted_while_forged_is_ones_own() {
    let (victim, theirs) = victim("prey").await;
    let (platform, tenant) = hostile("eraser").await;
    let head = victim.fly.head().await.unwrap();
    let mut intents = Vec::new();
    for (name, policy, intent) in [
        ("d", "Delete", testbed::ledger::Intent::Delete),
        ("s", "Snapshot", testbed::ledger::Intent::Snapshot),
        ("r", "Retain", testbed::ledger::Intent::Retain),
    ] {
        tenant.declare(name, json!({})).await.unwrap();
        tenant.wait_ready(name, "running").await.unwrap();
        intents.push((platform.app(name).await.unwrap(), intent));
        forge(&tenant, name, &forged(&theirs)).await;
        tenant.delete(name, policy).await.unwrap();
        for _ in 0..5 {
            let patch = Patch::Merge(forged(&theirs));
            let _ = tenant.runtimes().patch_status(name, &PatchParams::default(), &patch).await;
        }
    }
    for name in ["d", "s", "r"] {
        tenant.wait_gone(name).await.unwrap();
    }
    assert_eq!(touched(&victim, &theirs, head).await, [Value::Null; 0]);
    let intents: Vec<_> = intents.iter().map(|(app, intent)| (app.as_str(), *intent)).collect();
    assert_eq!(platform.problems(&[], &intents).await.unwrap(), [""; 0]);
    victim.wait_ready("ops", "running").await.unwrap();
}

#[tokio::test]
async fn each_field_by_itself_and_a_wiped_status() {
    let (victim, theirs) = victim("target").await;
    let (platform, tenant) = hostile("fields").await;
    tenant.declare("ops", json!({})).await.unwrap();
    let mine = tenant.wait_ready("ops", "running").await.unwrap();
    let head = victim.fly.head().await.unwrap();
    let all = forged(&theirs);
    let fields: Vec<String> = all["status"].as_object().unwrap().keys().cloned().collect();
    for field in fields {
        forge(&tenant, "ops", &json!({"status": {field.as_str(): all["status"][&field]}})).await;
        restored(&tenant, &mine, &field).await;
        forge(&tenant, "ops", &json!({"status": {field.as_str(): null}})).await;
        restored(&tenant, &mine, &field).await;
    }
    forge(&tenant, "ops", &json!({"status": null})).await;
    restored(&tenant, &mine, "all").await;
    assert_eq!(touched(&victim, &theirs, head).await, [Value::Null; 0]);
    let own = touched(&tenant, &mine, head).await;
    assert_eq!(own, [Value::Null; 0], "nothing had to be done for it");
    assert_eq!(platform.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
}

async fn restored(tenant: &Tenant<'_>, mine: &Value, field: &str) {
    let same = |object: &Value| {
        let sound = check_conditions(object, Moment::AtRest).is_empty();
        let told = condition(object, "Ready")["message"] == condition(mine, "Ready")["message"];
        sound
            && told
            && ["state", "url", "external", "pinned", "observedGeneration", "operation"]
                .iter()
                .all(|field| object["status"][*field] == mine["status"][*field])
    };
    tenant.wait("ops", &format!("put right after {field}"), same).await.unwrap();
}
