use std::time::Duration;

use anyhow::bail;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::TypeMeta;
use serde_json::{Value, json};
use testbed::{api_for, eventually};

use crate::world::{PATIENCE, World, condition};

/// The namespace's tasks, oldest first.
async fn tasks(world: &World) -> Vec<Value> {
    let listed = world.api("RuntimeTask").await.list(&ListParams::default()).await.unwrap();
    let mut all: Vec<Value> = listed.into_iter().map(|task| serde_json::to_value(task).unwrap()).collect();
    all.sort_by_key(|task| task["status"]["startTime"].as_str().unwrap_or_default().to_owned());
    all
}

async fn task(world: &World, type_: &str, state: &str) -> Value {
    eventually(&format!("a task {type_} to be {state}"), PATIENCE, async || {
        let all = tasks(world).await;
        let found = all.iter().find(|task| task["spec"]["type"] == type_ && task["status"]["state"] == state);
        match found {
            Some(task) => Ok(task.clone()),
            None => bail!("there are {all:#?}"),
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn each_operation_leaves_a_task_with_its_log() {
    let world = World::new("history-life").await;
    world.workspace("main", "history-life", "members: []").await;
    world.runtime("ops").await;
    world.state("Runtime", "ops", "running").await;
    let made = task(&world, "Provision", "completed").await;
    assert!(made["metadata"]["name"].as_str().unwrap().starts_with("ops-provision-"), "{made}");
    assert_eq!(made["metadata"]["labels"]["moorage.dev/runtime"], "ops");
    assert_eq!(made["metadata"]["ownerReferences"][0]["uid"], world.uid("Runtime", "ops").await);
    assert_eq!(condition(&made, "Ready")["reason"], "Completed");
    let log: Vec<&str> = made["status"]["log"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for effect in ["ClaimSlug", "CreateApp", "CreateVolume", "CreateMachine"] {
        assert!(log.iter().any(|line| line.ends_with(effect)), "{effect} is not in {log:#?}");
    }
    assert!(!made["status"]["finishTime"].is_null());

    // Times have whole seconds: the newest is to be told from the rest.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    world.patch("Runtime", "ops", json!({"spec": {"powerState": "Stopped"}})).await;
    task(&world, "Stop", "completed").await;
    let shown = world
        .until("Workspace", "main", "show the newest task first", |workspace| {
            workspace["status"]["recentTasks"][0]["type"] == "Stop"
        })
        .await;
    let recent = &shown["status"]["recentTasks"];
    assert_eq!(recent[0]["runtime"], "ops");
    assert_eq!(recent[1]["type"], "Provision");
    world.at_rest().await;

    world.delete("Runtime", "ops").await;
    world.gone("Runtime", "ops").await;
    let destroyed = task(&world, "Destroy", "completed").await;
    assert!(destroyed["metadata"]["ownerReferences"].is_null());
    eventually("the other tasks to go with their Runtime", PATIENCE, async || {
        let left = tasks(&world).await.len();
        if left == 1 { Ok(()) } else { bail!("{left} are left") }
    })
    .await
    .unwrap();
    world.at_rest().await;
}

#[tokio::test]
async fn a_runtime_keeps_its_newest_five() {
    let world = World::new("history-many").await;
    world.workspace("main", "history-many", "members: []").await;
    world.runtime("ops").await;
    world.state("Runtime", "ops", "running").await;
    // Times have whole seconds: the oldest is to be told from the rest.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    for _ in 0..3 {
        world.patch("Runtime", "ops", json!({"spec": {"powerState": "Stopped"}})).await;
        world.state("Runtime", "ops", "stopped").await;
        world.patch("Runtime", "ops", json!({"spec": {"powerState": "Running"}})).await;
        world.state("Runtime", "ops", "running").await;
    }
    eventually("five tasks to be left", PATIENCE, async || {
        let all = tasks(&world).await;
        let provision = all.iter().any(|task| task["spec"]["type"] == "Provision");
        let told: Vec<String> = all
            .iter()
            .map(|task| format!("{} {}", task["metadata"]["name"], task["status"]["state"]))
            .collect();
        if all.len() == 5 && !provision { Ok(()) } else { bail!("there are {told:#?}") }
    })
    .await
    .unwrap();
    world.at_rest().await;
}

#[tokio::test]
async fn a_task_that_somebody_else_made_fails() {
    let world = World::new("history-forged").await;
    world.workspace("main", "history-forged", "members: []").await;
    // The admission policy that keeps tasks the operator's own is set aside for one that stood before it did.
    let binding = policy_binding(&world).await;
    binding.delete("moorage-runtimetasks", &kube::api::DeleteParams::default()).await.unwrap();
    let forged = "{apiVersion: moorage.dev/v1alpha1, kind: RuntimeTask, \
                  metadata: {name: mine, namespace: history-forged}, \
                  spec: {runtimeRef: {name: ops}, type: Restart, operationID: mine}}";
    eventually("the policy to be gone", PATIENCE, async || {
        testbed::apply(&world.client, forged).await.map(drop)
    })
    .await
    .unwrap();
    let failed = world.state("RuntimeTask", "mine", "failed").await;
    assert_eq!(condition(&failed, "Ready")["reason"], "NotRequestable");
    assert_eq!(condition(&failed, "Stalled")["status"], "True");
    world.at_rest().await;
}

async fn policy_binding(world: &World) -> Api<DynamicObject> {
    let types = TypeMeta {
        api_version: "admissionregistration.k8s.io/v1".into(),
        kind: "ValidatingAdmissionPolicyBinding".into(),
    };
    api_for(&world.client, &types, None).await.unwrap()
}

#[tokio::test]
async fn whoever_describes_an_object_is_told_what_it_came_to() {
    let world = World::new("history-events").await;
    world.workspace("main", "history-events", "members: []").await;
    world
        .apply(
            "{apiVersion: moorage.dev/v1alpha1, kind: Runtime, metadata: {name: bad, namespace: history-events}, \
             spec: {blueprintRef: {name: missing}}}",
        )
        .await;
    let types = TypeMeta { api_version: "events.k8s.io/v1".into(), kind: "Event".into() };
    let events = api_for(&world.client, &types, Some("history-events")).await.unwrap();
    for (kind, name, type_, reason) in
        [("Runtime", "bad", "Warning", "BlueprintNotFound"), ("Workspace", "main", "Normal", "Active")]
    {
        eventually(&format!("an event {reason}"), PATIENCE, async || {
            let all = events.list(&ListParams::default()).await?.items;
            let told = all.iter().any(|event| {
                let data = &event.data;
                data["regarding"]["kind"] == kind
                    && data["regarding"]["name"] == name
                    && data["type"] == type_
                    && data["reason"] == reason
            });
            if told { Ok(()) } else { bail!("{} events, and not this", all.len()) }
        })
        .await
        .unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.at_rest().await;
}
