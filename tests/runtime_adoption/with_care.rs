//! What adoption does not do: stop what nothing funds, change the image unseen, drop variables unsaid, or end half-way.

use std::collections::BTreeMap;

use fly_machines::types as fly;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testbed::{Rig, apply, eventually};

use super::support::{SOON, Tenant, condition, merge, shared};
use super::{app, calls, client, machine_with, moorage, updates, volume};

const IMAGE: &str = "ghcr.io/openclaw/openclaw:2026.7.1";

/// Adopts an app as the Runtime `ops`.
async fn adopt(rig: &Rig, app: &str, tenant: &Tenant<'_>, more: &[&str]) -> (bool, String) {
    let name = ["adopt", "--app", app, "--namespace", &tenant.namespace, "--name", "ops"];
    moorage(rig, &[&name[..], more].concat()).await
}

/// A tenant, and an app made by hand with a volume and a Machine of this configuration; the volume's id too.
async fn by_hand<'r>(
    rig: &'r Rig,
    namespace: &str,
    name: &str,
    own: fly::MachineConfig,
) -> (Tenant<'r>, String) {
    let tenant = Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap();
    app(rig, name, None).await;
    let data = volume(rig, name).await;
    machine_with(rig, name, "claw-1", &data, own).await;
    (tenant, data)
}

fn plain() -> fly::MachineConfig {
    fly::MachineConfig { image: IMAGE.into(), ..fly::MachineConfig::default() }
}

/// The configuration of the app's one Machine.
async fn config(rig: &Rig, app: &str) -> fly::MachineConfig {
    let machines = client(rig).machines(app).list(&fly::ListMachines::default()).await.unwrap();
    *machines.into_iter().next().unwrap().config.unwrap()
}

#[tokio::test]
async fn a_command_that_ended_half_way_goes_on() {
    let rig = shared().await;
    let (tenant, data) = by_hand(rig, "half-way", "half-way-app", plain()).await;
    let (well, said) = adopt(rig, "half-way-app", &tenant, &["--plan", "small"]).await;
    assert!(well, "{said}");
    tenant.wait_ready("ops", "running").await.unwrap();
    // As it stands if the command was killed before it took the hold off.
    let hold = json!({"metadata": {"annotations": {"moorage.dev/paused": "true"}}});
    tenant.runtimes().patch("ops", &PatchParams::default(), &Patch::Merge(&hold)).await.unwrap();
    let (well, said) = adopt(rig, "half-way-app", &tenant, &["--plan", "small"]).await;
    assert!(well && said.contains("adopted: Machine") && said.contains(&data), "{said}");
    let runtime = tenant.wait_ready("ops", "running").await.unwrap();
    assert!(runtime["metadata"]["annotations"]["moorage.dev/paused"].is_null(), "it is still held");
    // Held by somebody, but of another name: it is left alone.
    let other = ["adopt", "--app", "half-way-app", "--namespace", "half-way", "--name", "other"];
    let (well, said) = moorage(rig, &[&other[..], &["--plan", "small"]].concat()).await;
    assert!(!well && said.contains("is the Runtime half-way/ops already"), "{said}");
}

#[tokio::test]
async fn the_image_that_runs_is_kept_until_it_is_upgraded() {
    let rig = shared().await;
    let image = "ghcr.io/openclaw/openclaw:2026.10.1";
    let own = fly::MachineConfig { image: image.into(), ..plain() };
    let (tenant, _) = by_hand(rig, "newer", "newer-app", own).await;
    let (well, said) = adopt(rig, "newer-app", &tenant, &["--plan", "small"]).await;
    assert!(well, "{said}");
    let runtime = tenant.wait_ready("ops", "running").await.unwrap();
    assert!(config(rig, "newer-app").await.image.starts_with(image), "another image runs");
    assert_eq!(condition(&runtime, "UpdateAvailable")["status"], "True", "{}", runtime["status"]);
}

#[tokio::test]
async fn variables_of_its_own_go_only_when_told_to() {
    let rig = shared().await;
    let env = BTreeMap::from([("OWN_SETTING".to_owned(), "on".to_owned())]);
    let own = fly::MachineConfig { env, ..plain() };
    let (tenant, _) = by_hand(rig, "variables", "variables-app", own).await;
    let (well, said) = adopt(rig, "variables-app", &tenant, &["--plan", "small"]).await;
    assert!(!well && said.contains("OWN_SETTING") && said.contains("--drop-env"), "{said}");
    assert!(!said.contains("on,"), "a value is shown");
    assert_eq!(tenant.names().await.unwrap(), Vec::<String>::new(), "nothing was made");
    let (well, said) = adopt(rig, "variables-app", &tenant, &["--plan", "small", "--drop-env"]).await;
    assert!(well, "{said}");
    tenant.wait_ready("ops", "running").await.unwrap();
    assert!(!config(rig, "variables-app").await.env.contains_key("OWN_SETTING"));
}

/// The object of a kind, with `more` in its spec.
fn object(kind: &str, metadata: Value, spec: Value) -> String {
    json!({"apiVersion": "moorage.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
        .to_string()
}

#[tokio::test]
async fn what_needs_an_order_is_adopted_once_one_is_paid_and_never_stopped() {
    let rig = shared().await;
    let (tenant, _) = by_hand(rig, "ordering", "ordering-app", plain()).await;
    let head = tenant.fly.head().await.unwrap();
    let plan = ["--plan", "openclaw-basic"];
    for _ in 0..2 {
        let (well, said) = adopt(rig, "ordering-app", &tenant, &plan).await;
        assert!(
            !well && said.contains("needs an order") && said.contains("spec.runtimeRef.name: ops"),
            "{said}"
        );
    }
    let untouched = tenant.fly.ledger(head).await.unwrap();
    assert!(calls(&untouched, "ordering-app").is_empty(), "it was touched");
    let member = json!({"kind": "User", "name": "ada-ordering", "role": "Owner"});
    let spec = json!({"displayName": "Acme", "subdomain": "ordering", "members": [member]});
    tenant.apply("moorage.dev/v1alpha1", "Workspace", "acme", json!({"spec": spec})).await.unwrap();
    let spec = json!({"planRef": {"name": "openclaw-basic"}, "payment": {"provider": "Manual"},
        "runtimeRef": {"name": "ops"}});
    tenant.apply("moorage.dev/v1alpha1", "RuntimeOrder", "first", json!({"spec": spec})).await.unwrap();
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
    let placed = orders.get("first").await.unwrap();
    let mut receipt = json!({"type": "Payment", "provider": "Manual", "providerID": "adopted-1", "amount": 2900,
        "currency": "USD", "note": "approved by a test"});
    merge(&mut receipt, json!({"orderUID": placed.metadata.uid}));
    apply(&tenant.client, &object("PaymentReceipt", json!({"name": "manual-adopted-1"}), receipt))
        .await
        .unwrap();
    eventually("the order funds the Runtime, and the app is adopted", SOON, async || {
        let (well, said) = adopt(rig, "ordering-app", &tenant, &plan).await;
        anyhow::ensure!(well, "{said}");
        Ok(())
    })
    .await
    .unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    let done = calls(&tenant.fly.ledger(head).await.unwrap(), "ordering-app");
    assert_eq!(updates(&done), 1, "{done:?}");
    assert!(!done.iter().any(|call| call.ends_with("/stop")), "it was stopped: {done:?}");
}
