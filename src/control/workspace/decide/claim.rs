//! The stage that concerns a Workspace's names: who holds them.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::Facts;
use super::super::step::{Effect, Name, Rest, Step};
use super::Reached;
use crate::api::{NameClaimSpec, reason};
use crate::control::runtime::facts::Refusal;

/// The name is ours.
pub(super) fn held(now: Timestamp, facts: &Facts, name: Name) -> Reached<()> {
    let Some(claim) = facts.claim(name) else { return Err(Step::Do(Effect::Claim(name))) };
    match standing(now, facts, name, &claim.spec) {
        Standing::Ours => Ok(()),
        Standing::TakeOver => Err(Step::Do(Effect::TakeOver(name))),
        Standing::Discard => Err(Step::Do(Effect::Discard(name))),
        Standing::Changed => {
            Err(Step::Rest(Rest::Refused(changed(facts, name), facts.cluster.settings.slow_retry)))
        }
        Standing::Taken(again) => Err(Step::Rest(Rest::Refused(taken(facts, name, &claim.spec), again))),
    }
}

/// How a standing claim relates to us.
enum Standing {
    /// It is ours.
    Ours,
    /// It may become ours.
    TakeOver,
    /// It is free, and of a type that can't become ours.
    Discard,
    /// It was an earlier object's of our name; the platform has to confirm.
    Changed,
    /// It is somebody else's; look again after this time.
    Taken(SignedDuration),
}

fn standing(now: Timestamp, facts: &Facts, name: Name, claim: &NameClaimSpec) -> Standing {
    let us = facts.holder();
    let same_type = claim.type_ == name.claim_type();
    let same_namespace = claim.holder.namespace == us.namespace;
    let slow = facts.cluster.settings.slow_retry;
    if facts.holds(name) {
        return Standing::Ours;
    }
    if let Some(left) = reserved_for(now, facts, claim) {
        return match (left > SignedDuration::ZERO && !same_namespace, same_type) {
            (true, _) => Standing::Taken(left.min(slow)),
            (false, true) => Standing::TakeOver,
            (false, false) => Standing::Discard,
        };
    }
    let confirmed = claim.takeover_confirmed(Some(&us.uid));
    match (same_type && same_namespace && claim.holder.name == us.name, confirmed) {
        (true, true) => Standing::TakeOver,
        (true, false) => Standing::Changed,
        (false, _) => Standing::Taken(slow),
    }
}

/// How long a freed name is still kept for its last holder; `None` if it isn't free: held, or with something left
/// at Fly under it.
fn reserved_for(now: Timestamp, facts: &Facts, claim: &NameClaimSpec) -> Option<SignedDuration> {
    let tombstone = claim.tombstone.as_ref().filter(|_| claim.runtime.is_none())?;
    let end = tombstone.release_time.saturating_add(facts.cluster.settings.tombstone);
    Some(now.duration_until(end.unwrap_or(Timestamp::MAX)))
}

fn changed(facts: &Facts, name: Name) -> Refusal {
    Refusal::new(
        reason::IDENTITY_CHANGED,
        format!(
            "The {} belongs to an earlier Workspace of this name. The platform decides whether this one takes over: `kubectl patch nameclaim {} --type merge -p '{{\"spec\":{{\"confirm\":{{\"uid\":\"<uid of this Workspace>\"}}}}}}'`.",
            title(facts, name),
            facts.key(name),
        ),
    )
}

fn taken(facts: &Facts, name: Name, claim: &NameClaimSpec) -> Refusal {
    match name {
        Name::Namespace => Refusal::new(
            reason::NAMESPACE_TAKEN,
            format!(
                "This namespace already has the Workspace `{}`. Delete this one, or make it in a namespace of its own.",
                claim.holder.name
            ),
        ),
        Name::Subdomain => Refusal::new(
            reason::NAME_TAKEN,
            format!(
                "The {} is taken. Delete this Workspace and make it again with another.",
                title(facts, name)
            ),
        ),
    }
}

fn title(facts: &Facts, name: Name) -> String {
    match name {
        Name::Namespace => format!("namespace `{}`", facts.name(name)),
        Name::Subdomain => format!("subdomain `{}`", facts.name(name)),
    }
}
