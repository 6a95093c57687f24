//! The stages of the hostname: records, certificate, both recorded. They go beside what the Runtime waits for, and
//! none of their troubles holds the Runtime itself up.

use jiff::Timestamp;

use super::super::conditions::serves;
use super::super::facts::{Facts, TroubleClass};
use super::super::hostname::{Base, Offer, Records};
use super::super::sleep;
use super::super::step::{Effect, Look, Rest, Step, Wait, Waiting};
use super::super::survey::Standing;
use super::Reached;
use crate::api::name_claim::{HostnameRecord, RuntimeIdentity};
use crate::api::reason;
use crate::control::hold;

/// What is next for the hostname while the Runtime itself rests or waits; else what the Runtime needs.
pub(super) fn beside(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    reached: Reached<Step>,
) -> Reached<Step> {
    let idle = matches!(
        reached,
        Ok(Step::Rest(Rest::Running | Rest::Degraded(_) | Rest::Sleeping | Rest::Stopped))
            | Err(Step::Wait(_))
    );
    aside(now, facts, identity).filter(|_| idle).map_or(reached, Err)
}

/// What is next for the hostname of a Runtime that serves, or sleeps, while something else that is asked of it is refused
/// or waits for a person: that may last longer than a certificate.
pub(super) fn though_refused(now: Timestamp, facts: &Facts, reached: Reached<Step>) -> Reached<Step> {
    let (Ok(Step::Rest(Rest::Refused(..) | Rest::Awaiting(_)))
    | Err(Step::Rest(Rest::Refused(..) | Rest::Awaiting(_)))) = &reached
    else {
        return reached;
    };
    let sleeps = facts.known.machine.present().is_some_and(sleep::sleeps);
    match recorded_identity(facts).filter(|_| sleeps || serves(facts)) {
        Some(identity) => aside(now, facts, identity).map_or(reached, Err),
        None => reached,
    }
}

/// In the pause after something that a person has to mend, a certificate that was renewed is taken on: the pauses may go
/// on for longer than the old one.
pub fn in_a_pause(now: Timestamp, facts: &Facts, step: Step) -> Step {
    let Step::Wait(Wait { what: Waiting::Retry, .. }) = &step else { return step };
    let lasts = facts.known.trouble.as_ref().is_some_and(|trouble| {
        // Where the API server refuses writes, nothing could be recorded.
        trouble.class == TroubleClass::Human && trouble.reason != reason::KUBERNETES_REFUSED
    });
    let held = hold::held(&facts.runtime.metadata, facts.cluster.settings.mode).is_some();
    let identity = recorded_identity(facts).filter(|_| lasts && !held && !super::is_deleted(&facts.runtime));
    let was_given =
        |identity: &RuntimeIdentity| identity.hostname.as_ref().is_some_and(|it| it.certificate.is_some());
    let next = identity.filter(|it| was_given(it)).and_then(|identity| aside(now, facts, identity));
    next.filter(|next| is_harmless(facts, next)).unwrap_or(step)
}

/// Whether this step can't fail, or its failure isn't taken for the Runtime's own trouble, whose pause it would begin anew.
fn is_harmless(facts: &Facts, step: &Step) -> bool {
    matches!(step, Step::Look(Look::Turn) | Step::Do(Effect::RecordIdentity(_))) || is_beside(facts, step)
}

fn aside(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Option<Step> {
    facts.cluster.base.as_ref().and_then(|base| pending(now, facts, identity, base))
}

fn recorded_identity(facts: &Facts) -> Option<&RuntimeIdentity> {
    facts.own_claim()?.runtime.as_ref()
}

fn pending(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity, base: &Base) -> Option<Step> {
    let trouble = facts.known.hostname.trouble.as_ref();
    let host = base.host.as_deref().filter(|_| trouble.is_none_or(|trouble| trouble.next <= now))?;
    match &identity.hostname {
        // Written down before anything is done under the name, so that a deletion finds it.
        None => Some(recorded(identity, HostnameRecord::intended(host))),
        Some(record) if record.name != host => Some(
            away(facts, record).err().unwrap_or_else(|| recorded(identity, HostnameRecord::intended(host))),
        ),
        Some(record) => records(facts, base, record)
            .or_else(|| certificate(now, facts, base, record))
            .or_else(|| what_stands(facts, identity, record))
            .or_else(|| unserved(facts, record)),
    }
}

fn recorded(identity: &RuntimeIdentity, record: HostnameRecord) -> Step {
    let identity = RuntimeIdentity { hostname: Some(record), ..identity.clone() };
    Step::Do(Effect::RecordIdentity(Box::new(identity)))
}

/// The records are the app's own addresses: a name that leads to `{app}.fly.dev` would lead to whoever takes that
/// name after us.
fn records(facts: &Facts, base: &Base, record: &HostnameRecord) -> Option<Step> {
    let standing = facts.known.hostname.over(record).addresses;
    let wanted = facts.known.addresses();
    if base.records == Records::Wildcard || wanted == standing {
        return None;
    }
    if wanted.is_empty() {
        return standing.is_empty().then_some(Step::Look(Look::Addresses));
    }
    Some(Step::Do(Effect::SetRecords(HostnameRecord { addresses: wanted, ..record.clone() })))
}

/// A first certificate is imported at once, and so is one that has gone from the app; a renewed one when it is this
/// app's turn.
fn certificate(now: Timestamp, facts: &Facts, base: &Base, record: &HostnameRecord) -> Option<Step> {
    let Offer::Ready(offered) = &base.certificate else { return None };
    let standing = facts.known.hostname.over(record).certificate;
    let gone = facts.known.survey.found().is_some_and(|found| found.certificate == Standing::Changed);
    if standing.as_ref() == Some(offered) && !gone {
        return None;
    }
    match facts.known.hostname.turn.filter(|_| !gone) {
        None if standing.is_some() && !gone => Some(Step::Look(Look::Turn)),
        Some(turn) if turn > now => None,
        _ => Some(Step::Do(Effect::ImportCertificate(HostnameRecord {
            certificate: Some(offered.clone()),
            ..record.clone()
        }))),
    }
}

/// A certificate is recorded once it is shown to visitors.
fn what_stands(facts: &Facts, identity: &RuntimeIdentity, record: &HostnameRecord) -> Option<Step> {
    let mut standing = facts.known.hostname.over(record);
    if standing.certificate != facts.known.hostname.served {
        standing.certificate.clone_from(&record.certificate);
    }
    (standing != *record).then(|| recorded(identity, standing))
}

/// Fly is asked until it shows what was imported.
fn unserved(facts: &Facts, record: &HostnameRecord) -> Option<Step> {
    let standing = facts.known.hostname.over(record);
    (standing.certificate != record.certificate).then_some(Step::Look(Look::Hostname))
}

/// Nothing leads to the Runtime under its hostname any more. The name is the first thing to go, so that no visitor
/// comes to somebody else.
pub(super) fn gone(facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    identity.hostname.as_ref().map_or(Ok(()), |record| away(facts, record))
}

/// What was recorded as intended may stand, even if it isn't recorded as done.
fn away(facts: &Facts, record: &HostnameRecord) -> Reached<()> {
    let deeds = &facts.known.hostname;
    let kept = facts.cluster.base.as_ref().is_some_and(|base| base.records == Records::Kept);
    if kept && !deeds.unrecorded.contains(&record.name) {
        return Err(Step::Do(Effect::RemoveRecords(record.name.clone())));
    }
    if !deeds.detached.contains(&record.name) {
        return Err(Step::Do(Effect::DetachHostname(record.name.clone())));
    }
    Ok(())
}

/// Whether a failure of this step is the hostname's own, and holds nothing else up.
pub fn is_beside(facts: &Facts, step: &Step) -> bool {
    !super::is_deleted(&facts.runtime)
        && matches!(
            step,
            Step::Look(Look::Hostname)
                | Step::Do(
                    Effect::SetRecords(_)
                        | Effect::ImportCertificate(_)
                        | Effect::RemoveRecords(_)
                        | Effect::DetachHostname(_)
                )
        )
}
