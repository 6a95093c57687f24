//! One replica: preflight, lease, controllers, drain.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::clients::Clients;
use super::{BoxError, Controllers, Parts, ProcessError, spawn};
use crate::engine::backoff::Backoff;
use crate::engine::clock::Clock;
use crate::engine::config::{Config, LeaderElection};
use crate::engine::lease::{Elector, Held, KubeLease, Leadership, Lost, Timings, Waiting};
use crate::engine::metrics::{Metrics, Role};
use crate::engine::preflight::{Fault, Preflight};
use crate::engine::shutdown::{Drained, drain};
use crate::serve::{Health, Phase};

/// Name of the Lease, in the operator's namespace.
const LEASE: &str = "moorage";
/// Pauses between preflights: a mended token is found within this time.
const PREFLIGHT: Backoff = Backoff::up_to(Duration::from_secs(20));

pub(super) struct Replica {
    pub(super) config: Config,
    pub(super) clients: Clients,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    pub(super) controllers: Controllers,
    pub(super) stop: CancellationToken,
}

type Work = AbortOnDropHandle<Result<(), BoxError>>;
type Holding = AbortOnDropHandle<Result<Held, Lost>>;

impl Replica {
    /// Lives until it is stopped, loses the lease or the controllers end.
    pub(super) async fn live(self) -> Result<(), ProcessError> {
        let stop = self.stop.clone();
        let Some(fly) = stop.run_until_cancelled(self.preflight()).await else { return Ok(()) };
        match self.config.leader_election {
            LeaderElection::Off => self.unopposed(fly).await,
            LeaderElection::Lease => self.elected(fly).await,
        }
    }

    /// Repeats the checks until all hold.
    async fn preflight(&self) -> fly_machines::Client {
        let preflight = Preflight::new(self.clients.brief.clone(), &self.config, self.metrics.clone());
        let (mut failures, mut said) = (0, Vec::new());
        loop {
            let faults = match preflight.check().await {
                Ok(fly) => {
                    self.metrics.preflight_faults(0);
                    tracing::info!("the checks at start hold");
                    return fly;
                }
                Err(faults) => faults,
            };
            self.metrics.preflight_faults(faults.len());
            report(&faults, &said);
            self.health.enter(Phase::Faulty(faults.clone()));
            (failures, said) = (failures + 1, faults);
            tokio::time::sleep(PREFLIGHT.pause(&self.config.cluster_id, failures)).await;
        }
    }

    pub(super) async fn unopposed(&self, fly: fly_machines::Client) -> Result<(), ProcessError> {
        let (work, work_stop) = self.start(fly, Leadership::unopposed());
        self.supervise(work, work_stop, std::future::pending()).await.map(drop)
    }

    async fn elected(&self, fly: fly_machines::Client) -> Result<(), ProcessError> {
        let lease = KubeLease::new(self.clients.brief.clone(), &self.config.namespace, LEASE);
        let clock = Arc::clone(&self.clock);
        let elector = Arc::new(Elector::new(lease, identity(), Timings::default(), clock));
        let waiting = elector.acquire(|waiting| self.waits(&waiting));
        let Some(held) = self.stop.run_until_cancelled(waiting).await else { return Ok(()) };
        let end = CancellationToken::new();
        let mut holding: Holding = spawn({
            let (elector, end) = (Arc::clone(&elector), end.clone());
            async move { elector.hold(held, end).await }
        });
        let (work, work_stop) = self.start(fly, elector.leadership());
        let drained = self.supervise(work, work_stop, lost(&mut holding)).await?;
        end.cancel();
        release(&elector, holding, drained).await;
        Ok(())
    }

    fn waits(&self, waiting: &Waiting) {
        tracing::info!(reason = %waiting, "waits for the lease");
        self.health.enter(match waiting {
            Waiting::HeldBy(_) => Phase::Standby,
            Waiting::Failed(cause) => Phase::NoLease(cause.clone()),
        });
    }

    pub(super) fn start(
        &self,
        fly: fly_machines::Client,
        leadership: Leadership,
    ) -> (Work, CancellationToken) {
        tracing::info!("acts");
        self.metrics.role(Role::Leader);
        self.health.enter(Phase::Filling);
        let stop = CancellationToken::new();
        let work = (self.controllers)(Parts {
            config: self.config.clone(),
            kube: self.clients.kube.clone(),
            fly,
            clock: Arc::clone(&self.clock),
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            leadership,
            stop: stop.clone(),
        });
        (spawn(work), stop)
    }

    /// Waits for the first thing that ends the work, and ends it in order.
    pub(super) async fn supervise(
        &self,
        mut work: Work,
        work_stop: CancellationToken,
        lost: impl Future<Output = Lost>,
    ) -> Result<Drained<()>, ProcessError> {
        tokio::pin!(lost);
        tokio::select! {
            ended = &mut work => {
                let cause = ended.map_err(BoxError::from).flatten().err();
                return Err(ProcessError::Controllers(cause.unwrap_or_else(|| "they were not asked to".into())));
            }
            lost = &mut lost => return Err(self.give_up(work, &work_stop, lost).await),
            () = self.stop.cancelled() => {}
        }
        self.health.enter(Phase::Stopping);
        let within = Duration::from_secs(self.config.timing.drain_seconds.into());
        tokio::select! {
            drained = drain(&work_stop, &mut work, within) => finished(drained),
            lost = lost => Err(lost.into()),
        }
    }

    /// Ends the work before another replica may begin.
    async fn give_up(&self, mut work: Work, work_stop: &CancellationToken, lost: Lost) -> ProcessError {
        tracing::warn!(reason = %lost, "stops: it may not act any more");
        self.metrics.role(Role::Standby);
        self.health.enter(Phase::Stopping);
        let grace = match lost {
            Lost::Taken(_) => Duration::ZERO,
            Lost::Expired(_) => Timings::default().grace(),
        };
        drain(work_stop, &mut work, grace).await;
        lost.into()
    }
}

fn report(faults: &[Fault], said: &[Fault]) {
    for fault in faults.iter().filter(|fault| !said.contains(fault)) {
        tracing::error!(check = fault.check.as_str(), remedy = fault.remedy, "{}", fault.cause);
    }
}

async fn lost(holding: &mut Holding) -> Lost {
    match holding.await {
        Ok(Err(lost)) => lost,
        Ok(Ok(_)) => Lost::Expired("its renewal has ended".into()),
        Err(error) => Lost::Expired(error.to_string()),
    }
}

type Joined = Result<Result<(), BoxError>, tokio::task::JoinError>;

fn finished(drained: Drained<Joined>) -> Result<Drained<()>, ProcessError> {
    match drained {
        Drained::Ended(Ok(Ok(()))) => Ok(Drained::Ended(())),
        Drained::Ended(Ok(Err(error))) => Err(ProcessError::Controllers(error)),
        Drained::Ended(Err(error)) => Err(ProcessError::Controllers(error.into())),
        Drained::CutOff => {
            tracing::warn!("work was still running at `timing.drainSeconds`, and was cut off");
            Ok(Drained::CutOff)
        }
    }
}

/// Gives the lease back if nothing acts on it any more. After a cut, a call may still be on its way: the lease is
/// left to expire.
async fn release(elector: &Elector<KubeLease>, holding: Holding, drained: Drained<()>) {
    let Ok(Ok(held)) = holding.await else { return };
    if drained == Drained::CutOff {
        return;
    }
    match elector.release(held).await {
        Ok(()) => tracing::info!("has given the lease back"),
        Err(error) => tracing::warn!(%error, "could not give the lease back; it expires"),
    }
}

/// Another one for each process that ever lives.
fn identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "moorage" } else { host.trim() };
    let random = RandomState::new().build_hasher().finish();
    format!("{host}_{}_{random:016x}", std::process::id())
}
