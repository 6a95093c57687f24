//! Makes a warm app, keeps it in order, and removes it, by the decisions that are made for a Runtime: a plain one of its
//! Plan stands in for the one to come.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::api::name_claim::RuntimeIdentity;
use crate::api::runtime::{DeletionPolicy, External, RuntimeStatus};
use crate::api::warm::{WarmApp, WarmPhase};
use crate::api::{NameClaim, NameClaimSpec, RUNTIME_FINALIZER, Runtime, RuntimeSpec};
use crate::control::context::Context;
use crate::control::memory::Entry;
use crate::control::policy::EffectivePolicy;
use crate::control::rollout::pick::Permit;
use crate::control::runtime::act::act;
use crate::control::runtime::decide::decide;
use crate::control::runtime::facts::{
    ClaimFact, Cluster, EnvFact, Facts, Knowledge, Known, NamespaceFact, Refusal, Token,
};
use crate::control::runtime::look::look;
use crate::control::runtime::observe::settings;
use crate::control::runtime::step::{Effect, Look, Rest, Step};
use crate::control::runtime::trouble::{Failure, note};

/// Most steps at a time.
const MAX_STEPS: usize = 64;

/// How far a warm app is.
#[derive(Debug)]
pub enum Outcome {
    /// It serves.
    Ready,
    /// It is under way: look again after this time.
    Later(SignedDuration),
    /// It can't be done as it stands: look again after this time.
    Stuck(Refusal, SignedDuration),
    /// Nothing is left of it at Fly.
    Gone,
    /// Its Machine says that a Runtime has it, whatever its claim says.
    Used,
}

/// Goes on with a warm app as far as can be gone now.
pub async fn advance(ctx: &Context, claim: &NameClaim, dropped: Option<Timestamp>) -> Outcome {
    let (name, uid) = (claim.spec.key(), claim.spec.holder.uid.clone());
    let mut entry = ctx.memory.take(&uid);
    let outcome = steps(ctx, &name, dropped, &mut entry).await;
    match &outcome {
        Outcome::Gone => ctx.memory.forget(&uid),
        _ => ctx.memory.put(&uid, entry),
    }
    outcome
}

async fn steps(ctx: &Context, name: &str, dropped: Option<Timestamp>, entry: &mut Entry) -> Outcome {
    for _ in 0..MAX_STEPS {
        let now = ctx.clock.now();
        let Some(mut facts) = facts(ctx, name, dropped, std::mem::take(&mut entry.known)) else {
            return Outcome::Gone;
        };
        let step = if is_somebodys(&facts) { Step::Rest(Rest::Stopped) } else { next(now, &facts) };
        let done = match &step {
            Step::Look(what) => look(ctx, now, &mut facts, *what).await,
            Step::Do(Effect::RemoveFinalizer) => return Outcome::Gone,
            Step::Do(_) if !is_still(&facts, dropped) || !ctx.leadership.is_current() => {
                entry.known = facts.known;
                return Outcome::Later(SignedDuration::from_secs(1));
            }
            Step::Do(effect) => act(ctx, now, &mut facts, effect).await,
            Step::Wait(_) | Step::Rest(_) => {
                let outcome = outcome(&facts, step);
                entry.known = slim(facts, &outcome);
                return outcome;
            }
        };
        if let Err(failure) = done {
            let told = told(&failure);
            note(now, &mut facts, failure);
            let next = facts.known.trouble.as_ref().map_or(now, |trouble| trouble.next);
            entry.known = facts.known;
            return Outcome::Stuck(told, now.duration_until(next));
        }
        entry.known = facts.known;
    }
    Outcome::Later(SignedDuration::from_secs(10))
}

/// Before anything is removed its Machine is asked whose it is.
fn next(now: Timestamp, facts: &Facts) -> Step {
    let step = decide(now, facts);
    let removes = facts.runtime.metadata.deletion_timestamp.is_some();
    let asked = facts.known.machine != Known::Unknown;
    let stands = facts.own_claim().is_some_and(|claim| claim.runtime.is_some());
    match step {
        Step::Do(_) if removes && stands && !asked => Step::Look(Look::Machine),
        step => step,
    }
}

/// A claim that was restored from an old backup may call an app kept that has long been a customer's.
fn is_somebodys(facts: &Facts) -> bool {
    facts.known.machine.present().is_some_and(|machine| machine.owner.is_some())
}

/// Whether its claim still says that it is ours to change.
fn is_still(facts: &Facts, dropped: Option<Timestamp>) -> bool {
    let phase = facts.own_claim().and_then(|claim| claim.warm.as_ref()).map(|app| app.phase);
    phase == Some(if dropped.is_some() { WarmPhase::Dropped } else { WarmPhase::Kept })
}

fn outcome(facts: &Facts, step: Step) -> Outcome {
    let soon = SignedDuration::from_secs(5);
    match step {
        _ if is_somebodys(facts) => Outcome::Used,
        Step::Rest(Rest::Gone) => Outcome::Gone,
        Step::Rest(Rest::Running) => Outcome::Ready,
        Step::Rest(Rest::Refused(refusal, again)) => Outcome::Stuck(refusal, again),
        Step::Rest(Rest::Degraded(again)) => Outcome::Later(again),
        Step::Rest(Rest::Awaiting(refusal)) => Outcome::Stuck(refusal, soon),
        Step::Wait(wait) => Outcome::Later(wait.again),
        Step::Rest(_) | Step::Look(_) | Step::Do(_) => Outcome::Later(soon),
    }
}

/// At rest secret values are forgotten.
fn slim(facts: Facts, outcome: &Outcome) -> Knowledge {
    let mut known = facts.known;
    if matches!(outcome, Outcome::Ready) {
        (known.token, known.env, known.secrets, known.trouble) =
            (Token::Unknown, EnvFact::Unknown, None, None);
    }
    known
}

fn told(failure: &Failure) -> Refusal {
    Refusal::new(failure.reason, failure.message.clone())
}

/// The facts; `None` once the claim is gone.
fn facts(ctx: &Context, name: &str, dropped: Option<Timestamp>, known: Knowledge) -> Option<Facts> {
    let claim = ctx.claims.get(name)?;
    let runtime = Arc::new(stand_in(&claim.spec, dropped));
    let mut facts = Facts { runtime, cluster: cluster(ctx, &claim.spec), known };
    facts.align();
    Some(facts)
}

/// It is nobody's: no tenant's policy, order, Workspace or hostname is about it, and it runs on its pin.
fn cluster(ctx: &Context, claim: &NameClaimSpec) -> Cluster {
    let image = claim.runtime.as_ref().map(|identity| identity.pin.spec.image.as_str());
    Cluster {
        workspace: None,
        plan: None,
        pinned_plan: None,
        // It isn't asked who pays: the platform does.
        order: None,
        blueprint: None,
        newest_image: image.and_then(|image| ctx.claims.newest_image(image)),
        permit: Permit::None,
        policy: EffectivePolicy::unselected(1),
        claim: ClaimFact::Held(Arc::new(claim.clone())),
        warm: Vec::new(),
        other_slugs: 0,
        namespace: NamespaceFact::Active,
        request: None,
        base: None,
        names: Vec::new(),
        settings: settings(&ctx.config),
    }
}

/// The Runtime that stands in: a plain one, whose status has told of its app already.
fn stand_in(claim: &NameClaimSpec, dropped: Option<Timestamp>) -> Runtime {
    let holder = &claim.holder;
    let region = claim.warm.as_ref().map(|WarmApp { region, .. }| region.clone());
    let spec = RuntimeSpec {
        slug: Some(claim.name.clone()),
        regions: region.into_iter().collect(),
        deletion_policy: DeletionPolicy::Delete,
        ..RuntimeSpec::default()
    };
    let mut runtime = Runtime::new(&holder.name, spec);
    runtime.metadata.namespace = Some(holder.namespace.clone());
    runtime.metadata.uid = Some(holder.uid.clone());
    runtime.metadata.generation = Some(1);
    runtime.metadata.deletion_timestamp = dropped.map(Time);
    runtime.metadata.finalizers = Some(vec![RUNTIME_FINALIZER.into()]);
    runtime.status = claim.runtime.as_ref().map(shown);
    runtime
}

fn shown(identity: &RuntimeIdentity) -> RuntimeStatus {
    RuntimeStatus {
        external: Some(External { app: identity.app.clone(), ..External::default() }),
        ..RuntimeStatus::default()
    }
}
