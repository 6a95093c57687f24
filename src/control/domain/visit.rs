//! One visit of a CustomDomain: decide, look or act, until it rests or waits; then write the status, if it changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::ObjectMeta;
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
use crate::control::rounds::{Turn, Visited, result, rounds, unwritten};
use crate::control::runtime::facts::Trouble;
use crate::control::runtime::trouble::Failure;

/// Visits the CustomDomain.
pub async fn visit(ctx: Arc<Context>, cached: Arc<CustomDomain>) -> Action {
    let Some(uid) = cached.uid() else { return Action::await_change() };
    let mut entry = ctx.domains.take(&uid);
    let domain = entry.newest(cached);
    let mut facts = gather(&ctx, ctx.clock.now(), domain, std::mem::take(&mut entry.known));
    wishes(&mut facts, ctx.domains.wishes(&uid));
    let begun = Instant::now();
    let step = rounds(&ctx, &mut facts).await;
    ctx.metrics.reconciled(Facts::KIND, result(&step, &mut facts), begun.elapsed());
    if step == Step::Rest(Rest::Gone) {
        return Action::await_change();
    }
    let pause = finish(&ctx, &mut facts, &step).await;
    entry.written = Some(Arc::clone(&facts.domain));
    entry.known = facts.known;
    ctx.domains.put(&uid, entry);
    Action::requeue(Duration::try_from(pause).unwrap_or_default().max(Duration::from_millis(20)))
}

impl Visited for Facts {
    const KIND: &'static str = "domain";
    const MOST: usize = 48;
    type Step = Step;

    fn meta(&self) -> &ObjectMeta {
        &self.domain.metadata
    }

    fn trouble(&mut self) -> &mut Option<Trouble> {
        &mut self.known.trouble
    }

    fn slowest(&self) -> SignedDuration {
        self.cluster.settings.slow_retry
    }

    fn decide(&mut self, now: Timestamp) -> Step {
        self.at = now;
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
            Step::Look(what) => look(ctx, now, self, *what).await,
            Step::Do(effect) => act(ctx, now, self, effect).await,
            Step::Wait(_) | Step::Rest(_) => Ok(()),
        }
    }

    fn refresh(&mut self, ctx: &Context, now: Timestamp) {
        self.cluster = cluster(ctx, now, &self.domain, self.host.as_ref().ok());
        self.align();
    }

    fn retry(pause: SignedDuration) -> Step {
        Step::Wait(Waiting::Retry(pause))
    }
}

/// Writes the status and says when to come back if nothing happens before.
async fn finish(ctx: &Context, facts: &mut Facts, step: &Step) -> SignedDuration {
    let now = ctx.clock.now();
    let status = view(now, facts, step, &facts.domain.status.clone().unwrap_or_default());
    if let Err(failure) = record(ctx, facts, status).await {
        return unwritten(facts, &failure);
    }
    tell_requests(ctx, facts);
    schedule::comes_back(now, facts, step)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::domain::hostnames::Small;
    use crate::control::domain::step::Effect;
    use crate::control::small_cluster::SmallCluster;

    /// Two visits do the same at the same time.
    async fn both(small: &Small, hosts: [&str; 2]) {
        let [mut one, mut two] = hosts.map(|host| small.facts(host));
        let now = one.at;
        let step = Step::Do(Effect::RecordMissing(now));
        let (first, second) =
            futures::join!(one.take(&small.ctx, now, &step), two.take(&small.ctx, now, &step));
        first.unwrap();
        second.unwrap();
    }

    #[tokio::test]
    async fn what_was_decided_for_a_hostname_is_not_done_once_somebody_else_did_something_for_it() {
        let slow = SmallCluster::slow(Duration::from_millis(200));
        let small = Small::new(slow, json!({}));
        Box::pin(both(&small, ["www.a.dev"; 2])).await;
        assert_eq!(small.cluster.changes(), 1, "the second decides on what the first has written");
        Box::pin(both(&small, ["www.b.dev", "www.c.dev"])).await;
        assert_eq!(small.cluster.most_at_once(), 2, "other hostnames wait for nothing");
    }
}
