//! How long an edit of a spec takes at rest: until Fly is asked for a change, and until the status says that it is done.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use kube::api::{Patch, PatchParams, WatchEvent, WatchParams};
use kube::{Client, ResourceExt};
use serde::Serialize;
use serde_json::{Value, json};

use futures::{TryStreamExt, pin_mut};

use super::calls::ledger_head;
use super::fleet::{self, runtimes_in};
use crate::fly_sim::FlySim;
use crate::objects::condition_is;

const DONE_WITHIN: Duration = Duration::from_mins(1);

/// Times of edits, in seconds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Edits {
    /// How many were made, one after the other.
    pub(super) count: usize,
    /// Until Fly was asked for the first change: the median.
    pub(super) fly_p50: f64,
    /// 99 of 100.
    pub(super) fly_p99: f64,
    /// Until the status said that it is done: the median.
    pub(super) status_p50: f64,
    /// 99 of 100.
    pub(super) status_p99: f64,
}

/// Edits one Runtime after the other: in turn its environment and its power state, there and back.
pub(super) async fn measure(
    fly: &FlySim,
    client: &Client,
    places: &[(String, String)],
    count: usize,
    secrets: u8,
) -> Result<Edits> {
    let (mut calls, mut statuses) = (Vec::new(), Vec::new());
    // Spread over all of them.
    let stride = (places.len() / count.max(1)).max(1);
    for (index, (namespace, name)) in places.iter().cycle().step_by(stride).take(count).enumerate() {
        let spec = match index % 3 {
            0 => json!({"env": fleet::env(name, &format!("edited-{index}"), secrets)}),
            1 => json!({"powerState": "Stopped"}),
            _ => json!({"persona": {"name": format!("Edith {index}")}}),
        };
        let (call, status) = edit(fly, client, namespace, name, &spec)
            .await
            .with_context(|| format!("edit {namespace}/{name}"))?;
        calls.push(call);
        statuses.push(status);
    }
    calls.sort_by(f64::total_cmp);
    statuses.sort_by(f64::total_cmp);
    Ok(Edits {
        count,
        fly_p50: quantile(&calls, 50),
        fly_p99: quantile(&calls, 99),
        status_p50: quantile(&statuses, 50),
        status_p99: quantile(&statuses, 99),
    })
}

async fn edit(
    fly: &FlySim,
    client: &Client,
    namespace: &str,
    name: &str,
    spec: &Value,
) -> Result<(f64, f64)> {
    let api = runtimes_in(client, namespace);
    let head = ledger_head(fly).await?;
    let (wall, began) = (epoch_ms()?, Instant::now());
    let edited = api.patch(name, &PatchParams::default(), &Patch::Merge(&json!({"spec": spec}))).await?;
    let generation = edited.metadata.generation;
    let params = WatchParams::default().fields(&format!("metadata.name={name}"));
    let events = api.watch(&params, &edited.resource_version().unwrap_or_default()).await?;
    pin_mut!(events);
    let app = loop {
        let next = tokio::time::timeout(DONE_WITHIN, events.try_next()).await;
        match next.context("its status says nothing of the edit")?? {
            Some(WatchEvent::Modified(seen)) => {
                let current = seen.data["status"]["observedGeneration"].as_i64() == generation;
                if current && condition_is(&seen.data, "Ready", "True") {
                    break seen.data["status"]["external"]["app"].as_str().unwrap_or_default().to_owned();
                }
            }
            Some(WatchEvent::Error(status)) => bail!("the watch failed: {status:?}"),
            Some(_) => {}
            None => bail!("the watch ended"),
        }
    };
    let status = began.elapsed().as_secs_f64();
    let ledger = fly.read(&format!("ledger?kind=request&since={head}&app={app}")).await?;
    let entries = ledger["entries"].as_array().context("a ledger without entries")?;
    let change = |entry: &&Value| entry["call"]["method"].as_str().is_some_and(|method| method != "GET");
    let first = entries.iter().filter(change).filter_map(|entry| entry["at"].as_i64()).min();
    let first = first.context("Fly was asked for no change")?;
    #[expect(clippy::cast_precision_loss, reason = "some milliseconds")]
    let call = (first - wall).max(0) as f64 / 1000.0;
    Ok((call, status))
}

/// The time as the simulator's ledger has it.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub(super) fn epoch_ms() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

/// Of sorted values: the one that so many percent don't exceed.
pub(super) fn quantile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn a_quantile_is_a_value_that_was_measured() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert!((quantile(&values, 50) - 100.0).abs() < f64::EPSILON);
        assert!((quantile(&values, 99) - 198.0).abs() < f64::EPSILON);
        assert!((quantile(&[7.0], 99) - 7.0).abs() < f64::EPSILON);
        assert!(quantile(&[], 50).abs() < f64::EPSILON);
    }
}
