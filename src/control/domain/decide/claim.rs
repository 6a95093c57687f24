//! The stages that concern the claim on the name: who proved it, who holds it, and what becomes of a name that can't be
//! proved any more.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{Asked, Facts};
use super::super::records::{label, routed_by};
use super::super::schedule::{self, MISSES};
use super::super::sighting::{Way, lead};
use super::super::step::{Effect, Look, Rest, Step};
use super::super::verdict::{Ownership, is_anothers, is_still_anothers, ownership};
use super::{Reached, certificate, leave, refused};
use crate::api::NameClaimSpec;
use crate::api::condition::whole_seconds;
use crate::api::custom_domain::RoutedBy;
use crate::api::domain_record::{Contest, DomainRecord, OwnershipMethod, RouteRecord};
use crate::api::reason;
use crate::control::runtime::facts::Refusal;
use crate::domains::name::Hostname;

/// The claim is ours: what stands under the name. Without a proof nothing is held.
pub(super) fn held<'f>(now: Timestamp, facts: &'f Facts, host: &Hostname) -> Reached<&'f DomainRecord> {
    if let Some(record) = facts.record() {
        return Ok(record);
    }
    let claim = facts.cluster.claim.as_ref().map(|claim| &claim.spec);
    if let Some(refusal) = claim.and_then(|claim| namesake(facts, claim)) {
        return Err(refusal);
    }
    let Ownership::Shown(method) = ownership(facts, host) else { return Err(unproved(facts, claim)) };
    let new = Box::new(proved(now, facts, method));
    match claim {
        None => Err(Step::Do(Effect::Claim(new))),
        Some(claim) if claim.tombstone.is_some() || !is_anothers(facts) => Err(freed(facts, claim, new)),
        Some(claim) => Err(contested(now, facts, claim, new)),
    }
}

/// A name that its own tenant holds already, by another object.
fn namesake(facts: &Facts, claim: &NameClaimSpec) -> Option<Step> {
    let (ours, holder) = (facts.holder(), &claim.holder);
    if claim.tombstone.is_some() || holder.namespace != ours.namespace {
        return None;
    }
    if holder.name != ours.name {
        let message = format!(
            "The CustomDomain `{}` of this namespace has the hostname already. Delete one of the two.",
            holder.name
        );
        return Some(refused(facts, Refusal::new(reason::NAME_TAKEN, message)));
    }
    if claim.takeover_confirmed(Some(&ours.uid)) {
        return Some(Step::Do(Effect::TakeOver));
    }
    let message = format!(
        "The hostname is held by an earlier object of this name, as after a restored backup. The platform confirms by `moorage confirm takeovers {}`.",
        ours.name
    );
    Some(refused(facts, Refusal::new(reason::IDENTITY_CHANGED, message)))
}

/// A name that isn't shown to be this tenant's, or isn't any more: what it contested it contests no longer. Its record has
/// to stand all the time, and the time begins anew with the next look that finds it.
fn unproved(facts: &Facts, claim: Option<&NameClaimSpec>) -> Step {
    let contest = claim.and_then(|claim| claim.domain.as_ref()?.contest.as_ref());
    let ours = contest.is_some_and(|contest| contest.holder == facts.holder());
    if ours && facts.known.sight.is_some() {
        Step::Do(Effect::RecordContest(None))
    } else {
        Step::Rest(Rest::PendingDns)
    }
}

fn proved(now: Timestamp, facts: &Facts, method: OwnershipMethod) -> DomainRecord {
    let before = facts.cluster.claim.as_ref().and_then(|claim| claim.spec.domain.as_ref());
    DomainRecord {
        tenant_id: facts.cluster.tenant.clone().unwrap_or_default(),
        method,
        label: label(facts).unwrap_or_default().to_owned(),
        verify_time: whole_seconds(now),
        missing_since: None,
        astray_since: None,
        contest: None,
        route: facts.app().map(|app| RouteRecord { app: app.to_owned(), addresses: Vec::new() }),
        certificate: None,
        service_time: None,
        // What was ordered for the name counts, whoever it was for.
        ordering: before.and_then(|record| record.ordering.clone()),
    }
}

/// A name that was given up: taken, once nothing of its last holder's stands.
fn freed(facts: &Facts, claim: &NameClaimSpec, new: Box<DomainRecord>) -> Step {
    leave::cleared(facts, claim).err().unwrap_or(Step::Do(Effect::Reclaim(new)))
}

/// A name that another tenant holds: it changes hands only once its own record has stood for a while, and theirs was
/// missing all the time.
fn contested(now: Timestamp, facts: &Facts, claim: &NameClaimSpec, new: Box<DomainRecord>) -> Step {
    let waits = Step::Rest(Rest::PendingDns);
    let (Some(seen), Some((rival, _))) = (facts.seen(), &facts.known.rival) else { return waits };
    let contest = claim.domain.as_ref().and_then(|record| record.contest.as_ref());
    let ours = contest.filter(|contest| contest.holder == facts.holder());
    if is_still_anothers(facts, rival, seen) {
        return if ours.is_some() { Step::Do(Effect::RecordContest(None)) } else { waits };
    }
    match (contest, ours) {
        (_, Some(ours)) if ours.decide_time.is_some() => freed(facts, claim, new),
        // Written down before anything is taken away, or its holder would put it back meanwhile.
        (_, Some(ours)) if ours.since.duration_until(now) >= facts.cluster.settings.contest => {
            let decided = Contest { decide_time: Some(whole_seconds(now)), ..ours.clone() };
            Step::Do(Effect::RecordContest(Some(decided)))
        }
        (_, Some(_)) => waits,
        // One at a time, unless the other has given up.
        (Some(other), None) if other.since.duration_until(now) < facts.cluster.settings.contest * 2 => waits,
        (_, None) => {
            let contest = Contest { holder: facts.holder(), since: whole_seconds(now), decide_time: None };
            Step::Do(Effect::RecordContest(Some(contest)))
        }
    }
}

/// The name isn't about to change hands: else nothing is done for its holder, unless its record is back.
pub(super) fn undecided(
    now: Timestamp,
    facts: &Facts,
    host: &Hostname,
    record: &DomainRecord,
) -> Reached<()> {
    let Some(contest) = record.contest.as_ref().filter(|contest| contest.decide_time.is_some()) else {
        return Ok(());
    };
    // What was seen before the other's record stood tells nothing; times are recorded to the second.
    let told = contest.since.saturating_add(SignedDuration::from_secs(1)).unwrap_or(contest.since);
    Err(match ownership(facts, host) {
        _ if facts.known.sight.as_ref().is_none_or(|sight| sight.at < told) => {
            let waits = schedule::crowded(now, facts).is_some();
            if waits { Step::Rest(Rest::PendingDns) } else { Step::Look(Look::Dns) }
        }
        Ownership::Shown(_) => Step::Do(Effect::RecordContest(None)),
        _ => Step::Rest(Rest::PendingDns),
    })
}

/// The kind of record by which a name that is held stays its holder's. A text takes the place of a CNAME that doesn't show
/// any more, as behind a proxy; one that stands beside it is asked of nobody.
fn proof(facts: &Facts, record: &DomainRecord, shown: OwnershipMethod) -> OwnershipMethod {
    let aliased = routed_by(facts) == Some(RoutedBy::Cname);
    match (record.method, shown) {
        (OwnershipMethod::Cname, OwnershipMethod::Txt) if facts.target().is_some() && !aliased => shown,
        (before, _) => before,
    }
}

/// The record that shows whose the name is still stands; else it serves on for a while, and no longer.
pub(super) fn kept(now: Timestamp, facts: &Facts, host: &Hostname, record: &DomainRecord) -> Reached<()> {
    let misses = facts.known.sight.as_ref().map_or(0, |sight| sight.misses);
    match (ownership(facts, host), record.missing_since) {
        (Ownership::Shown(method), missing) => {
            let method = proof(facts, record, method);
            if missing.is_none() && method == record.method {
                return Ok(());
            }
            Err(Step::Do(Effect::RecordShown(method)))
        }
        (Ownership::Missing, None) if misses >= MISSES => {
            Err(Step::Do(Effect::RecordMissing(whole_seconds(now))))
        }
        (_, Some(since)) if since.duration_until(now) >= facts.cluster.settings.grace => {
            leave::detached(facts, record)?;
            certificate::unshown(facts, record)?;
            Err(Step::Rest(Rest::PendingDns))
        }
        _ => Ok(()),
    }
}

/// Visitors of the name are led here. One whose text stands and that leads elsewhere serves on for a while, and no longer:
/// nothing is ordered or renewed for it until it leads here again.
pub(super) fn led_here(now: Timestamp, facts: &Facts, host: &Hostname, record: &DomainRecord) -> Reached<()> {
    let strays = facts.known.sight.as_ref().map_or(0, |sight| sight.strays);
    let owned = matches!(ownership(facts, host), Ownership::Shown(_));
    let is_over = |since: Timestamp| since.duration_until(now) >= facts.cluster.settings.grace;
    let begins = Step::Do(Effect::RecordAstray(Some(whole_seconds(now))));
    match (lead(facts, host), record.astray_since) {
        (Way::Here, Some(_)) => Err(Step::Do(Effect::RecordAstray(None))),
        (Way::Astray, None) if owned && strays >= MISSES => Err(begins),
        // That a proxy brings visitors Fly finds only of a name that it has: whoever asks has that tried for a while.
        (Way::Unseen, Some(since)) if is_over(since) && facts.known.edge_asked == Asked::Now => Err(begins),
        (_, Some(since)) if is_over(since) => {
            leave::detached(facts, record)?;
            certificate::unshown(facts, record)?;
            Err(Step::Rest(Rest::PendingDns))
        }
        _ => Ok(()),
    }
}
