//! What the status says: a pure function of the facts and the step that was reached.

use jiff::Timestamp;

use super::certificate::Shown;
use super::conditions::{Outcome, at_fly, conditions, limited, missing};
use super::facts::Facts;
use super::overdue;
use super::records::{records, routed_by};
use super::step::{Effect, Rest, Step, Waiting};
use crate::api::condition::{self, ConditionStatus, ConditionType, whole_seconds};
use crate::api::custom_domain::{CertificateSource, CertificateStatus, CustomDomainStatus};
use crate::api::reason;
use crate::api::state::DomainState;
use crate::control::runtime::facts::{Refusal, TroubleClass};

/// Ends the name of the Secret that an ordered certificate is copied into.
const SECRET: &str = "-tls";

/// The status to write, given the one that stands.
pub fn view(now: Timestamp, facts: &Facts, step: &Step, old: &CustomDomainStatus) -> CustomDomainStatus {
    if keeps_its_word(now, facts, step, old) && overdue::why(facts).is_none() {
        return old.clone();
    }
    let outcome = outcome(now, facts, step, old);
    let generation = facts.generation();
    let settled = !matches!(outcome, Outcome::Progress(_) | Outcome::Active { held: Some(_), .. });
    let host = facts.host.as_ref().ok();
    let looked = facts.known.sight.is_some() || facts.record().is_none();
    CustomDomainStatus {
        observed_generation: if settled { generation } else { old.observed_generation },
        state: Some(state(&outcome)),
        hostname: host.map(|host| host.as_str().to_owned()),
        url: host
            .filter(|host| is_serving(facts) && !has_expired(now, facts) && !host.is_wildcard())
            .map(|host| format!("https://{host}")),
        // What was told before a restart is told until it has been looked at again.
        records: match host {
            Some(host) if looked => records(facts, host),
            _ => old.records.clone(),
        },
        routed_by: if facts.target().is_some() { routed_by(facts) } else { old.routed_by },
        certificate: certificate(facts),
        grace_end_time: grace_end(facts),
        conditions: condition::merge(&old.conditions, conditions(facts, &outcome), generation, now),
    }
}

/// What was at rest stays so while something outside is in trouble for a while, and its certificate is good.
fn keeps_its_word(now: Timestamp, facts: &Facts, step: &Step, old: &CustomDomainStatus) -> bool {
    let passing = facts.known.trouble.as_ref().is_some_and(|it| it.class == TroubleClass::Transient);
    matches!(step, Step::Wait(Waiting::Retry(_)))
        && passing
        && !has_expired(now, facts)
        && facts.generation() == old.observed_generation
        && condition::is_true(&old.conditions, ConditionType::Ready)
        && !facts.is_deleted()
}

fn state(outcome: &Outcome) -> DomainState {
    match outcome {
        Outcome::Active { .. } => DomainState::Active,
        Outcome::Awaiting(..) => DomainState::PendingDns,
        Outcome::Stalled(_) => DomainState::Error,
        Outcome::Progress(why) if why.reason == reason::PENDING_DNS => DomainState::PendingDns,
        Outcome::Progress(_) => DomainState::PendingCert,
    }
}

fn is_serving(facts: &Facts) -> bool {
    facts.record().is_some_and(|record| record.service_time.is_some())
}

/// Whether the certificate that is recorded serves nobody any more.
fn has_expired(now: Timestamp, facts: &Facts) -> bool {
    let certificate = facts.record().and_then(|record| record.certificate.as_ref());
    certificate.is_some_and(|certificate| certificate.expire_time <= now)
}

fn certificate(facts: &Facts) -> Option<CertificateStatus> {
    let record = facts.record()?.certificate.as_ref()?;
    let spec = &facts.domain.spec.certificate;
    Some(CertificateStatus {
        source: record.source,
        issuer: record.issuer.clone(),
        expire_time: Some(record.expire_time),
        renewal_time: record.renewal_time,
        serial: record.serial.clone(),
        secret_name: match record.source {
            CertificateSource::Acme => {
                Some(secret_name(facts.domain.metadata.name.as_deref().unwrap_or_default()))
            }
            CertificateSource::Secret => spec.secret_ref.as_ref().map(|secret| secret.name.clone()),
            CertificateSource::Fly => None,
        },
    })
}

/// Name of the Secret that an ordered certificate is copied into.
pub fn secret_name(domain: &str) -> String {
    format!("{domain}{SECRET}")
}

fn grace_end(facts: &Facts) -> Option<Timestamp> {
    let record = facts.record().filter(|record| record.route.is_some())?;
    let astray = record.astray_since.filter(|_| record.service_time.is_some());
    let end = record.missing_since.or(astray)?.saturating_add(facts.cluster.settings.grace).ok()?;
    Some(whole_seconds(end))
}

fn outcome(now: Timestamp, facts: &Facts, step: &Step, old: &CustomDomainStatus) -> Outcome {
    match step {
        Step::Rest(Rest::Active) => active(facts, None),
        _ if keeps_its_word(now, facts, step, old) => active(facts, None),
        Step::Wait(Waiting::Texts(_) | Waiting::Authority(_) | Waiting::Order(..))
            if renews(now, facts, old) =>
        {
            active(facts, None)
        }
        Step::Rest(Rest::PendingDns) => pending_dns(facts),
        Step::Rest(Rest::Awaiting(why)) => awaiting(now, facts, why),
        Step::Rest(Rest::Refused(why, _)) => Outcome::Stalled(why.clone()),
        Step::Rest(Rest::Gone) | Step::Look(_) | Step::Do(_) | Step::Wait(_) => {
            progress(now, facts, step, old)
        }
    }
}

fn active(facts: &Facts, held: Option<Refusal>) -> Outcome {
    let gone = facts.record().is_some_and(|record| record.missing_since.is_some());
    if gone {
        return Outcome::Active {
            reason: reason::RECORD_GONE,
            message: "The Runtime serves at the hostname until `status.graceEndTime`: the record that shows whose it is has gone. Set it again.",
            held,
        };
    }
    Outcome::Active { reason: reason::ACTIVE, message: "The Runtime serves at the hostname.", held }
}

/// Whether what is ordered takes the place of a certificate that serves meanwhile.
fn renews(now: Timestamp, facts: &Facts, old: &CustomDomainStatus) -> bool {
    let certificate = facts.record().and_then(|record| record.certificate.as_ref());
    let serves = certificate.is_some_and(|it| it.source == CertificateSource::Acme && it.expire_time > now);
    serves && is_serving(facts) && facts.generation() == old.observed_generation && !facts.is_deleted()
}

/// Which record is missing or wrong, and what to do about it.
fn pending_dns(facts: &Facts) -> Outcome {
    let message = match (facts.unseen(), missing(facts, |_| true)) {
        (Some(error), _) => error.to_string(),
        (None, Some(why)) => why.message,
        (None, None) => held_by_another(facts),
    };
    Outcome::Awaiting(Refusal::new(reason::AWAITING_DNS, message), reason::PENDING_DNS)
}

fn held_by_another(facts: &Facts) -> String {
    let taken = conditions(facts, &Outcome::Progress(Refusal::new(reason::PENDING, "")));
    let claimed = taken.into_iter().find(|it| it.type_ == ConditionType::HostnameClaimed);
    claimed.map(|it| it.message).unwrap_or_default()
}

/// Something that a person has to do first; what serves meanwhile is told by its conditions.
fn awaiting(now: Timestamp, facts: &Facts, why: &Refusal) -> Outcome {
    if why.reason == reason::RUNTIME_NOT_FOUND {
        return if is_late(now, facts) {
            Outcome::Stalled(why.clone())
        } else {
            Outcome::Awaiting(
                Refusal::new(reason::AWAITING_RUNTIME, why.message.clone()),
                reason::RUNTIME_NOT_FOUND,
            )
        };
    }
    let holds = [reason::AWAITING_UNPAUSE, reason::AWAITING_WRITE_MODE].contains(&why.reason);
    if holds && serves_still(now, facts) {
        return active(facts, Some(why.clone()));
    }
    Outcome::Awaiting(why.clone(), why.reason)
}

/// Whether visitors are served, whatever isn't done for the hostname now.
fn serves_still(now: Timestamp, facts: &Facts) -> bool {
    let certified = facts.record().is_some_and(|record| record.certificate.is_some());
    is_serving(facts) && certified && !has_expired(now, facts) && !facts.is_deleted()
}

/// Whether a Runtime has been missing for longer than it takes until what is applied together is all there.
fn is_late(now: Timestamp, facts: &Facts) -> bool {
    let patience = facts.cluster.settings.patience;
    facts.known.runtime_missing_since.is_some_and(|since| since.duration_until(now) >= patience)
}

/// Something is under way, unless it went wrong for good or takes too long.
fn progress(now: Timestamp, facts: &Facts, step: &Step, old: &CustomDomainStatus) -> Outcome {
    let trouble = facts.known.trouble.as_ref();
    let doing = doing(facts, step);
    let refusal = trouble.map_or(doing, |trouble| Refusal::new(trouble.reason, trouble.message.clone()));
    if trouble.is_some_and(|trouble| trouble.class == TroubleClass::Human) {
        return Outcome::Stalled(refusal);
    }
    if overdue(now, facts, old) {
        let message =
            format!("It takes longer than it should. {} It is tried further by itself.", refusal.message);
        return Outcome::Stalled(Refusal::new(reason::DEADLINE_EXCEEDED, message));
    }
    Outcome::Progress(refusal)
}

/// What is being done, with the reason that says so.
fn doing(facts: &Facts, step: &Step) -> Refusal {
    let issuing = |message: String| Refusal::new(reason::PENDING_CERT, message);
    match step {
        _ if facts.is_deleted() => Refusal::new(
            reason::DESTROYING,
            "What leads to the Runtime under the hostname is being taken away.",
        ),
        Step::Wait(Waiting::Namespace) => Refusal::new(reason::DESTROYING, "The namespace is being deleted."),
        Step::Wait(Waiting::Runtime) => {
            Refusal::new(reason::PENDING_DNS, "It waits for the Runtime's app to be made.")
        }
        Step::Wait(Waiting::Fly(_)) => issuing(waits_for_fly(facts)),
        Step::Wait(Waiting::Order(why, _)) => issuing(why.message.clone()),
        Step::Wait(Waiting::Texts(_)) => issuing(waits_for_texts(facts)),
        Step::Wait(Waiting::Authority(_)) => issuing("The certificate authority is at it.".into()),
        _ if facts.record().is_none() => Refusal::new(reason::PENDING_DNS, "DNS is being looked at."),
        Step::Do(Effect::Abandon(why)) => issuing(why.error.message.clone()),
        _ => issuing("Its certificate is being issued.".into()),
    }
}

fn waits_for_texts(facts: &Facts) -> String {
    match &facts.known.shown {
        Shown::Unseen(_, why) => {
            format!("The text for the certificate authority can't be looked for. {}", why.message)
        }
        _ => "The text for the certificate authority doesn't show at every name server yet.".into(),
    }
}

fn waits_for_fly(facts: &Facts) -> String {
    let hosted = facts.edge().and_then(|edge| edge.hostname.as_ref());
    match (hosted.and_then(|hosted| limited(facts.at, hosted)), hosted.and_then(at_fly)) {
        (Some(limited), Some(problems)) => format!("{limited} {problems}"),
        (Some(told), None) | (None, Some(told)) => told,
        (None, None) => "Fly is having the certificate issued.".into(),
    }
}

/// Whether what is under way has been so for longer than it may.
fn overdue(now: Timestamp, facts: &Facts, old: &CustomDomainStatus) -> bool {
    let Some(ready) = condition::find(&old.conditions, ConditionType::Ready) else { return false };
    match ready.status {
        ConditionStatus::Unknown => {
            ready.last_transition_time.duration_until(now) > facts.cluster.settings.deadline
        }
        ConditionStatus::False => {
            ready.reason == reason::DEADLINE_EXCEEDED && ready.observed_generation == facts.generation()
        }
        ConditionStatus::True => false,
    }
}
