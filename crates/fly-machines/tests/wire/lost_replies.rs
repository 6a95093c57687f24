//! An effect whose reply is lost is ambiguous, and found by looking.

use fly_machines::types::{CreateApp, CreateMachine, ListMachines};
use fly_machines::{ErrorClass, Outcome};
use serde_json::json;

use crate::simulator::{ORG, Simulator, config};

#[tokio::test]
async fn a_machine_whose_creation_was_not_answered_is_found_by_its_name() {
    let simulator = Simulator::start().await;
    let client = simulator.client();
    client.apps().create(&CreateApp::new("one", ORG)).await.unwrap();
    let rule = json!({
        "match": {"method": "POST", "route": "/v1/apps/{app}/machines", "ordinal": 1},
        "action": {"kind": "drop_reply"}
    });
    simulator.control(reqwest::Method::POST, "faults", &rule).await;
    let request = CreateMachine::new(config()).name("web");
    let error = client.machines("one").create(&request).await.unwrap_err();
    assert_eq!((error.class(), error.outcome()), (ErrorClass::Ambiguous, Outcome::Unknown), "{error:?}");
    let found = client.machines("one").list(&ListMachines::default()).await.unwrap();
    assert_eq!(found.iter().map(|machine| machine.name.as_str()).collect::<Vec<_>>(), ["web"]);
    let error = client.machines("one").create(&request).await.unwrap_err();
    assert_eq!(error.existing_machine(), Some(found[0].id.as_str()));
}
