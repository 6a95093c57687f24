//! One visit of an order: decide, look or act, until it rests or waits; then write the status, if it changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::ObjectMeta;
use kube::runtime::controller::Action;

use super::act::act;
use super::decide::decide;
use super::facts::Facts;
use super::look::look;
use super::notices::soon_at;
use super::observe::{cluster, gather};
use super::pay;
use super::record::record;
use super::step::{Rest, Step, Waiting, effect_name};
use super::view::view;
use super::{portal, reading};
use crate::api::RuntimeOrder;
use crate::control::context::Context;
use crate::control::rounds::{Turn, Visited, result, rounds, unwritten};
use crate::control::runtime::facts::Trouble;
use crate::control::runtime::trouble::Failure;

/// Visits the order.
pub async fn visit(ctx: Arc<Context>, cached: Arc<RuntimeOrder>) -> Action {
    let Some(uid) = cached.uid() else { return Action::await_change() };
    let mut entry = ctx.orders.take(&uid);
    let order = entry.newest(cached);
    let mut facts = gather(&ctx, order, std::mem::take(&mut entry.known));
    let begun = Instant::now();
    let step = rounds(&ctx, &mut facts).await;
    ctx.metrics.reconciled(Facts::KIND, result(&step, &mut facts), begun.elapsed());
    if step == Step::Rest(Rest::Gone) {
        return Action::await_change();
    }
    let pause = finish(&ctx, &mut facts, &step).await;
    entry.written = Some(Arc::clone(&facts.order));
    entry.known = facts.known;
    ctx.orders.put(&uid, entry);
    Action::requeue(Duration::try_from(pause).unwrap_or_default().max(Duration::from_millis(20)))
}

impl Visited for Facts {
    const KIND: &'static str = "order";
    const MOST: usize = 32;
    type Step = Step;

    fn meta(&self) -> &ObjectMeta {
        &self.order.metadata
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
            Step::LookForRuntime | Step::ReadProvider | Step::FindCheckout(_) => Turn::Look,
            Step::Do(effect) => Turn::Do(effect_name(effect)),
            Step::Wait(_) => Turn::Wait,
            Step::Rest(Rest::Refused(..)) => Turn::Refused,
            Step::Rest(_) => Turn::Rest,
        }
    }

    async fn take(&mut self, ctx: &Context, now: Timestamp, step: &Step) -> Result<(), Failure> {
        match step {
            Step::LookForRuntime => look(ctx, now, self).await,
            Step::ReadProvider => pay::read(ctx, now, self).await,
            Step::FindCheckout(number) => pay::find(ctx, self, *number).await,
            Step::Do(effect) => act(ctx, now, self, effect).await,
            Step::Wait(_) | Step::Rest(_) => Ok(()),
        }
    }

    fn refresh(&mut self, ctx: &Context, _now: Timestamp) {
        self.cluster = cluster(ctx, &self.order);
        self.forget_recorded();
    }

    fn retry(pause: SignedDuration) -> Step {
        Step::Wait(Waiting::Retry(pause))
    }
}

/// Writes the status and says when to come back if nothing happens before.
async fn finish(ctx: &Context, facts: &mut Facts, step: &Step) -> SignedDuration {
    let now = ctx.clock.now();
    let status = view(now, facts, step, &facts.order.status.clone().unwrap_or_default());
    if let Err(failure) = record(ctx, facts, status).await {
        return unwritten(facts, &failure);
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
    let standing = facts.standing(now);
    let changes = standing.and_then(|standing| standing.next);
    let patience = facts.cluster.settings.patience;
    let notice = standing.and_then(|it| soon_at(&it, patience)).filter(|at| *at > now);
    let reads = facts.record().and_then(|order| reading::next(facts, order));
    let pages = [portal::ends(now, facts), portal::turn(now, facts)];
    let next = [changes, notice, reads].into_iter().chain(pages).flatten().min();
    // A reading that couldn't be made yet is no reason to hurry.
    let next = next.map(|next| now.duration_until(next).max(SignedDuration::from_secs(1)));
    match step {
        // What went wrong has its own pause.
        Step::Wait(Waiting::Retry(_)) => own,
        _ => next.map_or(own, |next| own.min(next)),
    }
}
