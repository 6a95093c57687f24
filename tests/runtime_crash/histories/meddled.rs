//! A Machine to which somebody else gives another size.

use anyhow::{Result, ensure};
use moorage::control::runtime::desired::metadata;
use serde_json::json;
use testbed::eventually;

use super::adopt::client;
use crate::effects::app_of;
use crate::support::{SOON, Tenant, text};

/// Has it changed.
pub async fn begin(tenant: &Tenant<'_>, name: &str) -> Result<()> {
    let machine = text(&tenant.claim(name).await?, "/spec/runtime/machineID").to_owned();
    let guest = json!({"cpu_kind": "shared", "cpus": 1, "memory_mb": 1024});
    tenant.fly.event(json!({"kind": "machine_update", "machine": machine, "config": {"guest": guest}})).await
}

/// Waits until it has its own size again.
pub async fn put_back(tenant: &Tenant<'_>, name: &str) -> Result<()> {
    let machine = text(&tenant.claim(name).await?, "/spec/runtime/machineID").to_owned();
    let app = app_of(tenant, name).await;
    eventually(&format!("{name} with its own size"), SOON, async || {
        let read = client(tenant).machines(&app).get(&machine).await?;
        let config = read.config.unwrap_or_default();
        let memory = config.guest.and_then(|guest| guest.memory_mb);
        ensure!(memory == Some(2048) && config.metadata.contains_key(metadata::ASKED), "{memory:?}");
        Ok(())
    })
    .await
}
