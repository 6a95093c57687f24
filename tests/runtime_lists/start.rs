//! A start among Runtimes at rest: the organisation's list tells of all of them, and nothing is written.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::api::ListParams;
use kube::{Api, ResourceExt};
use moorage::api::{NameClaim, Runtime, Workspace};
use serde_json::{Value, json};
use testbed::{Rig, eventually};

use crate::support::{Tenant, start};
use crate::{MACHINE, MACHINES};

const LIST: &str = "/v1/orgs/{org}/machines";
const RUNTIMES: usize = 12;

async fn at_rest() -> (Rig, Vec<String>) {
    let rig = start(Vec::new()).await.unwrap();
    let names: Vec<String> = (0..RUNTIMES).map(|index| format!("r{index:02}")).collect();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "st").await.unwrap();
    for name in &names {
        tenant.declare(name, json!({})).await.unwrap();
    }
    for name in &names {
        tenant.wait_ready(name, "running").await.unwrap();
    }
    // Dashboards have their last word some seconds later.
    tokio::time::sleep(Duration::from_secs(8)).await;
    rig.operator.stop(Duration::from_secs(20)).await.unwrap();
    (rig, names)
}

async fn verified(rig: &Rig) {
    rig.operator.wait_ready(Duration::from_secs(30)).await.unwrap();
    eventually("every Runtime verified", Duration::from_secs(30), async || {
        let metrics = rig.operator.metrics().await?;
        anyhow::ensure!(metrics.contains("\nmoorage_runtimes_unverified 0\n"), "not yet");
        Ok(())
    })
    .await
    .unwrap();
}

/// Requests since an entry, by method and route.
async fn requests(rig: &Rig, since: u64) -> BTreeMap<String, usize> {
    let ledger = rig.fly.read(&format!("ledger?kind=request&since={since}")).await.unwrap();
    let mut counts = BTreeMap::new();
    for call in ledger["entries"].as_array().unwrap() {
        let text = |key: &str| call["call"][key].as_str().unwrap_or_default().to_owned();
        *counts.entry(format!("{} {}", text("method"), text("route"))).or_default() += 1;
    }
    counts
}

async fn versions(rig: &Rig) -> BTreeMap<String, Option<String>> {
    let client = rig.client().await.unwrap();
    let all = ListParams::default();
    let runtimes = Api::<Runtime>::all(client.clone()).list(&all).await.unwrap();
    let claims = Api::<NameClaim>::all(client.clone()).list(&all).await.unwrap();
    let workspaces = Api::<Workspace>::all(client).list(&all).await.unwrap();
    let runtimes = runtimes.iter().map(|it| (format!("runtime {}", it.name_any()), it.resource_version()));
    let claims = claims.iter().map(|it| (format!("claim {}", it.name_any()), it.resource_version()));
    let workspaces =
        workspaces.iter().map(|it| (format!("workspace {}", it.name_any()), it.resource_version()));
    runtimes.chain(claims).chain(workspaces).collect()
}

#[tokio::test]
async fn what_runs_as_declared_costs_a_start_one_list_and_no_write() {
    let (mut rig, _) = at_rest().await;
    let before = versions(&rig).await;
    let head = rig.fly.read("ledger?limit=1").await.unwrap()["head"].as_u64().unwrap();
    rig.operator.restart().unwrap();
    verified(&rig).await;
    let asked = requests(&rig, head).await;
    // The sweep goes on meanwhile, one Machine every three seconds.
    let single = asked.get(&format!("GET {MACHINE}")).copied().unwrap_or_default();
    assert!(single < RUNTIMES / 2, "{asked:?}");
    assert_eq!(asked.get(&format!("GET {MACHINES}")), None, "{asked:?}");
    assert!(asked.get(&format!("GET {LIST}")).is_some_and(|lists| *lists >= 1), "{asked:?}");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(versions(&rig).await, before);
}

/// Longer than what changes take to show in the list.
const SETTLED: Duration = Duration::from_secs(100);

#[tokio::test]
async fn at_rest_a_list_that_begins_with_the_newest_change_is_asked_for_as_seldom_as_one_that_begins_after_it()
 {
    let rig = start(Vec::new()).await.unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "in").await.unwrap();
    tenant.fly.world(json!({"kind": "lists_include_the_time"})).await.unwrap();
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    tokio::time::sleep(SETTLED).await;
    let head = tenant.fly.head().await.unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let asked = requests(&rig, head).await;
    let lists = asked.get(&format!("GET {LIST}")).copied().unwrap_or_default();
    assert!((3..=5).contains(&lists), "once in five seconds: {asked:?}");
}

#[tokio::test]
async fn without_the_list_each_machine_is_asked_for() {
    let (mut rig, names) = at_rest().await;
    let before = versions(&rig).await;
    let head = rig.fly.read("ledger?limit=1").await.unwrap()["head"].as_u64().unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "st").await.unwrap();
    let broken = json!({"kind": "status", "status": 500, "body": {"error": "internal"}});
    tenant.fly.rule(json!({"method": "GET", "route": LIST}), broken).await.unwrap();
    drop(tenant);
    rig.operator.restart().unwrap();
    verified(&rig).await;
    let asked = requests(&rig, head).await;
    assert!(asked.get(&format!("GET {MACHINE}")).is_some_and(|asked| *asked >= names.len()), "{asked:?}");
    assert_eq!(versions(&rig).await, before);
}

#[tokio::test]
async fn what_changed_while_nobody_looked_is_put_right() {
    let (mut rig, names) = at_rest().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "st").await.unwrap();
    let generation = |object: &Value| object["metadata"]["generation"].as_i64();
    tenant.patch(&names[0], json!({"spec": {"powerState": "Stopped"}})).await.unwrap();
    tenant.patch(&names[1], json!({"spec": {"persona": {"name": "Ada"}}})).await.unwrap();
    drop(tenant);
    rig.operator.restart().unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "st").await.unwrap();
    tenant.wait_ready(&names[0], "stopped").await.unwrap();
    tenant
        .wait(&names[1], "the edit", |object| {
            object["status"]["observedGeneration"].as_i64() == generation(object)
                && object["status"]["state"] == "running"
        })
        .await
        .unwrap();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(tenant.problems(&names, &[]).await.unwrap(), [""; 0]);
}
