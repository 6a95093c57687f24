//! A Secret that a Runtime refers to changes.

use anyhow::{Result, ensure};
use serde_json::json;
use testbed::eventually;

use crate::effects::app_of;
use crate::support::{SOON, Tenant};

/// Declares one with a variable from a Secret of its own.
pub async fn declare(tenant: &Tenant<'_>, name: &str) {
    rotate(tenant, name, "first").await.unwrap();
    let from = json!({"secretKeyRef": {"name": secret(name), "key": "key"}});
    tenant.declare(name, json!({"env": [{"name": "OPENAI_API_KEY", "valueFrom": from}]})).await.unwrap();
}

fn secret(name: &str) -> String {
    format!("keys-of-{name}")
}

/// Gives the Secret this value.
pub async fn rotate(tenant: &Tenant<'_>, name: &str, value: &str) -> Result<()> {
    let secret_value = json!({"metadata": {"labels": {"moorage.dev/use": "runtime-env"}},
        "stringData": {"key": value}});
    tenant.apply("v1", "Secret", &secret(name), secret_value).await
}

/// Waits until the Machine was given it, once.
pub async fn applied(tenant: &Tenant<'_>, name: &str) -> Result<()> {
    let app = app_of(tenant, name).await;
    eventually(&format!("{name} with its new secret"), SOON, async || {
        let changes = tenant.changes().await?;
        let updates = changes.iter().filter(|it| it.app == app && it.effect == "machine.update").count();
        ensure!(updates == 1, "{updates} updates");
        Ok(())
    })
    .await
}
