//! One visit of a CustomDomain: decide, look or act, until it rests or waits; then write the status, if it changed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::act::act;
use super::conditions::missing;
use super::decide::decide;
use super::facts::Facts;
use super::look::look;
use super::memory::{Looked, News};
use super::observe::{cluster, gather, wishes};
use super::record::record;
use super::schedule;
use super::step::{Rest, Step, Waiting, effect_name};
use super::trouble;
use super::view::view;
use crate::api::CustomDomain;
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;
use crate::control::setback::{self, SHORT_PAUSE};
use crate::engine::metrics::ReconcileResult;

/// Most steps of one visit: more than any sound sequence needs, so that a fault can't turn into a hot loop.
const MAX_STEPS: usize = 48;
/// The shortest pause between two visits that nothing but time asks for.
const LEAST: SignedDuration = SignedDuration::from_millis(200);

/// Visits the CustomDomain.
pub async fn visit(ctx: Arc<Context>, cached: Arc<CustomDomain>) -> Action {
    let Some(uid) = cached.uid() else { return Action::await_change() };
    let mut entry = ctx.domains.take(&uid);
    let domain = entry.newest(cached);
    let mut facts = gather(&ctx, ctx.clock.now(), domain, std::mem::take(&mut entry.known));
    wishes(&mut facts, ctx.domains.wishes(&uid));
    let begun = Instant::now();
    let step = guarded(&ctx, &mut facts).await;
    ctx.metrics.reconciled("domain", result(&step, &facts), begun.elapsed());
    if step == Step::Rest(Rest::Gone) {
        return Action::await_change();
    }
    let pause = finish(&ctx, &mut facts, &step).await;
    entry.written = Some(Arc::clone(&facts.domain));
    entry.known = facts.known;
    ctx.domains.put(&uid, entry);
    Action::requeue(Duration::try_from(pause).unwrap_or_default().max(Duration::from_millis(20)))
}

/// A fault of ours marks this object and no other.
async fn guarded(ctx: &Context, facts: &mut Facts) -> Step {
    let caught = AssertUnwindSafe(steps(ctx, facts)).catch_unwind().await;
    caught.unwrap_or_else(|_| {
        ctx.metrics.reconcile_panicked("domain");
        tracing::error!(domain = facts.domain.name_any(), "a visit panicked");
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
        facts.at = now;
        let step = decide(now, facts);
        let done = match &step {
            Step::Look(what) => look(ctx, now, facts, *what).await,
            Step::Do(_) if !ctx.leadership.is_current() => return Step::Wait(Waiting::Retry(SHORT_PAUSE)),
            Step::Do(effect) => act(ctx, now, facts, effect).await,
            Step::Wait(_) | Step::Rest(_) => return step,
        };
        if let Step::Do(effect) = &step {
            tracing::debug!(domain = facts.domain.name_any(), effect = effect_name(effect), "done");
        }
        if let Err(failure) = done {
            return failed(now, facts, failure);
        }
        facts.known.trouble = None;
        facts.cluster = cluster(ctx, now, &facts.domain, facts.host.as_ref().ok());
        facts.align();
    }
    tracing::warn!(domain = facts.domain.name_any(), "a visit took too many steps");
    Step::Wait(Waiting::Retry(SHORT_PAUSE))
}

/// Notes a failure with the pause before the next try.
fn failed(now: Timestamp, facts: &mut Facts, failure: Failure) -> Step {
    tracing::info!(
        domain = facts.domain.name_any(),
        namespace = facts.domain.namespace(),
        reason = failure.reason,
        message = failure.message,
        "a step failed"
    );
    let (before, slowest) = (facts.known.trouble.take(), facts.cluster.settings.slow_retry);
    let trouble = setback::trouble(now, &facts.domain.metadata, before.as_ref(), failure, slowest);
    let pause = now.duration_until(trouble.next);
    facts.known.trouble = Some(trouble);
    Step::Wait(Waiting::Retry(pause))
}

/// Writes the status and says when to come back if nothing happens before.
async fn finish(ctx: &Context, facts: &mut Facts, step: &Step) -> SignedDuration {
    let now = ctx.clock.now();
    let status = view(now, facts, step, &facts.domain.status.clone().unwrap_or_default());
    if let Err(failure) = record(ctx, facts, status).await {
        tracing::info!(
            domain = facts.domain.name_any(),
            reason = failure.reason,
            message = failure.message,
            "the status can't be written; it is tried again"
        );
        return SHORT_PAUSE;
    }
    tell_requests(ctx, facts);
    pause(now, facts, step)
}

/// Tells those who asked for a look what it came to.
fn tell_requests(ctx: &Context, facts: &Facts) {
    let (Some(sight), Some(uid)) = (&facts.known.sight, facts.domain.uid()) else { return };
    let unseen = facts.unseen().map(trouble::refusal);
    let looked = Looked { at: sight.at, wrong: unseen.or_else(|| missing(facts, |_| true)) };
    if ctx.domains.note_looked(&uid, looked) == News::New {
        ctx.history.book.stir();
        ctx.history.journal.due.notify_one();
    }
}

/// When to come back: watches tell of everything but the time.
fn pause(now: Timestamp, facts: &Facts, step: &Step) -> SignedDuration {
    let own = match step {
        Step::Wait(
            Waiting::Retry(left) | Waiting::Fly(left) | Waiting::Texts(left) | Waiting::Authority(left),
        ) => return *left,
        Step::Wait(Waiting::Order(_, left)) => *left,
        Step::Rest(Rest::Refused(_, again)) => *again,
        _ => facts.cluster.settings.recheck,
    };
    schedule::wakes(facts).map_or(own, |at| own.min(now.duration_until(at))).max(LEAST)
}
