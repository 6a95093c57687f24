//! How long a new Runtime takes that is given an app made ahead: from its declaration until it is `running`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::{TryStreamExt, pin_mut};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client, ResourceExt};
use serde::Serialize;
use serde_json::json;

use super::edits::quantile;
use super::fleet::{namespace, resource, runtimes_in};
use crate::objects::{apply, condition_is, eventually};
use crate::operator::Operator;

/// The Plan whose apps are made ahead.
pub(super) const PLAN: &str = "bench-warm";
/// How many are kept ready.
const SIZE: usize = 5;
const READY_WITHIN: Duration = Duration::from_mins(2);
const RUNNING_WITHIN: Duration = Duration::from_mins(1);

/// Times of hand-overs, in seconds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Warm {
    /// How many Runtimes were declared, one after the other.
    pub(super) count: usize,
    /// Until the status said `running`: the median.
    pub(super) p50: f64,
    /// 99 of 100.
    pub(super) p99: f64,
}

/// Fills a pool, declares so many Runtimes, and empties it again.
pub(super) async fn measure(
    operator: &Operator,
    client: &Client,
    namespaces: usize,
    count: usize,
) -> Result<Warm> {
    let spec = json!({"displayName": "Warm", "cpuKind": "Shared", "cpus": 2, "memoryMB": 2048, "volumeGB": 1,
        "amount": 0, "currency": "USD", "interval": "Month", "requiresOrder": false,
        "warmPool": {"size": SIZE, "regions": ["fra"]}});
    let plan = json!({"apiVersion": "moorage.dev/v1alpha1", "kind": "Plan", "metadata": {"name": PLAN}, "spec": spec});
    apply(client, &plan.to_string()).await?;
    let mut seconds = Vec::new();
    for index in 0..count {
        counted(operator, "ready", SIZE).await?;
        seconds.push(declare(client, &namespace(index % namespaces), &format!("warm{index:03}")).await?);
    }
    seconds.sort_by(f64::total_cmp);
    for index in 0..count {
        let runtimes = runtimes_in(client, &namespace(index % namespaces));
        runtimes.delete(&format!("warm{index:03}"), &DeleteParams::background()).await?;
    }
    let none = Patch::Merge(json!({"spec": {"warmPool": null}}));
    let plans: Api<DynamicObject> = Api::all_with(client.clone(), &resource("Plan", "plans"));
    plans.patch(PLAN, &PatchParams::default(), &none).await?;
    for state in ["ready", "preparing", "given", "dropped"] {
        counted(operator, state, 0).await?;
    }
    Ok(Warm { count, p50: quantile(&seconds, 50), p99: quantile(&seconds, 99) })
}

async fn counted(operator: &Operator, state: &str, count: usize) -> Result<()> {
    let line = format!("moorage_warm_apps{{state=\"{state}\"}} {count}");
    eventually(&line, READY_WITHIN, async || {
        if operator.metrics().await?.lines().any(|other| other == line) {
            return Ok(());
        }
        bail!("not yet")
    })
    .await
}

/// Declares a plain Runtime, and returns the seconds until it is `running`.
async fn declare(client: &Client, namespace: &str, name: &str) -> Result<f64> {
    let runtimes = runtimes_in(client, namespace);
    let runtime = serde_json::from_value(json!({
        "apiVersion": "moorage.dev/v1alpha1", "kind": "Runtime",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"planRef": {"name": PLAN}, "deletionPolicy": "Delete"},
    }))?;
    let began = Instant::now();
    let made = runtimes.create(&PostParams::default(), &runtime).await?;
    let params = WatchParams::default().fields(&format!("metadata.name={name}"));
    let events = runtimes.watch(&params, &made.resource_version().unwrap_or_default()).await?;
    pin_mut!(events);
    loop {
        let next = tokio::time::timeout(RUNNING_WITHIN, events.try_next()).await;
        match next.with_context(|| format!("{namespace}/{name} doesn't run"))?? {
            Some(WatchEvent::Modified(seen))
                if seen.data["status"]["state"] == "running" && condition_is(&seen.data, "Ready", "True") =>
            {
                return Ok(began.elapsed().as_secs_f64());
            }
            Some(WatchEvent::Error(status)) => bail!("the watch failed: {status:?}"),
            Some(_) => {}
            None => bail!("the watch ended"),
        }
    }
}
