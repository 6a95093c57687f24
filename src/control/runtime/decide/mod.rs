//! What to do next for a Runtime: a pure function of the time and the facts.
//!
//! Nothing in here can name a client, a clock or a random source. A stage returns what it reached, or the step
//! that has to come first; so the first stage that isn't reached names the next step, and a Runtime for which
//! every stage is reached rests.

mod brake;
pub(in crate::control) mod claim;
mod destroy;
pub mod displaced;
mod drift;
mod filled;
mod fork;
pub mod hostname;
mod kept;
pub(super) mod power;
mod provision;
mod recover;
pub(super) mod replace;
pub(super) mod request;
pub(super) mod resize;
mod restore;
mod snapshot;
mod stuck;
mod survey;
mod upgrade;
mod warm;

pub use snapshot::quiet_since;

use jiff::{SignedDuration, Timestamp};

use super::facts::{Absence, Facts, Known, NamespaceFact, Proof, Refusal, Source};
use super::resolve::{Resolved, power_of, resolve};
use super::sleep;
use super::step::{Effect, Look, Rest, Step, Wait, Waiting};
use crate::api::name_claim::{DeletionPhase, NameClaimSpec, RuntimeIdentity};
use crate::api::runtime_order::FundingPhase;
use crate::api::{RUNTIME_FINALIZER, Runtime, reason};
use crate::control::hold;
use crate::engine::config::Mode;

/// A stage: what it reached, or the step that has to come first.
type Reached<T> = Result<T, Step>;

/// The next step for the Runtime.
pub fn decide(now: Timestamp, facts: &Facts) -> Step {
    let pause = retry_pause(now, facts);
    if let Some(step) = halted_though_held(now, facts).filter(|_| pause.is_none()) {
        return read_in_full(facts, step);
    }
    let step = match pause {
        Some(wait) => wait,
        None if is_deleted(&facts.runtime) => destroy::decide(now, facts),
        None => {
            let step = hostname::though_refused(now, facts, live(now, facts)).unwrap_or_else(|step| step);
            kept::running(now, facts, step)
        }
    };
    let step = if is_deleted(&facts.runtime) { step } else { request::attended(now, facts, step) };
    hostname::in_a_pause(now, facts, held(facts, read_in_full(facts, step)))
}

/// What the organisation's list shows of a Machine is enough to rest on, with a spec that was seen to be realised.
/// Before anything is done or waited for, the Machine itself is read.
fn read_in_full(facts: &Facts, step: Step) -> Step {
    let listed = facts.known.machine.present().is_some_and(|machine| machine.source == Source::List);
    let observed = facts.runtime.status.as_ref().map(|status| status.observed_generation);
    let realised = observed == facts.runtime.metadata.generation;
    match step {
        Step::Wait(wait) if wait.what == Waiting::Retry => Step::Wait(wait),
        Step::Do(_) | Step::Wait(_) if listed => Step::Look(Look::Machine),
        Step::Rest(Rest::Running | Rest::Stopped | Rest::Awaiting(_)) if listed && !realised => {
            Step::Look(Look::Machine)
        }
        Step::Rest(Rest::Sleeping) if listed && !(realised && sleep::was_asleep(facts)) => {
            Step::Look(Look::Machine)
        }
        step => step,
    }
}

/// Every stage of a Runtime that should be there, in order.
fn live(now: Timestamp, facts: &Facts) -> Reached<Step> {
    let resolved = match resolve(facts) {
        Ok(resolved) => resolved,
        Err(refusal) => {
            // A declaration that can't be carried out is no way round a stop.
            if made(facts) {
                seen(&facts.known.machine, Look::Machine)?;
            }
            power::halted(now, facts, power_of(facts))?;
            return Err(refused(facts, refusal));
        }
    };
    if facts.own_claim().is_none() {
        entitled_to_claim(&resolved)?;
    }
    finalizer(facts)?;
    let identity = claim::held(now, facts, &resolved)?;
    claim::intent_recorded(facts, identity)?;
    claim::deletion_policy_recorded(facts, identity)?;
    claim::funding_recorded(facts, identity)?;
    if identity.machine_id.is_none() && !facts.known.machine_exists() {
        entitled_to_claim(&resolved)?;
    }
    if identity.machine_id.is_some() {
        seen(&facts.known.machine, Look::Machine)?;
        power::halted(now, facts, resolved.power)?;
    }
    claim::volume_followed(facts, identity)?;
    provision::app(now, facts)?;
    replace::complete(now, facts, identity)?;
    provision::addresses(now, facts)?;
    provision::token(facts)?;
    provision::env(facts, &resolved)?;
    provision::volume(now, facts, identity, &resolved)?;
    recover::host(now, facts, identity, &resolved)?;
    power::host_answers(now, facts)?;
    fork::room(now, facts, identity)?;
    power::marked_anew(facts, &resolved)?;
    resize::sized(now, facts, identity)?;
    upgrade::can_be_made(now, facts, identity, &resolved)?;
    provision::machine(now, facts, identity, &resolved)?;
    resize::settled(facts, identity, &resolved)?;
    claim::everything_recorded(now, facts, identity, &resolved)?;
    warm::handed_over(facts, identity, &resolved)?;
    upgrade::under_way(now, facts, identity, &resolved)?;
    let rest = rested(now, facts, identity, &resolved);
    hostname::beside(now, facts, identity, rest)
}

/// The Machine runs, or is off, as it should be, and nothing is left to be cleared up or to be told.
fn rested(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity, resolved: &Resolved) -> Reached<Step> {
    let reached = power::reached(now, facts, resolved);
    let rest = upgrade::after(now, facts, identity, resolved, reached)?;
    displaced::cleared(now, facts, identity, &rest)?;
    resize::agreed(now, facts, identity, &rest)?;
    survey::made(now, facts, &rest)?;
    Ok(rest)
}

/// Whether its claim knows a Machine.
fn made(facts: &Facts) -> bool {
    let recorded = facts.own_claim().and_then(|claim| claim.runtime.as_ref());
    recorded.is_some_and(|identity| identity.machine_id.is_some())
}

/// Nothing is made, and no name held, for what nobody pays for or the platform has suspended.
fn entitled_to_claim(resolved: &Resolved) -> Reached<()> {
    match power::awaiting(resolved.power) {
        Some(refusal) => Err(Step::Rest(Rest::Awaiting(refusal))),
        None => Ok(()),
    }
}

/// In a namespace that is being deleted nothing new is made. What stands goes on until its own deletion comes.
fn finalizer(facts: &Facts) -> Reached<()> {
    let recorded = facts.own_claim().and_then(|claim| claim.runtime.as_ref());
    let stands =
        recorded.is_some_and(|identity| identity.machine_id.is_some()) && has_finalizer(&facts.runtime);
    if facts.cluster.namespace == NamespaceFact::Terminating && !stands {
        return Err(Step::Rest(Rest::Awaiting(Refusal::new(
            reason::AWAITING_DEPENDENTS,
            "The namespace is being deleted; nothing is made in it any more.",
        ))));
    }
    if has_finalizer(&facts.runtime) { Ok(()) } else { Err(Step::Do(Effect::AddFinalizer)) }
}

/// Whether our finalizer is on it.
pub fn has_finalizer(runtime: &Runtime) -> bool {
    runtime.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == RUNTIME_FINALIZER)
}

/// Whether it is being deleted.
pub fn is_deleted(runtime: &Runtime) -> bool {
    runtime.metadata.deletion_timestamp.is_some()
}

/// A refused spec changes nothing; it is looked at again after a while, and when what it refers to changes. What runs is
/// kept running meanwhile (see `kept`).
fn refused(facts: &Facts, refusal: Refusal) -> Step {
    Step::Rest(Rest::Refused(refusal, facts.cluster.settings.slow_retry))
}

/// After something went wrong nothing is tried until its pause is over or the spec has changed.
fn retry_pause(now: Timestamp, facts: &Facts) -> Option<Step> {
    let trouble = facts.known.trouble.as_ref()?;
    let left = now.duration_until(trouble.next);
    let same_spec = facts.runtime.metadata.generation == Some(trouble.generation);
    (same_spec && left > SignedDuration::ZERO)
        .then_some(Step::Wait(Wait { what: Waiting::Retry, again: left }))
}

/// A paused Runtime is stopped all the same if nobody pays for it or the platform suspends it, and so is one whose
/// deletion is held: annotation and deletion are the tenant's to make.
fn halted_though_held(now: Timestamp, facts: &Facts) -> Option<Step> {
    let power = power_of(facts);
    let deletion = facts.own_claim().and_then(NameClaimSpec::deletion_phase);
    let is_held = hold::is_paused(&facts.runtime.metadata) || deletion == Some(DeletionPhase::Held);
    if !is_held || facts.cluster.settings.mode == Mode::ReadOnly || !made(facts) {
        return None;
    }
    power::awaiting(power)?;
    seen(&facts.known.machine, Look::Machine).and_then(|_| power::halted(now, facts, power)).err()
}

/// A paused object, and a read-only operator, look and change nothing. What is deleted because nobody pays for it any
/// more goes all the same: the annotation is the tenant's.
fn held(facts: &Facts, step: Step) -> Step {
    let Step::Do(_) = step else { return step };
    let is_over = facts.cluster.order.as_ref().is_some_and(|order| order.phase == FundingPhase::Ended);
    if is_over && is_deleted(&facts.runtime) && facts.cluster.settings.mode == Mode::ReadWrite {
        return step;
    }
    let refusal = hold::held(&facts.runtime.metadata, facts.cluster.settings.mode);
    refusal.map_or(step, |refusal| Step::Rest(Rest::Awaiting(refusal)))
}

/// Whether something that was missed is really not there: `Ok` if so, else the look or the wait that comes first.
fn absence_proved(
    now: Timestamp,
    facts: &Facts,
    absence: Absence,
    look: Look,
    what: &'static str,
) -> Reached<()> {
    match absence.proof(now, facts.cluster.settings.absence_grace) {
        Proof::Proved => Ok(()),
        Proof::LookAgain => Err(Step::Look(look)),
        Proof::Wait(again) => Err(Step::Wait(Wait { what: Waiting::Absence(what), again })),
    }
}

/// What is known of a thing that has to be looked at before anything is done about it.
fn seen<T>(known: &Known<T>, look: Look) -> Reached<Option<&T>> {
    match known {
        Known::Unknown => Err(Step::Look(look)),
        Known::Missing(_) => Ok(None),
        Known::Present(value) => Ok(Some(value)),
    }
}

/// Looks at something again once the last look is `pause` ago.
fn look_again(now: Timestamp, facts: &Facts, look: Look, pause: SignedDuration, what: Waiting) -> Step {
    let age = facts.known.since_look(look, now);
    if age >= pause { Step::Look(look) } else { Step::Wait(Wait { what, again: pause - age }) }
}
