//! The cluster is lost: on an empty one claims, receipts and manifests are restored, with new UIDs. What was paid goes on,
//! in whatever order the orders and their Runtimes are declared and confirmed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    clippy::disallowed_methods,
    dead_code,
    missing_docs,
    reason = "a test may fail loudly, and its helpers are shared with others"
)]

#[path = "../order_life/shop.rs"]
mod shop;
#[path = "../runtime_support/mod.rs"]
mod support;

use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use moorage::api::{NameClaim, PaymentReceipt, Runtime, RuntimeOrder, Workspace};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use testbed::{
    Audit, ControlPlane, ControlPlaneOptions, FlySim, FlySimOptions, Identity, Operator, OperatorOptions,
    RateLimits, apply, eventually, platform, repository,
};

use shop::{get, order_new, pay, wait};
use support::{SOON, Tenant, condition, config, prepare, reason, text};

/// An empty cluster with what the platform installs.
async fn cluster() -> ControlPlane {
    let crds = Some(repository().join("crds"));
    let options = ControlPlaneOptions { audit: Audit::Off, crds, ..ControlPlaneOptions::default() };
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

/// What a backup holds of every object of a kind: no UID, no status.
async fn backed_up<K>(client: &Client) -> Vec<Value>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + serde::Serialize + std::fmt::Debug,
{
    let all = Api::<K>::all(client.clone()).list(&ListParams::default()).await.unwrap().items;
    let kept = |object: K| {
        let object = serde_json::to_value(object).unwrap();
        let mut kept = json!({"apiVersion": K::api_version(&()), "kind": K::kind(&()),
            "metadata": {"name": object["metadata"]["name"]}, "spec": object["spec"]});
        if !object["metadata"]["namespace"].is_null() {
            kept["metadata"]["namespace"] = object["metadata"]["namespace"].clone();
        }
        kept
    };
    all.into_iter().map(kept).collect()
}

async fn restore(client: &Client, objects: &[Value], namespace: Option<&str>) {
    let here = |object: &&Value| namespace.is_none_or(|it| object["metadata"]["namespace"] == it);
    for object in objects.iter().filter(here) {
        apply(client, &object.to_string()).await.unwrap();
    }
}

/// The platform's word on what waits for it in a namespace.
async fn confirm(cluster: &ControlPlane, namespace: &str, name: &str) {
    let kubeconfig = cluster.kubeconfig(&Identity::Admin).await.unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_moorage"));
    command.args(["confirm", "takeovers", name, "-n", namespace]).env("KUBECONFIG", kubeconfig);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(" confirmed."), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

async fn bought(tenant: &Tenant<'_>) {
    let member = json!({"kind": "User", "name": format!("ada-{}", tenant.namespace), "role": "Owner"});
    let spec = json!({"displayName": "Acme", "subdomain": tenant.namespace, "members": [member]});
    tenant.apply("moorage.dev/v1alpha1", "Workspace", "acme", json!({"spec": spec})).await.unwrap();
    order_new(tenant, "first", "ops").await.unwrap();
    wait(tenant, "first", "pending_payment").await.unwrap();
    pay(tenant, "first", &format!("{}-1", tenant.namespace), json!({})).await.unwrap();
    wait(tenant, "first", "running").await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
}

/// Waits until the order says this.
async fn says(tenant: &Tenant<'_>, why: &str, words: &str) {
    eventually(&format!("{}: {why}", tenant.namespace), SOON, async || {
        let order = get(tenant, "first").await?;
        ensure!(reason(&order) == why, "{}", order["status"]);
        ensure!(text(&condition(&order, "Ready"), "/message").contains(words), "{}", order["status"]);
        Ok(())
    })
    .await
    .unwrap();
}

/// It runs on as it was paid, and its order was never over.
async fn goes_on(tenant: &Tenant<'_>) {
    wait(tenant, "first", "running").await.unwrap();
    let runtime = tenant.wait_ready("ops", "running").await.unwrap();
    assert_eq!(condition(&runtime, "Entitled")["status"], "True");
    let claims = Api::<NameClaim>::all(tenant.client.clone()).list(&ListParams::default()).await.unwrap();
    let ours = claims.items.iter().filter(|claim| claim.spec.holder.namespace == tenant.namespace);
    for order in ours.filter_map(|claim| claim.spec.order.as_ref()) {
        assert_eq!((order.runtime_gone_time, order.endings.len()), (None, 0));
    }
}

#[tokio::test]
async fn what_was_paid_goes_on_whether_the_order_or_its_runtime_is_confirmed_first() {
    let fly = FlySimOptions { rate_limits: RateLimits::Off, ..FlySimOptions::default() };
    let fly = FlySim::start(fly).await.unwrap();
    let first = cluster().await;
    let before = operator(&first, &fly).await;
    for namespace in ["order-first", "runtime-first"] {
        bought(&Tenant::new(&first, &fly, namespace).await.unwrap()).await;
    }
    let client = first.client(&Identity::Admin).await.unwrap();
    let claims = backed_up::<NameClaim>(&client).await;
    let receipts = backed_up::<PaymentReceipt>(&client).await;
    let workspaces = backed_up::<Workspace>(&client).await;
    let orders = backed_up::<RuntimeOrder>(&client).await;
    let runtimes = backed_up::<Runtime>(&client).await;
    before.kill().unwrap();
    drop((before, first));

    let second = cluster().await;
    let client = second.client(&Identity::Admin).await.unwrap();
    let early = Tenant::new(&second, &fly, "order-first").await.unwrap();
    let late = Tenant::new(&second, &fly, "runtime-first").await.unwrap();
    let head = early.fly.head().await.unwrap();
    for objects in [&claims, &receipts, &workspaces, &orders] {
        restore(&client, objects, None).await;
    }
    restore(&client, &runtimes, Some("runtime-first")).await;
    let _after = operator(&second, &fly).await;
    for tenant in [&early, &late] {
        says(tenant, "IdentityChanged", "belongs to an earlier order").await;
        confirm(&second, &tenant.namespace, "acme").await;
    }
    // The order first, before its Runtime is even declared.
    confirm(&second, "order-first", "first").await;
    says(&early, "Pending", "Declare it again").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    restore(&client, &runtimes, Some("order-first")).await;
    says(&early, "IdentityChanged", "isn't the one that was paid for").await;
    confirm(&second, "order-first", "ops").await;
    goes_on(&early).await;
    // The Runtime first.
    confirm(&second, "runtime-first", "ops").await;
    late.wait_ready("ops", "running").await.unwrap();
    confirm(&second, "runtime-first", "first").await;
    goes_on(&late).await;
    let made = early.fly.ledger(head).await.unwrap();
    let creates = made["entries"].as_array().unwrap().iter().filter(|entry| {
        entry["kind"] == "request"
            && entry["call"]["method"] == "POST"
            && ["/v1/apps", "/v1/apps/{app}/machines", "/v1/apps/{app}/volumes"]
                .contains(&text(entry, "/call/route"))
    });
    assert_eq!(creates.count(), 0, "something was made");
}
