//! An app from nothing to running, changed, and away.

use std::collections::BTreeMap;
use std::time::Duration;

use fly_machines::types::{
    AppDeletion, AssignIp, CreateApp, CreateMachine, CreateVolume, Exec, IpKind, ListMachines,
    MachineDeletion, MachineState, Mount, Service, ServicePort, StopMachine, UpdateMachine, UpdateVolume,
};
use fly_machines::{Client, ErrorClass};
use secrecy::SecretString;

use crate::simulator::{ORG, Simulator, config, wait};

const APP: &str = "acme-ops";

#[tokio::test]
async fn an_app_comes_runs_changes_and_goes() {
    let simulator = Simulator::start().await;
    let client = simulator.client();
    make_app(&client).await;
    let secrets = set_secrets(&client).await;
    let volume = make_volume(&client).await;
    let machine = make_machine(&client, secrets, &volume).await;
    run_a_command(&client, &machine).await;
    stop_and_start(&client, &machine).await;
    change(&client, &machine).await;
    destroy(&client, &machine, &volume).await;
}

async fn make_app(client: &Client) {
    client.apps().create(&CreateApp::new(APP, ORG).network("m-1")).await.unwrap();
    let app = client.apps().get(APP).await.unwrap();
    assert_eq!((app.name.as_str(), app.network.as_str()), (APP, "m-1"));
    assert!(app.belongs_to(ORG));
    assert!(client.apps().list(ORG).await.unwrap().iter().any(|app| app.name == APP));
    for kind in [IpKind::V6, IpKind::SharedV4] {
        let address = client.addresses(APP).assign(&AssignIp::new(kind.clone())).await.unwrap();
        assert_eq!(address.kind(), kind);
    }
    assert_eq!(client.addresses(APP).list().await.unwrap().len(), 2);
}

async fn set_secrets(client: &Client) -> u64 {
    let secrets = client.secrets(APP);
    let first = secrets.set("OLD", &SecretString::from("1")).await.unwrap().version;
    let values: BTreeMap<_, _> =
        [("KEY".to_owned(), Some(SecretString::from("v"))), ("OLD".to_owned(), None)].into();
    let answer = secrets.update(&values).await.unwrap();
    assert!(answer.version > first, "{} after {first}", answer.version);
    let names: Vec<_> = secrets.list().await.unwrap().into_iter().map(|secret| secret.name).collect();
    assert_eq!(names, ["KEY"]);
    answer.version
}

async fn make_volume(client: &Client) -> String {
    let volumes = client.volumes(APP);
    let volume = volumes.create(&CreateVolume::new("data", "fra", 1)).await.unwrap();
    assert_eq!((volume.size_gb, volume.region.as_str(), volume.attached_to()), (1, "fra", None));
    let update = UpdateVolume { snapshot_retention: Some(7), ..UpdateVolume::default() };
    assert_eq!(volumes.update(&volume.id, &update).await.unwrap().snapshot_retention, Some(7));
    assert_eq!(volumes.extend(&volume.id, 2).await.unwrap().volume.size_gb, 2);
    volume.id
}

async fn make_machine(client: &Client, secrets: u64, volume: &str) -> String {
    let mut config = config();
    config.mounts = vec![Mount { volume: volume.into(), path: "/data".into(), ..Mount::default() }];
    config.services = vec![Service {
        internal_port: Some(3000),
        ports: vec![ServicePort::http_redirect(), ServicePort::https()],
        ..Service::default()
    }];
    let request = CreateMachine {
        min_secrets_version: Some(secrets),
        ..CreateMachine::new(config).name("gateway").region("fra")
    };
    let machine = client.machines(APP).create(&request).await.unwrap();
    wait(client, APP, &machine.id, MachineState::Started).await;
    let read = client.machines(APP).get(&machine.id).await.unwrap();
    assert_eq!(
        (read.name.as_str(), read.region.as_str(), &read.state),
        ("gateway", "fra", &MachineState::Started)
    );
    assert!(read.image_digest().is_some());
    assert_eq!(client.volumes(APP).get(volume).await.unwrap().attached_to(), Some(machine.id.as_str()));
    let listed = client.machines(APP).list(&ListMachines::default()).await.unwrap();
    assert_eq!(listed.len(), 1);
    machine.id
}

async fn run_a_command(client: &Client, machine: &str) {
    let exec = Exec::new(["true"]).timeout(Duration::from_secs(5));
    assert!(client.machines(APP).exec(machine, &exec).await.unwrap().succeeded());
    let events = client.machines(APP).events(machine, 10).await.unwrap();
    assert!(events.iter().any(|event| event.kind == "start" && event.status == "started"), "{events:?}");
}

async fn stop_and_start(client: &Client, machine: &str) {
    let machines = client.machines(APP);
    machines.stop(machine, &StopMachine::default()).await.unwrap();
    wait(client, APP, machine, MachineState::Stopped).await;
    machines.stop(machine, &StopMachine::default()).await.expect("a stop again is fine");
    assert_eq!(machines.start(machine).await.unwrap().previous_state, MachineState::Stopped);
    wait(client, APP, machine, MachineState::Started).await;
    machines.cordon(machine).await.unwrap();
    machines.uncordon(machine).await.unwrap();
}

async fn change(client: &Client, machine: &str) {
    let before = client.machines(APP).get(machine).await.unwrap();
    let mut config = *before.config.clone().unwrap();
    config.env.insert("LLM_MODEL".into(), "a".into());
    let update = UpdateMachine::new(config).if_version(before.version());
    client.machines(APP).update(machine, &update).await.unwrap();
    wait(client, APP, machine, MachineState::Started).await;
    let after = client.machines(APP).get(machine).await.unwrap();
    assert_ne!(after.version(), before.version());
    let config = after.config.unwrap();
    assert_eq!(config.env.get("LLM_MODEL").map(String::as_str), Some("a"));
    assert_eq!(config.services, before.config.unwrap().services);
    assert!(client.machines(APP).versions(machine).await.unwrap().len() >= 2);
}

async fn destroy(client: &Client, machine: &str, volume: &str) {
    client.volumes(APP).create_snapshot(volume).await.unwrap();
    let snapshots = client.volumes(APP).snapshots(volume).await.unwrap();
    assert_eq!(snapshots.len(), 1);
    let running = client.machines(APP).delete(machine, MachineDeletion::IfStopped).await.unwrap_err();
    assert_eq!(running.class(), ErrorClass::WrongState);
    client.machines(APP).delete(machine, MachineDeletion::Force).await.unwrap();
    wait(client, APP, machine, MachineState::Destroyed).await;
    client.volumes(APP).delete(volume).await.unwrap();
    client.apps().delete(APP, AppDeletion::Force).await.unwrap();
    assert!(client.apps().get(APP).await.unwrap_err().is_not_found());
    assert!(client.apps().delete(APP, AppDeletion::Force).await.unwrap_err().is_not_found());
}
