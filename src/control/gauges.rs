//! Numbers of things as they stand, for metrics.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::domain::overdue::tally;
use crate::api::state::RuntimeState;
use crate::api::{NameClaim, Runtime};

/// Pause between two counts.
const PAUSE: Duration = Duration::from_secs(10);

/// Every state with its word: one that no Runtime is in reads 0.
const STATES: [(RuntimeState, &str); 9] = [
    (RuntimeState::Provisioning, "provisioning"),
    (RuntimeState::Starting, "starting"),
    (RuntimeState::Running, "running"),
    (RuntimeState::Stopping, "stopping"),
    (RuntimeState::Stopped, "stopped"),
    (RuntimeState::Sleeping, "sleeping"),
    (RuntimeState::Waking, "waking"),
    (RuntimeState::Destroying, "destroying"),
    (RuntimeState::Error, "error"),
];

/// Pause between two counts after a start, until every Runtime is verified.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Counts until `shutdown`.
pub async fn keep(ctx: Arc<Context>, shutdown: CancellationToken) {
    let mut pause = FIRST_PAUSE;
    loop {
        count(&ctx);
        if count_unverified(&ctx) == 0 {
            pause = PAUSE;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

fn count(ctx: &Context) {
    let runtimes = ctx.stores.runtimes.state();
    let is_in = |state: RuntimeState| runtimes.iter().filter(|runtime| state_of(runtime) == state).count();
    ctx.metrics.runtimes(STATES.map(|(state, word)| (word, is_in(state))));
    ctx.metrics.objects_in_backoff("Runtime", ctx.memory.in_backoff());
    ctx.metrics.deletions_held(ctx.claims.held_deletions().len());
    ctx.metrics.receipts_flagged(ctx.receipts.unsettled());
    let hostnames = ctx.claims.of_hostnames();
    let tally = tally(ctx.clock.now(), hostnames.iter().filter_map(|claim| claim.spec.domain.as_deref()));
    ctx.metrics.hostname_certificates(tally.ending, tally.overdue);
}

/// Counts Runtimes whose recorded Machine this process hasn't compared with what is declared.
pub fn count_unverified(ctx: &Context) -> usize {
    let recorded = |claim: &NameClaim| claim.spec.runtime.as_ref().is_some_and(|it| it.machine_id.is_some());
    let slugs = ctx.claims.held_slugs();
    let verified = |claim: &NameClaim| ctx.memory.is_verified(&claim.spec.holder.uid);
    let unverified = slugs.iter().filter(|claim| recorded(claim) && !verified(claim)).count();
    ctx.metrics.runtimes_unverified(unverified);
    unverified
}

fn state_of(runtime: &Runtime) -> RuntimeState {
    runtime.status.as_ref().and_then(|status| status.state).unwrap_or_default()
}
