//! One hostname after the other at rest: from when its DNS is in place until it is `active`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::{TryStreamExt, pin_mut};
use kube::Client;
use kube::api::{WatchEvent, WatchParams};
use serde::Serialize;

use super::super::edits::quantile;
use super::super::run::settled;
use super::hosts::{self, Host, hosts};
use super::{Source, Stage};
use crate::objects::condition_is;
use crate::surroundings::asked_for;

const ACTIVE_WITHIN: Duration = Duration::from_mins(3);

/// Times in seconds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Single {
    /// How many were measured.
    pub(super) count: usize,
    /// The median.
    pub(super) p50: f64,
    /// The longest.
    pub(super) longest: f64,
}

/// Declares so many, and sets the records of one after the other.
pub(super) async fn measure(stage: &Stage, source: Source, count: usize) -> Result<Single> {
    let wanted = hosts(stage, if source == Source::Acme { "s" } else { "t" }, source, count);
    hosts::declare(stage.client.clone(), wanted.clone()).await?;
    hosts::records(&stage.client, count, hosts::asked(source)).await?;
    settled(&stage.client).await?;
    let mut seconds = Vec::new();
    for host in &wanted {
        seconds.push(one(stage, host).await.with_context(|| host.name.clone())?);
    }
    seconds.sort_by(f64::total_cmp);
    let single =
        Single { count, p50: quantile(&seconds, 50), longest: seconds.last().copied().unwrap_or_default() };
    let Single { p50, longest, .. } = single;
    stage
        .progress
        .note(&format!("  DNS in place to active by {}: p50 {p50:.1} s, max {longest:.1} s", source.word()));
    hosts::delete(stage).await?;
    Ok(single)
}

/// Sets the records of one, and returns the seconds until it serves.
async fn one(stage: &Stage, host: &Host) -> Result<f64> {
    let api = hosts::of(&stage.client, &host.namespace);
    let asked = asked_for(&serde_json::to_value(api.get(&host.name).await?)?);
    stage.around.set(&asked).await?;
    let began = Instant::now();
    active(&stage.client, host).await?;
    Ok(began.elapsed().as_secs_f64())
}

async fn active(client: &Client, host: &Host) -> Result<()> {
    let api = hosts::of(client, &host.namespace);
    let params = WatchParams::default().fields(&format!("metadata.name={}", host.name));
    // From no version on, a watch begins with the object as it is.
    let events = api.watch(&params, "0").await?;
    pin_mut!(events);
    loop {
        let next = tokio::time::timeout(ACTIVE_WITHIN, events.try_next()).await;
        match next.context("it doesn't become active")?? {
            Some(WatchEvent::Added(seen) | WatchEvent::Modified(seen))
                if seen.data["status"]["state"] == "active" && condition_is(&seen.data, "Ready", "True") =>
            {
                return Ok(());
            }
            Some(WatchEvent::Error(status)) => bail!("the watch failed: {status:?}"),
            Some(_) => {}
            None => bail!("the watch ended"),
        }
    }
}
