//! The tables of `kubectl get` and the field selectors, on objects with a status as the operator writes it.

use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::rule::{identity, valid};
use crate::world::{api, create, kubectl, merge, namespace, write_status};

const SPACE: &str = "columns";
const WIDTH: usize = 100;

fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": type_, "status": status, "reason": reason, "message": message, "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

fn status(state: Option<&str>, ready: &str, reason: &str, more: &Value) -> Value {
    let message = "Its Machine boots, or its gateway doesn't answer yet.";
    let mut status =
        json!({"observedGeneration": 1, "conditions": [condition("Ready", ready, reason, message)]});
    if let Some(state) = state {
        status["state"] = json!(state);
    }
    merge(&mut status, more);
    status
}

async fn stands(kind: &'static str, name: &str, spec: &Value, status: Option<&Value>) {
    let mut object = valid(kind);
    merge(&mut object, &json!({"metadata": {"name": name}, "spec": spec}));
    create(SPACE, &object).await;
    if let Some(status) = status {
        write_status(SPACE, kind, name, status).await;
    }
}

/// One object in each typical state.
async fn world() {
    namespace(SPACE).await;
    let counts = json!({"runtimes": {"total": 4, "running": 1, "byState": {"running": 1, "error": 1}}});
    stands("Workspace", "acme", &json!({}), Some(&status(Some("active"), "True", "Active", &counts))).await;
    for (name, state, ready, reason) in [
        ("ops", "running", "True", "Running"),
        ("research", "provisioning", "Unknown", "Provisioning"),
        ("sales", "stopped", "False", "AwaitingOrder"),
        ("support-eu", "error", "False", "RuntimeLimitReached"),
    ] {
        let external = json!({"external": {"app": "a", "machineID": "17811953c92e18", "region": "fra"},
            "pinned": {"plan": "openclaw-basic", "blueprint": "openclaw", "blueprintGeneration": 1, "image": "i"},
            "url": format!("https://moorage-acme-{name}-k3j9x2abcd.fly.dev")});
        stands("Runtime", name, &json!({}), Some(&status(Some(state), ready, reason, &external))).await;
    }
    for (name, type_, state, ready, reason) in [
        ("ops-k3j9x2abcd", "Provision", "completed", "True", "Completed"),
        ("research-b7k2aam3xc", "Provision", "running", "Unknown", "InProgress"),
    ] {
        let finished = json!({"finishTime": (state == "completed").then_some("2026-01-01T00:00:00Z")});
        let spec = json!({"type": type_, "runtimeRef": {"name": name.split_once('-').unwrap().0}});
        stands("RuntimeTask", name, &spec, Some(&status(Some(state), ready, reason, &finished))).await;
    }
    for (name, state, ready, reason) in [
        ("acme-2026-11", "running", "True", "Fulfilled"),
        ("research-2026-11", "pending_payment", "False", "AwaitingPayment"),
    ] {
        let paid = json!({"runtimeRef": {"name": "research"},
            "subscription": {"state": "Paid", "paidUntil": "2026-12-01T00:00:00Z"}});
        let plan = json!({"planRef": {"name": "openclaw-basic"}});
        stands("RuntimeOrder", name, &plan, Some(&status(Some(state), ready, reason, &paid))).await;
    }
    for (name, host, state, ready, reason) in [
        ("ai", "ai.example.com", "active", "True", "Active"),
        ("assistant", "assistant.customer-with-a-name.example", "pending_dns", "False", "PendingDNS"),
    ] {
        let spec = json!({"hostname": host});
        stands("CustomDomain", name, &spec, Some(&status(Some(state), ready, reason, &json!({})))).await;
    }
    let catalog = status(None, "True", "Valid", &json!({}));
    stands("Plan", "openclaw-small", &json!({}), Some(&catalog)).await;
    let large = json!({"cpuKind": "Performance", "cpus": 16, "memoryMB": 131_072, "amount": 189_900});
    stands("Plan", "openclaw-large", &large, Some(&catalog)).await;
    let image = json!({"image": "ghcr.io/openclaw/openclaw:2026.9.6"});
    stands("Blueprint", "openclaw-columns", &image, Some(&catalog)).await;
    stands("WorkspacePolicy", "trial-columns", &json!({"maxRuntimes": 3}), Some(&catalog)).await;
    let mut claim = json!({"name": "acme-ops", "runtime": identity()});
    merge(&mut claim, &json!({"runtime": {"app": "moorage-acme-ops-k3j9x2abcd"}}));
    let mut object = valid("NameClaim");
    merge(&mut object, &json!({"metadata": {"name": "label.acme-ops"}, "spec": claim}));
    create(SPACE, &object).await;
    let order = json!({"orderUID": "0b7e4a52-6a0e-4c0e-9a0e-2f7f3c1d9e55"});
    stands("PaymentReceipt", "stripe-in-1nzk2e2ezvkylo2c", &order, None).await;
}

#[tokio::test]
async fn tables_fit_a_terminal_and_fields_select() {
    world().await;
    // Several kinds at once have their kind in the name.
    for resources in
        ["mws", "mrt", "mord", "mtask", "mplan", "mblue", "mpol", "mclaim", "mpay", "mws,mrt,mtask,mplan"]
    {
        let table = kubectl(&["get", "-n", SPACE, resources]).await;
        let widest = table.lines().map(|line| line.trim_end().chars().count()).max().unwrap();
        assert!(widest <= WIDTH, "{resources}: {widest} columns\n{table}");
        assert!(table.lines().next().unwrap().ends_with("AGE"), "{table}");
        assert!(!table.contains("<invalid>") && table.lines().count() > 1, "{table}");
    }
    let names = async |kind: &str, selector: &str| -> Vec<String> {
        let params = ListParams::default().fields(selector);
        let list = api(kind, SPACE).await.list(&params).await.unwrap();
        list.items.iter().map(ResourceExt::name_any).collect()
    };
    assert_eq!(names("Runtime", "status.state=running").await, ["ops"]);
    assert_eq!(names("Runtime", "status.state=destroying").await, Vec::<String>::new());
    assert_eq!(names("Workspace", "status.state=active").await, ["acme"]);
    assert_eq!(names("RuntimeTask", "status.state=completed").await, ["ops-k3j9x2abcd"]);
    assert_eq!(names("RuntimeTask", "spec.runtimeRef.name=research").await, ["research-b7k2aam3xc"]);
    let category = kubectl(&["get", "-n", SPACE, "moorage", "-o", "name"]).await;
    assert!(category.contains("runtime.moorage.dev/ops") && category.contains("workspace.moorage.dev/acme"));
}
