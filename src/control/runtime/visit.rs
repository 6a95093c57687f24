//! One visit of a Runtime: decide, look or act, until it rests or waits; then write the status, if it changed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::act::act;
use super::decide::hostname::{in_a_pause, is_beside};
use super::decide::{decide, displaced};
use super::drift;
use super::facts::{Facts, Known, Refusal, TroubleClass};
use super::hostname;
use super::look::look;
use super::observe::{cluster, gather};
use super::operation::operation_type;
use super::record::record;
use super::step::{Effect, Rest, Step, Wait, Waiting};
use super::survey;
use super::trouble::{Failure, note, note_beside};
use super::view::{standing, step_name};
use crate::api::{Runtime, reason};
use crate::control::context::Context;
use crate::control::history::operation_of;
use crate::control::memory::Entry;
use crate::engine::metrics::ReconcileResult;

/// Most steps of one visit: more than any sound sequence needs, so that a fault can't turn into a hot loop.
const MAX_STEPS: usize = 64;

/// Visits the Runtime.
pub async fn visit(ctx: Arc<Context>, cached: Arc<Runtime>) -> Action {
    let Some(uid) = cached.uid() else { return Action::await_change() };
    let mut entry = ctx.memory.take(&uid);
    let runtime = entry.newest(cached);
    let mut facts = gather(&ctx, runtime, std::mem::take(&mut entry.known));
    let begun = Instant::now();
    let step = guarded(&ctx, &mut facts, &mut entry).await;
    ctx.metrics.reconciled("runtime", result(&step, &facts), begun.elapsed());
    let action = finish(&ctx, &mut facts, &mut entry, &step).await;
    if let Some(standing) = standing(&facts, &step) {
        ctx.rollouts.note(&uid, standing);
    }
    if matches!(step, Step::Rest(Rest::Gone)) {
        ctx.memory.forget(&uid);
    } else {
        slim(ctx.clock.now(), &mut facts, &step);
        entry.written = Some(Arc::clone(&facts.runtime));
        entry.known = facts.known;
        ctx.memory.put(&uid, entry);
    }
    action
}

/// A fault of ours marks this object and no other.
async fn guarded(ctx: &Context, facts: &mut Facts, entry: &mut Entry) -> Step {
    let caught = AssertUnwindSafe(steps(ctx, facts, entry)).catch_unwind().await;
    caught.unwrap_or_else(|_| {
        ctx.metrics.reconcile_panicked("runtime");
        tracing::error!(runtime = facts.runtime.name_any(), "a visit panicked");
        let now = ctx.clock.now();
        let fault = "Moorage has a fault that this object brings out. Report it with the operator's log.";
        note(now, facts, Refusal::new(reason::INTERNAL_ERROR, fault).into());
        retry(now, facts)
    })
}

/// What a visit came to, for metrics.
fn result(step: &Step, facts: &Facts) -> ReconcileResult {
    match (step, &facts.known.trouble) {
        (Step::Rest(Rest::Refused(..)), _) => ReconcileResult::User,
        (Step::Rest(_), _) => ReconcileResult::Success,
        (_, Some(trouble)) if trouble.reason == reason::INTERNAL_ERROR => ReconcileResult::Bug,
        (_, Some(trouble)) if trouble.reason == reason::FLY_THROTTLED => ReconcileResult::Throttled,
        (_, Some(trouble)) if trouble.class == TroubleClass::Human => ReconcileResult::User,
        (_, Some(_)) => ReconcileResult::Transient,
        (_, None) => ReconcileResult::Requeue,
    }
}

/// Decides and does, until nothing more is to be done now.
async fn steps(ctx: &Context, facts: &mut Facts, entry: &mut Entry) -> Step {
    for _ in 0..MAX_STEPS {
        let now = ctx.clock.now();
        let step = decide(now, facts);
        tracing::trace!(runtime = facts.runtime.name_any(), step = step_name(&step), "decided");
        let done = match &step {
            Step::Look(what) => look(ctx, now, facts, *what).await,
            Step::Do(effect) => perform(ctx, now, facts, entry, effect).await,
            Step::Wait(_) | Step::Rest(_) => return step,
        };
        match done {
            Ok(()) => {
                facts.cluster = refreshed(ctx, facts);
                facts.align();
            }
            Err(failure) => {
                tracing::info!(
                    runtime = facts.runtime.name_any(),
                    namespace = facts.runtime.namespace(),
                    step = step_name(&step),
                    reason = failure.reason,
                    message = failure.message,
                    "a step failed"
                );
                ctx.history.failed(now, &facts.runtime, step_name(&step), &failure.message);
                if is_beside(facts, &step) {
                    note_beside(now, facts, failure);
                    continue;
                }
                note(now, facts, failure);
                // The hostname may have something to do in the pause that begins.
                let wait = retry(now, facts);
                if in_a_pause(now, facts, wait.clone()) == wait {
                    return wait;
                }
            }
        }
    }
    tracing::warn!(runtime = facts.runtime.name_any(), "a visit took too many steps");
    Step::Wait(Wait { what: Waiting::Retry, again: SignedDuration::from_secs(10) })
}

async fn perform(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    entry: &mut Entry,
    effect: &Effect,
) -> Result<(), Failure> {
    if !ctx.leadership.is_current() {
        return Err(Failure::deposed());
    }
    if *effect == Effect::RecordIntent {
        return record(ctx, now, facts, entry, &Step::Do(effect.clone())).await;
    }
    if operation_of(effect).is_some() && facts.known.under_way.is_none() {
        let old = facts.runtime.status.as_ref();
        facts.known.under_way = old.map(|old| operation_type(now, facts, old));
    }
    act(ctx, now, facts, effect).await?;
    ctx.history.did(now, &facts.runtime, effect);
    tracing::debug!(runtime = facts.runtime.name_any(), effect = super::view::effect_name(effect), "done");
    Ok(())
}

/// What the caches say may have changed with our own writes; the claim in the facts is at least as new.
fn refreshed(ctx: &Context, facts: &Facts) -> super::facts::Cluster {
    cluster(ctx, &facts.runtime)
}

fn retry(now: Timestamp, facts: &Facts) -> Step {
    let next = facts.known.trouble.as_ref().map_or(now, |trouble| trouble.next);
    Step::Wait(Wait { what: Waiting::Retry, again: now.duration_until(next) })
}

/// Writes the status and says when to come back.
async fn finish(ctx: &Context, facts: &mut Facts, entry: &mut Entry, step: &Step) -> Action {
    if let Some(Rest::Running | Rest::Sleeping | Rest::Stopped | Rest::Degraded(_)) = step.rest() {
        facts.known.trouble = None;
    }
    if *step == Step::Rest(Rest::Gone) {
        return Action::await_change();
    }
    let now = ctx.clock.now();
    match record(ctx, now, facts, entry, step).await {
        Ok(()) => {
            let rests = matches!(
                step,
                Step::Rest(Rest::Running | Rest::Degraded(_) | Rest::Sleeping | Rest::Stopped)
            );
            if let (true, Some(uid)) = (rests, &facts.runtime.metadata.uid) {
                ctx.history.rested(uid);
            }
            let due = [pause(now, facts, step), clearing(now, facts), strangers(now, facts, step)];
            let due = due.into_iter().flatten().min();
            due.map_or_else(Action::await_change, Action::requeue)
        }
        Err(failure) => {
            tracing::info!(
                runtime = facts.runtime.name_any(),
                reason = failure.reason,
                message = failure.message,
                "the status can't be written; it is tried again"
            );
            Action::requeue(Duration::from_secs(2))
        }
    }
}

/// When to come back if nothing happens before. At rest the feed and the sweep tell of changes: a timer for each of
/// thousands would take memory for nothing.
fn pause(now: Timestamp, facts: &Facts, step: &Step) -> Option<Duration> {
    let pause = match step {
        Step::Wait(wait) => Some(wait.again),
        Step::Rest(Rest::Refused(_, again) | Rest::Degraded(again)) => Some(*again),
        Step::Rest(_) => None,
        Step::Look(_) | Step::Do(_) => Some(SignedDuration::ZERO),
    };
    let pause = match (step.rest(), hostname::again(now, facts)) {
        (Some(rest), Some(again)) if *rest != Rest::Gone => {
            Some(pause.map_or(again, |pause| again.min(pause)))
        }
        _ => pause,
    };
    pause.map(|pause| Duration::try_from(pause).unwrap_or_default().max(Duration::from_millis(20)))
}

/// When what a move left behind is to be cleared up.
fn clearing(now: Timestamp, facts: &Facts) -> Option<Duration> {
    displaced::due(now, facts).and_then(|due| Duration::try_from(due).ok())
}

/// When to see whether what somebody else made in the app is still there.
fn strangers(now: Timestamp, facts: &Facts, step: &Step) -> Option<Duration> {
    step.rest().and_then(|_| survey::again(now, facts)).and_then(|again| Duration::try_from(again).ok())
}

/// At rest secret values are forgotten, and read again when something needs them.
fn slim(now: Timestamp, facts: &mut Facts, step: &Step) {
    if step.rest().is_some() {
        drift::forget(now, facts);
        facts.known.under_way = None;
        forget_addresses(facts);
        facts.known.token = super::facts::Token::Unknown;
        facts.known.env = super::facts::EnvFact::Unknown;
        facts.known.secrets = None;
        facts.known.stops = 0;
    }
}

/// The Machine knows them too.
fn forget_addresses(facts: &mut Facts) {
    let known = &mut facts.known;
    if known.machine.present().is_some_and(|machine| machine.addresses == known.addresses()) {
        known.v6 = Known::Unknown;
        known.v4 = Known::Unknown;
    }
}
