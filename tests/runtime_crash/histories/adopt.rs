//! An app that was made by hand is adopted, by the program that the platform uses for it.

use std::process::Command;

use anyhow::{Result, ensure};
use fly_machines::types as fly;
use fly_machines::{Client, TokenSource};
use serde_json::Value;
use testbed::Identity;

use crate::support::Tenant;

/// Somebody at Fly.
pub fn client(tenant: &Tenant<'_>) -> Client {
    let token = TokenSource::fixed("FlyV1 fm2_testbed".to_owned());
    Client::builder(token).base_url(tenant.fly.0.api_url()).build().unwrap()
}

/// The app's name, which is that of its slug with more.
fn app(tenant: &Tenant<'_>, name: &str) -> String {
    format!("{}-hand", tenant.slug(name))
}

/// Makes the app, with a volume and a Machine on it.
pub async fn make(tenant: &Tenant<'_>, name: &str) {
    let (client, app) = (client(tenant), app(tenant, name));
    let organization = tenant.fly.0.organization();
    let made = fly::CreateApp::new(app.as_str(), organization).network(format!("hand-of-{app}"));
    client.apps().create(&made).await.unwrap();
    let volume = client.volumes(&app).create(&fly::CreateVolume::new("data", "fra", 3)).await.unwrap();
    let config = fly::MachineConfig {
        image: "ghcr.io/openclaw/openclaw:2026.7.1".into(),
        mounts: vec![fly::Mount { volume: volume.id, path: "/data".into(), ..fly::Mount::default() }],
        ..fly::MachineConfig::default()
    };
    let machine = fly::CreateMachine {
        config,
        name: Some("claw".into()),
        region: Some("fra".into()),
        ..fly::CreateMachine::default()
    };
    client.machines(&app).create(&machine).await.unwrap();
}

/// Has it adopted.
pub async fn adopt(tenant: &Tenant<'_>, name: &str) -> Result<()> {
    let kubeconfig = tenant.cluster.kubeconfig(&Identity::Admin).await?;
    let config = tenant.cluster.dir().join("adopt.yaml");
    std::fs::write(&config, settings(tenant).to_string())?;
    let (app, slug) = (app(tenant, name), tenant.slug(name));
    let arguments = ["adopt", "--app", &app, "--namespace", &tenant.namespace, "--name", name];
    let mut command = tokio::process::Command::from(Command::new(env!("CARGO_BIN_EXE_moorage")));
    command.args(arguments).args(["--plan", "small", "--slug", &slug]);
    let output = command.env("KUBECONFIG", kubeconfig).env("MOORAGE_CONFIG", config).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// As much of the operator's configuration as the program needs.
fn settings(tenant: &Tenant<'_>) -> Value {
    let token = tenant.cluster.dir().join("fly-token");
    std::fs::write(&token, "FlyV1 fm2_testbed").unwrap();
    serde_json::json!({
        "clusterID": crate::scene::CLUSTER,
        "fly": {"organization": tenant.fly.0.organization(), "apiURL": tenant.fly.0.api_url(), "tokenFile": token},
    })
}
