use anyhow::Context;
use kube::api::ListParams;
use serde_json::{Value, json};
use testbed::eventually;

use crate::support::{SOON, Tenant, text};
use crate::tenant;
use crate::waits::Waits;

const VERSION: &str = "moorage.dev/v1alpha1";

/// Waits for the task of this type to be in this state; its name.
async fn task(tenant: &Tenant<'_>, type_: &str, state: &str) -> String {
    let api = tenant.api(VERSION, "RuntimeTask").await.unwrap();
    eventually(&format!("a task {type_} to be {state}"), SOON, async || {
        let listed = api.list(&ListParams::default()).await?;
        let all: Vec<Value> = listed.into_iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        let is = |task: &&Value| text(task, "/spec/type") == type_ && text(task, "/status/state") == state;
        let found = all.iter().find(is).with_context(|| format!("there are {all:#?}"))?;
        Ok(text(found, "/metadata/name").to_owned())
    })
    .await
    .unwrap()
}

async fn begin(tenant: &Tenant<'_>, name: &str) -> Waits {
    Waits::begin(tenant, "RuntimeTask", name).await
}

async fn a_running_task_goes_on_until_it_is_completed() {
    let tenant = tenant("waits-task").await;
    let creates = json!({"method": "POST", "route": "/v1/apps/{app}/machines", "app": "waits-task-ops-*"});
    let held = tenant.fly.rule(creates, json!({"kind": "hold"})).await.unwrap();
    tenant.declare("ops", json!({})).await.unwrap();
    let name = task(&tenant, "Provision", "running").await;
    let mut waits = begin(&tenant, &name).await;
    waits.go_on().await;
    tenant.fly.mend(held).await.unwrap();
    assert_eq!(task(&tenant, "Provision", "completed").await, name);
    waits.end_well().await;
}

async fn a_failed_task_fails() {
    let tenant = tenant("waits-full").await;
    let full = tenant.fly.world(json!({"kind": "volume_capacity", "region": "yyz"})).await.unwrap();
    tenant.declare("ops", json!({"regions": ["yyz"]})).await.unwrap();
    let name = task(&tenant, "Provision", "failed").await;
    begin(&tenant, &name).await.end_in_failure().await;
    tenant.fly.mend(full).await.unwrap();
}

async fn a_task_that_a_newer_change_replaced_fails() {
    let tenant = tenant("waits-newer").await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let app = tenant.app("ops").await.unwrap();
    let stopping = tenant.fly.world(json!({"kind": "stuck", "state": "stopping", "app": app})).await.unwrap();
    tenant.patch("ops", json!({"spec": {"powerState": "Stopped"}})).await.unwrap();
    let name = task(&tenant, "Stop", "running").await;
    let mut waits = begin(&tenant, &name).await;
    waits.go_on().await;
    tenant.patch("ops", json!({"spec": {"powerState": "Running"}})).await.unwrap();
    assert_eq!(task(&tenant, "Stop", "cancelled").await, name);
    waits.end_in_failure().await;
    tenant.fly.mend(stopping).await.unwrap();
}

async fn a_pending_task_goes_on_until_its_turn_has_come() {
    let tenant = tenant("waits-turn").await;
    let pause = |value: Value| json!({"metadata": {"annotations": {"moorage.dev/paused": value}}});
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    tenant.patch("ops", pause(json!("true"))).await.unwrap();
    let ask = |type_: &str| json!({"spec": {"runtimeRef": {"name": "ops"}, "type": type_}});
    tenant.apply(VERSION, "RuntimeTask", "again", ask("Restart")).await.unwrap();
    tenant.wait_task("again", "running").await.unwrap();
    tenant.apply(VERSION, "RuntimeTask", "keep", ask("Snapshot")).await.unwrap();
    tenant.wait_task("keep", "pending").await.unwrap();
    let mut waits = begin(&tenant, "keep").await;
    waits.go_on().await;
    tenant.patch("ops", pause(Value::Null)).await.unwrap();
    waits.end_well().await;
}

/// Side by side, as the tests of Runtimes.
#[tokio::test]
async fn a_task_in_each_situation() {
    tokio::join!(
        a_running_task_goes_on_until_it_is_completed(),
        a_failed_task_fails(),
        a_task_that_a_newer_change_replaced_fails(),
        a_pending_task_goes_on_until_its_turn_has_come()
    );
}
