//! A host that doesn't answer any more. All Runtimes of this history stand on one host of a region of their own, so that
//! nothing else is lost with it.

use std::time::{Duration, Instant};

use anyhow::Result;
use kube::Api;
use kube::api::{Patch, PatchParams};
use moorage::api::NameClaim;
use serde_json::{Value, json};
use testbed::{Identity, platform};

use crate::support::{SOON, Tenant};

const REGION: &str = "jnb";
const LOST: &str = "jnb-0";
const HOSTS: usize = 8;

/// Declares one there.
pub async fn declare(tenant: &Tenant<'_>, name: &str) {
    tenant.declare(name, json!({"regions": [REGION]})).await.unwrap();
}

/// What is made in the region now comes to stand on that host: the others are full.
pub async fn steer(tenant: &Tenant<'_>) {
    mend(tenant).await;
    for host in 1..HOSTS {
        let full = json!({"kind": "host_full", "on": format!("{REGION}-{host}")});
        tenant.fly.world(full).await.unwrap();
    }
}

/// It doesn't answer any more, and there is room elsewhere.
pub async fn lose(tenant: &Tenant<'_>) {
    mend(tenant).await;
    tenant.fly.world(json!({"kind": "host_unreachable", "on": LOST})).await.unwrap();
}

/// Every host of the region answers and has room.
pub async fn mend(tenant: &Tenant<'_>) {
    let all = tenant.fly.0.read("faults").await.unwrap();
    for fault in all["faults"].as_array().or_else(|| all.as_array()).cloned().unwrap_or_default() {
        let on = fault.pointer("/environment/on").and_then(Value::as_str).unwrap_or_default();
        if on.starts_with(&format!("{REGION}-")) {
            tenant.fly.mend(fault["id"].as_u64().unwrap()).await.unwrap();
        }
    }
}

/// Has its snapshot restored once it was waited for. An edit makes it seen at once that the host is lost. The shortest
/// wait is a minute: that it is over is what the claim is made to say, beside whatever else happens meanwhile.
pub async fn begin(tenant: &Tenant<'_>, name: &str) -> Result<()> {
    let identity = Identity::service_account(platform::NAMESPACE, platform::SERVICE_ACCOUNT);
    let claims: Api<NameClaim> = Api::all(tenant.cluster.client(&identity).await?);
    let claim = NameClaim::label_key(&tenant.slug(name));
    let recovery = json!({"onHostLoss": "Restore", "afterMinutes": 1});
    tenant.patch(name, json!({"spec": {"recovery": recovery, "persona": {"name": "Ada"}}})).await?;
    tokio::spawn(async move {
        let until = Instant::now() + SOON;
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let Ok(found) = claims.get(&claim).await else { continue };
            if found.spec.runtime.is_some_and(|identity| identity.unreachable_since.is_some()) {
                break;
            }
        }
        // What is told of it meanwhile is written first.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let long_ago = json!({"spec": {"runtime": {"unreachableSince": "2026-01-01T00:00:00Z"}}});
        let _ = claims.patch(&claim, &PatchParams::default(), &Patch::Merge(long_ago)).await;
    });
    Ok(())
}
