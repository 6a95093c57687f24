//! The stages that concern the slug's claim: who holds it, and what it records.

use jiff::Timestamp;

use super::super::facts::{ClaimFact, Facts, Refusal};
use super::super::resolve::{Resolved, resolve};
use super::super::step::{Effect, NewClaim, Rest, Step};
use super::super::survey;
use super::{Reached, power, refused, warm};
use crate::api::condition::whole_seconds;
use crate::api::name_claim::{ClaimType, HostnameRecord, NameClaimSpec, RuntimeIdentity};
use crate::api::reason;
use crate::engine::hash::short_hash;

/// The claim is ours: what it says stands at Fly.
pub(super) fn held<'f>(
    now: Timestamp,
    facts: &'f Facts,
    resolved: &Resolved,
) -> Reached<&'f RuntimeIdentity> {
    match &facts.cluster.claim {
        ClaimFact::Free => Err(claim_it(facts, resolved)),
        ClaimFact::Held(claim) => match standing(now, facts, claim) {
            Standing::Ours(identity) => Ok(identity),
            Standing::TakeOver => Err(take_over(facts, claim, resolved)),
            Standing::Changed => {
                Err(Step::Rest(Rest::Refused(changed(claim), facts.cluster.settings.slow_retry)))
            }
            Standing::Taken => Err(refused(facts, taken(resolved))),
        },
    }
}

/// How a standing claim relates to us.
enum Standing<'c> {
    /// It is ours.
    Ours(&'c RuntimeIdentity),
    /// It may become ours.
    TakeOver,
    /// It was an earlier object's of our name; the platform has to confirm.
    Changed,
    /// It is somebody else's.
    Taken,
}

fn standing<'c>(now: Timestamp, facts: &Facts, claim: &'c NameClaimSpec) -> Standing<'c> {
    let metadata = &facts.runtime.metadata;
    let ours = metadata.uid.as_deref() == Some(claim.holder.uid.as_str());
    let same_namespace = metadata.namespace.as_deref() == Some(claim.holder.namespace.as_str());
    let same_name = same_namespace && metadata.name.as_deref() == Some(claim.holder.name.as_str());
    let confirmed = claim.takeover_confirmed(metadata.uid.as_deref());
    let empty = claim.runtime.is_none();
    let over = claim.tombstone.as_ref().is_some_and(|tombstone| tombstone.release_time <= now);
    match &claim.runtime {
        Some(identity) if ours && matches!(claim.type_, ClaimType::Slug | ClaimType::Warm) => {
            Standing::Ours(identity)
        }
        // A freed slug with nothing left under it goes back to its namespace at once.
        None if over && empty && same_namespace => Standing::TakeOver,
        _ if same_name && confirmed && claim.type_ == ClaimType::Slug => Standing::TakeOver,
        _ if same_name && claim.type_ == ClaimType::Slug => Standing::Changed,
        _ => Standing::Taken,
    }
}

/// What a Runtime that nothing stands of would be refused for, whoever pays for it. One that an earlier of its name may
/// become again is the platform's to confirm, once it is declared.
pub(in crate::control) fn obstacle(now: Timestamp, facts: &Facts) -> Option<Refusal> {
    let resolved = match resolve(facts) {
        Ok(resolved) => resolved,
        Err(refusal) => return Some(refusal),
    };
    let ClaimFact::Held(claim) = &facts.cluster.claim else { return None };
    matches!(standing(now, facts, claim), Standing::Taken).then(|| taken(&resolved))
}

fn claim_it(facts: &Facts, resolved: &Resolved) -> Step {
    let limit = facts.cluster.policy.max_runtimes;
    if facts.cluster.other_slugs >= limit {
        return refused(facts, limit_reached(limit));
    }
    let identity = match warm::chosen(facts, resolved) {
        Ok(warm) => warm.unwrap_or_else(|| mint(facts, resolved)),
        Err(step) => return step,
    };
    Step::Do(Effect::ClaimSlug(Box::new(NewClaim { slug: resolved.slug.clone(), identity, limit })))
}

/// The namespace holds as many Runtimes as it may.
pub(in crate::control::runtime) fn limit_reached(limit: i32) -> Refusal {
    Refusal::new(
        reason::RUNTIME_LIMIT_REACHED,
        format!(
            "This namespace may hold {limit} Runtimes and holds as many. Delete one, or ask the platform for a higher limit."
        ),
    )
}

fn take_over(facts: &Facts, claim: &NameClaimSpec, resolved: &Resolved) -> Step {
    let limit = facts.cluster.policy.max_runtimes;
    // A slug that was given up doesn't count until it is held again.
    if claim.tombstone.is_some() && facts.cluster.other_slugs >= limit {
        return refused(facts, limit_reached(limit));
    }
    let identity = claim.runtime.clone().unwrap_or_else(|| mint(facts, resolved));
    Step::Do(Effect::TakeOverClaim(Box::new(NewClaim { slug: resolved.slug.clone(), identity, limit })))
}

/// An identity is minted once, from the cluster and the first object, and read from the claim ever after.
fn mint(facts: &Facts, resolved: &Resolved) -> RuntimeIdentity {
    let settings = &facts.cluster.settings;
    let uid = facts.runtime.metadata.uid.as_deref().unwrap_or_default();
    let identity = short_hash(&[&settings.cluster_id, uid], 10);
    let app = format!("{}{}-{identity}", settings.app_prefix, resolved.slug);
    RuntimeIdentity {
        order: facts.cluster.order.as_ref().map(|order| order.uid.clone()),
        hostname: super::super::hostname::wanted(facts).map(HostnameRecord::intended),
        ..RuntimeIdentity::new(identity, app, facts.runtime.spec.deletion_policy, resolved.pin.clone())
    }
}

fn changed(claim: &NameClaimSpec) -> Refusal {
    Refusal::new(
        reason::IDENTITY_CHANGED,
        format!(
            "The slug `{0}` and what stands at Fly under it belong to an earlier Runtime of this name. The platform decides whether this one takes over: `kubectl patch nameclaim label.{0} --type merge -p '{{\"spec\":{{\"confirm\":{{\"uid\":\"<uid of this Runtime>\"}}}}}}'`.",
            claim.name
        ),
    )
}

fn taken(resolved: &Resolved) -> Refusal {
    Refusal::new(reason::NAME_TAKEN, format!("The slug `{}` is taken. Choose another.", resolved.slug))
}

/// The status names the app before the app is made.
pub(super) fn intent_recorded(facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    let shown = facts.runtime.status.as_ref().and_then(|status| status.external.as_ref());
    let shown = shown.is_some_and(|external| external.app == identity.app);
    let settled = identity.volume_id.is_some() || facts.known.app.present().is_some();
    if shown || settled { Ok(()) } else { Err(Step::Do(Effect::RecordIntent)) }
}

/// The claim keeps the last deletion policy that was declared and allowed, since finalizers can be stripped.
pub(super) fn deletion_policy_recorded(facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    let declared = facts.runtime.spec.deletion_policy;
    if identity.deletion_policy == declared || !facts.cluster.policy.allows_deletion(declared) {
        return Ok(());
    }
    let changed = RuntimeIdentity { deletion_policy: declared, ..identity.clone() };
    Err(Step::Do(Effect::RecordIdentity(Box::new(changed))))
}

/// The claim keeps by which order it was last funded: a restored cluster knows Runtimes by other UIDs.
pub(super) fn funding_recorded(facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    let Some(order) = facts.cluster.order.as_ref().filter(|order| order.phase.funds()) else { return Ok(()) };
    if identity.order.as_ref() == Some(&order.uid) {
        return Ok(());
    }
    let changed = RuntimeIdentity { order: Some(order.uid.clone()), ..identity.clone() };
    Err(Step::Do(Effect::RecordIdentity(Box::new(changed))))
}

/// The claim knows the volume that the Machine is on: Fly moves both to another host at any time, and the volume has
/// another id then.
pub(super) fn volume_followed(facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    let machine = facts.known.machine.present().filter(|_| identity.volume_id.is_some());
    let volume = machine.and_then(|machine| machine.volume.as_ref());
    match volume.filter(|volume| !survey::knows_volume(identity, volume)) {
        Some(volume) => {
            let moved = RuntimeIdentity { volume_id: Some(volume.clone()), ..identity.clone() };
            Err(Step::Do(Effect::RecordIdentity(Box::new(moved))))
        }
        None => Ok(()),
    }
}

/// The claim knows the Machine and the digest that its tag stood for.
pub(super) fn everything_recorded(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    resolved: &Resolved,
) -> Reached<()> {
    let Some(machine) = facts.known.machine.present() else { return Ok(()) };
    let mut wanted = identity.clone();
    wanted.machine_id = Some(machine.id.clone());
    // Only a Machine that runs what is pinned tells what its tag stands for.
    let runs_it = machine.is_as_asked() && power::config_is_applied(facts, resolved);
    if wanted.pin.image_digest.is_none() && runs_it {
        wanted.pin.image_digest.clone_from(&machine.image_digest);
        wanted.pin.image_seen_time = machine.image_digest.is_some().then(|| whole_seconds(now));
    }
    // Fly moves a Machine to another host with a new volume under a new id.
    let standing = facts.known.volume.present().map(|volume| volume.id.clone());
    if wanted.volume_id.is_none() {
        wanted.volume_gb = facts.known.volume.present().map(|volume| volume.size_gb);
    }
    wanted.volume_id = machine.volume.clone().or(wanted.volume_id).or(standing);
    wanted.region = wanted.region.or_else(|| Some(machine.region.clone()));
    // One that an earlier deletion made isn't the last any more once the Machine may write again.
    wanted.snapshot = None;
    if wanted == *identity { Ok(()) } else { Err(Step::Do(Effect::RecordIdentity(Box::new(wanted)))) }
}
