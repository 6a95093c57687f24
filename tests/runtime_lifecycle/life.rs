//! From nothing to running, off and on again, begun anew and changed.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::json;
use testbed::Kstatus;

use crate::support::{Tenant, Witness, condition, text};
use crate::tenant;

/// The effects at Fly on an app since an entry of the ledger, in order.
async fn effects(tenant: &Tenant<'_>, app: &str, since: u64) -> Vec<String> {
    let all = tenant.changes().await.unwrap();
    all.into_iter().filter(|it| it.app == app && it.seq > since).map(|it| it.effect).collect()
}

#[tokio::test]
async fn it_comes_up_and_its_status_says_where() {
    let tenant = tenant("up").await;
    let witness = Witness::new(tenant.runtimes());
    tenant.declare("ops", json!({})).await.unwrap();
    let object = tenant.wait_ready("ops", "running").await.unwrap();

    let claim = tenant.claim("ops").await.unwrap();
    let app = text(&claim, "/spec/runtime/app");
    let standing = tenant.fly.standing(app).await.unwrap();
    assert_eq!(text(&object, "/status/url"), format!("https://{app}.fly.dev"));
    assert_eq!(object["status"]["external"]["app"], standing["name"]);
    assert_eq!(object["status"]["external"]["machineID"], standing["machines"][0]["id"]);
    assert_eq!(object["status"]["external"]["machineState"], "started");
    assert_eq!(object["status"]["external"]["volumeID"], standing["volumes"][0]["id"]);
    assert_eq!(object["status"]["external"]["region"], "fra");
    assert_eq!(object["status"]["external"]["addresses"].as_array().unwrap().len(), 2);
    assert_eq!(object["status"]["pinned"]["plan"], "small");
    assert_eq!(object["status"]["operation"], json!(null), "nothing is under way");
    for kind in ["Ready", "Provisioned", "ConfigApplied", "Available", "Entitled"] {
        assert_eq!(condition(&object, kind)["status"], "True", "{kind}");
    }
    assert_eq!(claim["spec"]["runtime"]["volumeID"], standing["volumes"][0]["id"]);
    assert_eq!(claim["spec"]["runtime"]["machineID"], standing["machines"][0]["id"]);
    assert_eq!(claim["spec"]["holder"]["uid"], object["metadata"]["uid"]);
    assert_eq!(standing["network"], format!("m-{}", text(&claim, "/spec/runtime/identity")));

    let states = witness.states("ops");
    assert_eq!(states.last().map(String::as_str), Some("running"), "{states:?}");
    assert!(states.iter().any(|state| state == "provisioning"), "{states:?}");
    assert_eq!(witness.kstatus("ops"), [Kstatus::InProgress, Kstatus::Current]);
    assert_eq!(witness.problems(), [""; 0]);
    assert_eq!(tenant.problems(&["ops"], &[]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn its_token_is_in_a_secret_that_it_owns_and_opens_the_gateway() {
    let tenant = tenant("token").await;
    tenant.declare("ops", json!({})).await.unwrap();
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(tenant.client.clone(), "token");
    let secret = secrets.get(text(&object, "/status/gateway/tokenSecretRef/name")).await.unwrap();
    let owner = &secret.metadata.owner_references.unwrap()[0];
    assert_eq!(owner.uid, text(&object, "/metadata/uid"));
    assert_eq!(owner.controller, Some(true));
    let token = String::from_utf8(secret.data.unwrap()["token"].0.clone()).unwrap();
    let host = text(&object, "/status/url").trim_start_matches("https://").to_owned();
    let browser = tenant.fly.0.browser(&host).unwrap();
    let health = browser.get(tenant.fly.0.edge_url(&host, "/healthz")).send().await.unwrap();
    assert!(health.status().is_success(), "{}", health.status());
    assert!(token.len() >= 32, "a token of {} characters", token.len());
}

#[tokio::test]
async fn it_stops_and_starts_and_keeps_what_it_has() {
    let tenant = tenant("power").await;
    let witness = Witness::new(tenant.runtimes());
    tenant.declare("ops", json!({})).await.unwrap();
    let before = tenant.wait_ready("ops", "running").await.unwrap();
    let app = tenant.app("ops").await.unwrap();
    let head = tenant.fly.head().await.unwrap();
    tenant.patch("ops", json!({"spec": {"powerState": "Stopped"}})).await.unwrap();
    let stopped = tenant.wait_ready("ops", "stopped").await.unwrap();
    assert_eq!(condition(&stopped, "Available")["status"], "False");
    assert_eq!(effects(&tenant, &app, head).await, ["machine.stop"]);
    tenant.patch("ops", json!({"spec": {"powerState": "Running"}})).await.unwrap();
    let started = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(effects(&tenant, &app, head).await, ["machine.stop", "machine.start"]);
    for field in ["app", "machineID", "volumeID", "addresses"] {
        assert_eq!(started["status"]["external"][field], before["status"]["external"][field], "{field}");
    }
    assert_eq!(witness.problems(), [""; 0]);
}

#[tokio::test]
async fn one_that_is_declared_stopped_never_starts() {
    let tenant = tenant("asleep").await;
    tenant.declare("ops", json!({"powerState": "Stopped"})).await.unwrap();
    tenant.wait_ready("ops", "stopped").await.unwrap();
    let changes = tenant.changes().await.unwrap();
    assert!(!changes.iter().any(|change| change.effect == "machine.start"), "{changes:?}");
}

#[tokio::test]
async fn a_restart_is_carried_out_once() {
    let tenant = tenant("restart").await;
    tenant.declare("ops", json!({})).await.unwrap();
    let before = tenant.wait_ready("ops", "running").await.unwrap();
    let app = tenant.app("ops").await.unwrap();
    let version = tenant.fly.standing(&app).await.unwrap()["machines"][0]["version"].clone();
    let head = tenant.fly.head().await.unwrap();
    let at = "2026-01-02T03:04:05Z";
    let request = json!({"metadata": {"annotations": {"moorage.dev/restarted-at": at}}});
    tenant.patch("ops", request.clone()).await.unwrap();
    let handled = |object: &serde_json::Value| object["status"]["lastHandledRestartAt"] == at;
    tenant.wait("ops", "restarted", handled).await.unwrap();
    let after = tenant.wait_ready("ops", "running").await.unwrap();
    tenant.patch("ops", request).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;

    let updates = effects(&tenant, &app, head).await;
    assert_eq!(updates.iter().filter(|it| *it == "machine.update").count(), 1, "{updates:?}");
    assert_eq!(after["status"]["external"]["machineID"], before["status"]["external"]["machineID"]);
    let now = tenant.fly.standing(&app).await.unwrap()["machines"][0]["version"].clone();
    assert_ne!(now, version, "the instance is a new one");
}

#[tokio::test]
async fn a_changed_environment_and_persona_reach_the_machine() {
    let tenant = tenant("change").await;
    tenant.declare("ops", json!({"env": [{"name": "LLM_MODEL", "value": "one"}]})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let app = tenant.app("ops").await.unwrap();
    let head = tenant.fly.head().await.unwrap();
    let change =
        json!({"spec": {"env": [{"name": "LLM_MODEL", "value": "two"}], "persona": {"name": "Ada"}}});
    tenant.patch("ops", change).await.unwrap();
    let object = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(condition(&object, "ConfigApplied")["status"], "True");
    let updates = effects(&tenant, &app, head).await;
    assert_eq!(updates.iter().filter(|it| *it == "machine.update").count(), 1, "{updates:?}");
}

#[tokio::test]
async fn at_rest_nothing_is_written_and_nothing_changed() {
    let tenant = tenant("rest").await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.declare("off", json!({"powerState": "Stopped"})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    tenant.wait_ready("off", "stopped").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let (changes, before) = (tenant.changes().await.unwrap().len(), tenant.get("ops").await.unwrap());
    tokio::time::sleep(std::time::Duration::from_secs(8)).await;
    assert_eq!(tenant.changes().await.unwrap().len(), changes);
    assert_eq!(tenant.get("ops").await.unwrap()["metadata"], before["metadata"]);
}
