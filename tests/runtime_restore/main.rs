//! The cluster is lost: on an empty one only manifests, claims and receipts are restored, with new UIDs, after a
//! squatter. Once confirmed in bulk everything is taken over again, and nothing is made at Fly.
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

use std::process::Command;
use std::time::Duration;

use kube::Api;
use kube::api::ListParams;
use moorage::api::{NameClaim, Runtime};
use serde_json::{Value, json};
use testbed::{
    Audit, ControlPlane, ControlPlaneOptions, FlySim, FlySimOptions, Identity, Operator, OperatorOptions,
    RateLimits, apply, platform, repository,
};

use support::{Tenant, condition, config, prepare, text};

/// An empty cluster with what the platform installs.
async fn cluster() -> ControlPlane {
    let options = ControlPlaneOptions {
        audit: Audit::Off,
        crds: Some(repository().join("crds")),
        ..ControlPlaneOptions::default()
    };
    let cluster = ControlPlane::start(&options).await.unwrap();
    let client = cluster.client(&Identity::Admin).await.unwrap();
    platform::install_rights(&client, &[]).await.unwrap();
    platform::install_catalogue(&client).await.unwrap();
    prepare(&client).await.unwrap();
    cluster
}

/// The operator of the cluster that both are.
async fn operator(cluster: &ControlPlane, fly: &FlySim) -> Operator {
    let identity = Identity::service_account(platform::NAMESPACE, platform::SERVICE_ACCOUNT);
    let kubeconfig = cluster.kubeconfig(&identity).await.unwrap();
    let mut options = OperatorOptions::new(kubeconfig, "restored", fly);
    options = options.with("/namespace", json!(platform::NAMESPACE));
    for (pointer, value) in config() {
        options = options.with(pointer, value);
    }
    let operator = Operator::start(options).unwrap();
    operator.wait_ready(Duration::from_mins(1)).await.unwrap();
    operator
}

/// What a backup holds of an object: no UID, no status.
fn backed_up(object: impl serde::Serialize) -> Value {
    let object = serde_json::to_value(object).unwrap();
    let metadata = &object["metadata"];
    let mut kept = json!({"apiVersion": object["apiVersion"], "kind": object["kind"],
        "metadata": {"name": metadata["name"]}});
    for field in ["namespace", "labels"] {
        if !metadata[field].is_null() {
            kept["metadata"][field] = metadata[field].clone();
        }
    }
    for field in ["spec", "data"] {
        if !object[field].is_null() {
            kept[field] = object[field].clone();
        }
    }
    kept
}

fn moorage(kubeconfig: &std::path::Path, arguments: &[&str]) -> String {
    let program = env!("CARGO_BIN_EXE_moorage");
    let output = Command::new(program).args(arguments).env("KUBECONFIG", kubeconfig).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {err}{out}");
    out.into_owned()
}

/// What was asked of Fly that changes something, by Runtime.
async fn calls(tenant: &Tenant<'_>, since: u64, app: &str) -> Vec<String> {
    let ledger = tenant.fly.ledger(since).await.unwrap();
    let entries = ledger["entries"].as_array().unwrap().clone();
    let effects = entries.iter().filter(|it| it["kind"] == "effect" && it["app"] == app);
    let requests: Vec<u64> = effects.filter_map(|effect| effect["request"].as_u64()).collect();
    let asked = |it: &&Value| {
        it["kind"] == "request" && it["request"].as_u64().is_some_and(|id| requests.contains(&id))
    };
    let named = |it: &Value| format!("{} {}", text(it, "/call/method"), text(it, "/call/route"));
    entries.iter().filter(asked).map(named).collect()
}

#[tokio::test]
async fn everything_is_taken_over_again_and_nothing_is_made() {
    let fly = FlySimOptions { rate_limits: RateLimits::Off, ..FlySimOptions::default() };
    let fly = FlySim::start(fly).await.unwrap();
    let first = cluster().await;
    let before = operator(&first, &fly).await;
    let tenant = Tenant::new(&first, &fly, "old").await.unwrap();
    for name in ["ops", "bare", "late", "gone", "kept"] {
        tenant.declare(name, json!({})).await.unwrap();
    }
    for name in ["ops", "bare", "late", "gone", "kept"] {
        tenant.wait_ready(name, "running").await.unwrap();
    }
    tenant.delete("gone", "Snapshot").await.unwrap();
    tenant.delete("kept", "Retain").await.unwrap();
    tenant.wait_gone("gone").await.unwrap();
    tenant.wait_gone("kept").await.unwrap();
    let client = tenant.client.clone();
    let claims = Api::<NameClaim>::all(client.clone()).list(&ListParams::default()).await.unwrap().items;
    let runtimes = Api::<Runtime>::all(client).list(&ListParams::default()).await.unwrap().items;
    tenant.ask("ops", "Snapshot").await.unwrap();
    let asked = tenant.wait_task("ops", "completed").await.unwrap();
    let token = tenant.api("v1", "Secret").await.unwrap().get("ops-gateway-token").await.unwrap();
    let apps = [tenant.app("ops").await.unwrap(), tenant.app("bare").await.unwrap()];
    let waits = tenant.app("late").await.unwrap();
    let left = [tenant.app("gone").await.unwrap(), tenant.app("kept").await.unwrap()];
    drop(tenant);
    before.kill().unwrap();
    drop((before, first));

    let second = cluster().await;
    let squat = Tenant::new(&second, &fly, "squat").await.unwrap();
    squat.declare("ops", json!({"slug": "old-ops"})).await.unwrap();
    let tenant = Tenant::new(&second, &fly, "old").await.unwrap();
    let head = tenant.fly.head().await.unwrap();
    for claim in claims {
        let mut manifest = backed_up(&claim);
        manifest["apiVersion"] = json!("moorage.dev/v1alpha1");
        manifest["kind"] = json!("NameClaim");
        apply(&tenant.client, &manifest.to_string()).await.unwrap();
    }
    // A task comes back without its status, before its Runtime was made: it is not carried out again.
    apply(&tenant.client, &backed_up(&asked).to_string()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let (late, runtimes): (Vec<Runtime>, Vec<Runtime>) =
        runtimes.into_iter().partition(|runtime| runtime.metadata.name.as_deref() == Some("late"));
    for runtime in runtimes {
        let mut manifest = backed_up(&runtime);
        manifest["apiVersion"] = json!("moorage.dev/v1alpha1");
        manifest["kind"] = json!("Runtime");
        apply(&tenant.client, &manifest.to_string()).await.unwrap();
    }
    let mut secret = backed_up(&token);
    secret["apiVersion"] = json!("v1");
    secret["kind"] = json!("Secret");
    apply(&tenant.client, &secret.to_string()).await.unwrap();
    let _after = operator(&second, &fly).await;
    for name in ["ops", "bare"] {
        tenant.wait_reason(name, "IdentityChanged").await.unwrap();
    }
    let taken = squat.wait_reason("ops", "NameTaken").await.unwrap();
    assert_eq!(condition(&taken, "Stalled")["status"], "True");
    let kubeconfig = second.kubeconfig(&Identity::Admin).await.unwrap();
    let done = moorage(&kubeconfig, &["confirm", "takeovers", "--all"]);
    assert!(done.contains("2 confirmed."), "{done}");
    for name in ["ops", "bare"] {
        tenant.wait_ready(name, "running").await.unwrap();
    }
    squat.wait_reason("ops", "NameTaken").await.unwrap();
    // A claim whose Runtime comes back later, after all graces, is nobody's meanwhile, and loses nothing.
    tokio::time::sleep(Duration::from_secs(13)).await;
    assert_eq!(calls(&tenant, head, &waits).await, Vec::<String>::new(), "its Runtime isn't restored yet");
    let mut manifest = backed_up(&late[0]);
    manifest["apiVersion"] = json!("moorage.dev/v1alpha1");
    manifest["kind"] = json!("Runtime");
    apply(&tenant.client, &manifest.to_string()).await.unwrap();
    tenant.wait_reason("late", "IdentityChanged").await.unwrap();
    let again = tenant.wait_task("ops", "cancelled").await.unwrap();
    assert_eq!(condition(&again, "Ready")["reason"], "Superseded");
    assert_eq!(calls(&tenant, head, &apps[0]).await, Vec::<String>::new(), "its token was restored");
    let bare = calls(&tenant, head, &apps[1]).await;
    let restarts = bare.iter().filter(|call| *call == "POST /v1/apps/{app}/machines/{machine}").count();
    assert_eq!((restarts, bare.len()), (1, 2), "a new token is set, and one restart gives it: {bare:?}");
    for app in left {
        assert_eq!(calls(&tenant, head, &app).await, Vec::<String>::new(), "{app} was given up");
    }
    let made = tenant.fly.ledger(head).await.unwrap();
    let creates = made["entries"].as_array().unwrap().iter().filter(|entry| {
        entry["kind"] == "request"
            && entry["call"]["method"] == "POST"
            && ["/v1/apps", "/v1/apps/{app}/machines", "/v1/apps/{app}/volumes"]
                .contains(&text(entry, "/call/route"))
    });
    assert_eq!(creates.count(), 0, "something was made");
}
