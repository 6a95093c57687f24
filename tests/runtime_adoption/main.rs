//! Apps that were made by hand become Runtimes, and apps that nobody claims are shown and removed only when told to.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail loudly, and its helpers are its own"
)]

#[path = "../runtime_support/mod.rs"]
mod support;

mod with_care;

use std::collections::BTreeMap;
use std::process::Command;

use fly_machines::types as fly;
use fly_machines::{Client, TokenSource};
use kube::Api;
use moorage::api::condition::{ConditionType, find};
use moorage::api::{Blueprint, NameClaim};
use secrecy::SecretString;
use serde_json::{Value, json};
use testbed::{Identity, Rig, apply, eventually};

use support::{SOON, Tenant, condition, shared, text};

fn client(rig: &Rig) -> Client {
    let token = TokenSource::fixed("FlyV1 fm2_testbed".to_owned());
    Client::builder(token).base_url(rig.fly.api_url()).build().unwrap()
}

/// The program as the platform's administrator runs it: whether it went well, and what it said.
async fn moorage(rig: &Rig, arguments: &[&str]) -> (bool, String) {
    let kubeconfig = rig.cluster.kubeconfig(&Identity::Admin).await.unwrap();
    let config = rig.operator.log_path().parent().unwrap().join("config.yaml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_moorage"));
    command.args(arguments).env("KUBECONFIG", kubeconfig).env("MOORAGE_CONFIG", config);
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), format!("{out}{err}"))
}

async fn app(rig: &Rig, name: &str, network: Option<&str>) {
    let mut app = fly::CreateApp::new(name, rig.fly.organization());
    if let Some(network) = network {
        app = app.network(network);
    }
    client(rig).apps().create(&app).await.unwrap();
}

async fn volume(rig: &Rig, app: &str) -> String {
    client(rig).volumes(app).create(&fly::CreateVolume::new("data", "fra", 3)).await.unwrap().id
}

async fn machine(rig: &Rig, app: &str, name: &str, volume: &str) -> String {
    let config = fly::MachineConfig {
        image: "ghcr.io/openclaw/openclaw:2026.7.1".into(),
        ..fly::MachineConfig::default()
    };
    machine_with(rig, app, name, volume, config).await
}

async fn machine_with(rig: &Rig, app: &str, name: &str, volume: &str, config: fly::MachineConfig) -> String {
    let mount = fly::Mount { volume: volume.into(), path: "/data".into(), ..fly::Mount::default() };
    let config = fly::MachineConfig { mounts: vec![mount], ..config };
    let request = fly::CreateMachine {
        config,
        name: Some(name.into()),
        region: Some("fra".into()),
        ..fly::CreateMachine::default()
    };
    client(rig).machines(app).create(&request).await.unwrap().id
}

fn calls(ledger: &Value, app: &str) -> Vec<String> {
    let entries = ledger["entries"].as_array().unwrap();
    let effects = entries.iter().filter(|it| it["kind"] == "effect" && it["app"] == app);
    let requests: Vec<u64> = effects.filter_map(|effect| effect["request"].as_u64()).collect();
    let asked = |it: &&Value| {
        it["kind"] == "request" && it["request"].as_u64().is_some_and(|id| requests.contains(&id))
    };
    let named = |it: &Value| format!("{} {}", text(it, "/call/method"), text(it, "/call/route"));
    entries.iter().filter(asked).map(named).collect()
}

fn updates(calls: &[String]) -> usize {
    calls.iter().filter(|call| *call == "POST /v1/apps/{app}/machines/{machine}").count()
}

#[tokio::test]
async fn an_app_made_by_hand_becomes_a_runtime_by_one_restart() {
    let rig = shared().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "adopting").await.unwrap();
    app(rig, "by-hand", None).await;
    let data = volume(rig, "by-hand").await;
    let own = BTreeMap::from([("OWN_KEY".to_owned(), Some(SecretString::from("kept".to_owned())))]);
    client(rig).secrets("by-hand").update(&own).await.unwrap();
    let standing = machine(rig, "by-hand", "claw-1", &data).await;
    let head = tenant.fly.head().await.unwrap();
    let arguments =
        |name| ["adopt", "--app", name, "--namespace", "adopting", "--name", "ops", "--plan", "small"];
    let (well, said) = moorage(rig, &arguments("by-hand")).await;
    assert!(well, "{said}");
    let runtime = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(runtime["status"]["external"]["machineID"], json!(standing));
    assert_eq!(runtime["status"]["external"]["volumeID"], json!(data));
    let done = calls(&tenant.fly.ledger(head).await.unwrap(), "by-hand");
    for made in ["POST /v1/apps", "POST /v1/apps/{app}/machines", "POST /v1/apps/{app}/volumes"] {
        assert!(!done.iter().any(|call| call == made), "{done:?}");
    }
    assert_eq!(updates(&done), 1, "{done:?}");
    let secrets = client(rig).secrets("by-hand").list().await.unwrap();
    assert!(secrets.iter().any(|secret| secret.name == "OWN_KEY"), "its own secret is gone");
    let (well, said) = moorage(rig, &arguments("by-hand")).await;
    assert!(!well && said.contains("is the Runtime adopting/ops already"), "{said}");
}

#[tokio::test]
async fn an_adopted_app_keeps_its_own_secrets_and_loses_what_is_removed_from_the_spec() {
    let rig = shared().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "secretive").await.unwrap();
    app(rig, "secretive-app", None).await;
    let data = volume(rig, "secretive-app").await;
    let value = |text: &str| Some(SecretString::from(text.to_owned()));
    let own = BTreeMap::from(["OWN_KEY", "OTHER"].map(|name| (name.to_owned(), value("kept"))));
    client(rig).secrets("secretive-app").update(&own).await.unwrap();
    machine(rig, "secretive-app", "claw-1", &data).await;
    let arguments = ["adopt", "--app", "secretive-app", "--namespace", "secretive", "--name", "ops"];
    let (well, said) = moorage(rig, &[&arguments[..], &["--plan", "small"]].concat()).await;
    assert!(well, "{said}");
    let labels = json!({"moorage.dev/use": "runtime-env"});
    let keys = json!({"metadata": {"labels": labels}, "stringData": {"api": "one"}});
    tenant.apply("v1", "Secret", "keys", keys).await.unwrap();
    let settled = async |env: Value| {
        tenant.patch("ops", json!({"spec": {"env": env}})).await.unwrap();
        let object = tenant.wait_ready("ops", "running").await.unwrap();
        assert_eq!(condition(&object, "ConfigApplied")["status"], "True");
        let names = client(rig).secrets("secretive-app").list().await.unwrap();
        let mut names: Vec<String> = names.into_iter().map(|secret| secret.name).collect();
        names.sort();
        names
    };
    let from = json!({"secretKeyRef": {"name": "keys", "key": "api"}});
    let all = ["API_KEY", "OPENCLAW_GATEWAY_TOKEN", "OTHER", "OWN_KEY"];
    let declared = json!([{"name": "API_KEY", "valueFrom": from}, {"name": "OTHER", "value": "literal"}]);
    assert_eq!(settled(declared).await, all);
    // What was declared as a literal hid a secret of the app's own; that stays.
    assert_eq!(settled(json!([{"name": "API_KEY", "valueFrom": from}])).await, all);
    assert_eq!(settled(json!([])).await, all[1..]);
}

/// A claim as a deletion under `Snapshot` leaves it, whose snapshot has expired.
fn given_up(name: &str) -> Value {
    let blueprint = json!({"image": "ghcr.io/openclaw/openclaw:2026.7.1", "command": ["node"], "port": 3000,
        "mountPath": "/data", "minimumMemoryMB": 2048, "gateway": {"adapter": "OpenClaw"},
        "healthCheck": {"path": "/healthz", "intervalSeconds": 15, "timeoutSeconds": 5, "gracePeriodSeconds": 60},
        "stop": {"signal": "SIGTERM", "timeoutSeconds": 60}});
    let plan = json!({"name": "small", "cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 3});
    let long_ago = "2020-01-01T00:00:00Z";
    json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "NameClaim", "metadata": {"name": format!("label.{name}")},
        "spec": {"type": "Slug", "name": name, "holder": {"namespace": "leaving", "name": "ops", "uid": "earlier"},
            "runtime": {"identity": name, "app": name, "deletionPolicy": "Snapshot", "volumeID": "vol_0000000000000000",
                "snapshot": {"id": "vs_1", "volumeID": "vol_0000000000000000", "expiryTime": long_ago},
                "pin": {"plan": plan, "blueprint": "openclaw", "blueprintGeneration": 1, "spec": blueprint}},
            "tombstone": {"releaseTime": long_ago, "message": "kept"}}})
}

#[tokio::test]
async fn what_a_name_left_behind_is_freed_once_nothing_is_in_it() {
    let rig = shared().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "leaving").await.unwrap();
    for name in ["empty-one", "with-volume", "of-others"] {
        let network = if name == "of-others" { "theirs".to_owned() } else { format!("m-{name}") };
        app(rig, name, Some(&network)).await;
        apply(&tenant.client, &given_up(name).to_string()).await.unwrap();
    }
    volume(rig, "with-volume").await;
    let claims: Api<NameClaim> = Api::all(tenant.client.clone());
    eventually("two names to be free", SOON, async || {
        for name in ["empty-one", "of-others"] {
            let left = claims.get_opt(&format!("label.{name}")).await?;
            anyhow::ensure!(left.is_none(), "{left:?}");
        }
        Ok(())
    })
    .await
    .unwrap();
    assert!(tenant.fly.standing("empty-one").await.unwrap().is_null(), "the empty app is gone");
    assert!(!tenant.fly.standing("of-others").await.unwrap().is_null(), "that of others isn't");
    let kept = claims.get("label.with-volume").await.unwrap();
    assert!(kept.spec.runtime.is_some() && !tenant.fly.standing("with-volume").await.unwrap().is_null());
}

#[tokio::test]
async fn what_can_t_be_adopted_says_why_and_is_left_alone() {
    let rig = shared().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "refusing").await.unwrap();
    app(rig, "two-machines", None).await;
    let data = volume(rig, "two-machines").await;
    machine(rig, "two-machines", "one", &data).await;
    let other = volume(rig, "two-machines").await;
    machine(rig, "two-machines", "two", &other).await;
    app(rig, "no-machine", None).await;
    for name in ["two-machines", "no-machine"] {
        let arguments =
            ["adopt", "--app", name, "--namespace", "refusing", "--name", "ops", "--plan", "small"];
        let (well, said) = moorage(rig, &arguments).await;
        assert!(!well && said.contains("must have one Machine"), "{said}");
    }
    app(rig, "two-volumes", None).await;
    let data = volume(rig, "two-volumes").await;
    machine(rig, "two-volumes", "one", &data).await;
    let other = volume(rig, "two-volumes").await;
    let arguments =
        ["adopt", "--app", "two-volumes", "--namespace", "refusing", "--name", "ops", "--plan", "small"];
    let (well, said) = moorage(rig, &arguments).await;
    assert!(!well && said.contains(&format!("fly volumes destroy {other}")), "{said}");
    assert_eq!(tenant.names().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_app_without_a_claim_is_shown_and_goes_only_when_told_to() {
    let rig = shared().await;
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "straying").await.unwrap();
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let claimed = tenant.app("ops").await.unwrap();
    app(rig, "stray-app", Some("m-nobody")).await;
    volume(rig, "stray-app").await;
    let (well, said) = moorage(rig, &["orphans"]).await;
    assert!(well && said.contains("stray-app: since") && said.contains("1 volumes of 3 GB"), "{said}");
    assert!(!said.contains(&claimed), "{said}");
    let (well, said) = moorage(rig, &["orphans", "remove", &claimed, "--delete-data"]).await;
    assert!(!well && said.contains("it is no orphan"), "{said}");
    let (well, said) = moorage(rig, &["orphans", "remove", "stray-app"]).await;
    assert!(!well && said.contains("--delete-data"), "{said}");
    assert!(!tenant.fly.standing("stray-app").await.unwrap().is_null());
    let (well, said) = moorage(rig, &["orphans", "remove", "stray-app", "--delete-data"]).await;
    assert!(well, "{said}");
    assert!(tenant.fly.standing("stray-app").await.unwrap().is_null());
}

#[tokio::test]
async fn the_default_blueprint_tells_how_many_such_apps_there_are_while_there_are_any() {
    let mut rig = support::start(Vec::new()).await.unwrap();
    let client = rig.client().await.unwrap();
    let blueprints: Api<Blueprint> = Api::all(client.clone());
    let told = async || {
        let status = blueprints.get("openclaw").await.unwrap().status.unwrap_or_default();
        find(&status.conditions, ConditionType::OrphanApps).map(|condition| condition.message.to_string())
    };
    assert_eq!(told().await, None);
    app(&rig, "stray-app", Some("m-nobody")).await;
    // They are counted at a start, and then every ten minutes.
    rig.operator.stop(SOON).await.unwrap();
    rig.operator.restart().unwrap();
    eventually("the condition", SOON, async || {
        let message = told().await.unwrap_or_default();
        anyhow::ensure!(message.contains("(1)") && !message.contains("stray-app"), "{message:?}");
        Ok(())
    })
    .await
    .unwrap();
    assert!(rig.problems(&[], None).await.unwrap().is_empty());
    let (well, said) = moorage(&rig, &["orphans", "remove", "stray-app"]).await;
    assert!(well, "{said}");
    rig.operator.stop(SOON).await.unwrap();
    rig.operator.restart().unwrap();
    eventually("no condition", SOON, async || {
        anyhow::ensure!(told().await.is_none());
        Ok(())
    })
    .await
    .unwrap();
}
