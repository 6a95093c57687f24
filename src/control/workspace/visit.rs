//! One visit of a Workspace: decide, look or act, until it rests or waits; then write the status, if it changed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::act::act;
use super::dashboard::{Dashboard, MAX_TASKS, dashboard};
use super::decide::{decide, next_look};
use super::facts::Facts;
use super::look::look;
use super::memory::Entry;
use super::observe::{cluster, gather, runtimes};
use super::pace::{Due, due};
use super::record::record;
use super::step::{Name, Rest, Step, Waiting, effect_name};
use super::view::view;
use crate::api::Workspace;
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;
use crate::control::setback::{self, SHORT_PAUSE};
use crate::engine::metrics::ReconcileResult;

/// Most steps of one visit: more than any sound sequence needs, so that a fault can't turn into a hot loop.
const MAX_STEPS: usize = 32;

/// Visits the Workspace.
pub async fn visit(ctx: Arc<Context>, cached: Arc<Workspace>) -> Action {
    let Some(uid) = cached.uid() else { return Action::await_change() };
    let mut entry = ctx.workspaces.take(&uid);
    let workspace = entry.newest(cached);
    let mut facts = gather(&ctx, workspace, std::mem::take(&mut entry.known));
    let begun = Instant::now();
    let step = guarded(&ctx, &mut facts).await;
    ctx.metrics.reconciled("workspace", result(&step, &facts), begun.elapsed());
    if step == Step::Rest(Rest::Gone) {
        return Action::await_change();
    }
    let pause = finish(&ctx, &mut facts, &mut entry, &step).await;
    entry.written = Some(Arc::clone(&facts.workspace));
    entry.known = facts.known;
    ctx.workspaces.put(&uid, entry);
    Action::requeue(Duration::try_from(pause).unwrap_or_default().max(Duration::from_millis(20)))
}

/// A fault of ours marks this object and no other.
async fn guarded(ctx: &Context, facts: &mut Facts) -> Step {
    let caught = AssertUnwindSafe(steps(ctx, facts)).catch_unwind().await;
    caught.unwrap_or_else(|_| {
        ctx.metrics.reconcile_panicked("workspace");
        tracing::error!(workspace = facts.workspace.name_any(), "a visit panicked");
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
            Step::Look(role) => look(ctx, now, facts, *role).await,
            Step::Do(_) if !ctx.leadership.is_current() => return Step::Wait(Waiting::Retry(SHORT_PAUSE)),
            Step::Do(effect) => act(ctx, now, facts, effect).await,
            Step::Wait(_) | Step::Rest(_) => return step,
        };
        if let Step::Do(effect) = &step {
            tracing::debug!(workspace = facts.workspace.name_any(), effect = effect_name(effect), "done");
        }
        if let Err(failure) = done {
            return failed(now, facts, failure);
        }
        facts.known.trouble = None;
        facts.cluster = cluster(ctx, &facts.workspace);
    }
    tracing::warn!(workspace = facts.workspace.name_any(), "a visit took too many steps");
    Step::Wait(Waiting::Retry(SHORT_PAUSE))
}

/// Notes a failure with the pause before the next try.
fn failed(now: Timestamp, facts: &mut Facts, failure: Failure) -> Step {
    tracing::info!(
        workspace = facts.workspace.name_any(),
        namespace = facts.workspace.namespace(),
        reason = failure.reason,
        message = failure.message,
        "a step failed"
    );
    let (before, slowest) = (facts.known.trouble.take(), facts.cluster.settings.slow_retry);
    let trouble = setback::trouble(now, &facts.workspace.metadata, before.as_ref(), failure, slowest);
    let pause = now.duration_until(trouble.next);
    facts.known.trouble = Some(trouble);
    Step::Wait(Waiting::Retry(pause))
}

/// Writes the status and says when to come back if nothing happens before.
async fn finish(ctx: &Context, facts: &mut Facts, entry: &mut Entry, step: &Step) -> SignedDuration {
    let now = ctx.clock.now();
    let (made, again) = paced(ctx, now, facts, entry);
    let status = view(now, facts, step, made, &facts.workspace.status.clone().unwrap_or_default());
    if let Err(failure) = record(ctx, facts, status).await {
        tracing::info!(
            workspace = facts.workspace.name_any(),
            reason = failure.reason,
            message = failure.message,
            "the status can't be written; it is tried again"
        );
        // What it was to tell isn't told yet.
        entry.dashboard_at = None;
        return SHORT_PAUSE;
    }
    [again, Some(pause(now, facts, step))].into_iter().flatten().min().unwrap_or(SHORT_PAUSE)
}

/// The dashboard, if it is due; else when it will be. A Workspace that doesn't hold its namespace has none.
fn paced(
    ctx: &Context,
    now: Timestamp,
    facts: &Facts,
    entry: &mut Entry,
) -> (Option<Dashboard>, Option<SignedDuration>) {
    if !facts.holds(Name::Namespace) {
        return (None, None);
    }
    let namespace = facts.workspace.namespace().unwrap_or_default();
    match due(now, entry.dashboard_at, ctx.news.churn(&namespace), facts.cluster.runtimes) {
        Due::Later => (None, None),
        Due::In(left) => (None, Some(left)),
        Due::Now => {
            ctx.news.take(&namespace);
            entry.dashboard_at = Some(now);
            let old = facts.workspace.status.clone().unwrap_or_default();
            // Before all are known after a start, it tells what it told.
            let tasks = ctx.history.book.recent(&namespace, MAX_TASKS);
            let tasks = tasks.unwrap_or_else(|| old.recent_tasks.clone());
            (Some(dashboard(now, &runtimes(ctx, &namespace), tasks, &old)), None)
        }
    }
}

/// When to come back for the Workspace itself: watches tell of all but the `RoleBindings`.
fn pause(now: Timestamp, facts: &Facts, step: &Step) -> SignedDuration {
    let settings = &facts.cluster.settings;
    match step {
        Step::Wait(Waiting::Retry(left)) => *left,
        Step::Rest(Rest::Refused(_, again)) => *again,
        Step::Wait(Waiting::Dependents) => settings.slow_retry.min(settings.destroy_deadline),
        _ => next_look(now, facts).unwrap_or(settings.slow_retry),
    }
}
