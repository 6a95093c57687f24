//! Another size: the volume grows first, then the pin moves, then the Machine is updated by the ordinary stages.
//!
//! A size that can't be taken on is refused, and the old one runs on.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{Facts, Known, Refusal, VolumePhase};
use super::super::moving::Sight;
use super::super::resolve::{
    Power, Resolved, funding, is_funded, pinned_plan, plan_not_allowed, plan_not_found, plan_too_small,
};
use super::super::sleep;
use super::super::step::{Effect, Look, Rest, Step};
use super::fork::no_room_for;
use super::provision::lost;
use super::replace::record;
use super::{Reached, absence_proved, power};
use crate::api::name_claim::{Pin, PinnedPlan, RuntimeIdentity};
use crate::api::reason;
use crate::api::replacement::Resizing;
use crate::control::policy::Funding;

/// What is asked for beside the size that it has.
pub(in crate::control::runtime) enum Wish {
    /// Nothing.
    None,
    /// This size.
    Another(Box<PinnedPlan>),
    /// A size that can't be had.
    Refused(Refusal),
}

/// What the spec asks for beside the pin. Without `planRef` the pin stays.
pub(in crate::control::runtime) fn wish(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Wish {
    let pin = &identity.pin;
    if let Some(reduced) = reduced(facts, &pin.plan) {
        return Wish::Another(Box::new(reduced.clone()));
    }
    let Some(named) = &facts.runtime.spec.plan_ref else { return Wish::None };
    if named.name == pin.plan.name {
        return Wish::None;
    }
    let Some((name, plan)) = facts.cluster.plan.as_ref().filter(|(name, _)| *name == named.name) else {
        return Wish::Refused(plan_not_found(&named.name));
    };
    if !facts.cluster.policy.allows_plan(name, funding(plan)) {
        return Wish::Refused(plan_not_allowed(name));
    }
    if plan.memory_mb < pin.spec.minimum_memory_mb {
        return Wish::Refused(plan_too_small(name, plan, &pin.blueprint, &pin.spec));
    }
    let wanted = Pin { plan: pinned_plan(name, plan), ..pin.clone() };
    if let Err(refusal) = sleep::mode(&facts.runtime.spec, Power::Run, &wanted) {
        return Wish::Refused(refusal);
    }
    if funding(plan) == Funding::Order && !is_funded(facts, &wanted.plan) {
        return Wish::Refused(not_paid(name, &pin.plan.name));
    }
    let refused = identity.refused_plan.as_ref();
    if refused.is_some_and(|refused| refused.plan == *name && refused.retry_time > now) {
        return Wish::Refused(no_room_for(name, &pin.plan.name));
    }
    Wish::Another(Box::new(wanted.plan))
}

/// The size that is still paid in place of the one that it has, of which the difference went back.
fn reduced<'f>(facts: &'f Facts, has: &PinnedPlan) -> Option<&'f PinnedPlan> {
    let order = facts.cluster.order.as_ref().filter(|order| order.phase.funds())?;
    order.reduced_to().filter(|reduced| *has == order.price.plan && *reduced != has)
}

fn not_paid(plan: &str, runs: &str) -> Refusal {
    Refusal::new(
        reason::PLAN_NOT_PAID,
        format!(
            "The Plan `{plan}` has to be paid for, and no order funds it. It runs on with `{runs}`. A subscription is changed to it, if the Plan is dearer: at Stripe by itself, at PayApp once it is paid at the page in `status.checkout.url` of its order, which tells how that goes. Else delete the order for `{runs}`, and place one for `{plan}` with `spec.runtimeRef`: the first funds `{runs}` until that one is paid. Or set `spec.planRef` to `{runs}`."
        ),
    )
}

/// The pin is the size that is asked for, and the volume is large enough for it.
pub(super) fn sized(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    let wish = wish(now, facts, identity);
    let plan = match &wish {
        Wish::Another(plan) => plan,
        Wish::None | Wish::Refused(_) => &identity.pin.plan,
    };
    large_enough(now, facts, identity, plan)?;
    let size = identity.volume_size().max(plan.volume_gb);
    // While an earlier change isn't in place yet, what to go back to stays what runs.
    let before = identity.resizing.as_ref();
    let resizing = Resizing {
        from: before.map_or(&identity.pin.plan, |resizing| &resizing.from).clone(),
        grown_gb: grown(facts, identity, size).or(before.and_then(|resizing| resizing.grown_gb)),
    };
    if let Wish::Another(plan) = wish {
        let mut wanted = RuntimeIdentity { volume_gb: Some(size), refused_plan: None, ..identity.clone() };
        wanted.resizing = Some(resizing);
        wanted.pin.plan = *plan;
        return Err(record(wanted));
    }
    if size != identity.volume_size() {
        let resizing = Some(resizing);
        return Err(record(RuntimeIdentity { volume_gb: Some(size), resizing, ..identity.clone() }));
    }
    forgotten(facts, identity)
}

/// The size for which the Machine has to be started anew. Whether that is so Fly says when it extends a volume; where its
/// answer was lost it is taken to be so, and costs one restart.
fn grown(facts: &Facts, identity: &RuntimeIdentity, size: i32) -> Option<i32> {
    if identity.volume_id.is_none() || size <= identity.volume_size() {
        return None;
    }
    let said = facts.known.moving.grown.filter(|grown| grown.size_gb == size).map(|grown| grown.seen);
    (said != Some(Sight::AtOnce)).then_some(size)
}

/// A refusal is remembered only as long as that size is asked for.
fn forgotten(facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    let named = facts.runtime.spec.plan_ref.as_ref().map(|plan| &plan.name);
    match &identity.refused_plan {
        Some(refused) if named != Some(&refused.plan) => {
            Err(record(RuntimeIdentity { refused_plan: None, ..identity.clone() }))
        }
        _ => Ok(()),
    }
}

/// A volume only grows, and grows before anything else changes.
fn large_enough(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity, plan: &PinnedPlan) -> Reached<()> {
    let Some(id) = identity.volume_id.clone() else { return Ok(()) };
    if plan.volume_gb <= identity.volume_size() {
        return Ok(());
    }
    match &facts.known.volume {
        Known::Present(volume) if volume.phase == VolumePhase::Going => Err(lost(facts, identity)),
        Known::Present(volume) if volume.id == id && volume.size_gb >= plan.volume_gb => Ok(()),
        Known::Present(volume) if volume.id == id => {
            Err(Step::Do(Effect::ExtendVolume { id, size_gb: plan.volume_gb }))
        }
        Known::Missing(absence) => {
            absence_proved(now, facts, *absence, Look::Volume, "volume")?;
            Err(lost(facts, identity))
        }
        Known::Present(_) | Known::Unknown => Err(Step::Look(Look::Volume)),
    }
}

/// What can't be had is told once the old size is where it should be.
pub(super) fn agreed(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity, rest: &Step) -> Reached<()> {
    let settled =
        matches!(rest, Step::Rest(Rest::Running | Rest::Degraded(_) | Rest::Sleeping | Rest::Stopped));
    let (true, Wish::Refused(refusal)) = (settled, wish(now, facts, identity)) else { return Ok(()) };
    let slow = facts.cluster.settings.slow_retry;
    Err(Step::Rest(match refusal.reason {
        reason::PLAN_NOT_PAID => Rest::Awaiting(Refusal::new(reason::AWAITING_ORDER, refusal.message)),
        reason::CAPACITY => Rest::Refused(refusal, retry(now, identity).min(slow)),
        _ => Rest::Refused(refusal, slow),
    }))
}

fn retry(now: Timestamp, identity: &RuntimeIdentity) -> SignedDuration {
    let at = identity.refused_plan.as_ref().map_or(now, |refused| refused.retry_time);
    now.duration_until(at).max(SignedDuration::from_secs(1))
}

/// The Machine has its new size: there is nothing to go back to any more.
pub(super) fn settled(facts: &Facts, identity: &RuntimeIdentity, resolved: &Resolved) -> Reached<()> {
    if identity.resizing.is_some() && power::config_is_applied(facts, resolved) {
        return Err(record(RuntimeIdentity { resizing: None, ..identity.clone() }));
    }
    Ok(())
}
