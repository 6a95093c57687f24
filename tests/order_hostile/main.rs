//! A tenant that holds every right in its namespace tries to run for free. None of it works, and each says why.
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

mod ended;
mod never;
#[path = "../order_life/shop.rs"]
mod shop;
#[path = "../runtime_support/mod.rs"]
mod support;

use anyhow::ensure;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use shop::{order, order_new, pay, wait};
use support::{SOON, Tenant, condition, reason, text};
use testbed::eventually;

/// A Plan that is sold, and that costs more than `openclaw-basic`.
pub const DEARER: &str = "openclaw-pro";
/// The annotation by which a person holds an object.
pub fn paused() -> Value {
    json!({"metadata": {"annotations": {"moorage.dev/paused": "true"}}})
}

/// A namespace with a Workspace: the platform's view of it, and the tenant's, who may do everything there.
pub async fn hostile(namespace: &str) -> (Tenant<'static>, Tenant<'static>) {
    let platform = shop::tenant(namespace).await;
    let tenant = platform.owner().await.unwrap();
    (platform, tenant)
}

/// The same, with one Runtime that is paid and runs.
pub async fn customer(namespace: &str) -> (Tenant<'static>, Tenant<'static>) {
    let (platform, tenant) = hostile(namespace).await;
    order_new(&tenant, "first", "ops").await.unwrap();
    wait(&tenant, "first", "pending_payment").await.unwrap();
    pay(&platform, "first", &format!("{namespace}-1"), json!({})).await.unwrap();
    wait(&tenant, "first", "running").await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    (platform, tenant)
}

/// Places an order for a Runtime that is declared.
pub async fn order_for(tenant: &Tenant<'_>, name: &str, runtime: &str) {
    order(tenant, name, json!({"runtimeRef": {"name": runtime}})).await.unwrap();
}

/// A merge patch of an order.
pub async fn change(tenant: &Tenant<'_>, name: &str, change: Value) -> kube::Result<()> {
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
    orders.patch(name, &PatchParams::default(), &Patch::Merge(&change)).await.map(drop)
}

/// Waits until an order gives this reason, with these words in its message.
pub async fn refused(tenant: &Tenant<'_>, name: &str, wanted: &str, words: &str) {
    eventually(&format!("{name}: {wanted}"), SOON, async || {
        let order = shop::get(tenant, name).await?;
        ensure!(reason(&order) == wanted, "{}", order["status"]);
        let ready = condition(&order, "Ready");
        ensure!(text(&ready, "/message").contains(words), "{ready}");
        Ok(())
    })
    .await
    .unwrap();
}

/// Waits until no Machine of the app runs.
pub async fn stopped(tenant: &Tenant<'_>, app: &str) {
    eventually(&format!("{app} stopped"), SOON, async || {
        let standing = tenant.fly.standing(app).await?;
        let machines = standing["machines"].as_array().cloned().unwrap_or_default();
        ensure!(machines.iter().all(|one| one["state"] != "started"), "{standing}");
        Ok(())
    })
    .await
    .unwrap();
}
