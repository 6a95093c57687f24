//! The Control UI in a real browser, from its URL with the token to a paired device.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use testbed::OPENCLAW_LATEST;

use crate::chromium::Chromium;
use crate::customer::Customer;
use crate::machine::Host;

/// The app's own element, and the text that a person sees in it.
const APP: &str = "document.querySelector('openclaw-app')?.innerText ?? ''";

#[tokio::test(flavor = "multi_thread")]
async fn the_control_ui_opens_asks_for_approval_and_then_shows_the_agent() -> Result<()> {
    let customer = Customer::running("browser", OPENCLAW_LATEST).await?;
    let host = Host::of(&customer).await?;
    let runtime = customer.runtime().await?;
    let url = runtime["status"]["url"].as_str().context("no URL")?;
    let mut chromium = Chromium::open(&format!("{url}/#token={}", customer.token().await?)).await?;

    let text = chromium.until(APP, |text| text.contains("Approve this browser")).await?;
    chromium.screenshot("control-ui-unpaired.png").await?;
    let request = pending_request(&host).await?;
    ensure!(text.contains(&request), "the page shows another request than {request}: {text}");
    host.exec(&["openclaw", "devices", "approve", &request, "--json"]).await?;

    chromium.until(APP, |text| text.contains("Message Ada") && text.contains("Connected")).await?;
    chromium.screenshot("control-ui.png").await?;
    chromium.close().await?;
    a_stranger_gets_nothing(url, &host).await?;
    customer.leave().await
}

/// A browser with a wrong token is told so, and leaves no request for anybody to approve.
async fn a_stranger_gets_nothing(url: &str, host: &Host) -> Result<()> {
    let mut stranger = Chromium::open(&format!("{url}/#token=wrong")).await?;
    stranger.until(APP, |text| text.contains("rejected the supplied Gateway secret")).await?;
    assert_eq!(devices(host).await?["pending"], json!([]));
    stranger.close().await
}

async fn devices(host: &Host) -> Result<Value> {
    let output = host.exec(&["openclaw", "devices", "list", "--json"]).await?;
    serde_json::from_str(&output).with_context(|| format!("not JSON: {output}"))
}

/// The one pending request: of the browser, at the address from which it came to the edge.
async fn pending_request(host: &Host) -> Result<String> {
    let devices = devices(host).await?;
    let pending = devices["pending"].as_array().context("no list")?;
    ensure!(pending.len() == 1, "{devices:#}");
    assert_eq!(pending[0]["clientId"], "openclaw-control-ui");
    assert_eq!(pending[0]["remoteIp"], "203.0.113.7", "the visitor's address, not the proxy's");
    Ok(pending[0]["requestId"].as_str().context("no id")?.to_owned())
}
