//! Reads that lie or fail: lists that are stale, empty or cut short, things that aren't found for a while, answers
//! that are slow, broken or refused. In the end all is as if nothing had happened.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

#[path = "../runtime_support/mod.rs"]
mod support;

mod start;

use std::time::Duration;

use serde_json::{Value, json};
use support::{Tenant, start};
use testbed::{Rig, eventually};

const APP: &str = "/v1/apps/{app}";
const ADDRESSES: &str = "/v1/apps/{app}/ip_assignments";
const SECRETS: &str = "/v1/apps/{app}/secrets";
const VOLUMES: &str = "/v1/apps/{app}/volumes";
const VOLUME: &str = "/v1/apps/{app}/volumes/{volume}";
const MACHINES: &str = "/v1/apps/{app}/machines";
const MACHINE: &str = "/v1/apps/{app}/machines/{machine}";

/// A read, with the write whose lost reply makes it necessary.
const READS: [(&str, &str, &str); 5] = [
    ("addresses", ADDRESSES, ADDRESSES),
    ("volumes", VOLUMES, VOLUMES),
    ("machines", MACHINES, MACHINES),
    ("machine", MACHINES, MACHINE),
    ("app", VOLUMES, APP),
];

/// What is wrong with a read. Each happens less often than what proves an absence.
fn lies() -> Vec<(&'static str, Value, u64)> {
    let status = |status: u16, body: Value, headers: Value| json!({"kind": "status", "status": status, "body": body, "headers": headers});
    vec![
        ("empty", json!({"kind": "empty"}), 1),
        ("stale", json!({"kind": "stale", "ms": 1500}), 3),
        ("partial", json!({"kind": "partial", "keep": 0}), 1),
        ("malformed", json!({"kind": "malformed"}), 2),
        ("truncated", json!({"kind": "truncate"}), 2),
        ("missing", status(404, json!({"error": "not found"}), json!({})), 1),
        ("throttled", status(429, json!("rate limit exceeded"), json!({})), 3),
        ("later", status(429, json!("rate limit exceeded"), json!({"retry-after": "2"})), 1),
        ("broken", status(500, json!({"error": "internal"}), json!({})), 4),
        ("away", status(503, json!("<html>busy</html>"), json!({})), 4),
        ("refused", json!({"kind": "refuse"}), 4),
        ("lost", json!({"kind": "drop_reply"}), 4),
        ("slow", json!({"kind": "latency", "ms": 4000}), 2),
    ]
}

async fn scene() -> Rig {
    start(Vec::new()).await.unwrap()
}

/// Waits for all to run, and holds what stands against what should.
async fn all_run(tenant: &Tenant<'_>, names: &[String]) {
    for name in names {
        tenant.wait_ready(name, "running").await.unwrap();
        let standing = tenant.fly.standing(&tenant.app(name).await.unwrap()).await.unwrap();
        let count = |what: &str| standing[what].as_array().map_or(0, Vec::len);
        assert_eq!(
            (count("machines"), count("volumes"), count("addresses")),
            (1, 1, 2),
            "{name}: {standing}"
        );
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(tenant.problems(&names, &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn every_lie_of_every_read_on_the_way_up() {
    let rig = scene().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "lu").await.unwrap();
    let mut names = Vec::new();
    let mut rules = Vec::new();
    for (read, write, route) in READS {
        for (lie, action, count) in lies() {
            let name = format!("{read}-{lie}");
            let app = format!("{}-*", tenant.slug(&name));
            let lost = json!({"method": "POST", "route": write, "app": app, "ordinal": 1});
            tenant.fly.rule(lost, json!({"kind": "drop_reply"})).await.unwrap();
            let matching = json!({"method": "GET", "route": route, "app": app, "count": count});
            rules.push((tenant.fly.rule(matching, action).await.unwrap(), name.clone(), read));
            tenant.declare(&name, json!({})).await.unwrap();
            names.push(name);
        }
    }
    all_run(&tenant, &names).await;
    for (rule, name, read) in rules {
        // The app is read only by who doesn't know it any more.
        let told = read == "app" || tenant.fly.applied(rule).await.unwrap() > 0;
        assert!(told, "{name} was never lied to");
    }
}

#[tokio::test]
async fn every_lie_of_every_read_to_one_that_remembers_nothing() {
    let mut rig = scene().await;
    let names: Vec<String> = {
        let tenant = Tenant::new(&rig.cluster, &rig.fly, "lr").await.unwrap();
        let mut names = Vec::new();
        for route in ["app", "machines", "machine", "secrets", "volumes", "volume", "addresses"] {
            for (lie, ..) in lies() {
                let name = format!("{route}-{lie}");
                tenant.declare(&name, json!({})).await.unwrap();
                names.push(name);
            }
        }
        all_run(&tenant, &names).await;
        names
    };
    rig.operator.kill().unwrap();
    let head = {
        let tenant = Tenant::new(&rig.cluster, &rig.fly, "lr").await.unwrap();
        for (short, route) in [
            ("app", APP),
            ("machines", MACHINES),
            ("machine", MACHINE),
            ("secrets", SECRETS),
            ("volumes", VOLUMES),
            ("volume", VOLUME),
            ("addresses", ADDRESSES),
        ] {
            for (lie, action, count) in lies() {
                let app = format!("{}-*", tenant.slug(&format!("{short}-{lie}")));
                let matching = json!({"method": "GET", "route": route, "app": app, "count": count});
                tenant.fly.rule(matching, action).await.unwrap();
            }
        }
        // And something to do, so that more than the Machine is looked at.
        for name in &names {
            tenant.patch(name, json!({"spec": {"persona": {"name": "Ada"}}})).await.unwrap();
        }
        tenant.fly.head().await.unwrap()
    };
    rig.operator.restart().unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "lr").await.unwrap();
    all_run(&tenant, &names).await;
    let changes = tenant.changes().await.unwrap();
    let made = changes.iter().find(|it| it.seq > head && it.effect.ends_with(".create"));
    assert_eq!(made, None, "nothing was missing");
}

#[tokio::test]
async fn a_list_of_the_organisation_that_lies_or_fails() {
    let rig = scene().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "lo").await.unwrap();
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    // The list is asked for every few seconds only: one of each sort has to do.
    let sorts = ["empty", "stale", "malformed", "missing", "later", "broken", "refused"];
    for (lie, action, _) in lies().into_iter().filter(|(lie, ..)| sorts.contains(lie)) {
        let matching = json!({"method": "GET", "route": "/v1/orgs/{org}/machines", "count": 2});
        let rule = tenant.fly.rule(matching, action).await.unwrap();
        eventually(&format!("the list that is {lie}"), Duration::from_mins(1), async || {
            anyhow::ensure!(tenant.fly.applied(rule).await? > 0, "not asked yet");
            Ok(())
        })
        .await
        .unwrap();
        tenant.fly.mend(rule).await.unwrap();
        let object = tenant.get("ops").await.unwrap();
        assert_eq!(object["status"]["state"], "running", "{lie}");
    }
    assert_eq!(tenant.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
    rig.operator.process().check_running().unwrap();
}

#[tokio::test]
async fn what_the_list_still_shows_is_not_believed_gone() {
    let rig = scene().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "ln").await.unwrap();
    tenant.declare("ops", json!({})).await.unwrap();
    let before = tenant.wait_ready("ops", "running").await.unwrap();
    let app = tenant.app("ops").await.unwrap();
    let head = tenant.fly.head().await.unwrap();
    let missing = json!({"kind": "status", "status": 404, "body": {"error": "machine not found"}});
    let rule =
        tenant.fly.rule(json!({"method": "GET", "route": MACHINE, "app": app}), missing).await.unwrap();
    tenant.patch("ops", json!({"spec": {"persona": {"name": "Ada"}}})).await.unwrap();
    // Several times the grace.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let calls = tenant.fly.calls(&app, head).await.unwrap();
    let creates = |call: &&Value| call["call"]["method"] == "POST" && call["call"]["route"] == MACHINES;
    assert_eq!(calls.iter().find(creates), None, "GET says 404, and the list says it is there");
    tenant.fly.mend(rule).await.unwrap();
    let after = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(after["status"]["external"]["machineID"], before["status"]["external"]["machineID"]);
}
