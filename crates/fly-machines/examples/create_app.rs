//! Creates an app with addresses and one Machine, and waits until it has started.
//!
//! ```sh
//! FLY_API_TOKEN=$(fly tokens create org) cargo run -p fly-machines --example create_app -- my-org my-app fra
//! ```
//! `FLY_FLAPS_BASE_URL` names another server, such as a simulator.
#![allow(clippy::print_stdout, reason = "it is a program that prints")]

use std::time::{Duration, Instant};

use fly_machines::types::{
    AssignIp, Check, CreateApp, CreateMachine, Guest, IpKind, MachineConfig, MachineState, Service,
    ServicePort, WaitFor, WaitOutcome,
};
use fly_machines::{Client, DEFAULT_BASE_URL, Error, ErrorClass, TokenSource};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [org, app, region] = arguments.as_slice() else {
        return Err("usage: create_app ORG APP REGION".into());
    };
    let token = std::env::var("FLY_API_TOKEN").map_err(|_| "FLY_API_TOKEN isn't set")?;
    let base = std::env::var("FLY_FLAPS_BASE_URL").unwrap_or_else(|_| DEFAULT_BASE_URL.to_owned());
    let client = Client::builder(TokenSource::fixed(token)).base_url(base).build()?;

    ensure_app(&client, org, app).await?;
    for kind in [IpKind::V6, IpKind::SharedV4] {
        ensure_address(&client, app, kind).await?;
    }
    let machine = ensure_machine(&client, app, region).await?;
    println!("{machine} is created");
    let deadline = Instant::now() + Duration::from_mins(3);
    while Instant::now() < deadline {
        let wait = WaitFor::state(MachineState::Started).timeout(Duration::from_secs(30));
        if let WaitOutcome::Reached(_) = client.machines(app).wait(&machine, &wait).await? {
            println!("{machine} has started: https://{app}.fly.dev");
            return Ok(());
        }
    }
    Err("it hasn't started within 3 minutes".into())
}

/// A name that is taken is fine if the app is ours.
async fn ensure_app(client: &Client, org: &str, app: &str) -> Result<(), Error> {
    match client.apps().create(&CreateApp::new(app, org)).await {
        Err(error) if matches!(error.class(), ErrorClass::NameTaken | ErrorClass::Ambiguous) => {
            if client.apps().get(app).await?.belongs_to(org) { Ok(()) } else { Err(error) }
        }
        created => created.map(drop),
    }
}

async fn ensure_address(client: &Client, app: &str, kind: IpKind) -> Result<(), Error> {
    if client.addresses(app).list().await?.iter().any(|address| address.kind() == kind) {
        return Ok(());
    }
    let address = client.addresses(app).assign(&AssignIp::new(kind)).await?;
    println!("{} is assigned", address.ip);
    Ok(())
}

/// The name makes the creation repeatable: a second one is told which Machine has it.
async fn ensure_machine(client: &Client, app: &str, region: &str) -> Result<String, Error> {
    let request = CreateMachine::new(config()).name("web").region(region);
    match client.machines(app).create(&request).await {
        Ok(machine) => Ok(machine.id),
        Err(error) => error.existing_machine().map(str::to_owned).ok_or(error),
    }
}

fn config() -> MachineConfig {
    let service = Service {
        internal_port: Some(80),
        ports: vec![ServicePort::http_redirect(), ServicePort::https()],
        autostart: Some(true),
        ..Service::default()
    };
    MachineConfig {
        image: "registry-1.docker.io/library/nginx:1.29".into(),
        guest: Some(Guest::shared(1, 256)),
        checks: [("http".to_owned(), Check::http(80, "/"))].into(),
        services: vec![service],
        ..MachineConfig::default()
    }
}
