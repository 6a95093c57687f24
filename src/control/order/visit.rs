//! One visit of an order: decide, look or act, until it rests or waits; then write the status, if it changed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::act::act;
use super::decide::decide;
use super::facts::Facts;
use super::look::look;
use super::observe::{cluster, gather};
use super::pay;
use super::record::record;
use super::step::{Rest, Step, Waiting, effect_name};
use super::view::view;
use super::{portal, reading};
use crate::api::RuntimeOrder;
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;
use crate::control::setback::{self, SHORT_PAUSE};
use crate::engine::metrics::ReconcileResult;

/// Most steps of one visit: more than any sound sequence needs, so that a fault can't turn into a hot loop.
const MAX_STEPS: usize = 32;

/// Visits the order.
pub async fn visit(ctx: Arc<Context>, cached: Arc<RuntimeOrder>) -> Action {
    let Some(uid) = cached.uid() else { return Action::await_change() };
    let mut entry = ctx.orders.take(&uid);
    let order = entry.newest(cached);
    let mut facts = gather(&ctx, order, std::mem::take(&mut entry.known));
    let begun = Instant::now();
    let step = guarded(&ctx, &mut facts).await;
    ctx.metrics.reconciled("order", result(&step, &facts), begun.elapsed());
    if step == Step::Rest(Rest::Gone) {
        return Action::await_change();
    }
    let pause = finish(&ctx, &mut facts, &step).await;
    entry.written = Some(Arc::clone(&facts.order));
    entry.known = facts.known;
    ctx.orders.put(&uid, entry);
    Action::requeue(Duration::try_from(pause).unwrap_or_default().max(Duration::from_millis(20)))
}

/// A fault of ours marks this object and no other.
async fn guarded(ctx: &Context, facts: &mut Facts) -> Step {
    let caught = AssertUnwindSafe(steps(ctx, facts)).catch_unwind().await;
    caught.unwrap_or_else(|_| {
        ctx.metrics.reconcile_panicked("order");
        tracing::error!(order = facts.order.name_any(), "a visit panicked");
        failed(ctx.clock.now(), facts, setback::panicked())
    })
}

/// What a visit came to, for metrics.
fn result(step: &Step, facts: &Facts) -> ReconcileResult {
    match step {
        Step::Rest(Rest::Refused(..)) => ReconcileResult::User,
        Step::Rest(_) => ReconcileResult::Success,
        _ => setback::result(facts.known.trouble.as_ref()),
    }
}

/// Decides and does, until nothing more is to be done now.
async fn steps(ctx: &Context, facts: &mut Facts) -> Step {
    for _ in 0..MAX_STEPS {
        let now = ctx.clock.now();
        let step = decide(now, facts);
        let done = match &step {
            Step::LookForRuntime => look(ctx, now, facts).await,
            Step::ReadProvider => pay::read(ctx, now, facts).await,
            Step::FindCheckout(number) => pay::find(ctx, facts, *number).await,
            Step::Do(_) if !ctx.leadership.is_current() => return Step::Wait(Waiting::Retry(SHORT_PAUSE)),
            Step::Do(effect) => act(ctx, now, facts, effect).await,
            Step::Wait(_) | Step::Rest(_) => return step,
        };
        if let Step::Do(effect) = &step {
            tracing::debug!(order = facts.order.name_any(), effect = effect_name(effect), "done");
        }
        if let Err(failure) = done {
            return failed(now, facts, failure);
        }
        facts.known.trouble = None;
        facts.cluster = cluster(ctx, &facts.order);
        facts.forget_recorded();
    }
    tracing::warn!(order = facts.order.name_any(), "a visit took too many steps");
    Step::Wait(Waiting::Retry(SHORT_PAUSE))
}

/// Notes a failure with the pause before the next try.
fn failed(now: Timestamp, facts: &mut Facts, failure: Failure) -> Step {
    tracing::info!(
        order = facts.order.name_any(),
        namespace = facts.order.namespace(),
        reason = failure.reason,
        message = failure.message,
        "a step failed"
    );
    let (before, slowest) = (facts.known.trouble.take(), facts.cluster.settings.slow_retry);
    let trouble = setback::trouble(now, &facts.order.metadata, before.as_ref(), failure, slowest);
    let pause = now.duration_until(trouble.next);
    facts.known.trouble = Some(trouble);
    Step::Wait(Waiting::Retry(pause))
}

/// Writes the status and says when to come back if nothing happens before.
async fn finish(ctx: &Context, facts: &mut Facts, step: &Step) -> SignedDuration {
    let now = ctx.clock.now();
    let status = view(now, facts, step, &facts.order.status.clone().unwrap_or_default());
    if let Err(failure) = record(ctx, facts, status).await {
        tracing::info!(
            order = facts.order.name_any(),
            reason = failure.reason,
            message = failure.message,
            "the status can't be written; it is tried again"
        );
        return SHORT_PAUSE;
    }
    pause(now, facts, step)
}

/// When to come back: watches tell of everything but the time.
fn pause(now: Timestamp, facts: &Facts, step: &Step) -> SignedDuration {
    let own = match step {
        Step::Wait(Waiting::Retry(left)) => *left,
        Step::Rest(Rest::Refused(_, again)) => *again,
        _ => facts.cluster.settings.slow_retry,
    };
    let changes = facts.standing(now).and_then(|standing| standing.next);
    let reads = facts.record().and_then(|order| reading::next(facts, order));
    let next = [changes, reads, portal::ends(now, facts)].into_iter().flatten().min();
    // A reading that couldn't be made yet is no reason to hurry.
    let next = next.map(|next| now.duration_until(next).max(SignedDuration::from_secs(1)));
    match step {
        // What went wrong has its own pause.
        Step::Wait(Waiting::Retry(_)) => own,
        _ => next.map_or(own, |next| own.min(next)),
    }
}
