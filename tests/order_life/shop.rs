//! A namespace with a Workspace in it, and whoever approves payments.

use anyhow::{Result, ensure};
use jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::api::DeleteParams;
use moorage::api::NameClaim;
use serde_json::{Value, json};
use testbed::{Identity, Moment, Rig, apply, check_conditions, eventually};

use crate::support::{SOON, Tenant, merge, shared, text};

/// A tenant with a Workspace.
pub async fn tenant(namespace: &str) -> Tenant<'static> {
    tenant_in(shared().await, namespace).await
}

/// A tenant of a rig of one's own.
pub async fn tenant_in<'r>(rig: &'r Rig, namespace: &str) -> Tenant<'r> {
    let tenant = Tenant::new(&rig.cluster, &rig.fly, namespace).await.unwrap();
    let member = json!({"kind": "User", "name": format!("ada-{namespace}"), "role": "Owner"});
    let spec = json!({"displayName": "Acme", "subdomain": namespace, "members": [member]});
    tenant.apply("moorage.dev/v1alpha1", "Workspace", "acme", json!({"spec": spec})).await.unwrap();
    tenant
}

/// Places an order for the Plan `openclaw-basic`, with `more` in its spec.
pub async fn order(tenant: &Tenant<'_>, name: &str, more: Value) -> Result<()> {
    let mut spec = json!({"planRef": {"name": "openclaw-basic"}, "payment": {"provider": "Manual"}});
    merge(&mut spec, more);
    tenant.apply("moorage.dev/v1alpha1", "RuntimeOrder", name, json!({"spec": spec})).await
}

/// An order that makes the Runtime `runtime`, with the slug that helpers expect.
pub async fn order_new(tenant: &Tenant<'_>, name: &str, runtime: &str) -> Result<()> {
    order(tenant, name, json!({"runtime": {"name": runtime, "slug": tenant.slug(runtime)}})).await
}

/// Deletes an order, and waits until it is gone.
pub async fn removed(tenant: &Tenant<'_>, name: &str) {
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
    orders.delete(name, &DeleteParams::default()).await.unwrap();
    eventually("the order is gone", SOON, async || {
        ensure!(orders.get_opt(name).await?.is_none());
        Ok(())
    })
    .await
    .unwrap();
}

/// An order as JSON.
pub async fn get(tenant: &Tenant<'_>, name: &str) -> Result<Value> {
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await?;
    Ok(serde_json::to_value(orders.get(name).await?)?)
}

/// Waits until an order is in this state at rest, and its conditions are sound.
pub async fn wait(tenant: &Tenant<'_>, name: &str, state: &str) -> Result<Value> {
    let what = format!("order {}/{name}: {state}", tenant.namespace);
    let order = eventually(&what, SOON, async || {
        let order = get(tenant, name).await?;
        ensure!(order["status"]["state"] == state, "{}", order["status"]);
        ensure!(order["status"]["observedGeneration"] == order["metadata"]["generation"], "not at rest");
        Ok(order)
    })
    .await?;
    let problems = check_conditions(&order, Moment::AtRest);
    ensure!(problems.is_empty(), "{problems:?}");
    Ok(order)
}

/// What is recorded of an order.
pub async fn record(tenant: &Tenant<'_>, name: &str) -> Result<Value> {
    let uid = text(&get(tenant, name).await?, "/metadata/uid").to_owned();
    let claims: Api<NameClaim> = Api::all(tenant.client.clone());
    Ok(serde_json::to_value(claims.get(&NameClaim::order_key(&uid)).await?)?)
}

/// A receipt of the platform for an order, with `more` in its spec.
pub fn receipt(order: &Value, id: &str, more: Value) -> Value {
    let mut spec = json!({"type": "Payment", "provider": "Manual", "providerID": id,
        "orderUID": order["metadata"]["uid"], "amount": 2900, "currency": "USD", "note": "approved by a test"});
    merge(&mut spec, more);
    json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "PaymentReceipt",
        "metadata": {"name": format!("manual-{id}")}, "spec": spec})
}

/// The platform approves the payment of an order.
pub async fn pay(tenant: &Tenant<'_>, name: &str, id: &str, more: Value) -> Result<()> {
    let order = get(tenant, name).await?;
    let platform = tenant.cluster.client(&Identity::Admin).await?;
    apply(&platform, &receipt(&order, id, more).to_string()).await.map(drop)
}

/// A period that ends so many days from now. Time is changed by receipts, so that no test waits for it.
pub fn ends_in_days(days: i64) -> Value {
    let time = |days: i64| {
        let at = Timestamp::now() + SignedDuration::from_hours(24 * days);
        Timestamp::from_second(at.as_second()).unwrap().to_string()
    };
    json!({"period": {"start": time(days - 30), "end": time(days)}})
}

/// A period that is over, so that the grace of three days ends so many seconds from now.
pub fn grace_ends_in(seconds: i64) -> Value {
    let end = Timestamp::now() - SignedDuration::from_hours(24 * 3) + SignedDuration::from_secs(seconds);
    let end = Timestamp::from_second(end.as_second()).unwrap();
    let start = end - SignedDuration::from_hours(24 * 30);
    json!({"period": {"start": start.to_string(), "end": end.to_string()}})
}

/// The money of an earlier payment goes back.
pub async fn refund(tenant: &Tenant<'_>, name: &str, id: &str, payment: &str) -> Result<()> {
    pay(tenant, name, id, json!({"type": "Refund", "refunds": payment})).await
}
