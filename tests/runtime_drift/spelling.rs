//! How the simulated Fly reports what it was asked for is no drift.

use fly_machines::types as fly;
use fly_machines::{Client, TokenSource};
use moorage::control::runtime::desired::metadata;
use moorage::control::runtime::drift::{drift, mark};
use testbed::{FlySim, FlySimOptions};

/// One of each field that is compared.
fn config() -> fly::MachineConfig {
    let mut config = fly::MachineConfig {
        image: "ghcr.io/openclaw/openclaw:2026.9.6".into(),
        guest: Some(fly::Guest::shared(2, 2048)),
        init: Some(fly::Init { cmd: vec!["node".into(), "x.js".into()], ..fly::Init::default() }),
        services: vec![fly::Service {
            protocol: Some(fly::Protocol::Tcp),
            internal_port: Some(18789),
            ports: vec![fly::ServicePort::http_redirect(), fly::ServicePort::https()],
            autostop: Some(fly::Autostop::Suspend),
            autostart: Some(true),
            min_machines_running: Some(0),
            ..fly::Service::default()
        }],
        restart: Some(fly::Restart {
            policy: Some(fly::RestartPolicy::OnFailure),
            ..fly::Restart::default()
        }),
        stop_config: Some(fly::StopConfig {
            timeout: Some(fly::WireDuration::from_secs(60)),
            signal: Some("SIGTERM".into()),
            ..fly::StopConfig::default()
        }),
        files: vec![fly::File { mode: Some(0o644), ..fly::File::raw("/etc/x", "eA==") }],
        ..fly::MachineConfig::default()
    };
    config.env.insert("A".into(), "b".into());
    let check = fly::Check {
        interval: Some(fly::WireDuration::from_secs(15)),
        timeout: Some(fly::WireDuration::from_secs(90)),
        method: Some("GET".into()),
        ..fly::Check::http(18789, "/healthz")
    };
    config.checks.insert("gateway".into(), check);
    let asked = mark(&config);
    config.metadata.insert(metadata::ASKED.into(), asked);
    config
}

#[tokio::test]
async fn what_is_asked_for_is_reported_as_the_same() {
    let sim = FlySim::start(FlySimOptions::default()).await.unwrap();
    let token = TokenSource::fixed("FlyV1 fm2_testbed".to_owned());
    let client = Client::builder(token).base_url(sim.api_url()).build().unwrap();
    client.apps().create(&fly::CreateApp::new("words", sim.organization())).await.unwrap();
    let request = fly::CreateMachine { config: config(), ..fly::CreateMachine::default() };
    let machines = client.machines("words");
    let made = machines.create(&request).await.unwrap();
    assert_eq!(drift(made.config.as_deref().unwrap()), None);
    let read = machines.get(&made.id).await.unwrap();
    assert_eq!(drift(read.config.as_deref().unwrap()), None);
    let theirs = fly::MachineConfig { guest: Some(fly::Guest::shared(1, 256)), ..*read.config.unwrap() };
    let update = fly::UpdateMachine { config: theirs, ..fly::UpdateMachine::default() };
    let changed = machines.update(&made.id, &update).await.unwrap();
    assert_eq!(drift(changed.config.as_deref().unwrap()).unwrap().changed, ["guest"]);
}
