//! The version that is shipped, through its whole life.

use std::fs;

use anyhow::{Result, ensure};
use moorage::gateway::health::Verdict;
use serde_json::{Value, json};
use testbed::OPENCLAW_LATEST;

use crate::belongings::{customer_writes, the_customer_s_is_kept};
use crate::customer::{Customer, condition};
use crate::machine::Host;
use crate::serving::{
    Visitor, answers, ended_gracefully, is_configured_as_declared, runs_the_documented_command,
    was_configured_first,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_version_keeps_what_is_its_customer_s_through_everything() -> Result<()> {
    let customer = Customer::running("latest", OPENCLAW_LATEST).await?;
    let host = Host::of(&customer).await?;
    answers(&customer).await?;
    runs_the_documented_command(&host).await?;
    was_configured_first(&host).await?;
    is_configured_as_declared(&customer, &host, "Ada").await?;
    one_agent(&host, "Ada").await?;

    customer_writes(&host).await?;
    stops_and_starts(&customer, &host).await?;
    takes_another_persona(&customer, &host).await?;
    refuses_what_is_broken_until_it_is_mended(&customer, &host).await?;
    customer.leave().await
}

/// One default agent, in this version's dialect: it needs no marker and knows no insecure authentication.
async fn one_agent(host: &Host, persona: &str) -> Result<()> {
    let config = host.config().await?;
    let main = json!({"main": {"identity": {"name": persona}, "workspace": "/data/workspace"}});
    assert_eq!(config["agents"]["entries"], main);
    assert_eq!(config["agents"].get("list"), None);
    assert_eq!(config["gateway"]["controlUi"].get("allowInsecureAuth"), None);
    Ok(())
}

async fn stops_and_starts(customer: &Customer, host: &Host) -> Result<()> {
    customer.patch(json!({"spec": {"powerState": "Stopped"}})).await?;
    customer.reach("stopped").await?;
    ended_gracefully(host).await?;
    assert_eq!(Visitor::of(customer).await?.health().await?, Verdict::NotAGateway, "only the edge answers");
    customer.patch(json!({"spec": {"powerState": "Running"}})).await?;
    let runtime = customer.reach("running").await?;
    assert_eq!(runtime["status"]["external"]["machineID"], json!(host.id), "the same Machine");
    assert_eq!(runtime["status"]["external"]["volumeID"], json!(host.volume), "the same volume");
    answers(customer).await?;
    the_customer_s_is_kept(host).await
}

async fn takes_another_persona(customer: &Customer, host: &Host) -> Result<()> {
    customer.patch(json!({"spec": {"persona": {"name": "Grace"}}})).await?;
    customer.reach("running").await?;
    is_configured_as_declared(customer, host, "Grace").await?;
    one_agent(host, "Grace").await?;
    the_customer_s_is_kept(host).await
}

/// A configuration that the gateway refuses is reported and not tried for ever; a restart tries it once mended.
async fn refuses_what_is_broken_until_it_is_mended(customer: &Customer, host: &Host) -> Result<()> {
    let sound = host.read("/data/openclaw.json").await?;
    host.exec(&["sh", "-c", "echo '{\"gateway\": {' > /data/openclaw.json"]).await?;
    customer.restart("broken").await?;
    let runtime = customer.fails("ConfigurationRefused").await?;
    let message = condition(&runtime, "Ready")["message"].as_str().unwrap_or_default();
    ensure!(
        message.contains("openclaw.json") && message.contains("restart"),
        "it tells no remedy: {message}"
    );
    let console = host.console().await?;
    ensure!(console.contains("moorage: gateway refused its configuration (exit 78)"), "{console}");

    let file = host.volume_folder().await.join("openclaw.json");
    assert_eq!(fs::read_to_string(&file)?.trim(), "{\"gateway\": {", "it is left as its owner wrote it");
    fs::write(&file, sound)?;
    customer.restart("mended").await?;
    let runtime = customer.restarted("mended").await?;
    assert_eq!(runtime["status"].get("lastError"), None::<&Value>);
    answers(customer).await?;
    one_agent(host, "Grace").await?;
    the_customer_s_is_kept(host).await
}
