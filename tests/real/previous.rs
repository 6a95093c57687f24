//! The previous version, which keeps agents in a list.

use anyhow::Result;
use serde_json::json;
use testbed::OPENCLAW_PREVIOUS;

use crate::customer::Customer;
use crate::machine::Host;
use crate::serving::{
    answers, ended_gracefully, is_configured_as_declared, runs_the_documented_command, was_configured_first,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_previous_version_serves_in_its_own_dialect() -> Result<()> {
    let customer = Customer::running("previous", OPENCLAW_PREVIOUS).await?;
    let host = Host::of(&customer).await?;
    answers(&customer).await?;
    runs_the_documented_command(&host).await?;
    was_configured_first(&host).await?;
    is_configured_as_declared(&customer, &host, "Ada").await?;
    let config = host.config().await?;
    let ada = json!([{"default": true, "id": "main", "identity": {"name": "Ada"}}]);
    assert_eq!(config["agents"]["list"], ada);
    assert_eq!(config["gateway"]["controlUi"]["allowInsecureAuth"], false);
    assert_eq!(config["agents"].get("entries"), None);

    customer.patch(json!({"spec": {"powerState": "Stopped"}})).await?;
    customer.reach("stopped").await?;
    ended_gracefully(&host).await?;
    customer.patch(json!({"spec": {"powerState": "Running"}})).await?;
    customer.reach("running").await?;
    answers(&customer).await?;
    is_configured_as_declared(&customer, &host, "Ada").await?;
    customer.leave().await
}
