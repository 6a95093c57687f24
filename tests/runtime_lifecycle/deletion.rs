//! What is left of a Runtime under each deletion policy, and in which order it goes.

use serde_json::{Value, json};
use testbed::ledger::Intent;

use crate::support::{Tenant, Witness, text};
use crate::tenant;

/// A running Runtime, then deleted; its app, and the effects of the deletion in order.
async fn deleted(tenant: &Tenant<'_>, policy: &str) -> (String, Vec<String>) {
    tenant.declare("ops", json!({"deletionPolicy": policy})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let app = tenant.app("ops").await.unwrap();
    let head = tenant.fly.head().await.unwrap();
    tenant.delete("ops", policy).await.unwrap();
    tenant.wait_gone("ops").await.unwrap();
    let changes = tenant.changes().await.unwrap();
    (app, changes.into_iter().filter(|it| it.seq > head).map(|it| it.effect).collect())
}

/// The mark of the secrets that the Machine was given; a new token makes another.
async fn secrets_mark(tenant: &Tenant<'_>, app: &str) -> Value {
    let standing = tenant.fly.standing(app).await.unwrap();
    standing["machines"][0]["metadata"]["moorage_secrets"].clone()
}

/// The Secret with the token that the status names is there, and the Machine was given another token than before.
async fn has_a_new_token(tenant: &Tenant<'_>, object: &Value, before: &Value) {
    let secrets = tenant.api("v1", "Secret").await.unwrap();
    secrets.get(text(object, "/status/gateway/tokenSecretRef/name")).await.unwrap();
    let now = secrets_mark(tenant, text(object, "/status/external/app")).await;
    assert!(now.is_string() && now != *before, "{now} after {before}");
}

fn position(effects: &[String], effect: &str) -> usize {
    let last = effects.iter().rposition(|one| one == effect);
    last.unwrap_or_else(|| panic!("{effect} never happened: {effects:?}"))
}

fn in_order(effects: &[String], order: &[&str]) {
    let places: Vec<usize> = order.iter().map(|effect| position(effects, effect)).collect();
    assert!(places.is_sorted(), "{order:?} in {effects:?}");
}

async fn claim(tenant: &Tenant<'_>) -> Value {
    tenant.claim("ops").await.unwrap()
}

#[tokio::test]
async fn delete_leaves_nothing() {
    let tenant = tenant("del").await;
    let witness = Witness::new(tenant.runtimes());
    let (app, effects) = deleted(&tenant, "Delete").await;
    in_order(&effects, &["ip.release", "machine.destroy", "volume.delete", "app.delete"]);
    assert_eq!(tenant.fly.standing(&app).await.unwrap(), Value::Null);
    assert_eq!(tenant.problems(&[], &[(&app, Intent::Delete)]).await.unwrap(), [""; 0]);
    let claim = claim(&tenant).await;
    assert_eq!(claim["spec"]["runtime"], Value::Null, "nothing is left under the name");
    assert!(claim["spec"]["tombstone"].is_object());
    assert_eq!(witness.problems(), [""; 0]);
}

#[tokio::test]
async fn snapshot_leaves_a_snapshot_and_what_keeps_it() {
    let tenant = tenant("snap").await;
    let witness = Witness::new(tenant.runtimes());
    let (app, effects) = deleted(&tenant, "Snapshot").await;
    in_order(
        &effects,
        &["ip.release", "machine.stop", "snapshot.create", "machine.destroy", "volume.delete"],
    );
    assert!(!effects.iter().any(|it| it == "app.delete"), "{effects:?}");
    assert_eq!(tenant.problems(&[], &[(&app, Intent::Snapshot)]).await.unwrap(), [""; 0]);
    let claim = claim(&tenant).await;
    let snapshot = &claim["spec"]["runtime"]["snapshot"];
    assert!(text(snapshot, "/id").starts_with("vs_"), "{snapshot}");
    let released: jiff::Timestamp = text(&claim, "/spec/tombstone/releaseTime").parse().unwrap();
    let kept = released.duration_until(text(snapshot, "/expiryTime").parse().unwrap());
    assert!(kept.as_hours() > 24 * 55, "it is kept for as long as Fly can: {snapshot}");
    assert!(text(&claim, "/spec/tombstone/message").contains(text(snapshot, "/id")));
    assert_eq!(witness.problems(), [""; 0]);
}

#[tokio::test]
async fn retain_leaves_everything_stopped_and_unreachable() {
    let tenant = tenant("keep").await;
    let (app, effects) = deleted(&tenant, "Retain").await;
    for never in ["machine.destroy", "volume.delete", "app.delete"] {
        assert!(!effects.iter().any(|it| it == never), "{effects:?}");
    }
    let standing = tenant.fly.standing(&app).await.unwrap();
    assert_eq!(standing["machines"][0]["state"], "stopped");
    assert_eq!(tenant.problems(&[], &[(&app, Intent::Retain)]).await.unwrap(), [""; 0]);
    let claim = claim(&tenant).await;
    assert_eq!(claim["spec"]["runtime"]["volumeID"], standing["volumes"][0]["id"]);
    assert!(text(&claim, "/spec/tombstone/message").contains('$'), "what it costs is said: {claim}");
    let host = format!("{app}.fly.dev");
    let reached =
        tenant.fly.0.browser(&host).unwrap().get(tenant.fly.0.edge_url(&host, "/healthz")).send().await;
    assert!(!reached.is_ok_and(|answer| answer.status().is_success()), "it can't be reached any more");
    let standing = tenant.fly.standing(&app).await.unwrap();
    assert_eq!(standing["machines"][0]["state"], "stopped", "a request doesn't wake it");
}

#[tokio::test]
async fn a_freed_slug_can_be_declared_again() {
    let tenant = tenant("again").await;
    let (first, _) = deleted(&tenant, "Delete").await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    assert_ne!(tenant.app("ops").await.unwrap(), first, "another identity");
    assert_eq!(tenant.problems(&["ops"], &[(&first, Intent::Delete)]).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn what_was_retained_comes_back_once_the_platform_confirms() {
    let tenant = tenant("back").await;
    let (app, _) = deleted(&tenant, "Retain").await;
    let volume = claim(&tenant).await["spec"]["runtime"]["volumeID"].clone();
    let mark = secrets_mark(&tenant, &app).await;
    tenant.declare("ops", json!({})).await.unwrap();
    let object = tenant.wait_reason("ops", "IdentityChanged").await.unwrap();
    let claims: kube::Api<moorage::api::NameClaim> = kube::Api::all(tenant.client.clone());
    let confirm = json!({"spec": {"confirm": {"uid": object["metadata"]["uid"]}}});
    let name = moorage::api::NameClaim::label_key(&tenant.slug("ops"));
    let patch = kube::api::Patch::Merge(confirm);
    claims.patch(&name, &kube::api::PatchParams::default(), &patch).await.unwrap();
    let back = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(tenant.app("ops").await.unwrap(), app);
    assert_eq!(back["status"]["external"]["volumeID"], volume, "with its data");
    has_a_new_token(&tenant, &back, &mark).await;
}

#[tokio::test]
async fn one_whose_object_was_lost_is_taken_over_with_a_new_token() {
    let tenant = tenant("lost").await;
    tenant.declare("ops", json!({})).await.unwrap();
    let before = tenant.wait_ready("ops", "running").await.unwrap();
    let mark = secrets_mark(&tenant, text(&before, "/status/external/app")).await;
    let claims: kube::Api<moorage::api::NameClaim> = kube::Api::all(tenant.client.clone());
    // A restored cluster has the claim as it was, and the object under another uid.
    let name = moorage::api::NameClaim::label_key(&tenant.slug("ops"));
    let operator = testbed::Identity::service_account("moorage-system", "moorage");
    let operator = tenant.cluster.client(&operator).await.unwrap();
    let lost: kube::Api<moorage::api::NameClaim> = kube::Api::all(operator);
    let patch = kube::api::Patch::Merge(json!({"spec": {"holder": {"uid": "before-the-restore"}}}));
    lost.patch(&name, &kube::api::PatchParams::default(), &patch).await.unwrap();
    let secrets = tenant.api("v1", "Secret").await.unwrap();
    secrets.delete("ops-gateway-token", &kube::api::DeleteParams::default()).await.unwrap();
    tenant.patch("ops", json!({"metadata": {"labels": {"look": "again"}}})).await.unwrap();
    tenant.wait_reason("ops", "IdentityChanged").await.unwrap();
    let wiped = kube::api::Patch::Merge(json!({"status": null}));
    tenant.runtimes().patch_status("ops", &kube::api::PatchParams::default(), &wiped).await.unwrap();
    let head = tenant.fly.head().await.unwrap();
    let confirm = kube::api::Patch::Merge(json!({"spec": {"confirm": {"uid": before["metadata"]["uid"]}}}));
    claims.patch(&name, &kube::api::PatchParams::default(), &confirm).await.unwrap();
    let back = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(back["status"]["external"], before["status"]["external"]);
    has_a_new_token(&tenant, &back, &mark).await;
    let changes = tenant.changes().await.unwrap();
    let made = changes.iter().find(|it| it.seq > head && it.effect.ends_with(".create"));
    assert_eq!(made, None, "nothing is made anew");
}

#[tokio::test]
async fn one_that_never_came_up_is_deleted_as_well() {
    let tenant = tenant("early").await;
    tenant.declare("refused", json!({"planRef": {"name": "none"}})).await.unwrap();
    tenant.wait_reason("refused", "PlanNotFound").await.unwrap();
    tenant.delete("refused", "Delete").await.unwrap();
    tenant.wait_gone("refused").await.unwrap();
    for name in ["a", "b", "c"] {
        tenant.declare(name, json!({})).await.unwrap();
        tenant.delete(name, "Delete").await.unwrap();
    }
    for name in ["a", "b", "c"] {
        tenant.wait_gone(name).await.unwrap();
    }
    let left = tenant.fly.0.read("state").await.unwrap()["apps"].clone();
    let ours = |app: &&Value| text(app, "/name").starts_with("early-");
    assert_eq!(left.as_array().unwrap().iter().find(ours), None);
}
