//! Plans, Blueprints and WorkspacePolicies: the platform; their status: the operator.

use serde_json::{Value, json};

use crate::world::{Kind, OUTSIDERS, PLATFORM, Try, Verdict, Who, moorage, policy};

const POLICY: &str = "moorage-catalog";

struct Entry {
    kind: Kind,
    name: &'static str,
    new: Value,
    change: Value,
}

fn entries() -> Vec<Entry> {
    let plan = json!({"cpuKind": "Shared", "cpus": 2, "memoryMB": 4096, "volumeGB": 10, "amount": 1900,
        "currency": "EUR", "interval": "Month"});
    let blueprint = json!({"image": "registry.example/claw:2", "command": ["run"], "port": 3000,
        "mountPath": "/data", "minimumMemoryMB": 2048,
        "healthCheck":
            {"path": "/healthz", "intervalSeconds": 15, "timeoutSeconds": 5, "gracePeriodSeconds": 60},
        "stop": {"signal": "SIGTERM", "timeoutSeconds": 60}, "gateway": {"adapter": "OpenClaw"}});
    let limits = json!({"selector": {"namespaces": ["acme"]}, "maxRuntimes": 50});
    let entry = |kind, name, new, change| Entry { kind, name, new, change };
    vec![
        // A Plan's spec never changes, so its labels do.
        entry(moorage("Plan", "plans"), "small", plan, json!({"metadata": {"labels": {"a": "b"}}})),
        entry(
            moorage("Blueprint", "blueprints"),
            "claw",
            blueprint,
            json!({"spec": {"image": "registry.example/claw:3"}}),
        ),
        entry(
            moorage("WorkspacePolicy", "workspacepolicies"),
            "gold",
            limits,
            json!({"spec": {"maxRuntimes": 99}}),
        ),
    ]
}

fn writes(entry: &Entry) -> [Try; 4] {
    [
        Try::Create(entry.kind.object("new", &entry.new)),
        Try::Change(entry.name, entry.change.clone()),
        Try::Delete(entry.name),
        Try::DeleteAll,
    ]
}

fn status(entry: &Entry) -> Try {
    Try::ChangeSub(entry.name, "status", json!({"status": {"observedGeneration": 7}}))
}

#[tokio::test]
async fn the_platform_writes_them() {
    for entry in entries() {
        for what in writes(&entry) {
            entry.kind.expect(&PLATFORM, what, &Verdict::Allowed).await;
        }
    }
}

#[tokio::test]
async fn nobody_else_does() {
    for entry in entries() {
        for what in writes(&entry) {
            entry.kind.expect(&[Who::Operator], what.clone(), &policy(POLICY)).await;
            entry.kind.expect(&OUTSIDERS, what.clone(), &policy(POLICY)).await;
            entry.kind.expect(&[Who::Tenant], what, &Verdict::Rights).await;
        }
    }
}

#[tokio::test]
async fn their_status_is_the_operators_alone() {
    for entry in entries() {
        entry.kind.expect(&[Who::Operator], status(&entry), &Verdict::Allowed).await;
        entry.kind.expect(&PLATFORM, status(&entry), &policy(POLICY)).await;
        entry.kind.expect(&OUTSIDERS, status(&entry), &policy(POLICY)).await;
        entry.kind.expect(&[Who::Tenant], status(&entry), &Verdict::Rights).await;
    }
}
