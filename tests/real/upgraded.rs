//! From one version to the next, and back.

use anyhow::{Context, Result, ensure};
use serde_json::json;
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
    let first = Host::of(&customer).await?;
    customer_writes(&first).await?;
    is_taken_back(&customer, &first).await?;

    edit(&customer, OPENCLAW_LATEST, GOOD).await?;
    let before = Host::of(&customer).await?.machine().await?;
    assert_eq!(
        before.image_digest(),
        Some(digest(OPENCLAW_PREVIOUS).await?.as_str()),
        "an edit moves nothing"
    );
    let done = customer.ask("good", "Upgrade").await?;
    ensure!(done["state"] == "completed", "{done:#}");
    customer.reach("running").await?;
    // At its first start it puts newer models in the place of those that it takes for outdated; what is declared comes
    // back with the next.
    let done = customer.ask("once-more", "Restart").await?;
    ensure!(done["state"] == "completed", "{done:#}");
    let host = Host::of(&customer).await?;
    runs(&customer, &host, OPENCLAW_LATEST).await?;
    let main = json!({"main": {"identity": {"name": "Ada"}, "workspace": "/data/workspace"}});
    assert_eq!(host.config().await?["agents"]["entries"], main);
    customer.leave_from(&[first.volume]).await
}

/// How the gateway is started.
const GOOD: &str = "exec node dist/index.js gateway --allow-unconfigured --port 3000 --bind lan";
/// It starts, takes the state to its own form, is never reached, and ends by itself.
const BAD: &str = "echo spoilt > /data/workspace/NOTES.md; \
                   timeout 15 node dist/index.js gateway --allow-unconfigured --port 3999 --bind lan; exit 1";

async fn edit(customer: &Customer, tag: &str, script: &str) -> Result<()> {
    let spec = json!({"image": format!("{REPOSITORY}:{tag}"), "command": ["sh", "-c", script]});
    edit_blueprint(&customer.client, BLUEPRINT, spec).await?;
    eventually("the update to be shown", PATIENCE, async || {
        let runtime = customer.runtime().await?;
        let shown = condition(&runtime, "UpdateAvailable");
        ensure!(shown["status"] == "True", "{shown}");
        Ok(())
    })
    .await
}

/// The newer version makes the state its own and doesn't come up: image and volume go back together.
async fn is_taken_back(customer: &Customer, host: &Host) -> Result<()> {
    let good = customer.runtime().await?["status"]["pinned"].clone();
    edit(customer, OPENCLAW_LATEST, BAD).await?;
    let failed = customer.ask("bad", "Upgrade").await?;
    ensure!(failed["state"] == "failed", "{failed:#}");
    let runtime = customer.reach("running").await?;
    assert_eq!(runtime["status"]["pinned"], good);
    let told = condition(&runtime, "UpdateAvailable")["message"].as_str().context("no message")?.to_owned();
    ensure!(told.contains("taken back"), "{told}");
    let back = Host::of(customer).await?;
    assert_ne!(back.volume, host.volume, "what the bad one wrote is gone with the volume that it wrote to");
    assert_eq!(back.config().await?["agents"].get("entries"), None, "nothing is left of the newer form");
    runs(customer, &back, OPENCLAW_PREVIOUS).await
}

async fn runs(customer: &Customer, host: &Host, tag: &str) -> Result<()> {
    answers(customer).await?;
    assert_eq!(host.machine().await?.image_digest(), Some(digest(tag).await?.as_str()));
    is_configured_as_declared(customer, host, "Ada").await?;
    the_customer_s_is_kept(host).await
}
