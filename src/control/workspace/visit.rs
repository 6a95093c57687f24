//! One visit of a Workspace: decide, look or act, until it rests or waits; then write the status, if it changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::ObjectMeta;
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
use crate::control::rounds::{Turn, Visited, result, rounds, unwritten};
use crate::control::runtime::facts::Trouble;
use crate::control::runtime::trouble::Failure;
use crate::control::setback::SHORT_PAUSE;

/// Visits the Workspace.
pub async fn visit(ctx: Arc<Context>, cached: Arc<Workspace>) -> Action {
    let Some(uid) = cached.uid() else { return Action::await_change() };
    let mut entry = ctx.workspaces.take(&uid);
    let workspace = entry.newest(cached);
    let mut facts = gather(&ctx, workspace, std::mem::take(&mut entry.known));
    let begun = Instant::now();
    let step = rounds(&ctx, &mut facts).await;
    ctx.metrics.reconciled(Facts::KIND, result(&step, &mut facts), begun.elapsed());
    if step == Step::Rest(Rest::Gone) {
        return Action::await_change();
    }
    let pause = finish(&ctx, &mut facts, &mut entry, &step).await;
    entry.written = Some(Arc::clone(&facts.workspace));
    entry.known = facts.known;
    ctx.workspaces.put(&uid, entry);
    Action::requeue(Duration::try_from(pause).unwrap_or_default().max(Duration::from_millis(20)))
}

impl Visited for Facts {
    const KIND: &'static str = "workspace";
    const MOST: usize = 32;
    type Step = Step;

    fn meta(&self) -> &ObjectMeta {
        &self.workspace.metadata
    }

    fn trouble(&mut self) -> &mut Option<Trouble> {
        &mut self.known.trouble
    }

    fn slowest(&self) -> SignedDuration {
        self.cluster.settings.slow_retry
    }

    fn decide(&mut self, now: Timestamp) -> Step {
        decide(now, self)
    }

    fn turn(step: &Step) -> Turn {
        match step {
            Step::Look(_) => Turn::Look,
            Step::Do(effect) => Turn::Do(effect_name(effect)),
            Step::Wait(_) => Turn::Wait,
            Step::Rest(Rest::Refused(..)) => Turn::Refused,
            Step::Rest(_) => Turn::Rest,
        }
    }

    async fn take(&mut self, ctx: &Context, now: Timestamp, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Look(role) => look(ctx, now, self, *role).await,
            Step::Do(effect) => act(ctx, now, self, effect).await,
            Step::Wait(_) | Step::Rest(_) => Ok(()),
        }
    }

    fn refresh(&mut self, ctx: &Context, _now: Timestamp) {
        self.cluster = cluster(ctx, &self.workspace);
    }

    fn retry(pause: SignedDuration) -> Step {
        Step::Wait(Waiting::Retry(pause))
    }
}

/// Writes the status and says when to come back if nothing happens before.
async fn finish(ctx: &Context, facts: &mut Facts, entry: &mut Entry, step: &Step) -> SignedDuration {
    let now = ctx.clock.now();
    let (made, again) = paced(ctx, now, facts, entry);
    let status = view(now, facts, step, made, &facts.workspace.status.clone().unwrap_or_default());
    if let Err(failure) = record(ctx, facts, status).await {
        // What it was to tell isn't told yet.
        entry.dashboard_at = None;
        return unwritten(facts, &failure);
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
