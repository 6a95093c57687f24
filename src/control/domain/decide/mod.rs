//! Decides the next step of a hostname. Pure: the time and every fact come in.

mod certificate;
mod claim;
mod leave;
mod order;
mod route;
mod stands;

use jiff::Timestamp;

use super::facts::{Facts, RuntimeFact, Texts};
use super::records::{is_complete, routed_by};
use super::schedule::{self, MISSES};
use super::sighting::{Way, way};
use super::step::{Effect, Look, Rest, Step, Waiting};
use super::verdict::{Ownership, can_alias, ownership};
use crate::api::custom_domain::{CertificateSource, Challenge};
use crate::api::domain_record::DomainRecord;
use crate::api::reason;
use crate::control::runtime::facts::{NamespaceFact, Refusal};
use crate::control::{hold, setback};
use crate::domains::name::Hostname;

/// A stage: what it reached, or the step that has to come first.
type Reached<T> = Result<T, Step>;

/// The next step for the hostname.
pub fn decide(now: Timestamp, facts: &Facts) -> Step {
    let step = match retry_pause(now, facts) {
        Some(wait) => wait,
        None if facts.is_deleted() => leave::gone(facts),
        None => live(now, facts).unwrap_or_else(|step| step),
    };
    held(facts, step)
}

/// Every stage of a hostname that should be there, in order.
fn live(now: Timestamp, facts: &Facts) -> Reached<Step> {
    if facts.cluster.namespace == NamespaceFact::Terminating {
        return Err(Step::Wait(Waiting::Namespace));
    }
    if !facts.has_finalizer() {
        return Err(Step::Do(Effect::AddFinalizer));
    }
    let host = usable(facts)?;
    if facts.known.proofs.is_none() {
        return Err(Step::Look(Look::Proofs));
    }
    looked(now, facts)?;
    route::told(facts, host)?;
    let record = claim::held(now, facts, host)?;
    claim::undecided(now, facts, host, record)?;
    claim::kept(now, facts, host, record)?;
    claim::led_here(now, facts, host, record)?;
    if let Err(step) = route::led(now, facts, record) {
        // Nobody goes on with an order as long as there is no app.
        if !is_doing(&step) {
            certificate::unshown(facts, record)?;
        }
        return Err(step);
    }
    if let Err(step) = certificate::in_service(now, facts, host, record) {
        if !is_doing(&step) {
            order::copied(now, facts, host)?;
        }
        // What is out of service is recorded as that, whatever is waited for until another is in its place.
        if record.certificate.is_some() && !is_doing(&step) {
            stands::recorded(now, facts, host, record)?;
        }
        return Err(step);
    }
    // Before it is recorded that all is done: nobody looks again after that.
    certificate::tidied(facts, host)?;
    order::copied(now, facts, host)?;
    stands::recorded(now, facts, host, record)?;
    certificate::forgotten(facts, record)?;
    Ok(Step::Rest(rest(facts, host, record)))
}

fn is_doing(step: &Step) -> bool {
    matches!(step, Step::Do(_) | Step::Look(_))
}

/// A hostname that can be had here, by somebody who may.
fn usable(facts: &Facts) -> Reached<&Hostname> {
    let host = facts.host.as_ref().map_err(|refusal| refused(facts, refusal.clone()))?;
    let refusal = not_allowed(facts, host).or_else(|| beyond_limit(facts)).or_else(|| no_orders(facts, host));
    if let Some(refusal) = refusal {
        return Err(refused(facts, refusal));
    }
    if facts.cluster.tenant.is_none() {
        let why = "There is no Workspace in this namespace. Create one: a hostname is shown to be its own.";
        return Err(Step::Rest(Rest::Awaiting(Refusal::new(reason::AWAITING_WORKSPACE, why))));
    }
    Ok(host)
}

fn not_allowed(facts: &Facts, host: &Hostname) -> Option<Refusal> {
    let zone = facts.cluster.settings.own_zones.iter().find(|zone| host.is_within(zone))?;
    Some(Refusal::new(
        reason::HOSTNAME_NOT_ALLOWED,
        format!("Hostnames under {zone} can't be brought here. Use one of a domain of your own."),
    ))
}

fn beyond_limit(facts: &Facts) -> Option<Refusal> {
    let most = facts.cluster.settings.most;
    (facts.cluster.place >= most && facts.record().is_none()).then(|| {
        Refusal::new(
            reason::DOMAIN_LIMIT_REACHED,
            format!(
                "This namespace may have {most} CustomDomains. Delete one that isn't needed, or ask the platform."
            ),
        )
    })
}

/// Why certificates can't be ordered as declared.
fn no_orders(facts: &Facts, host: &Hostname) -> Option<Refusal> {
    let spec = &facts.domain.spec.certificate;
    if spec.source != CertificateSource::Acme {
        return None;
    }
    let say = |why: &str| Some(Refusal::new(reason::ACME_NOT_CONFIGURED, why));
    let Some(acme) = &facts.cluster.acme else {
        return say(
            "The platform orders no certificates by ACME. Set `certificate.source` to Fly or Secret.",
        );
    };
    match spec.challenge.unwrap_or_default() {
        Challenge::Http01 if host.is_wildcard() => {
            say("A wildcard can't be proved by HTTP01. Set `certificate.challenge` to DNS01.")
        }
        Challenge::Http01 if acme.ingress.is_empty() => {
            say("The platform has no ingress that answers HTTP01. Set `certificate.challenge` to DNS01.")
        }
        Challenge::Dns01 if acme.texts == Texts::None => say(
            "The platform keeps no zone for DNS01. Set `certificate.challenge` to HTTP01, or `certificate.source` to Fly or Secret.",
        ),
        Challenge::Http01 | Challenge::Dns01 => None,
    }
}

/// DNS was looked at as recently as it has to be.
fn looked(now: Timestamp, facts: &Facts) -> Reached<()> {
    if !schedule::is_due(now, facts) || schedule::crowded(now, facts).is_some() {
        return Ok(());
    }
    let is_first = facts.known.sight.is_none();
    match facts.known.turn {
        _ if is_first || facts.known.asked == super::facts::Asked::Now => Err(Step::Look(Look::Dns)),
        None => Err(Step::Look(Look::Turn)),
        Some(turn) if turn <= now => Err(Step::Look(Look::Dns)),
        Some(_) => Ok(()),
    }
}

/// Where a hostname rests for which nothing can be done now.
fn rest(facts: &Facts, host: &Hostname, record: &DomainRecord) -> Rest {
    match facts.cluster.runtime {
        RuntimeFact::Missing => Rest::Awaiting(no_runtime(facts)),
        _ if record.service_time.is_some() && serves_on(facts, host) => Rest::Active,
        _ if routed_by(facts).is_none() || !is_complete(facts, host) => Rest::PendingDns,
        _ => Rest::Active,
    }
}

/// Whether what serves goes on: until it is certain that its record has gone for too long, or that it leads elsewhere. One
/// look that fails in part, or shows something else, is neither.
fn serves_on(facts: &Facts, host: &Hostname) -> bool {
    let strays = facts.known.sight.as_ref().map_or(0, |sight| sight.strays);
    let owned = matches!(ownership(facts, host), Ownership::Shown(_));
    !owned || way(facts, host) == Way::Unseen || strays < MISSES
}

/// What is said of a Runtime that isn't there.
pub fn no_runtime(facts: &Facts) -> Refusal {
    Refusal::new(
        reason::RUNTIME_NOT_FOUND,
        format!(
            "There is no Runtime `{}` in this namespace. Create it, or name another in `spec.runtimeRef`; the hostname is kept meanwhile.",
            facts.domain.spec.runtime_ref.name
        ),
    )
}

/// Whether a CNAME is all that has to be set.
pub fn takes_alias(facts: &Facts) -> bool {
    facts.host.as_ref().is_ok_and(|host| can_alias(facts, host))
}

/// A refused spec changes nothing; it is looked at again after a while, and when what it refers to changes.
fn refused(facts: &Facts, refusal: Refusal) -> Step {
    Step::Rest(Rest::Refused(refusal, facts.cluster.settings.slow_retry))
}

/// After something went wrong nothing is tried until its pause is over or the spec has changed.
fn retry_pause(now: Timestamp, facts: &Facts) -> Option<Step> {
    let left = setback::left(now, &facts.domain.metadata, facts.known.trouble.as_ref())?;
    Some(Step::Wait(Waiting::Retry(left)))
}

/// A read-only operator changes nothing, and for a paused object nothing is begun.
fn held(facts: &Facts, step: Step) -> Step {
    let Step::Do(effect) = &step else { return step };
    let is_end = matches!(
        effect,
        Effect::RecordMissing(_)
            | Effect::RecordShown(_)
            | Effect::RecordAstray(_)
            | Effect::Unpublish(_)
            | Effect::Detach(_)
    );
    if facts.cluster.settings.mode == crate::engine::config::Mode::ReadWrite && is_end {
        return step;
    }
    let refusal = hold::held(&facts.domain.metadata, facts.cluster.settings.mode);
    refusal.map_or(step, |refusal| Step::Rest(Rest::Awaiting(refusal)))
}
