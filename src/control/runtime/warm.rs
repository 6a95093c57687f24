//! Apps that were made ahead, as a Runtime sees them. Pure.

use super::env_marks::{self, Difference};
use super::facts::{Facts, MachineFact};
use super::hostname;
use crate::api::name_claim::{ClaimType, Pin, RuntimeIdentity};
use crate::control::rollout::images::SeenImage;

/// An app that was made ahead, and that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warm {
    /// Name of its claim.
    pub name: String,
    /// Where it is.
    pub region: String,
    /// What stands at Fly.
    pub identity: RuntimeIdentity,
    /// Who may have it.
    pub standing: WarmStanding,
}

/// Who may have a warm app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmStanding {
    /// Whoever takes it first.
    Offered,
    /// This very Runtime, which has taken it.
    Given,
}

/// Whether an app that was made from one pin is what would be made from another now.
pub fn is_current(made: &Pin, fresh: &Pin, newest: Option<&SeenImage>) -> bool {
    let same_image = match (&made.image_digest, newest) {
        (Some(digest), Some(newest)) => *digest == newest.digest,
        _ => true,
    };
    same_image && made.plan == fresh.plan && made.blueprint == fresh.blueprint && made.spec == fresh.spec
}

/// The slug whose Machine is marked as its own, if it was warm before.
pub fn owner(facts: &Facts, identity: &RuntimeIdentity) -> Option<String> {
    identity.from_pool.as_ref()?;
    facts.own_claim().filter(|claim| claim.type_ == ClaimType::Slug).map(|claim| claim.name.clone())
}

/// Whether a Machine that was just taken over lacks something of what a fresh one would have: a variable, also one that
/// could wait for the next start, or its hostname. Its gateway lets browsers in only under names that it was started
/// with.
pub fn lacks_something(facts: &Facts, machine: &MachineFact) -> bool {
    let identity = facts.own_claim().and_then(|claim| claim.runtime.as_ref());
    let was_warm = identity.is_some_and(|identity| owner(facts, identity).is_some());
    let hostname = hostname::wanted(facts);
    was_warm
        && machine.owner.is_none()
        && ((hostname.is_some() && machine.hostname.as_deref() != hostname)
            || env_marks::difference(facts, machine) != Difference::None)
}
