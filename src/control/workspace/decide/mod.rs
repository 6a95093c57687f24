//! Decides the next step of a Workspace. Pure: the time and every fact come in.

mod claim;

use jiff::{SignedDuration, Timestamp};

use super::facts::{BindingFact, Facts};
use super::members::{self, ROLES, fingerprint};
use super::step::{Effect, Name, Rest, Step, Waiting};
use crate::api::workspace::Role;
use crate::control::policy::Suspension;
use crate::control::runtime::facts::{NamespaceFact, Refusal};
use crate::control::{hold, setback};

/// A stage: what it reached, or the step that has to come first.
type Reached<T> = Result<T, Step>;

/// The next step for the Workspace.
pub fn decide(now: Timestamp, facts: &Facts) -> Step {
    let step = match retry_pause(now, facts) {
        Some(wait) => wait,
        None if facts.is_deleted() => destroy(facts),
        None => live(now, facts).unwrap_or_else(|step| step),
    };
    held(facts, step)
}

/// Every stage of a Workspace that should be there, in order.
fn live(now: Timestamp, facts: &Facts) -> Reached<Step> {
    if facts.cluster.namespace == NamespaceFact::Terminating {
        return Err(Step::Wait(Waiting::Namespace));
    }
    if !facts.has_finalizer() {
        return Err(Step::Do(Effect::AddFinalizer));
    }
    claim::held(now, facts, Name::Namespace)?;
    claim::held(now, facts, Name::Subdomain)?;
    ROLES.iter().try_for_each(|role| bound(now, facts, *role))?;
    if let Some(refusal) = members::refused(&facts.workspace) {
        return Err(refused(facts, refusal));
    }
    Ok(Step::Rest(match facts.cluster.policy.suspension {
        Suspension::Active => Rest::Active,
        Suspension::Suspended => Rest::Suspended,
    }))
}

/// The stages of a deletion: the Runtimes and orders, the names, the finalizer.
fn destroy(facts: &Facts) -> Step {
    if !facts.has_finalizer() {
        return Step::Rest(Rest::Gone);
    }
    // Another Workspace's Runtimes and orders are none of ours.
    let dependents = facts.cluster.runtimes + facts.cluster.orders;
    if facts.holds(Name::Namespace) && dependents > 0 {
        return Step::Wait(Waiting::Dependents);
    }
    let held = [Name::Subdomain, Name::Namespace].into_iter().find(|name| facts.holds(*name));
    held.map_or(Step::Do(Effect::RemoveFinalizer), |name| Step::Do(Effect::Release(name)))
}

/// The role is held by its members, and by nobody else through our binding.
fn bound(now: Timestamp, facts: &Facts, role: Role) -> Reached<()> {
    let known = facts.known.bindings.get(&role);
    let Some(known) = known.filter(|bound| bound.at.duration_until(now) < facts.look_pause()) else {
        return Err(Step::Look(role));
    };
    match (&known.fact, members::binding(&facts.workspace, role)) {
        (BindingFact::Missing, None) => Ok(()),
        (BindingFact::Ours(standing), Some(wanted)) if *standing == fingerprint(&wanted) => Ok(()),
        (BindingFact::Missing | BindingFact::Ours(_), Some(_)) => Err(Step::Do(Effect::Bind(role))),
        (BindingFact::Foreign, _) | (BindingFact::Ours(_), None) => Err(Step::Do(Effect::Unbind(role))),
    }
}

/// Whether every role is held as it should be, as far as is known.
pub fn members_are_bound(facts: &Facts) -> bool {
    ROLES.iter().all(|role| {
        match (facts.known.bindings.get(role), members::binding(&facts.workspace, *role)) {
            (Some(bound), None) => bound.fact == BindingFact::Missing,
            (Some(bound), Some(wanted)) => bound.fact == BindingFact::Ours(fingerprint(&wanted)),
            (None, _) => false,
        }
    })
}

/// When the next look at the `RoleBindings` is due, which no watch shows.
pub fn next_look(now: Timestamp, facts: &Facts) -> Option<SignedDuration> {
    let oldest = facts.known.bindings.values().map(|bound| bound.at).min()?;
    let due = oldest.saturating_add(facts.look_pause()).unwrap_or(Timestamp::MAX);
    Some(now.duration_until(due).max(SignedDuration::ZERO))
}

/// A refused spec changes nothing; it is looked at again after a while, and when what it refers to changes.
fn refused(facts: &Facts, refusal: Refusal) -> Step {
    Step::Rest(Rest::Refused(refusal, facts.cluster.settings.slow_retry))
}

/// After something went wrong nothing is tried until its pause is over or the spec has changed.
fn retry_pause(now: Timestamp, facts: &Facts) -> Option<Step> {
    let left = setback::left(now, &facts.workspace.metadata, facts.known.trouble.as_ref())?;
    Some(Step::Wait(Waiting::Retry(left)))
}

/// A paused object, and a read-only operator, look and change nothing.
fn held(facts: &Facts, step: Step) -> Step {
    let Step::Do(_) = step else { return step };
    let refusal = hold::held(&facts.workspace.metadata, facts.cluster.settings.mode);
    refusal.map_or(step, |refusal| Step::Rest(Rest::Awaiting(refusal)))
}

#[cfg(test)]
mod tests;
