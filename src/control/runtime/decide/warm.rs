//! The stages of an app that was made ahead: it is taken, then its slug is claimed with what stands, then its Machine
//! is marked as that slug's.

use super::super::facts::{Facts, Warm, WarmStanding};
use super::super::resolve::{Power, Resolved};
use super::super::step::{Effect, Step};
use super::super::{hostname, warm};
use super::{Reached, power};
use crate::api::name_claim::{HostnameRecord, Pin, RuntimeIdentity};

/// What it takes over: the app that it has taken, if that is what would be made for it now; else one to be taken first;
/// `None` if there is none.
pub(super) fn chosen(facts: &Facts, resolved: &Resolved) -> Reached<Option<RuntimeIdentity>> {
    if resolved.power != Power::Run {
        return Ok(None);
    }
    let fitting: Vec<&Warm> = facts.cluster.warm.iter().filter(|app| fits(facts, resolved, app)).collect();
    if let Some(taken) = fitting.iter().find(|app| app.standing == WarmStanding::Given) {
        return Ok(Some(taken_over(facts, resolved, taken)));
    }
    // Those that come at the same time begin at different ones.
    let uid = facts.runtime.metadata.uid.as_deref().unwrap_or_default();
    let start: usize = uid.bytes().map(usize::from).sum();
    match fitting.len() {
        0 => Ok(None),
        count => Err(Step::Do(Effect::TakeWarm(fitting[start % count].name.clone()))),
    }
}

fn fits(facts: &Facts, resolved: &Resolved, app: &Warm) -> bool {
    resolved.regions.first() == Some(&app.region)
        && warm::is_current(&app.identity.pin, &resolved.pin, facts.cluster.newest_image.as_ref())
}

fn taken_over(facts: &Facts, resolved: &Resolved, app: &Warm) -> RuntimeIdentity {
    let made = &app.identity;
    RuntimeIdentity {
        from_pool: Some(made.pin.plan.name.clone()),
        deletion_policy: facts.runtime.spec.deletion_policy,
        hostname: hostname::wanted(facts).map(HostnameRecord::intended),
        pin: Pin { blueprint_generation: resolved.pin.blueprint_generation, ..made.pin.clone() },
        ..made.clone()
    }
}

/// The Machine says whose it is before anybody is let in. What is changed first brings that along.
pub(super) fn handed_over(facts: &Facts, identity: &RuntimeIdentity, resolved: &Resolved) -> Reached<()> {
    let unmarked = facts.known.machine.present().is_some_and(|machine| machine.owner.is_none());
    if unmarked && warm::owner(facts, identity).is_some() && power::config_is_applied(facts, resolved) {
        return Err(Step::Do(Effect::MarkOwner));
    }
    Ok(())
}
