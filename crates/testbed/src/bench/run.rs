//! One run: everything started anew, measured, and ended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kube::Client;
use serde::Serialize;
use serde_json::json;

use super::calls::{ApiCalls, ApiSpan, fly_requests, ledger_head};
use super::edits::{self, Edits};
use super::raw::{self, Writers};
use super::usage::{Clocks, Spent, memory};
use super::warm::{self, Warm};
use super::{BenchOptions, Cell, fleet, off, sample, tasks};
use crate::control_plane::Audit;
use crate::fly_sim::{FlySimOptions, RateLimits};
use crate::kubeconfig::Identity;
use crate::objects::eventually;
use crate::platform;
use crate::process::Process;
use crate::progress::Progress;
use crate::rig::{Rig, RigOptions};

/// Time after the last Runtime is Ready in which dashboards are told and the feed comes to rest.
const SETTLING: Duration = Duration::from_secs(20);
/// Time in which each Secret has been asked for once: what is seen for the first time is compared in full.
const ROUNDS: Duration = Duration::from_secs(200);
/// Longest time that what is behind may take to be written.
const SETTLED_WITHIN: Duration = Duration::from_mins(10);
const STOPPING: Duration = Duration::from_secs(30);
const READY_WITHIN: Duration = Duration::from_mins(1);
const VERIFIED_WITHIN: Duration = Duration::from_mins(10);
/// Most Runtimes that are written raw: the rate doesn't depend on their number.
pub(super) const RAW: usize = 1_000;

/// What one run measured.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    /// Seconds from the first creation until all are Ready.
    pub(super) ready_seconds: f64,
    /// Seconds from the first creation until half of them are.
    pub(super) half_ready_seconds: f64,
    /// Runtimes that became Ready in a second.
    pub(super) ready_rate: f64,
    /// Requests to the API server, the bench's own left out.
    pub(super) api: ApiSpan,
    /// Requests to Fly, by method and route.
    pub(super) fly: BTreeMap<String, u64>,
    /// Processor time until all were Ready.
    pub(super) cpu: Spent,
    /// Most memory of the operator until the end of rest, in MB.
    pub(super) peak_mb: f64,
    /// Memory of the operator at rest, in MB.
    pub(super) rest_mb: f64,
    /// The cost of rest, where it was measured.
    pub(super) rest: Option<Rest>,
    /// How long an edit of a spec takes at rest, where it was measured.
    pub(super) edits: Option<Edits>,
    /// How long a Runtime takes that is given an app made ahead, where it was measured.
    pub(super) warm: Option<Warm>,
    /// What a restart costs then.
    pub(super) restart: Option<Restart>,
    /// What one costs among Runtimes many of which are off, where that was measured.
    pub(super) restart_off: Option<Restart>,
    /// Runtimes that were gone in a second, where that was measured.
    pub(super) deletion_rate: Option<f64>,
    /// Runtimes in a second when the same is written without the operator.
    pub(super) raw_rate: f64,
    /// Processor time of that.
    pub(super) raw_cpu: Spent,
}

/// What nothing costs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rest {
    /// How long it was watched.
    pub(super) seconds: f64,
    /// Share of one core that the operator took, in percent.
    pub(super) cpu_percent: f64,
    /// Requests to the API server.
    pub(super) api: ApiSpan,
    /// Requests to Fly in a second.
    pub(super) fly_rate: f64,
    /// Objects of ours whose resource version changed.
    pub(super) changed: Vec<String>,
}

/// What a new operator does that finds everything at rest.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Restart {
    /// Seconds until it is ready to act.
    pub(super) ready_seconds: f64,
    /// Seconds until it has compared every Runtime's Machine with what is declared.
    pub(super) verified_seconds: f64,
    /// Its processor time until everything is at rest again, in seconds.
    pub(super) cpu_seconds: f64,
    /// Its most memory, in MB.
    pub(super) peak_mb: f64,
    /// Its requests to Fly.
    pub(super) fly: u64,
    /// What it asked of the API server.
    pub(super) api: ApiSpan,
}

/// What runs, by the names in the report.
pub(super) struct Parts<'r> {
    pub(super) rig: &'r Rig,
    /// More processes.
    pub(super) beside: Vec<(&'static str, &'r Process)>,
}

impl<'r> Parts<'r> {
    /// A rig alone.
    pub(super) fn new(rig: &'r Rig) -> Self {
        Self { rig, beside: Vec::new() }
    }

    /// Each process with its id, the bench itself among them. Those that have ended are left out.
    pub(super) fn pids(&self) -> Vec<(&'static str, u32)> {
        let Rig { operator, fly, cluster } = self.rig;
        let all = [
            ("operator", operator.process()),
            ("fly-sim", fly.process()),
            ("kube-apiserver", cluster.api_server()),
            ("etcd", cluster.etcd()),
            ("kube-controller-manager", cluster.controller_manager()),
        ];
        let all = all.into_iter().chain(self.beside.iter().copied());
        let running = all.filter(|(_, process)| process.check_running().is_ok());
        running.map(|(name, process)| (name, process.pid())).chain([("bench", std::process::id())]).collect()
    }
}

pub(super) async fn run(options: &BenchOptions, cell: &Cell, progress: Progress) -> Result<Run> {
    let mut rig = Rig::start(rig_options(options, cell)).await?;
    let client = rig.client().await?;
    fleet::prepare(&client, options.namespaces, cell.runtimes + cell.warm).await?;
    let places = fleet::places('r', options.namespaces, cell.runtimes);
    fleet::create_secrets(&client, &places, cell.secrets).await?;
    let sample = sample::take(&client).await.context("bring a first Runtime to Ready")?;
    let mut run = creation(&rig, &client, options, cell).await?;
    progress.note(&format!("  {:.1} Runtimes/s to Ready", run.ready_rate));
    if cell.tasks > 0 {
        // The operator makes one by itself.
        tasks::finish(operator(&rig).await?, places.clone(), cell.tasks - 1).await?;
    }
    if cell.rest > Duration::ZERO {
        tokio::time::sleep(settling(cell.secrets)).await;
        run.rest = Some(rest(&rig, &client, cell.rest).await?);
    }
    (run.rest_mb, run.peak_mb) = memory(rig.operator.process().pid())?;
    if cell.edits > 0 {
        run.edits = Some(edits::measure(&rig.fly, &client, &places, cell.edits, cell.secrets).await?);
        // Their dashboards' last word comes some seconds later.
        tokio::time::sleep(SETTLING).await;
    }
    if cell.warm > 0 {
        let measured = warm::measure(&rig.operator, &client, options.namespaces, cell.warm).await?;
        progress.note(&format!("  warm: p50 {:.2} s, p99 {:.2} s", measured.p50, measured.p99));
        run.warm = Some(measured);
        tokio::time::sleep(SETTLING).await;
    }
    if cell.rest > Duration::ZERO {
        run.restart = Some(restart(&mut rig, &client).await?);
    }
    if cell.off > 0 && run.restart.is_some() {
        off::bring_down(&rig.fly, &client, options.namespaces, cell).await?;
        settled(&client).await?;
        run.restart_off = Some(restart(&mut rig, &client).await?);
    }
    if !cell.is_large() {
        let rate = per_second(cell.runtimes + 1, fleet::delete_all(&client, options.namespaces).await?);
        progress.note(&format!("  {rate:.1} Runtimes/s to gone"));
        run.deletion_rate = Some(rate);
    }
    rig.operator.stop(STOPPING).await?;
    let writers = Writers { platform: client, operator: operator(&rig).await? };
    let parts = Parts::new(&rig);
    let before = Clocks::read(&parts)?;
    let count = cell.runtimes.min(RAW);
    let taken = raw::measure(writers, &sample, options.namespaces, count, options.concurrency).await?;
    run.raw_cpu = Clocks::read(&parts)?.since(&before);
    run.raw_rate = per_second(count, taken);
    progress.note(&format!("  {:.1} Runtimes/s raw", run.raw_rate));
    Ok(run)
}

/// Time until rest.
pub(super) fn settling(secrets: u8) -> Duration {
    if secrets > 0 { ROUNDS } else { SETTLING }
}

/// A client with the operator's own rights.
async fn operator(rig: &Rig) -> Result<Client> {
    let identity = Identity::service_account(platform::NAMESPACE, platform::SERVICE_ACCOUNT);
    rig.cluster.client(&identity).await
}

fn rig_options(options: &BenchOptions, cell: &Cell) -> RigOptions {
    let mut config = vec![
        ("/taskHistory/perRuntime", json!(cell.tasks)),
        ("/deletionBrake/windowMinutes", json!(0)),
        ("/concurrency", json!(options.concurrency)),
        ("/logging/level", json!("warn")),
    ];
    config.extend(options.set.clone());
    RigOptions {
        audit: Audit::Off,
        fly: FlySimOptions {
            rate_limits: RateLimits::Off,
            latency_ms: cell.latency_ms,
            ..FlySimOptions::default()
        },
        config,
        env: options.env.clone(),
    }
}

async fn creation(rig: &Rig, client: &Client, options: &BenchOptions, cell: &Cell) -> Result<Run> {
    let places = fleet::places('r', options.namespaces, cell.runtimes);
    let parts = Parts::new(rig);
    let head = ledger_head(&rig.fly).await?;
    let calls = ApiCalls::read(client).await?;
    let clocks = Clocks::read(&parts)?;
    let check = || {
        rig.operator.process().check_running()?;
        rig.fly.process().check_running()
    };
    let arrivals = fleet::create_and_wait(client, places, cell.secrets, check).await?;
    let cpu = Clocks::read(&parts)?.since(&clocks);
    // Two lists: one for the watch to begin at, one to see that all are Ready.
    let own = [("POST runtimes", cell.runtimes), ("LIST runtimes", 2)];
    let api = ApiCalls::read(client).await?.since(&calls, &own);
    let fly = fly_requests(&rig.fly, head).await?;
    let last = arrivals.at.last().copied().unwrap_or_default();
    let half = arrivals.at.get(arrivals.at.len() / 2).copied().unwrap_or_default();
    Ok(Run {
        ready_seconds: last.as_secs_f64(),
        half_ready_seconds: half.as_secs_f64(),
        ready_rate: per_second(cell.runtimes, last),
        api,
        fly,
        cpu,
        peak_mb: 0.0,
        rest_mb: 0.0,
        rest: None,
        edits: None,
        warm: None,
        restart: None,
        restart_off: None,
        deletion_rate: None,
        raw_rate: 0.0,
        raw_cpu: Spent::default(),
    })
}

pub(super) async fn rest(rig: &Rig, client: &Client, length: Duration) -> Result<Rest> {
    let parts = Parts::new(rig);
    let versions = fleet::versions(client).await?;
    let head = ledger_head(&rig.fly).await?;
    let calls = ApiCalls::read(client).await?;
    let clocks = Clocks::read(&parts)?;
    let began = Instant::now();
    tokio::time::sleep(length).await;
    let seconds = began.elapsed().as_secs_f64();
    let spent = Clocks::read(&parts)?.since(&clocks);
    let api = ApiCalls::read(client).await?.since(&calls, &[]);
    let requests: u64 = fly_requests(&rig.fly, head).await?.values().sum();
    let after = fleet::versions(client).await?;
    let changed = after.iter().filter(|(key, version)| versions.get(*key) != Some(version));
    #[expect(clippy::cast_precision_loss, reason = "a few hundred requests")]
    Ok(Rest {
        seconds,
        cpu_percent: spent.of.get("operator").copied().unwrap_or_default() / seconds * 100.0,
        api,
        fly_rate: requests as f64 / seconds,
        changed: changed.map(|(key, _)| key.clone()).collect(),
    })
}

async fn restart(rig: &mut Rig, client: &Client) -> Result<Restart> {
    rig.operator.stop(STOPPING).await?;
    let head = ledger_head(&rig.fly).await?;
    let calls = ApiCalls::read(client).await?;
    let began = Instant::now();
    rig.operator.restart()?;
    rig.operator.wait_ready(READY_WITHIN).await?;
    let ready_seconds = began.elapsed().as_secs_f64();
    eventually("every Runtime verified", VERIFIED_WITHIN, async || {
        let metrics = rig.operator.metrics().await?;
        let left = metrics.lines().find_map(|line| line.strip_prefix("moorage_runtimes_unverified "));
        match left.context("an operator without that metric")? {
            "0" => Ok(()),
            left => bail!("{left} are not"),
        }
    })
    .await?;
    let verified_seconds = began.elapsed().as_secs_f64();
    tokio::time::sleep(SETTLING).await;
    let clocks = Clocks::read(&Parts::new(rig))?;
    Ok(Restart {
        ready_seconds,
        verified_seconds,
        cpu_seconds: clocks.of("operator"),
        peak_mb: memory(rig.operator.process().pid())?.1,
        fly: fly_requests(&rig.fly, head).await?.values().sum(),
        api: ApiCalls::read(client).await?.since(&calls, &[]),
    })
}

/// Waits until nothing has been written for a while: task history and dashboards follow at their own pace.
pub(super) async fn settled(client: &Client) -> Result<()> {
    eventually("rest", SETTLED_WITHIN, async || {
        let before = ApiCalls::read(client).await?;
        tokio::time::sleep(SETTLING).await;
        match ApiCalls::read(client).await?.since(&before, &[]).writes {
            0 => Ok(()),
            writes => bail!("{writes} writes in {} s", SETTLING.as_secs()),
        }
    })
    .await
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
pub(super) fn per_second(count: usize, taken: Duration) -> f64 {
    count as f64 / taken.as_secs_f64().max(0.001)
}
