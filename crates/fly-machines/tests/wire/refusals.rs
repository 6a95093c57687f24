//! What the API refuses, and the class it has here.

use fly_machines::types::{
    AssignIp, CreateApp, CreateMachine, CreateVolume, Exec, IpKind, MachineState, Mount, StopMachine,
    UpdateMachine,
};
use fly_machines::{Client, Error, ErrorClass, Outcome};

use crate::simulator::{ORG, Simulator, app_with_machine, config, wait};

fn assert_refused(error: &Error, class: ErrorClass) {
    assert_eq!((error.class(), error.outcome()), (class, Outcome::Refused), "{error:?}");
    assert!(error.request_id().is_some(), "{error:?}");
    assert!(!error.message().contains(error.request_id().unwrap_or("-")));
}

#[tokio::test]
async fn names_that_are_taken() {
    let simulator = Simulator::start().await;
    let client = simulator.client();
    let machine = app_with_machine(&client, "one").await;
    let error = client.apps().create(&CreateApp::new("one", ORG)).await.unwrap_err();
    assert_refused(&error, ErrorClass::NameTaken);
    let again = CreateMachine::new(config()).name("web");
    let error = client.machines("one").create(&again).await.unwrap_err();
    assert_refused(&error, ErrorClass::NameTaken);
    assert_eq!(error.existing_machine(), Some(machine.id.as_str()));
    let error = client.apps().create(&CreateApp::new("Not A Name", ORG)).await.unwrap_err();
    assert_refused(&error, ErrorClass::Invalid);
}

#[tokio::test]
async fn things_that_are_not_there() {
    let simulator = Simulator::start().await;
    let client = simulator.client();
    assert_refused(&client.apps().get("nobody").await.unwrap_err(), ErrorClass::NotFound);
    client.apps().create(&CreateApp::new("one", ORG)).await.unwrap();
    let error = client.machines("one").get("3d8d9014b32d89").await.unwrap_err();
    assert_refused(&error, ErrorClass::NotFound);
    let error = client.volumes("one").get("vol_0000000000000000").await.unwrap_err();
    assert_refused(&error, ErrorClass::NotFound);
    let mut config = config();
    config.mounts =
        vec![Mount { volume: "vol_0000000000000000".into(), path: "/d".into(), ..Mount::default() }];
    let error = client.machines("one").create(&CreateMachine::new(config)).await.unwrap_err();
    assert_refused(&error, ErrorClass::VolumeMissing);
    let error = client.addresses("one").assign(&AssignIp::new(IpKind::Other("v5".into()))).await.unwrap_err();
    assert_refused(&error, ErrorClass::Invalid);
}

#[tokio::test]
async fn states_that_do_not_allow_it() {
    let simulator = Simulator::start().await;
    let client = simulator.client();
    let machine = app_with_machine(&client, "one").await;
    client.machines("one").stop(&machine.id, &StopMachine::default()).await.unwrap();
    wait(&client, "one", &machine.id, MachineState::Stopped).await;
    let error = client.machines("one").exec(&machine.id, &Exec::new(["true"])).await.unwrap_err();
    assert_refused(&error, ErrorClass::WrongState);
    let stale = UpdateMachine::new(config()).if_version("01AAAAAAAAAAAAAAAAAAAAAAAA");
    let error = client.machines("one").update(&machine.id, &stale).await.unwrap_err();
    assert!(
        matches!(error.class(), ErrorClass::Conflict | ErrorClass::WrongState),
        "a version that isn't current: {error:?}"
    );
}

#[tokio::test]
async fn a_volume_has_one_machine() {
    let simulator = Simulator::start().await;
    let client = simulator.client();
    client.apps().create(&CreateApp::new("one", ORG)).await.unwrap();
    let volume = client.volumes("one").create(&CreateVolume::new("data", "fra", 1)).await.unwrap().id;
    let first = create_on(&client, &volume, "a").await.unwrap();
    wait(&client, "one", &first, MachineState::Started).await;
    let error = create_on(&client, &volume, "b").await.unwrap_err();
    assert_refused(&error, ErrorClass::Settling);
    let error = client.volumes("one").delete(&volume).await.unwrap_err();
    assert_refused(&error, ErrorClass::Settling);
}

async fn create_on(client: &Client, volume: &str, name: &str) -> Result<String, Error> {
    let mut config = config();
    config.mounts = vec![Mount { volume: volume.into(), path: "/data".into(), ..Mount::default() }];
    let request = CreateMachine::new(config).name(name).region("fra");
    client.machines("one").create(&request).await.map(|machine| machine.id)
}

#[tokio::test]
async fn a_machine_that_has_not_settled() {
    let simulator = Simulator::with(&["--profile", "warm", "--rate-limits", "off"]).await;
    let client = simulator.client();
    client.apps().create(&CreateApp::new("one", ORG)).await.unwrap();
    let machine = client.machines("one").create(&CreateMachine::new(config())).await.unwrap();
    assert_eq!(machine.state, MachineState::Created);
    let error = client.machines("one").start(&machine.id).await.unwrap_err();
    assert_refused(&error, ErrorClass::Settling);
    assert!(error.class().is_transient());
}

#[tokio::test]
async fn too_many_requests() {
    let simulator = Simulator::with(&["--profile", "instant", "--rate-limits", "on"]).await;
    let client = simulator.client();
    client.apps().create(&CreateApp::new("one", ORG)).await.unwrap();
    for _ in 0..5 {
        client.addresses("one").list().await.expect("a 429 is waited out");
    }
    assert!(client.budget().throttled_total > 0);
}
