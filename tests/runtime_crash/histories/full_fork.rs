//! A full host, from which the volume is copied to another, where there is no room for its Machine either.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kube::Api;
use moorage::api::NameClaim;
use serde_json::json;

use crate::support::{SOON, Tenant};

fn apps(tenant: &Tenant<'_>, name: &str) -> String {
    format!("{}-*", tenant.slug(name))
}

/// No Machine can be made in its app.
pub async fn arrange(tenant: &Tenant<'_>, name: &str) {
    let matching = json!({"method": "POST", "route": "/v1/apps/{app}/machines", "app": apps(tenant, name)});
    let refusal = "insufficient resources to create new machine with existing volume 'vol_x'";
    let action = json!({"kind": "status", "status": 412, "body": {"error": refusal}});
    tenant.fly.rule(matching, action).await.unwrap();
}

/// There is room again once the copy has been given up, whatever else happens meanwhile.
pub async fn watch(tenant: &Tenant<'_>, name: &str) -> Result<()> {
    let faults = tenant.fly.0.read("faults").await?;
    let ours = apps(tenant, name);
    let all = faults["faults"].as_array().cloned().unwrap_or_default();
    let rule =
        all.iter().find(|it| it["rule"]["match"]["app"] == ours && it["rule"]["action"]["status"] == 412);
    let rule = rule.and_then(|it| it["id"].as_u64()).context("no rule")?;
    let (http, api) = (tenant.fly.0.browser("any.example")?, tenant.fly.0.api_url().to_owned());
    let claims: Api<NameClaim> = Api::all(tenant.client.clone());
    let claim = NameClaim::label_key(&tenant.slug(name));
    tokio::spawn(async move {
        let until = Instant::now() + 2 * SOON;
        while Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let found = claims.get(&claim).await.ok().and_then(|claim| claim.spec.runtime);
            if found.is_some_and(|identity| identity.incarnation == 2) {
                break;
            }
        }
        let _ = http.delete(format!("{api}/_sim/faults/{rule}")).send().await;
    });
    Ok(())
}

/// Waits until it says that there is no room, and runs as before.
pub async fn taken_back(tenant: &Tenant<'_>, name: &str) -> Result<()> {
    tenant.wait_reason(name, "Capacity").await.map(drop)
}
