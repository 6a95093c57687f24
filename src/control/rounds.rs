//! The rounds of one visit of a Workspace, an order or a hostname: decide, look or act, until it rests or waits.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use kube::api::ObjectMeta;

use super::context::Context;
use super::runtime::facts::Trouble;
use super::runtime::trouble::Failure;
use super::setback::{self, SHORT_PAUSE};
use crate::engine::metrics::ReconcileResult;

/// The facts of a kind, as far as the rounds have to know them.
pub trait Visited: Send {
    /// The kind, for metrics and logs.
    const KIND: &'static str;
    /// Most rounds of one visit: more than any sound sequence needs, so that a fault can't turn into a hot loop.
    const MOST: usize;
    /// What is decided.
    type Step: Send + Sync;

    /// Whose they are.
    fn meta(&self) -> &ObjectMeta;
    /// What went wrong last.
    fn trouble(&mut self) -> &mut Option<Trouble>;
    /// The longest pause after a failure.
    fn slowest(&self) -> SignedDuration;
    /// Decides what is next.
    fn decide(&mut self, now: Timestamp) -> Self::Step;
    /// What a step is to a visit.
    fn turn(step: &Self::Step) -> Turn;
    /// Looks or acts.
    ///
    /// # Errors
    /// If whoever is asked refuses or doesn't answer.
    fn take(
        &mut self,
        ctx: &Context,
        now: Timestamp,
        step: &Self::Step,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
    /// Takes in what has changed by that.
    fn refresh(&mut self, ctx: &Context, now: Timestamp);
    /// The step that comes back after a pause.
    fn retry(pause: SignedDuration) -> Self::Step;
}

/// What a step is to a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Something is looked at.
    Look,
    /// The effect of this name is brought about.
    Do(&'static str),
    /// It ends, since something is waited for.
    Wait,
    /// It ends, since what is declared can't be done.
    Refused,
    /// It ends well.
    Rest,
}

/// Decides and does, until nothing more is to be done now. A fault of ours marks this object and no other.
pub async fn rounds<F: Visited>(ctx: &Context, facts: &mut F) -> F::Step {
    let caught = AssertUnwindSafe(turns(ctx, facts)).catch_unwind().await;
    caught.unwrap_or_else(|_| {
        ctx.metrics.reconcile_panicked(F::KIND);
        tracing::error!(
            kind = F::KIND,
            namespace = facts.meta().namespace,
            name = facts.meta().name,
            "a visit panicked"
        );
        failed(ctx.clock.now(), facts, setback::panicked())
    })
}

/// What a visit came to, for metrics.
pub fn result<F: Visited>(step: &F::Step, facts: &mut F) -> ReconcileResult {
    match F::turn(step) {
        Turn::Refused => ReconcileResult::User,
        Turn::Rest => ReconcileResult::Success,
        Turn::Look | Turn::Do(_) | Turn::Wait => setback::result(facts.trouble().as_ref()),
    }
}

/// Notes that the status couldn't be written; the pause before the next try.
pub fn unwritten<F: Visited>(facts: &F, failure: &Failure) -> SignedDuration {
    tracing::info!(
        kind = F::KIND,
        namespace = facts.meta().namespace,
        name = facts.meta().name,
        reason = failure.reason,
        message = failure.message,
        "the status can't be written; it is tried again"
    );
    SHORT_PAUSE
}

async fn turns<F: Visited>(ctx: &Context, facts: &mut F) -> F::Step {
    for _ in 0..F::MOST {
        let now = ctx.clock.now();
        let step = facts.decide(now);
        let turn = F::turn(&step);
        match turn {
            Turn::Wait | Turn::Refused | Turn::Rest => return step,
            Turn::Do(_) if !ctx.leadership.is_current() => return F::retry(SHORT_PAUSE),
            Turn::Look | Turn::Do(_) => {}
        }
        if let Err(failure) = facts.take(ctx, now, &step).await {
            return failed(now, facts, failure);
        }
        if let Turn::Do(effect) = turn {
            tracing::debug!(kind = F::KIND, name = facts.meta().name, effect, "done");
        }
        *facts.trouble() = None;
        facts.refresh(ctx, now);
    }
    tracing::warn!(kind = F::KIND, name = facts.meta().name, "a visit took too many steps");
    F::retry(SHORT_PAUSE)
}

/// Notes a failure with the pause before the next try.
fn failed<F: Visited>(now: Timestamp, facts: &mut F, failure: Failure) -> F::Step {
    let meta = facts.meta();
    tracing::info!(
        kind = F::KIND,
        namespace = meta.namespace,
        name = meta.name,
        reason = failure.reason,
        message = failure.message,
        "a step failed"
    );
    let before = facts.trouble().take();
    let trouble = setback::trouble(now, facts.meta(), before.as_ref(), failure, facts.slowest());
    let pause = now.duration_until(trouble.next);
    *facts.trouble() = Some(trouble);
    F::retry(pause)
}
