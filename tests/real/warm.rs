//! A gateway that was made ahead.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use kube::Api;
use kube::api::ListParams;
use moorage::api::NameClaim;
use moorage::api::name_claim::ClaimType;
use serde_json::json;
use testbed::eventually;

use crate::customer::{Customer, PATIENCE};
use crate::machine::Host;
use crate::platform::{WARM, keep_warm, rig};
use crate::serving::{answers, runs_the_documented_command};

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_was_made_ahead_is_handed_over_without_a_restart() -> Result<()> {
    let customer = Customer::with_workspace("handed").await?;
    keep_warm(&customer.client, 1).await?;
    let asked = Instant::now();
    let app = ready(&customer).await?;
    let making = asked.elapsed();
    let declared = Instant::now();
    customer.declare(json!({"planRef": {"name": WARM}})).await?;
    customer.reach("running").await?;
    let took = declared.elapsed();
    keep_warm(&customer.client, 0).await?;
    let host = Host::of(&customer).await?;
    assert_eq!(host.app, app);
    let starts = host.machine().await?.events.iter().filter(|event| event.kind == "start").count();
    assert_eq!(starts, 1, "it was started when it was made, and never again");
    // On a machine however loaded: to make it took a boot, and to give it takes none.
    ensure!(took < making / 2, "{took:?} to give it, {making:?} to make it");
    answers(&customer).await?;
    runs_the_documented_command(&host).await?;
    customer.leave().await
}

/// The app that waits, once its gateway serves.
async fn ready(customer: &Customer) -> Result<String> {
    eventually("a gateway that was made ahead", PATIENCE, async || {
        let metrics = rig().await.operator.metrics().await?;
        ensure!(metrics.contains(r#"moorage_warm_apps{state="ready"} 1"#), "none is ready");
        Ok(())
    })
    .await?;
    let claims: Api<NameClaim> = Api::all(customer.client.clone());
    let all = claims.list(&ListParams::default()).await?.items;
    let warm = all.into_iter().find(|claim| claim.spec.type_ == ClaimType::Warm).context("no claim")?;
    Ok(warm.spec.runtime.context("a claim without an app")?.app)
}
