//! Warm pools: apps with volume and Machine that are made ahead for a Plan, so that a new Runtime has its gateway at
//! once. Each is given to one Runtime, and never to another.
//!
//! What is wanted is told from the Plans, what there is from the claims; `plan` compares them. A claim goes from kept to
//! given, or to dropped, by writes that fail if somebody else has changed it; the Runtime's own slug then says what it
//! has, and the warm app's claim goes. Without a pool nothing is read or written.

mod board;
mod claims;
mod cost;
pub mod plan;
mod stand_in;
mod tell;
mod token;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use tokio_util::sync::CancellationToken;

pub use board::Board;
pub use token::token;

use self::board::is_used;
use self::plan::{Entry, Readiness, Wanted, next, wanted};
use self::stand_in::{Outcome, advance};
use super::context::Context;
use super::runtime::facts::Known;
use crate::api::warm::WarmPhase;
use crate::api::{NameClaim, Runtime};
use crate::engine::config::Mode;

/// Pause between two rounds. They look at caches only, as long as nothing is to be done.
const PAUSE: Duration = Duration::from_secs(1);
/// Most apps that are worked on at once.
const CONCURRENCY: usize = 4;
/// Time after which one that serves is asked again.
const VERIFY: SignedDuration = SignedDuration::from_mins(5);
/// Time that a Runtime has to make use of what it took.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// What is remembered between two rounds. All of it can be found out again.
#[derive(Debug, Default)]
struct Work {
    /// When each is due next.
    due: HashMap<String, Timestamp>,
    /// Since when each has been given or dropped, as far as this process has seen.
    since: HashMap<(String, WarmPhase), Timestamp>,
    /// Serials of those whose claim is being written.
    serials: Vec<String>,
}

/// Keeps the pools until `shutdown`.
pub async fn keep(ctx: Arc<Context>, shutdown: CancellationToken) {
    let mut work = Work::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
        if ctx.config.mode == Mode::ReadWrite && ctx.leadership.is_current() {
            work.round(&ctx).await;
        }
    }
}

impl Work {
    async fn round(&mut self, ctx: &Context) {
        let wanted = all_wanted(ctx);
        let standing = ctx.claims.warm();
        if wanted.is_empty() && standing.is_empty() && self.is_idle() {
            return;
        }
        self.forget(&standing);
        self.fit(ctx, &wanted, &standing).await;
        let standing = ctx.claims.warm();
        for claim in &standing {
            self.settle(ctx, claim).await;
        }
        let due = self.due(ctx);
        let all = due.into_iter().map(|(claim, dropped)| async move {
            let outcome = advance(ctx, &claim, dropped).await;
            (claim, outcome)
        });
        let mut done = futures::stream::iter(all).buffer_unordered(CONCURRENCY);
        while let Some((claim, outcome)) = done.next().await {
            self.note(ctx, &claim, outcome).await;
        }
        tell::tell(ctx);
    }

    fn is_idle(&self) -> bool {
        self.due.is_empty() && self.since.is_empty()
    }

    /// Forgets what is gone.
    fn forget(&mut self, standing: &[Arc<NameClaim>]) {
        let stands = |name: &str| standing.iter().any(|claim| claim.name_any() == name);
        self.due.retain(|name, _| stands(name));
        self.since.retain(|(name, _), _| stands(name));
    }

    /// Writes which are to be made and which are to go.
    async fn fit(&mut self, ctx: &Context, wanted: &[Wanted], standing: &[Arc<NameClaim>]) {
        let names: Vec<String> = standing.iter().map(|claim| claim.name_any()).collect();
        let entries: Vec<Entry<'_>> =
            standing.iter().zip(&names).map(|(claim, name)| entry(ctx, claim, name)).collect();
        let todo = next(wanted, &entries);
        for claim in standing.iter().filter(|claim| todo.drop.contains(&claim.name_any())) {
            ctx.warm.fails(&claim.name_any());
            drop_it(ctx, claim).await;
        }
        for want in todo.make {
            let serial = self.serials.pop().unwrap_or_else(claims::serial);
            if let Err(failure) = claims::make(ctx, ctx.clock.now(), want, &serial).await {
                tracing::info!(message = failure.message, "a warm app can't be claimed; it is tried again");
                self.serials.push(serial);
                return;
            }
        }
    }
    /// What was given is the Runtime's once its slug says so. What its Runtime has no use for goes.
    async fn settle(&mut self, ctx: &Context, claim: &NameClaim) {
        let Some(app) = &claim.spec.warm else { return };
        if is_used(&ctx.claims, claim) {
            ctx.warm.fails(&claim.name_any());
            claims::remove(ctx, claim).await;
            return;
        }
        let age = self.age(ctx, &claim.name_any(), app.phase);
        if app.phase == WarmPhase::Given && (age > PATIENCE || is_ownerless(ctx, claim, age).await) {
            drop_it(ctx, claim).await;
        }
    }

    /// For how long it has been so, as far as this process has seen.
    fn age(&mut self, ctx: &Context, name: &str, phase: WarmPhase) -> SignedDuration {
        let (now, key) = (ctx.clock.now(), (name.to_owned(), phase));
        // One that has just come to this is worked on at once, whenever it was due before.
        if !self.since.contains_key(&key) {
            self.due.remove(name);
        }
        self.since.entry(key).or_insert(now).duration_until(now)
    }

    /// Those that are to be worked on now, with the time since when one that goes has been seen to go. It isn't touched
    /// before the grace is over: a Runtime may be about to claim it.
    fn due(&self, ctx: &Context) -> Vec<(Arc<NameClaim>, Option<Timestamp>)> {
        let (now, grace) = (ctx.clock.now(), grace(ctx));
        let is_due = |claim: &NameClaim| {
            let name = claim.name_any();
            let due = self.due.get(&name).is_none_or(|due| *due <= now);
            if due && ctx.warm.is_ready(&name) {
                look_again(ctx, claim);
            }
            due || (ctx.warm.is_ready(&name) && has_news(ctx, claim))
        };
        let since = |claim: &NameClaim, phase| self.since.get(&(claim.name_any(), phase)).copied();
        let all = ctx.claims.warm().into_iter().filter_map(|claim| {
            let phase = claim.spec.warm.as_ref()?.phase;
            match (phase, since(&claim, phase)) {
                (WarmPhase::Kept, _) => Some((claim, None)),
                (WarmPhase::Dropped, Some(seen)) if seen.duration_until(now) >= grace => {
                    Some((claim, Some(seen)))
                }
                (WarmPhase::Dropped | WarmPhase::Given, _) => None,
            }
        });
        all.filter(|(claim, _)| is_due(claim)).collect()
    }

    async fn note(&mut self, ctx: &Context, claim: &NameClaim, outcome: Outcome) {
        let name = claim.name_any();
        let was_ready = ctx.warm.is_ready(&name);
        let pause = match &outcome {
            Outcome::Ready | Outcome::Used => VERIFY,
            Outcome::Later(again) | Outcome::Stuck(_, again) => {
                (*again).max(SignedDuration::from_millis(200))
            }
            Outcome::Gone => SignedDuration::ZERO,
        };
        let due = ctx.clock.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
        self.due.insert(name.clone(), due);
        match outcome {
            Outcome::Ready => {
                ctx.warm.serves(&name);
                if !was_ready {
                    tracing::info!(claim = name, "warm app ready");
                }
                return;
            }
            Outcome::Gone => {
                let newest = ctx.claims.get(&name);
                claims::remove(ctx, newest.as_deref().unwrap_or(claim)).await;
                tracing::info!(claim = name, "warm app removed");
            }
            Outcome::Used => tracing::warn!(
                claim = name,
                "the Machine of this warm app says that a Runtime has it: it is neither given nor removed; restore that Runtime's NameClaim"
            ),
            Outcome::Stuck(refusal, _) => tracing::warn!(
                claim = name,
                reason = refusal.reason,
                message = refusal.message,
                "a warm app can't be made as it stands"
            ),
            Outcome::Later(_) => {}
        }
        ctx.warm.fails(&name);
    }
}

async fn drop_it(ctx: &Context, claim: &NameClaim) {
    if let Err(failure) = claims::drop_it(ctx, claim).await {
        tracing::info!(
            claim = claim.name_any(),
            message = failure.message,
            "can't be dropped; it is tried again"
        );
    }
}

/// Has the Machine of one that serves asked again: what the organisation's list doesn't show, its checks among it, is
/// seen so.
fn look_again(ctx: &Context, claim: &NameClaim) {
    ctx.memory.change(&claim.spec.holder.uid, |entry| entry.known.machine = Known::Unknown);
}

/// Whether the organisation's list told of its Machine.
fn has_news(ctx: &Context, claim: &NameClaim) -> bool {
    let uid = &claim.spec.holder.uid;
    let entry = ctx.memory.take(uid);
    let news = entry.known.machine == Known::Unknown;
    ctx.memory.put(uid, entry);
    news
}

fn grace(ctx: &Context) -> SignedDuration {
    SignedDuration::from_secs(ctx.config.timing.absence_grace_seconds.into())
}

/// Whether the Runtime that took it is proved to be gone.
async fn is_ownerless(ctx: &Context, claim: &NameClaim, age: SignedDuration) -> bool {
    let Some(holder) = claim.spec.warm.as_ref().and_then(|app| app.given_to.as_ref()) else { return false };
    let reference = ObjectRef::<Runtime>::new(&holder.name).within(&holder.namespace);
    let is_it = |runtime: &Runtime| runtime.uid().as_ref() == Some(&holder.uid);
    if age < grace(ctx) || ctx.stores.runtimes.get(&reference).is_some_and(|runtime| is_it(&runtime)) {
        return false;
    }
    let found = Api::<Runtime>::namespaced(ctx.kube.clone(), &holder.namespace).get_opt(&holder.name).await;
    found.is_ok_and(|found| found.is_none_or(|runtime| !is_it(&runtime)))
}

fn all_wanted(ctx: &Context) -> Vec<Wanted> {
    let plans = ctx.stores.plans.state();
    let pooled: Vec<_> = plans.into_iter().filter(|plan| plan.spec.warm_pool.is_some()).collect();
    let blueprint = |name: &str| {
        let found = ctx.stores.blueprints.get(&ObjectRef::new(name))?;
        Some((found.metadata.generation.unwrap_or_default(), found.spec.clone()))
    };
    wanted(&pooled, blueprint, |image| ctx.claims.newest_image(image), &ctx.config.defaults)
}

fn entry<'c>(ctx: &Context, claim: &'c NameClaim, name: &'c str) -> Entry<'c> {
    let readiness = if ctx.warm.is_ready(name) { Readiness::Ready } else { Readiness::Preparing };
    let made = claim.creation_timestamp().map_or(Timestamp::MIN, |time| time.0);
    Entry { name, spec: &claim.spec, readiness, made }
}
