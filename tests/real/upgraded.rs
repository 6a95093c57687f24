//! From one version to the next, and back.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testbed::{OPENCLAW_LATEST, OPENCLAW_PREVIOUS, eventually};

use crate::belongings::{customer_writes, the_customer_s_is_kept};
use crate::customer::{Customer, PATIENCE, condition};
use crate::machine::Host;
use crate::platform::{REPOSITORY, digest, edit_blueprint, make_blueprint, rig};
use crate::serving::{answers, is_configured_as_declared};

/// The Blueprint that nobody else runs.
const BLUEPRINT: &str = "openclaw-line";

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_keeps_what_is_its_customer_s_and_a_bad_one_is_taken_back_whole() -> Result<()> {
    make_blueprint(&rig().await.client().await?, BLUEPRINT, OPENCLAW_PREVIOUS).await?;
    let customer = Customer::running_on("upgraded", BLUEPRINT).await?;
    let host = Host::of(&customer).await?;
    customer_writes(&host).await?;

    moves_to(&customer, &host, OPENCLAW_LATEST).await?;
    // At its first start it puts newer models in the place of those that it takes for outdated; what is declared comes
    // back with the next.
    let done = customer.ask("once-more", "Restart").await?;
    ensure!(done["state"] == "completed", "{done:#}");
    let host = Host::of(&customer).await?;
    runs(&customer, &host, OPENCLAW_LATEST).await?;
    let main = json!({"main": {"identity": {"name": "Ada"}, "workspace": "/data/workspace"}});
    assert_eq!(host.config().await?["agents"]["entries"], main);

    goes_back_from_what_does_not_start(&customer, &host).await?;
    customer.leave_from(&[host.volume]).await
}

/// The edit shows and moves nothing; asked for, it is carried out.
async fn moves_to(customer: &Customer, host: &Host, tag: &str) -> Result<()> {
    let before = host.machine().await?;
    edit_blueprint(&customer.client, BLUEPRINT, json!({"image": format!("{REPOSITORY}:{tag}")})).await?;
    update_is_shown(customer).await?;
    assert_eq!(host.machine().await?.instance_id, before.instance_id, "an edit restarts nothing");
    let done = customer.ask("forward", "Upgrade").await?;
    ensure!(done["state"] == "completed", "{done:#}");
    customer.reach("running").await.map(drop)
}

async fn update_is_shown(customer: &Customer) -> Result<()> {
    eventually("the update to be shown", PATIENCE, async || {
        let runtime = customer.runtime().await?;
        let shown = condition(&runtime, "UpdateAvailable");
        ensure!(shown["status"] == "True", "{shown}");
        Ok(())
    })
    .await
}

async fn runs(customer: &Customer, host: &Host, tag: &str) -> Result<()> {
    answers(customer).await?;
    assert_eq!(host.machine().await?.image_digest(), Some(digest(tag).await?.as_str()));
    is_configured_as_declared(customer, host, "Ada").await?;
    the_customer_s_is_kept(host).await
}

/// A gateway that ends by itself takes image and volume back together.
async fn goes_back_from_what_does_not_start(customer: &Customer, host: &Host) -> Result<()> {
    let good = customer.runtime().await?["status"]["pinned"].clone();
    let broken = json!({"command": ["node", "-e",
        "require('fs').writeFileSync('/data/workspace/NOTES.md', 'spoilt'); process.exit(1)"]});
    edit_blueprint(&customer.client, BLUEPRINT, broken).await?;
    update_is_shown(customer).await?;
    let failed = customer.ask("bad", "Upgrade").await?;
    ensure!(failed["state"] == "failed", "{failed:#}");
    let runtime = customer.reach("running").await?;
    assert_eq!(runtime["status"]["pinned"], good);
    let told = message(condition(&runtime, "UpdateAvailable"))?.to_owned();
    ensure!(told.contains("taken back"), "{told}");
    let back = Host::of(customer).await?;
    assert_ne!(back.volume, host.volume, "what the bad one wrote is gone with the volume that it wrote to");
    runs(customer, &back, OPENCLAW_LATEST).await
}

fn message(condition: &Value) -> Result<&str> {
    condition["message"].as_str().context("a condition without a message")
}
