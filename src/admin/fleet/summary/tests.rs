use serde::de::DeserializeOwned;
use serde_json::json;

use super::*;
use crate::admin::fleet::lines;
use crate::admin::output::WIDTH;

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn object<K: DeserializeOwned>(kind: &str, name: &str, spec: &Value, state: &str, conditions: &[Value]) -> K {
    let status = if state.is_empty() { json!({}) } else { json!({"state": state, "conditions": conditions}) };
    serde_json::from_value(json!({"apiVersion": "moorage.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": "acme", "uid": name}, "spec": spec, "status": status}))
    .unwrap()
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 1,
        "lastTransitionTime": "2026-11-21T11:00:00Z"})
}

fn runtime(name: &str, state: &str, conditions: &[Value]) -> Runtime {
    object("Runtime", name, &json!({}), state, conditions)
}

fn lost(name: &str, message: &str) -> Runtime {
    let both = ["Stalled", "Ready"]
        .map(|kind| condition(kind, if kind == "Stalled" { "True" } else { "False" }, "VolumeLost", message));
    runtime(name, "error", &both)
}

fn lease(renewed: &str) -> Lease {
    serde_json::from_value(json!({"metadata": {"name": "moorage"},
        "spec": {"holderIdentity": "moorage-1", "renewTime": renewed}}))
    .unwrap()
}

fn seen(runtimes: Vec<Runtime>) -> Seen {
    Seen {
        runtimes: Part::Read(runtimes),
        orders: Part::Read(Vec::new()),
        domains: Part::Read(Vec::new()),
        workspaces: Part::Read(Vec::new()),
        plans: Part::Read(Vec::new()),
        blueprints: Part::Read(Vec::new()),
        policies: Part::Read(Vec::new()),
        claims: Part::Read(Vec::new()),
        receipts: Part::Read(Vec::new()),
        lease: Part::Read(Some(lease("2026-11-21T11:59:50.000000Z"))),
        orphans: Part::Read(Vec::new()),
    }
}

#[test]
fn the_most_frequent_reason_is_first_with_the_first_object_by_name() {
    let all = vec![
        lost("b", "second"),
        lost("a", "first"),
        runtime("c", "stopped", &[condition("Ready", "False", "AwaitingOrder", "Order it.")]),
        runtime("d", "running", &[condition("Ready", "True", "Running", "It serves.")]),
        runtime("e", "", &[]),
    ];
    let fleet = summarise(now(), &seen(all));
    assert_eq!(fleet.runtimes.total, 5);
    assert_eq!(fleet.runtimes.by_state["error"], 2);
    assert_eq!(fleet.runtimes.by_state["new"], 1);
    let top = &fleet.stalled[0];
    assert_eq!((top.reason.as_str(), top.count, top.object.as_str()), ("VolumeLost", 2, "acme/a"));
    assert_eq!(top.message, "first");
    assert_eq!(fleet.waiting.len(), 1, "what waits for a person isn't stalled");
}

#[test]
fn it_fits_a_terminal_and_is_the_same_each_time() {
    let message = "The volume is gone at Fly. ".repeat(30);
    let all = || (0..40).map(|n| lost(&format!("{}{n}", "r".repeat(37)), &message)).collect();
    let text = lines(&summarise(now(), &seen(all())));
    assert!(text.iter().all(|line| line.chars().count() <= WIDTH), "{text:#?}");
    assert_eq!(text, lines(&summarise(now(), &seen(all()))));
}

#[test]
fn an_empty_cluster_says_what_to_do_first() {
    let text = lines(&summarise(now(), &seen(Vec::new()))).join("\n");
    assert!(text.contains("There is no Runtime yet: declare a Workspace"), "{text}");
    assert!(text.contains("moorage-1 acts"), "{text}");
}

#[test]
fn what_cant_be_read_is_said_and_hides_nothing_else() {
    let blind = Seen {
        orders: Part::Unread("list RuntimeOrders: forbidden".into()),
        lease: Part::Unread("read the lease: forbidden".into()),
        ..seen(vec![lost("a", "gone")])
    };
    let fleet = summarise(now(), &blind);
    assert_eq!(fleet.unread.len(), 2);
    assert_eq!(fleet.operator, Leader::Unknown);
    assert_eq!(fleet.stalled.len(), 1);
    assert!(lines(&fleet).join("\n").contains("list RuntimeOrders: forbidden"));
}

#[test]
fn an_order_of_which_only_the_claim_is_left_is_told() {
    let plan = json!({"name": "basic", "cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 10});
    let claim = |name: &str| -> NameClaim {
        let order = json!({"uid": name, "provider": "Stripe", "mode": "Subscription",
            "price": {"plan": plan, "amount": 2900, "currency": "USD", "interval": "Month"}});
        let spec = json!({"type": "Order", "name": name, "order": order,
            "holder": {"namespace": "acme", "name": name, "uid": name}});
        object("NameClaim", name, &spec, "", &[])
    };
    let spec = json!({"planRef": {"name": "basic"}, "runtime": {"name": "ops"},
        "payment": {"provider": "Stripe", "mode": "Subscription"}});
    let orders = Part::Read(vec![object("RuntimeOrder", "here", &spec, "", &[])]);
    let claims = Part::Read(vec![claim("gone"), claim("here")]);
    let fleet = summarise(now(), &Seen { orders, claims, ..seen(Vec::new()) });
    assert_eq!(fleet.vanished_orders, ["acme/gone (gone)"]);
    assert!(lines(&fleet).join("\n").contains("Vanished orders"), "{fleet:?}");
}

#[test]
fn a_lease_that_nobody_renews_is_told() {
    let stale = Seen { lease: Part::Read(Some(lease("2026-11-21T11:00:00.000000Z"))), ..seen(Vec::new()) };
    let fleet = summarise(now(), &stale);
    assert!(matches!(&fleet.operator, Leader::Stale { holder: Some(holder), .. } if holder == "moorage-1"));
    assert!(fleet.hints[0].contains("No operator acts"), "{:?}", fleet.hints);
    let none = Seen { lease: Part::Read(None), ..seen(Vec::new()) };
    assert_eq!(summarise(now(), &none).operator, Leader::None);
}

#[test]
fn money_that_pays_for_nothing_is_counted_and_told() {
    let mut all = seen(Vec::new());
    assert_eq!(summarise(now(), &all).flagged_receipts, Some(0));
    let spec = json!({"type": "Payment", "provider": "PayApp", "providerID": "1001", "orderUID": "gone",
        "amount": 19900, "currency": "KRW", "flags": ["UnknownOrder"]});
    all.receipts = Part::Read(vec![object("PaymentReceipt", "odd", &spec, "", &[])]);
    let fleet = summarise(now(), &all);
    assert_eq!(fleet.flagged_receipts, Some(1));
    let text = lines(&fleet).join(" ");
    assert!(text.contains("Flagged receipts") && text.contains("moorage billing lookup"), "{text}");
}
