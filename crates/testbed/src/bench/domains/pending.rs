//! Hostnames whose records are missing: how often their DNS is looked at, and that nothing is written.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::super::run::{Rest, rest, settled};
use super::hosts::{self, ZONE, hosts};
use super::{Source, Stage};

/// How long they are watched.
const LENGTH: Duration = Duration::from_mins(1);
/// What every look asks for once at each server of the zone: the text that would show whose the hostname is.
const ASKED: &str = "TXT";

/// What waiting costs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pending {
    /// How many wait.
    pub(super) count: usize,
    /// Looks in a second, of all together, by the name server's count.
    pub(super) looks: f64,
    /// Everything else.
    pub(super) rest: Rest,
}

/// Declares so many, watches them while they wait, and removes them.
pub(super) async fn measure(stage: &Stage, count: usize) -> Result<Pending> {
    let wanted = hosts(stage, "p", Source::Acme, count);
    hosts::declare(stage.client.clone(), wanted).await?;
    hosts::records(&stage.client, count, hosts::asked(Source::Acme)).await?;
    settled(&stage.client).await?;
    let server = stage.around.server();
    let (before, began) = (server.queries(ZONE, ASKED).await?, Instant::now());
    let rest = rest(&stage.rig, &stage.client, LENGTH).await?;
    let (asked, seconds) = (server.queries(ZONE, ASKED).await? - before, began.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "some hundreds")]
    let looks = asked as f64 / seconds;
    let changed = rest.changed.len();
    stage.progress.note(&format!("  {count} wait: {looks:.2} looks/s, {changed} resource versions changed"));
    hosts::delete(stage).await?;
    Ok(Pending { count, looks, rest })
}
