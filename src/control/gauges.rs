//! Numbers of things as they stand, for metrics.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::context::Context;
use crate::api::Runtime;
use crate::api::state::RuntimeState;

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

/// Counts until `shutdown`.
pub async fn keep(ctx: Arc<Context>, shutdown: CancellationToken) {
    loop {
        count(&ctx);
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

fn count(ctx: &Context) {
    let runtimes = ctx.stores.runtimes.state();
    let is_in = |state: RuntimeState| runtimes.iter().filter(|runtime| state_of(runtime) == state).count();
    ctx.metrics.runtimes(STATES.map(|(state, word)| (word, is_in(state))));
    ctx.metrics.objects_in_backoff("Runtime", ctx.memory.in_backoff());
}

fn state_of(runtime: &Runtime) -> RuntimeState {
    runtime.status.as_ref().and_then(|status| status.state).unwrap_or_default()
}
