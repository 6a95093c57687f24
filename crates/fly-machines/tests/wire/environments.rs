//! A world without room, with quotas, silent hosts and missing images: each has its class.

use fly_machines::types::{
    CreateApp, CreateMachine, CreateVolume, ListMachines, Machine, MachineState, Mount, StopMachine,
};
use fly_machines::{CapacityScope, Client, Error, ErrorClass};
use serde_json::{Value, json};

use crate::simulator::{ORG, Simulator, app_with_machine, config, wait};

async fn set(simulator: &Simulator, environment: Value) {
    let body = json!({ "environment": environment });
    simulator.control(reqwest::Method::POST, "faults", &body).await;
}

async fn simulator_with_app() -> (Simulator, Client) {
    let simulator = Simulator::start().await;
    let client = simulator.client();
    client.apps().create(&CreateApp::new("one", ORG)).await.unwrap();
    (simulator, client)
}

async fn create(client: &Client, mounts: Vec<Mount>) -> Result<Machine, Error> {
    let mut config = config();
    config.mounts = mounts;
    client.machines("one").create(&CreateMachine::new(config).region("fra")).await
}

fn on(volume: &str) -> Vec<Mount> {
    vec![Mount { volume: volume.into(), path: "/data".into(), ..Mount::default() }]
}

#[tokio::test]
async fn a_full_region_takes_neither_machine_nor_volume() {
    let (simulator, client) = simulator_with_app().await;
    set(&simulator, json!({"kind": "region_capacity", "region": "fra"})).await;
    set(&simulator, json!({"kind": "volume_capacity", "region": "fra"})).await;
    let error = create(&client, Vec::new()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Capacity(CapacityScope::Region), "{error:?}");
    let error = client.volumes("one").create(&CreateVolume::new("data", "fra", 1)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Capacity(CapacityScope::Region), "{error:?}");
    client.volumes("one").create(&CreateVolume::new("data", "ams", 1)).await.unwrap();
}

#[tokio::test]
async fn a_full_host_is_told_apart_for_a_volume_and_for_a_start() {
    let (simulator, client) = simulator_with_app().await;
    let volume = client.volumes("one").create(&CreateVolume::new("data", "fra", 1)).await.unwrap().id;
    set(&simulator, json!({"kind": "host_full", "on": volume})).await;
    let error = create(&client, on(&volume)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Capacity(CapacityScope::VolumePlacement), "{error:?}");

    let machine = app_with_machine(&client, "two").await.id;
    client.machines("two").stop(&machine, &StopMachine::default()).await.unwrap();
    wait(&client, "two", &machine, MachineState::Stopped).await;
    for of in ["memory", "cpus", "ips", "resources"] {
        simulator.control(reqwest::Method::DELETE, "faults", &json!({})).await;
        set(&simulator, json!({"kind": "host_full", "on": machine, "of": of})).await;
        let error = client.machines("two").start(&machine).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Capacity(CapacityScope::Host), "{of}: {error:?}");
    }
}

#[tokio::test]
async fn a_host_that_does_not_answer() {
    let (simulator, client) = simulator_with_app().await;
    let machine = app_with_machine(&client, "two").await.id;
    set(&simulator, json!({"kind": "host_unreachable", "on": machine})).await;
    let read = client.machines("two").get(&machine).await.unwrap();
    assert!(read.host_is_unreachable() && read.config.is_none() && read.incomplete_config.is_some());
    let error = client.machines("two").stop(&machine, &StopMachine::default()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::HostUnreachable, "{error:?}");

    simulator.control(reqwest::Method::DELETE, "faults", &json!({})).await;
    set(&simulator, json!({"kind": "host_maintenance", "on": machine})).await;
    let update = fly_machines::types::UpdateMachine::new(config());
    let error = client.machines("two").update(&machine, &update).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::HostUnreachable, "{error:?}");
}

#[tokio::test]
async fn a_host_of_which_nobody_knows_how_it_is() {
    let (simulator, client) = simulator_with_app().await;
    let machine = app_with_machine(&client, "two").await.id;
    assert!(client.machines("two").get(&machine).await.unwrap().is_known_in_full());
    set(&simulator, json!({"kind": "host_unknown", "on": machine})).await;
    let read = client.machines("two").get(&machine).await.unwrap();
    assert!(read.config.is_none() && read.incomplete_config.is_some());
    assert!(!read.host_is_unreachable() && !read.is_known_in_full());
}

#[tokio::test]
async fn a_quota_and_a_missing_image() {
    let (simulator, client) = simulator_with_app().await;
    set(&simulator, json!({"kind": "image_failure", "how": "manifest_unknown"})).await;
    let error = create(&client, Vec::new()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::ImageMissing, "{error:?}");
    simulator.control(reqwest::Method::DELETE, "faults", &json!({})).await;
    set(&simulator, json!({"kind": "machine_quota", "org": ORG, "machines": 0})).await;
    let error = create(&client, Vec::new()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Quota, "{error:?}");
    simulator.control(reqwest::Method::DELETE, "faults", &json!({})).await;
    set(&simulator, json!({"kind": "memory_quota", "org": ORG, "megabytes": 1})).await;
    let error = create(&client, Vec::new()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Quota, "{error:?}");
    assert!(!error.message().contains("256"), "what is in use changes: {}", error.message());
}

#[tokio::test]
async fn a_start_that_policy_blocks() {
    let (simulator, client) = simulator_with_app().await;
    let machine = app_with_machine(&client, "two").await.id;
    client.machines("two").stop(&machine, &StopMachine::default()).await.unwrap();
    wait(&client, "two", &machine, MachineState::Stopped).await;
    set(&simulator, json!({"kind": "start_blocked"})).await;
    let error = client.machines("two").start(&machine).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::PolicyBlocked, "{error:?}");
}

#[tokio::test]
async fn answers_with_nulls_and_unknown_fields_are_read() {
    let (simulator, client) = simulator_with_app().await;
    simulator.control(reqwest::Method::POST, "settings", &json!({"quirks": "full"})).await;
    let machine = app_with_machine(&client, "two").await;
    let read = client.machines("two").get(&machine.id).await.unwrap();
    let update = fly_machines::types::UpdateMachine::new(*read.config.clone().unwrap());
    client.machines("two").update(&machine.id, &update.if_version(read.version())).await.unwrap();
    wait(&client, "two", &machine.id, MachineState::Started).await;
    assert_eq!(client.machines("two").list(&ListMachines::default()).await.unwrap().len(), 1);
    assert!(client.machines("one").list(&ListMachines::default()).await.unwrap().is_empty());
    assert!(client.volumes("one").list().await.unwrap().is_empty());
    assert!(client.addresses("one").list().await.unwrap().is_empty());
    assert!(client.secrets("one").list().await.unwrap().is_empty());
    client.platform().regions().await.unwrap();
}

#[tokio::test]
async fn answers_that_end_early_or_are_no_json() {
    let (simulator, client) = simulator_with_app().await;
    for (kind, method, class) in [
        ("truncate", "GET", ErrorClass::Unavailable),
        ("malformed", "GET", ErrorClass::BadAnswer),
        ("truncate", "POST", ErrorClass::Ambiguous),
        ("malformed", "POST", ErrorClass::Ambiguous),
    ] {
        let matching = json!({"method": method, "route": "/v1/apps*", "app": "one"});
        let rule = json!({"match": matching, "action": {"kind": kind}});
        simulator.control(reqwest::Method::POST, "faults", &rule).await;
        let error = match method {
            "GET" => client.apps().get("one").await.unwrap_err(),
            _ => create(&client, Vec::new()).await.unwrap_err(),
        };
        assert_eq!(error.class(), class, "{kind} {method}: {error:?}");
        simulator.control(reqwest::Method::DELETE, "faults", &json!({})).await;
    }
}
