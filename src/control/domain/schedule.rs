//! When a hostname is looked at again. Pure.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::certificate::{Caa, CopyFact};
use super::facts::{Asked, Facts, Sighting};
use super::ordering;
use super::records::{is_complete, routed_by};
use super::step::{Rest, Step, Waiting};
use super::verdict::{Ownership, is_anothers, ownership};
use crate::api::custom_domain::CertificateSource;
use crate::domains::budget::Verdict;
use crate::engine::hash::share_of;

/// The shortest pause between two visits that nothing but time asks for.
const LEAST: SignedDuration = SignedDuration::from_millis(200);
/// The shortest pause between two looks.
const SHORTEST: SignedDuration = SignedDuration::from_secs(5);
/// Looks in a row at which a record has to be missing before that is believed.
pub const MISSES: u32 = 3;
/// Pause between those.
const DOUBT: SignedDuration = SignedDuration::from_mins(5);

/// Whether it is to be looked at now: for the first time at once, and again when its time and its turn have come.
pub fn is_due(now: Timestamp, facts: &Facts) -> bool {
    facts.known.asked == Asked::Now || next(facts).is_none_or(|next| next <= now)
}

/// How long it is until a look at the customer's name servers may be tried, if too many were under way.
pub fn crowded(now: Timestamp, facts: &Facts) -> Option<SignedDuration> {
    facts.known.crowded_until.filter(|until| *until > now).map(|until| now.duration_until(until))
}

/// When it is to be looked at again; `None` if it wasn't looked at yet and has to be.
pub fn next(facts: &Facts) -> Option<Timestamp> {
    match &facts.known.sight {
        Some(sight) => sight.at.checked_add(pause(facts, sight)).ok(),
        None if is_settled(facts) => facts.known.since?.checked_add(spread(facts)).ok(),
        None => None,
    }
}

/// Whether it was in service before this process began, and nothing is doubtful.
fn is_settled(facts: &Facts) -> bool {
    let status = facts.domain.status.as_ref();
    let current = status.is_some_and(|status| {
        status.observed_generation == facts.generation()
            && crate::api::condition::is_true(&status.conditions, crate::api::ConditionType::Ready)
    });
    current
        && facts.record().is_some_and(|record| {
            record.service_time.is_some()
                && record.missing_since.is_none()
                && record.astray_since.is_none()
                && record.contest.is_none()
        })
}

/// A part of the time between two looks, another for each hostname: after a restart not all are looked at together.
fn spread(facts: &Facts) -> SignedDuration {
    share_of(facts.cluster.settings.recheck, &facts.domain.uid().unwrap_or_default())
}

fn pause(facts: &Facts, sight: &Sighting) -> SignedDuration {
    let settings = &facts.cluster.settings;
    let Ok(host) = &facts.host else { return settings.recheck };
    match ownership(facts, host) {
        Ownership::Unseen(_) => SHORTEST.saturating_mul(1 << sight.count.min(6)).min(DOUBT),
        Ownership::Missing | Ownership::NeedsText if facts.record().is_some() => missing(facts, sight),
        Ownership::Shown(_) if is_anothers(facts) && facts.record().is_none() => {
            (settings.contest / 10).clamp(SignedDuration::from_secs(1), DOUBT)
        }
        Ownership::Shown(_) if routed_by(facts).is_some() && is_complete(facts, host) => settings.recheck,
        _ => waiting(facts, sight),
    }
}

/// The record of a hostname that is held is missing: soon looked at again, and more slowly once that is believed.
fn missing(facts: &Facts, sight: &Sighting) -> SignedDuration {
    let settings = &facts.cluster.settings;
    let slow = (settings.grace / 24).clamp(SHORTEST, SignedDuration::from_hours(1));
    if sight.misses < MISSES { DOUBT.min(slow) } else { slow }
}

/// A customer has to set something: often while they are likely to be at it, and no more seldom than others would notice,
/// who may remember for so long that there was nothing.
fn waiting(facts: &Facts, sight: &Sighting) -> SignedDuration {
    let made = facts.domain.creation_timestamp().map_or(sight.at, |time| time.0);
    let age = made.duration_until(sight.at);
    let own = match age {
        age if age < SignedDuration::from_hours(1) => SHORTEST,
        age if age < SignedDuration::from_hours(24) => SignedDuration::from_secs(30),
        _ => DOUBT,
    };
    let negative = facts.seen().and_then(|seen| SignedDuration::try_from(seen.negative_ttl?).ok());
    negative.map_or(own, |negative| own.min(negative.max(SignedDuration::from_secs(30))))
}

/// When to come back: watches tell of everything but the time. Whatever is waited for, looks and graces go on.
pub fn comes_back(now: Timestamp, facts: &Facts, step: &Step) -> SignedDuration {
    let own = match step {
        // Nothing is done before that.
        Step::Wait(Waiting::Retry(left)) => return *left,
        Step::Wait(
            Waiting::Fly(left) | Waiting::Texts(left) | Waiting::Authority(left) | Waiting::Order(_, left),
        ) => *left,
        Step::Rest(Rest::Refused(_, again)) => *again,
        _ => facts.cluster.settings.recheck,
    };
    wakes(facts).map_or(own, |at| own.min(now.duration_until(at))).max(LEAST)
}

/// The next time at which something is due by itself. What was due when this was decided was either done, or waits for
/// something else.
pub fn wakes(facts: &Facts) -> Option<Timestamp> {
    let look = match facts.known.turn {
        Some(turn) => next(facts).map(|next| next.max(turn)),
        None => next(facts),
    };
    let others = [certificate_wakes(facts), claim_wakes(facts)].concat();
    others.into_iter().chain([look, facts.known.crowded_until]).flatten().filter(|at| *at > facts.at).min()
}

fn certificate_wakes(facts: &Facts) -> Vec<Option<Timestamp>> {
    let record = facts.record();
    let certificate = record.and_then(|record| record.certificate.as_ref());
    vec![
        certificate.map(|certificate| certificate.expire_time),
        certificate.and_then(|certificate| certificate.renewal_time),
        certificate.and_then(|it| it.renewal_time?.checked_add(facts.cluster.settings.deadline).ok()),
        record.and_then(|record| record.ordering.as_ref()?.next_time),
        advice(facts),
        match facts.known.copy {
            Some(CopyFact::Failed(again, _)) => Some(again),
            Some(CopyFact::Of(_) | CopyFact::Gone) | None => None,
        },
        unseen_caa(facts),
        match ordering::room(facts) {
            Verdict::NotBefore(at, _) => Some(at),
            Verdict::Now => None,
        },
    ]
}

/// When the authority is next asked whether it wants a certificate renewed earlier. What an earlier process was told is
/// forgotten: this one asks in its turn.
pub fn advice(facts: &Facts) -> Option<Timestamp> {
    let certificate = facts.record()?.certificate.as_ref()?;
    if certificate.source != CertificateSource::Acme {
        return None;
    }
    match facts.known.renewal {
        Some(renewal) => Some(renewal.again),
        None => facts.known.since?.checked_add(spread(facts)).ok(),
    }
}

/// When CAA records that couldn't be seen are looked at again, for an order or a renewal that waits for them.
fn unseen_caa(facts: &Facts) -> Option<Timestamp> {
    let caa = facts.known.caa.as_ref()?;
    matches!(caa.verdict, Caa::Unseen(..)).then(|| caa.until())
}

fn claim_wakes(facts: &Facts) -> Vec<Option<Timestamp>> {
    let settings = &facts.cluster.settings;
    let held = facts.cluster.claim.as_ref().and_then(|claim| claim.spec.domain.as_ref());
    let contest = held.and_then(|record| record.contest.as_ref());
    vec![
        facts.record().and_then(|record| record.missing_since?.checked_add(settings.grace).ok()),
        facts.record().and_then(|record| record.astray_since?.checked_add(settings.grace).ok()),
        contest.and_then(|contest| contest.since.checked_add(settings.contest).ok()),
        facts.known.runtime_missing_since.and_then(|since| since.checked_add(settings.patience).ok()),
    ]
}
