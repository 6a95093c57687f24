//! A rule with one object that keeps it and one that breaks it, and the objects that cases start from.

use serde_json::{Value, json};

use crate::world::{merge, namespace, object, try_create};

/// A rule of creation. The patches are merged into the kind's valid object.
pub struct Rule {
    pub kind: &'static str,
    /// Keeps the rule.
    pub keeps: Value,
    /// Breaks it.
    pub breaks: Value,
    /// Part of what the API server then says.
    pub says: &'static str,
}

pub fn rule(kind: &'static str, keeps: Value, breaks: Value, says: &'static str) -> Rule {
    Rule { kind, keeps, breaks, says }
}

/// A rule of change: from an object, by a merge patch.
pub struct Transition {
    pub kind: &'static str,
    /// What the object has beyond the valid one of its kind.
    pub from: Value,
    /// A change that keeps the rule.
    pub keeps: Value,
    /// A change that breaks it.
    pub breaks: Value,
    /// Part of what the API server then says.
    pub says: &'static str,
}

/// The smallest valid object of each kind.
pub fn valid(kind: &'static str) -> Value {
    let (name, spec) = match kind {
        "Plan" => ("valid", plan()),
        "Blueprint" => ("valid", blueprint()),
        "WorkspacePolicy" => ("valid", json!({"selector": {"namespaces": ["acme"]}})),
        "NameClaim" => ("label.acme", json!({"type": "Slug", "name": "acme", "holder": holder()})),
        "PaymentReceipt" => (
            "valid",
            json!({"type": "Payment", "provider": "Stripe", "providerID": "in_1", "orderUID": "0b7e",
                "amount": 2900, "currency": "USD"}),
        ),
        "Workspace" => ("valid", json!({"displayName": "Acme", "subdomain": "acme"})),
        "Runtime" => ("valid", json!({})),
        "RuntimeTask" => {
            ("valid", json!({"runtimeRef": {"name": "ops"}, "type": "Start", "operationID": "01"}))
        }
        "RuntimeOrder" => (
            "valid",
            json!({"planRef": {"name": "pro"}, "runtime": {"name": "ops"}, "payment": {"provider": "Manual"}}),
        ),
        "CustomDomain" => ("valid", json!({"runtimeRef": {"name": "ops"}, "hostname": "ai.example.com"})),
        other => panic!("no valid {other} is known"),
    };
    object(kind, name, &spec)
}

pub const KINDS: [&str; 10] = [
    "CustomDomain",
    "Plan",
    "Blueprint",
    "WorkspacePolicy",
    "NameClaim",
    "PaymentReceipt",
    "Workspace",
    "Runtime",
    "RuntimeTask",
    "RuntimeOrder",
];

fn plan() -> Value {
    json!({"cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 10, "amount": 2900,
        "currency": "USD", "interval": "Month"})
}

pub fn blueprint() -> Value {
    json!({"image": "registry.example/claw:1", "command": ["run"], "port": 3000, "mountPath": "/data",
        "minimumMemoryMB": 2048, "stop": {"signal": "SIGTERM", "timeoutSeconds": 300},
        "healthCheck":
            {"path": "/healthz", "intervalSeconds": 15, "timeoutSeconds": 5, "gracePeriodSeconds": 60},
        "gateway": {"adapter": "OpenClaw"}})
}

fn holder() -> Value {
    json!({"namespace": "acme", "name": "ops", "uid": "0b7e"})
}

/// What an order's claim records.
pub fn order() -> Value {
    json!({"uid": "0b7e", "provider": "Manual", "mode": "Subscription", "funds": {"name": "ops"},
        "price": {"amount": 2900, "currency": "USD", "interval": "Month",
            "plan": {"name": "pro", "cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 10}}})
}

/// A try to be paid for an order, as its claim records it.
pub fn attempt() -> Value {
    json!({"number": 1, "nonce": "n", "idempotencyKey": "k", "createTime": "2026-01-01T00:00:00Z",
        "amount": 2900, "currency": "USD", "state": "Opening"})
}

/// What a hostname's claim records.
pub fn domain() -> Value {
    json!({"tenantID": "01234567", "method": "CNAME", "label": "0a1b2c3d4e5f",
        "verifyTime": "2026-01-01T00:00:00Z"})
}

/// What a slug's claim records of a Runtime.
pub fn identity() -> Value {
    json!({"identity": "k3j9x2ab", "app": "moorage-acme-k3j9x2ab", "deletionPolicy": "Snapshot",
        "pin": {"blueprint": "openclaw", "blueprintGeneration": 1, "spec": blueprint(),
            "plan": {"name": "basic", "cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 10}}})
}

/// Tries both sides of each rule.
pub async fn check(rules: Vec<Rule>, space: &str) {
    namespace(space).await;
    let mut wrong = Vec::new();
    for rule in rules {
        let mut good = valid(rule.kind);
        merge(&mut good, &rule.keeps);
        if let Err(said) = try_create(space, &good).await {
            wrong.push(format!("{} {} is refused: {said}", rule.kind, rule.keeps));
        }
        let mut bad = valid(rule.kind);
        merge(&mut bad, &rule.breaks);
        match try_create(space, &bad).await {
            Err(said) if said.contains(rule.says) => {}
            other => wrong.push(format!("{} {}: not {:?} but {other:?}", rule.kind, rule.breaks, rule.says)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

pub fn spec(spec: Value) -> Value {
    json!({"spec": spec})
}

pub fn text(length: usize) -> String {
    "a".repeat(length)
}

/// Both sides of a bound or rule on one field of `spec`.
pub fn field(kind: &'static str, field: &str, keeps: Value, breaks: Value, says: &'static str) -> Rule {
    rule(kind, spec(json!({ field: keeps })), spec(json!({ field: breaks })), says)
}

/// An environment of one variable.
pub fn literal(name: &str) -> Value {
    json!([{"name": name, "value": "x"}])
}
