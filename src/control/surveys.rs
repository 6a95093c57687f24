//! Goes slowly round all Runtimes for what the organisation's list of Machines doesn't show: addresses, secrets,
//! certificates, and whatever somebody else made in their apps.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use crate::api::Runtime;

/// Goes round until `shutdown`. The pause is the same however many there are: so is what it costs, and the more there
/// are, the longer a round takes.
pub async fn go_round(ctx: Arc<Context>, shutdown: CancellationToken) {
    let pause = Duration::from_secs(u64::from(ctx.config.timing.survey_seconds.max(1)));
    let mut turn = begin(ctx.clock.now().as_second(), pause);
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return,
        }
        turn = turn.wrapping_add(1);
        let Some(runtime) = nth(ctx.stores.runtimes.state(), turn) else { continue };
        if let (true, Some(uid)) = (ctx.leadership.is_current(), runtime.uid()) {
            ctx.memory.survey(&uid);
            ctx.triggers.runtimes.visit(&runtime);
        }
    }
}

/// The turn that it is by the clock: a process that is often restarted doesn't always begin with the same few.
fn begin(second: i64, pause: Duration) -> usize {
    usize::try_from(second).unwrap_or_default() / usize::try_from(pause.as_secs()).unwrap_or(1).max(1)
}

/// Whose turn it is, in an order that is the same each time.
fn nth(mut all: Vec<Arc<Runtime>>, turn: usize) -> Option<Arc<Runtime>> {
    if all.is_empty() {
        return None;
    }
    let at = turn % all.len();
    let (_, runtime, _) = all.select_nth_unstable_by_key(at, |runtime| runtime.uid());
    Some(Arc::clone(runtime))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime(uid: &str) -> Arc<Runtime> {
        let mut runtime = Runtime::new(uid, crate::api::RuntimeSpec::default());
        runtime.metadata.uid = Some(uid.into());
        Arc::new(runtime)
    }

    #[test]
    fn each_has_its_turn_whatever_the_order_and_a_restart_goes_on() {
        let all = || vec![runtime("c"), runtime("a"), runtime("b")];
        let turns: Vec<_> = (5..8).filter_map(|turn| nth(all(), turn)?.uid()).collect();
        assert_eq!(turns, ["c", "a", "b"]);
        assert!(nth(Vec::new(), 5).is_none());
        let pause = Duration::from_secs(15);
        assert_eq!(begin(1_800_000_015, pause), begin(1_800_000_000, pause) + 1);
    }
}
