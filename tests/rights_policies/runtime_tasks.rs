//! RuntimeTasks: records that the operator writes, and requests that anybody with the right makes.

use std::time::Duration;

use anyhow::ensure;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};
use testbed::eventually;

use crate::world::{Kind, Try, Verdict, Who, moorage, policy};

pub const TASKS: Kind = Kind { namespace: Some("acme"), ..moorage("RuntimeTask", "runtimetasks") };
const RUNTIMES: Kind = Kind { namespace: Some("acme"), ..moorage("Runtime", "runtimes") };
const POLICY: &str = "moorage-runtimetasks";

pub fn task(name: &str) -> Value {
    TASKS.object(name, &json!({"runtimeRef": {"name": "ops"}, "type": "Start", "operationID": "op-2"}))
}

#[tokio::test]
async fn the_operator_writes_them() {
    let status = json!({"status": {"state": "completed"}});
    for what in [
        Try::Create(task("new")),
        Try::Change("past", json!({"metadata": {"labels": {"a": "b"}}})),
        Try::ChangeSub("past", "status", status),
        Try::Delete("past"),
    ] {
        TASKS.expect(&[Who::Operator], what, &Verdict::Allowed).await;
    }
}

#[tokio::test]
async fn tenants_and_the_platform_ask_for_things_and_nobody_else_says_how_it_went() {
    let asked = |name: &str| TASKS.object(name, &json!({"runtimeRef": {"name": "ops"}, "type": "Restart"}));
    TASKS.expect(&[Who::Tenant, Who::ClusterAdmin], Try::Create(asked("asked")), &Verdict::Allowed).await;
}

#[tokio::test]
async fn nobody_else_creates_a_record_or_says_how_it_went() {
    let others = [Who::Tenant, Who::PlatformUser, Who::ClusterAdmin, Who::Masters];
    let status = json!({"status": {"state": "failed"}});
    TASKS.expect(&others, Try::Create(task("new")), &policy(POLICY)).await;
    TASKS.expect(&others, Try::ChangeSub("past", "status", status), &policy(POLICY)).await;
}

#[tokio::test]
async fn a_tenant_may_clear_its_history_away() {
    TASKS.expect(&[Who::Tenant], Try::Delete("past"), &Verdict::Allowed).await;
    TASKS.expect(&[Who::Tenant], Try::DeleteAll, &Verdict::Allowed).await;
}

#[tokio::test]
async fn the_garbage_collector_removes_those_of_a_runtime_that_is_gone() {
    let runtimes = RUNTIMES.api(Who::Tenant.client().await);
    let runtime = serde_json::from_value(RUNTIMES.object("brief", &json!({}))).unwrap();
    let runtime = runtimes.create(&PostParams::default(), &runtime).await.unwrap();
    let mut owned = task("owned");
    owned["metadata"]["ownerReferences"] = json!([{"apiVersion": "moorage.dev/v1alpha1", "kind": "Runtime",
        "name": "brief", "uid": runtime.metadata.uid}]);
    let tasks = TASKS.api(Who::Operator.client().await);
    tasks.create(&PostParams::default(), &serde_json::from_value(owned).unwrap()).await.unwrap();
    runtimes.delete("brief", &DeleteParams::default()).await.unwrap();
    eventually("the task gone", Duration::from_secs(20), async || {
        ensure!(tasks.get_opt("owned").await?.is_none(), "still there");
        Ok(())
    })
    .await
    .unwrap();
}
