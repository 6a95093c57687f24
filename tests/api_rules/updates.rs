//! Rules of change: what never changes, and what no longer changes once something stands.

use std::collections::BTreeSet;

use moorage::api::crd;
use serde_json::{Value, json};

use crate::creates;
use crate::rule::{Transition, attempt, identity, order, spec, valid};
use crate::world::{create, merge, namespace, try_patch, write_status};

fn field(kind: &'static str, from: Value, keeps: Value, breaks: Value, says: &'static str) -> Transition {
    Transition { kind, from: spec(from), keeps: spec(keeps), breaks: spec(breaks), says }
}

fn transitions() -> Vec<Transition> {
    specs().into_iter().chain(claims()).chain(orders()).collect()
}

/// What the spec of each declared kind keeps.
fn specs() -> Vec<Transition> {
    let slug = json!({"slug": "acme-ops"});
    let plan = json!({"planRef": {"name": "basic"}});
    let pro = json!({"planRef": {"name": "pro"}});
    let removed = "must not be added or removed";
    let stopped = || json!({"powerState": "Stopped"});
    let runtime = |from: &Value, breaks, says| field("Runtime", from.clone(), stopped(), breaks, says);
    let of = |kind, from: Value, keeps, breaks, says| field(kind, from, keeps, breaks, says);
    let renamed = json!({"displayName": "Acme, Inc."});
    let moved = json!({"subdomain": "other"});
    let record = |kind, breaks, says| field(kind, json!({}), json!({}), breaks, says);
    vec![
        runtime(&slug, json!({"slug": "other"}), "must not change: it names the hostname and the app"),
        runtime(&slug, json!({"slug": null}), removed),
        of("Runtime", plan.clone(), pro, json!({"planRef": null}), "`planRef` must not be removed"),
        of("Runtime", json!({}), plan.clone(), slug, removed),
        of("Workspace", json!({}), renamed, moved, "must not change: hostnames are made from it"),
        of("Plan", json!({}), pool(2), json!({"amount": 1}), "a new size or price is a new Plan"),
        of(
            "Plan",
            pool(2),
            json!({"warmPool": null}),
            json!({"displayName": "B"}),
            "must not change but for",
        ),
        of("Plan", pool(2), pool(0), json!({"volumeGB": 20}), "must not change but for `warmPool`"),
        record("PaymentReceipt", json!({"amount": 1}), "a correction is another receipt"),
        record("RuntimeTask", json!({"type": "Stop"}), "must not change: a task is a record"),
        record("CustomDomain", json!({"hostname": "b.example.com"}), "must not change: another hostname"),
        record("RuntimeOrder", plan, "must not change: an order is one checkout"),
    ]
}

/// What a claim keeps of what it once recorded.
fn claims() -> Vec<Transition> {
    let tenant = json!({"tenantID": "01234567"});
    let standing = json!({"runtime": identity()});
    let moved_on = |number: i32| json!({"runtime": {"incarnation": number, "lastIncarnation": 4}});
    let mut moved = standing.clone();
    merge(&mut moved, &moved_on(2));
    let confirm = || json!({"confirm": {"uid": "77aa"}});
    let tombstone = json!({"releaseTime": "2026-01-01T00:00:00Z", "message": "Nothing is left."});
    let claim = |from: &Value, keeps, breaks, says| field("NameClaim", from.clone(), keeps, breaks, says);
    let more = || json!({"runtime": {"volumeID": "vol_1"}});
    let forgotten = json!({"runtime": {"lastIncarnation": 1}});
    let freed = json!({"runtime": null, "tombstone": tombstone});
    let emptied = json!({"runtime": null});
    vec![
        claim(&json!({}), confirm(), json!({"name": "other"}), "`type` and `name` must not change"),
        claim(&json!({}), confirm(), json!({"type": "Subdomain"}), "`type` and `name` must not change"),
        claim(&tenant, confirm(), json!({"tenantID": "76543210"}), "must not change"),
        claim(&tenant, confirm(), json!({"tenantID": null}), "`tenantID` must not be removed"),
        claim(&standing, more(), json!({"runtime": {"identity": "zzzzzzzz"}}), "must not change"),
        claim(&standing, more(), json!({"runtime": {"app": "other"}}), "must not change"),
        claim(&moved, moved_on(3), moved_on(1), "must not decrease: Machines and volumes are named after it"),
        claim(&moved, moved_on(3), forgotten, "a number is never given twice"),
        claim(&standing, freed, emptied, "`runtime` must not be removed while the name is held"),
    ]
}

/// What an order's claim keeps of what its provider was given.
fn orders() -> Vec<Transition> {
    let attempts = |more: Value| {
        let mut attempt = attempt();
        merge(&mut attempt, &more);
        json!({"order": {"attempts": [attempt]}})
    };
    let mut placed = json!({"type": "Order", "order": order()});
    merge(&mut placed, &attempts(json!({})));
    let opened = || attempts(json!({"state": "Open", "checkoutID": "cs_1", "url": "https://pay.example/1"}));
    let claim = |keeps, breaks, says| field("NameClaim", placed.clone(), keeps, breaks, says);
    let known = "`nonce` and `idempotencyKey` must not change";
    vec![
        claim(opened(), json!({"order": {"uid": "other"}}), "receipts and the provider know the order by it"),
        claim(opened(), attempts(json!({"nonce": "other"})), known),
        claim(opened(), attempts(json!({"idempotencyKey": "other"})), known),
    ]
}

fn pool(size: i32) -> Value {
    json!({"warmPool": {"size": size}})
}

/// What becomes of a warm app goes one way.
fn warm_apps() -> Vec<Transition> {
    let app = |phase: &str, given_to: Value| {
        let warm = json!({"region": "fra", "phase": phase, "givenTo": given_to});
        json!({"type": "Warm", "warm": warm})
    };
    let holder = |uid: &str| json!({"namespace": "acme", "name": "ops", "uid": uid});
    let warm = |phase: &str, given_to: Value| json!({"warm": {"phase": phase, "givenTo": given_to}});
    let (kept, given) = (app("Kept", Value::Null), app("Given", holder("77aa")));
    let dropped = app("Dropped", Value::Null);
    let change = |from: &Value, keeps, breaks, says| field("NameClaim", from.clone(), keeps, breaks, says);
    let drop = || json!({"warm": {"phase": "Dropped"}});
    let again = "`phase` must not become `Kept` again";
    vec![
        change(&kept, warm("Given", holder("1")), warm("Given", Value::Null), "`givenTo` must name"),
        change(&kept, drop(), warm("Kept", holder("1")), "`givenTo` must not be set"),
        change(&given, drop(), warm("Kept", Value::Null), again),
        change(&given, drop(), warm("Given", holder("88bb")), "must not change: it is given once"),
        change(
            &given,
            warm("Given", holder("77aa")),
            warm("Dropped", Value::Null),
            "`givenTo` must not be removed",
        ),
        change(&dropped, drop(), warm("Given", holder("1")), "`phase` must stay `Dropped`"),
        change(&kept, drop(), json!({"warm": {"region": "ams"}}), "must not change"),
        change(&kept, drop(), json!({"warm": null}), "`warm` must be set for a warm app"),
        change(&json!({}), json!({}), app("Kept", Value::Null), "`type` and `name` must not change"),
    ]
}

#[tokio::test]
async fn what_must_not_change_does_not() {
    namespace("changes").await;
    let all = transitions().into_iter().chain(warm_apps());
    for (number, Transition { kind, from, keeps, breaks, says }) in all.enumerate() {
        let name = named(kind, number, &from);
        let mut object = valid(kind);
        merge(&mut object, &from);
        merge(&mut object, &name);
        let name = create("changes", &object).await.metadata.name.unwrap();
        assert_eq!(try_patch("changes", kind, &name, &keeps).await, Ok(()), "{kind} {from} {keeps}");
        let said = try_patch("changes", kind, &name, &breaks).await.unwrap_err();
        assert!(said.contains(says), "{kind} {from} {breaks}: {said}");
    }
}

/// A name of its own for each object; a claim's is made from what it claims.
fn named(kind: &str, number: usize, from: &Value) -> Value {
    let name = format!("change-{number}");
    if kind == "NameClaim" {
        let prefix = match from["spec"]["type"].as_str() {
            Some("Warm") => "warm",
            Some("Order") => "order",
            _ => "label",
        };
        return json!({"metadata": {"name": format!("{prefix}.{name}")}, "spec": {"name": name}});
    }
    json!({"metadata": {"name": name}})
}

const REGIONS: &str = "`spec.regions` must not change once the volume exists";

#[tokio::test]
async fn regions_change_until_the_volume_stands() {
    namespace("regions").await;
    for (name, from, changes) in [
        ("some", json!(["fra"]), vec![json!(["ams"]), json!(["fra", "ams"]), json!(null)]),
        ("none", json!(null), vec![json!(["ams"])]),
    ] {
        let mut runtime = valid("Runtime");
        merge(&mut runtime, &json!({"metadata": {"name": name}, "spec": {"regions": from}}));
        create("regions", &runtime).await;
        let patches: Vec<Value> = changes.iter().map(|regions| spec(json!({ "regions": regions }))).collect();
        let external =
            |volume: Value| json!({"observedGeneration": 1, "external": {"app": "a", "volumeID": volume}});
        for patch in &patches {
            assert_eq!(try_patch("regions", "Runtime", name, patch).await, Ok(()), "{name} {patch}");
        }
        write_status("regions", "Runtime", name, &external(json!(null))).await;
        for patch in &patches {
            assert_eq!(try_patch("regions", "Runtime", name, patch).await, Ok(()), "{name} {patch}");
        }
        write_status("regions", "Runtime", name, &external(json!("vol_1"))).await;
        for patch in &patches {
            let said = try_patch("regions", "Runtime", name, patch).await.unwrap_err();
            assert!(said.contains(REGIONS), "{name} {patch}: {said}");
        }
        let other = spec(json!({"powerState": "Stopped"}));
        assert_eq!(try_patch("regions", "Runtime", name, &other).await, Ok(()), "{name}");
    }
}

/// A rule that nobody tried may be one that refuses everything, or nothing.
#[test]
fn every_rule_of_the_definitions_is_tried() {
    let created = creates::all();
    let mut tried: BTreeSet<(&str, &str)> = created.iter().map(|rule| (rule.kind, rule.says)).collect();
    let changed = transitions();
    tried.extend(changed.iter().chain(&warm_apps()).map(|transition| (transition.kind, transition.says)));
    tried.insert(("Runtime", REGIONS));
    // A claim pins the spec of a Blueprint, with its rules.
    tried.extend(created.iter().filter(|rule| rule.kind == "Blueprint").map(|rule| ("NameClaim", rule.says)));
    for crd in crd::shipped() {
        let kind = crd.pointer("/spec/names/kind").and_then(Value::as_str).unwrap();
        let mut messages = Vec::new();
        collect_messages(&crd, &mut messages);
        for message in messages {
            let is_tried = tried.iter().any(|(on, says)| *on == kind && message.contains(says));
            assert!(is_tried, "{kind}: no case for the rule {message:?}");
        }
    }
}

fn collect_messages(node: &Value, messages: &mut Vec<String>) {
    match node {
        Value::Object(fields) => {
            let rules = fields.get("x-kubernetes-validations").and_then(Value::as_array);
            messages
                .extend(rules.into_iter().flatten().map(|rule| rule["message"].as_str().unwrap().to_owned()));
            fields.values().for_each(|field| collect_messages(field, messages));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_messages(item, messages)),
        _ => {}
    }
}
