//! Many hostnames at once whose DNS is in place.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Serialize;

use super::super::arrivals::{Wanted, arrivals};
use super::super::calls::{ApiCalls, ApiSpan, fly_requests, ledger_head};
use super::super::run::{per_second, settled};
use super::super::usage::{Clocks, Spent, memory};
use super::acme::{self, Requests};
use super::hosts::{self, all, hosts};
use super::{Source, Stage};

/// What many at once take.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Crowd {
    /// How many.
    pub(super) count: usize,
    /// Seconds from the first creation until all are `active`.
    pub(super) seconds: f64,
    /// Seconds until half of them are.
    pub(super) half_seconds: f64,
    /// How many became `active` in a second.
    pub(super) rate: f64,
    /// Requests to the certificate authority.
    pub(super) acme: Requests,
    /// Requests to the API server, the bench's own left out.
    pub(super) api: ApiSpan,
    /// Requests to Fly, by method and route.
    pub(super) fly: BTreeMap<String, u64>,
    /// Processor time until all were `active`.
    pub(super) cpu: Spent,
    /// Most memory of the operator so far, in MB.
    pub(super) peak_mb: f64,
}

impl Crowd {
    /// Requests to the authority for each.
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    pub(super) fn requests_each(&self) -> f64 {
        self.acme.values().sum::<u64>() as f64 / self.count as f64
    }
}

/// Puts the DNS of so many in place, then declares them and waits until all are `active`; and removes them.
pub(super) async fn measure(stage: &Stage, source: Source, count: usize) -> Result<Crowd> {
    let wanted = hosts(stage, if source == Source::Acme { "a" } else { "f" }, source, count);
    hosts::declare(stage.client.clone(), wanted.clone()).await?;
    let records = hosts::records(&stage.client, count, hosts::asked(source)).await?;
    hosts::delete(stage).await?;
    stage.around.set(&records).await?;
    settled(&stage.client).await?;

    let parts = stage.parts();
    let head = ledger_head(&stage.rig.fly).await?;
    let requests = acme::requests(&stage.around.authority);
    let calls = ApiCalls::read(&stage.client).await?;
    let clocks = Clocks::read(&parts)?;
    let active = Wanted { fields: "status.state=active", count };
    let work = hosts::declare(stage.client.clone(), wanted);
    let seen = match arrivals(&all(&stage.client), &active, work, || stage.check()).await {
        Ok(seen) => seen,
        Err(error) => {
            let log = stage.rig.operator.process().log_tail(12);
            return Err(error.context(format!("{}\n{log}", hosts::behind(&stage.client).await?)));
        }
    };
    let cpu = Clocks::read(&parts)?.since(&clocks);
    let own = [("POST customdomains", count), ("LIST customdomains", 1)];
    let api = ApiCalls::read(&stage.client).await?.since(&calls, &own);
    // What is asked about renewals after that belongs to them as well.
    settled(&stage.client).await?;
    let serving = hosts::serving(&stage.client).await?;
    ensure!(serving == count, "{count} became active, but only {serving} are Ready");
    let acme = acme::since(&acme::requests(&stage.around.authority), &requests);
    let mut at: Vec<Duration> = seen.into_values().collect();
    at.sort();
    let last = at.last().copied().unwrap_or_default();
    let crowd = Crowd {
        count,
        seconds: last.as_secs_f64(),
        half_seconds: at.get(count / 2).copied().unwrap_or_default().as_secs_f64(),
        rate: per_second(count, last),
        acme,
        api,
        fly: fly_requests(&stage.rig.fly, head).await?,
        cpu,
        peak_mb: memory(stage.rig.operator.process().pid())?.1,
    };
    stage.progress.note(&format!("  {:.1} CustomDomains/s to active by {}", crowd.rate, source.word()));
    hosts::delete(stage).await?;
    Ok(crowd)
}
