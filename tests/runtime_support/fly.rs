//! The simulator's own control API, in the words of the tests.

use anyhow::{Context, Result};
use http::Method;
use serde_json::{Value, json};
use testbed::FlySim;

/// The simulator.
#[derive(Clone, Copy)]
pub struct Fly<'r>(pub &'r FlySim);

impl Fly<'_> {
    /// The ledger from entry `since` on.
    pub async fn ledger(&self, since: u64) -> Result<Value> {
        self.0.read(&format!("ledger?since={since}")).await
    }

    /// The number of the newest entry.
    pub async fn head(&self) -> Result<u64> {
        let ledger = self.0.read("ledger?limit=1").await?;
        ledger["head"].as_u64().context("a ledger without head")
    }

    /// Every request that was answered for an app since an entry, as `METHOD route status`.
    pub async fn calls(&self, app: &str, since: u64) -> Result<Vec<Value>> {
        let ledger = self.0.read(&format!("ledger?kind=request&app={app}&since={since}")).await?;
        Ok(ledger["entries"].as_array().cloned().unwrap_or_default())
    }

    /// A rule on calls: `rule` is `{match, action}`.
    pub async fn rule(&self, matching: Value, action: Value) -> Result<u64> {
        self.add(&json!({"match": matching, "action": action})).await
    }

    /// A state of the world.
    pub async fn world(&self, environment: Value) -> Result<u64> {
        self.add(&json!({"environment": environment})).await
    }

    async fn add(&self, body: &Value) -> Result<u64> {
        self.0.send(Method::POST, "faults", body).await?["id"].as_u64().context("a fault without id")
    }

    /// A thing that happens now.
    pub async fn event(&self, event: Value) -> Result<()> {
        self.0.send(Method::POST, "faults", &json!({"event": event})).await.map(drop)
    }

    /// A rule or a state of the world.
    pub async fn fault(&self, id: u64) -> Result<Value> {
        self.0.read(&format!("faults/{id}")).await
    }

    /// How often a rule was applied.
    pub async fn applied(&self, id: u64) -> Result<u64> {
        Ok(self.fault(id).await?.pointer("/rule/applied").and_then(Value::as_u64).unwrap_or_default())
    }

    /// Whether a rule holds a reply back.
    pub async fn holds(&self, id: u64) -> Result<bool> {
        let held = self.fault(id).await?;
        Ok(held.pointer("/rule/held").and_then(Value::as_array).is_some_and(|held| !held.is_empty()))
    }

    /// Takes a rule or a state away.
    pub async fn mend(&self, id: u64) -> Result<()> {
        self.0.send(Method::DELETE, &format!("faults/{id}"), &Value::Null).await.map(drop)
    }

    /// What stands in an app, as the simulator knows it; null if there is none.
    pub async fn standing(&self, app: &str) -> Result<Value> {
        let state = self.0.read("state").await?;
        let apps = state["apps"].as_array().cloned().unwrap_or_default();
        Ok(apps.into_iter().find(|one| one["name"] == app).unwrap_or_default())
    }
}
