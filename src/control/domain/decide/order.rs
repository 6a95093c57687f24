//! The stages of an order for a certificate. What the next process needs is stored before anything is done with it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::super::certificate::{Caa, CopyFact, Left, OrderFact, Proof, Shown, Stored};
use super::super::facts::Facts;
use super::super::ordering;
use super::super::records::{delegated, routed_by};
use super::super::schedule::{self, MISSES};
use super::super::step::{Effect, Look, Step, Waiting};
use super::certificate::import_stands;
use super::{Reached, is_doing, refused};
use crate::api::custom_domain::{CertificateSource, Challenge};
use crate::api::domain_record::DomainRecord;
use crate::api::reason;
use crate::control::runtime::facts::Refusal;
use crate::domains::budget::Verdict;
use crate::domains::certificate::Certificate;
use crate::domains::name::Hostname;

/// The certificate that is at hand, ordered or renewed as far as that gets now. None: there is nothing to import, or
/// what is in service is as it should be.
pub(super) fn at_hand<'f>(
    now: Timestamp,
    facts: &'f Facts,
    host: &Hostname,
    record: &DomainRecord,
) -> Reached<Option<&'f Arc<Certificate>>> {
    let copy_gone = facts.known.copy == Some(CopyFact::Gone);
    let rests = rests(now, record) && !copy_gone && import_stands(facts);
    let Some(stored) = &facts.known.stored else {
        let is_asked = schedule::advice(facts).is_some_and(|at| at <= now);
        return if rests && !is_asked { Ok(None) } else { Err(Step::Look(Look::Stored)) };
    };
    let standing = standing(now, stored, host);
    if stored.order.is_some() {
        // Without the records it would fail, and be tried again only after an hour.
        let is_unanswered = matches!(facts.known.order, Some(OrderFact::Proofs(_)));
        if is_unanswered && !is_prepared(now, facts, host)? {
            return Ok(standing);
        }
        return Err(progress(now, facts));
    }
    if standing.is_some() {
        asked(now, facts)?;
    } else if rests {
        // Its key was lost, as in a restore. What is in service stays until it has to be renewed.
        return Ok(None);
    }
    if !ordering::is_due(now, record, standing.map(Arc::as_ref)) {
        return Ok(standing);
    }
    // While one is in service a failure to renew it is told, and holds nothing up.
    match begun(now, facts, host, record, stored) {
        Err(step) if standing.is_some() && !is_doing(&step) => Ok(standing),
        Err(step) => Err(step),
        Ok(()) => Ok(standing),
    }
}

/// Whether what is recorded is good still: nothing has to be read.
fn rests(now: Timestamp, record: &DomainRecord) -> bool {
    record.certificate.as_ref().is_some_and(|certificate| {
        certificate.source == CertificateSource::Acme
            && certificate.expire_time > now
            && certificate.renewal_time.is_none_or(|at| at > now)
    })
}

/// The certificate that is kept, as long as it is good for the hostname.
fn standing<'f>(now: Timestamp, stored: &'f Stored, host: &Hostname) -> Option<&'f Arc<Certificate>> {
    stored.certificate.as_ref().filter(|it| it.not_after > now && it.covers(host.as_str()))
}

/// The namespace has it in a Secret, as far as that can be: nothing waits for a copy.
pub(super) fn copied(now: Timestamp, facts: &Facts, host: &Hostname) -> Reached<()> {
    let orders = facts.domain.spec.certificate.source == CertificateSource::Acme;
    let stored = facts.known.stored.as_ref().filter(|_| orders);
    let Some(certificate) = stored.and_then(|stored| standing(now, stored, host)) else { return Ok(()) };
    match &facts.known.copy {
        None => Err(Step::Look(Look::Copy)),
        Some(CopyFact::Of(fingerprint)) if *fingerprint == certificate.fingerprint => Ok(()),
        Some(CopyFact::Failed(again, _)) if *again > now => Ok(()),
        Some(_) => Err(Step::Do(Effect::Copy)),
    }
}

/// The authority was asked lately whether it wants it renewed earlier.
fn asked(now: Timestamp, facts: &Facts) -> Reached<()> {
    let due = facts.known.renewal.as_ref().is_none_or(|renewal| renewal.again <= now);
    if due { Err(Step::Look(Look::Renewal)) } else { Ok(()) }
}

/// An order is placed, once everything is there that it takes.
fn begun(
    now: Timestamp,
    facts: &Facts,
    host: &Hostname,
    record: &DomainRecord,
    stored: &Stored,
) -> Reached<()> {
    if stored.has_left() == Left::Proofs {
        return Err(Step::Do(Effect::Clean));
    }
    if let Some((refusal, left)) = ordering::backing_off(now, facts, record) {
        return Err(Step::Wait(Waiting::Order(refusal, left)));
    }
    if !is_prepared(now, facts, host)? {
        return Ok(());
    }
    permitted(now, facts)?;
    if facts.known.counted.is_some() {
        return Err(Step::Do(Effect::BeginOrder));
    }
    match ordering::room(facts) {
        Verdict::Now => Err(Step::Do(Effect::CountOrder)),
        Verdict::NotBefore(at, budget) => {
            Err(Step::Wait(Waiting::Order(ordering::used_up(budget), now.duration_until(at))))
        }
    }
}

/// Whether the records are there by which the authority will see what it wants.
fn is_prepared(now: Timestamp, facts: &Facts, host: &Hostname) -> Reached<bool> {
    let Some(sight) = &facts.known.sight else {
        let waits = schedule::crowded(now, facts).is_some();
        return if waits { Ok(false) } else { Err(Step::Look(Look::Dns)) };
    };
    // What couldn't be seen is looked at again in its time.
    let Ok(seen) = &sight.result else { return Ok(false) };
    Ok(match facts.challenge() {
        Challenge::Dns01 => {
            let there = seen.delegated.as_ref().ok().and_then(Option::as_ref);
            there.is_some() && there == delegated(facts, host).as_ref()
        }
        Challenge::Http01 => routed_by(facts).is_some(),
    })
}

/// Whether an order that the authority wasn't told to look at waits for records that have certainly gone.
pub(super) fn is_stranded(facts: &Facts, host: &Hostname) -> bool {
    let Some(sight) = facts.known.sight.as_ref().filter(|sight| sight.strays >= MISSES) else { return false };
    let (Ok(seen), Some(OrderFact::Proofs(_))) = (&sight.result, &facts.known.order) else { return false };
    match facts.challenge() {
        Challenge::Dns01 => {
            seen.delegated.as_ref().is_ok_and(|there| there.as_ref() != delegated(facts, host).as_ref())
        }
        Challenge::Http01 => seen.target.is_ok() && routed_by(facts).is_none(),
    }
}

/// CAA records let the authority issue.
fn permitted(now: Timestamp, facts: &Facts) -> Reached<()> {
    let Some(caa) = facts.known.caa.as_ref().filter(|caa| caa.until() > now) else {
        return Err(match schedule::crowded(now, facts) {
            Some(left) => Step::Wait(Waiting::Order(in_its_turn(), left)),
            None => Step::Look(Look::Caa),
        });
    };
    match &caa.verdict {
        Caa::Allows => Ok(()),
        Caa::Forbids(refusal) => Err(refused(facts, refusal.clone())),
        Caa::Unseen(refusal, _) => {
            Err(Step::Wait(Waiting::Order(refusal.clone(), now.duration_until(caa.until()))))
        }
    }
}

fn in_its_turn() -> Refusal {
    Refusal::new(reason::PENDING_CERT, "CAA records are looked at in a moment, in their turn.")
}

/// What is next for the order under way.
fn progress(now: Timestamp, facts: &Facts) -> Step {
    match &facts.known.order {
        // It is taken up again for what is declared now.
        Some(OrderFact::Proofs(proofs)) if !proofs.iter().all(|it| it.answers(facts.challenge())) => {
            Step::Look(Look::Order)
        }
        Some(OrderFact::Proofs(proofs)) => shown(now, facts, proofs),
        Some(OrderFact::Working(until)) if *until > now => {
            Step::Wait(Waiting::Authority(now.duration_until(*until)))
        }
        Some(OrderFact::Held(until, why)) if *until > now => {
            Step::Wait(Waiting::Order(why.clone(), now.duration_until(*until)))
        }
        None | Some(OrderFact::Working(_) | OrderFact::Held(..)) => Step::Look(Look::Order),
        Some(OrderFact::Ready) => Step::Do(Effect::Finalize),
        Some(OrderFact::Valid) => Step::Do(Effect::Collect),
        Some(OrderFact::Failed(error)) => Step::Do(Effect::Abandon(error.clone())),
    }
}

/// What the authority wants is shown before it is told.
fn shown(now: Timestamp, facts: &Facts, proofs: &[Proof]) -> Step {
    if proofs.is_empty() {
        return Step::Do(Effect::Answer);
    }
    match &facts.known.shown {
        Shown::NotSet => Step::Do(Effect::ShowProofs(proofs.to_vec())),
        Shown::NotYet(glance) | Shown::Unseen(glance, _) => {
            let left = now.duration_until(glance.again());
            if left > SignedDuration::ZERO {
                Step::Wait(Waiting::Texts(left))
            } else if glance.is_last() {
                // The order may have ended meanwhile; if it stands, it is shown its proofs anew.
                Step::Look(Look::Order)
            } else {
                Step::Look(Look::Shown)
            }
        }
        Shown::Everywhere => Step::Do(Effect::Answer),
    }
}
