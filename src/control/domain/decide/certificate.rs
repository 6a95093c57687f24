//! The stages that bring a certificate into service: Fly's own, or one that is imported. One at a time for a name, and a
//! hostname is never deleted to change that.

use jiff::{SignedDuration, Timestamp};

use super::super::certificate::{Left, Material};
use super::super::edge::{Asking, EdgeFact, Hosted, ImportStanding};
use super::super::facts::{Asked, Dropped, Facts};
use super::super::records::{is_complete, routed_by};
use super::super::step::{Effect, Look, Step, Waiting};
use super::{Reached, leave, order, refused};
use crate::api::custom_domain::{CertificateSource, RoutedBy};
use crate::api::domain_record::{DomainRecord, OwnershipMethod};
use crate::api::reason;
use crate::control::runtime::facts::Refusal;
use crate::domains::certificate::Certificate;
use crate::domains::name::Hostname;

/// The longest pause between two questions to Fly while it issues.
const SLOWEST: SignedDuration = SignedDuration::from_secs(60);

/// A certificate is in service, as far as it can be now.
pub(super) fn in_service(
    now: Timestamp,
    facts: &Facts,
    host: &Hostname,
    record: &DomainRecord,
) -> Reached<()> {
    expired(now, facts, record)?;
    reread(facts, record)?;
    match facts.domain.spec.certificate.source {
        CertificateSource::Fly => issued(now, facts, host, record),
        CertificateSource::Acme => {
            let certificate = order::at_hand(now, facts, host, record)?;
            certificate.map_or(Ok(()), |certificate| imported(now, facts, host, record, certificate))
        }
        CertificateSource::Secret => kept(now, facts, host, record),
    }?;
    led_here(facts, host, record)
}

/// What is in service is read again with the first look at DNS after a start, and then with each that is made in its turn:
/// somebody may have taken it away, Fly renews by itself, and of a name behind a proxy only Fly knows that it leads here.
fn reread(facts: &Facts, record: &DomainRecord) -> Reached<()> {
    let due = match facts.edge() {
        _ if facts.known.edge_asked == Asked::Now => true,
        None => facts.known.sight.is_some() && record.certificate.is_some(),
        Some(edge) => facts.is_stale(edge.at),
    };
    if due { Err(Step::Look(Look::Edge)) } else { Ok(()) }
}

/// Whether a name leads here by a proxy, which DNS doesn't show, Fly finds out, and whether its text is there: it is asked
/// after each look until both are so.
fn led_here(facts: &Facts, host: &Hostname, record: &DomainRecord) -> Reached<()> {
    let (Some(edge), Some(sight)) = (facts.edge(), &facts.known.sight) else { return Ok(()) };
    let may = record.method == OwnershipMethod::Txt
        && facts.target().is_some_and(|target| !target.addresses.is_empty());
    let unknown = match routed_by(facts) {
        None => true,
        Some(RoutedBy::Proxied) => !is_complete(facts, host),
        Some(RoutedBy::Cname | RoutedBy::Address) => false,
    };
    if may && unknown && edge.hostname.is_some() && sight.at > edge.at {
        Err(Step::Do(Effect::CheckHostname))
    } else {
        Ok(())
    }
}

/// Whether Fly serves by an imported certificate still, as far as is known.
pub(super) fn import_stands(facts: &Facts) -> bool {
    facts.edge().is_none_or(|edge| edge.hostname.as_ref().is_some_and(|it| it.imported_until().is_some()))
}

/// One that was imported and has expired would still be served, in place of any other.
fn expired(now: Timestamp, facts: &Facts, record: &DomainRecord) -> Reached<()> {
    let over = record
        .certificate
        .as_ref()
        .is_some_and(|certificate| certificate.fingerprint.is_some() && certificate.expire_time <= now);
    if !over {
        return Ok(());
    }
    match facts.edge() {
        None => Err(Step::Look(Look::Edge)),
        Some(edge) => match edge.hostname.as_ref().and_then(|hosted| hosted.custom) {
            Some(custom) if custom.until.is_none_or(|until| until <= now) => {
                Err(Step::Do(Effect::DropImport))
            }
            Some(_) | None => Ok(()),
        },
    }
}

/// Fly has issued one, and serves by it.
fn issued(now: Timestamp, facts: &Facts, host: &Hostname, record: &DomainRecord) -> Reached<()> {
    let Some(edge) = facts.edge() else {
        let stands = record.certificate.as_ref().filter(|it| it.source == CertificateSource::Fly);
        return match stands {
            Some(certificate) if certificate.expire_time > now => Ok(()),
            Some(_) => Err(Step::Look(Look::Edge)),
            // A name that nothing is recorded of isn't there, or is found by the answer that it is.
            None => Err(Step::Do(Effect::RequestCertificate)),
        };
    };
    let Some(hosted) = edge.hostname.as_ref().filter(|hosted| hosted.asked == Asking::Yes) else {
        return Err(Step::Do(Effect::RequestCertificate));
    };
    if hosted.fly_until.is_none_or(|until| until <= now) {
        return proved_to_fly(now, facts, host, edge, hosted);
    }
    if hosted.custom.is_some() {
        return Err(Step::Do(Effect::DropImport));
    }
    Ok(())
}

/// Fly is asked to look again: ever more slowly while the records are there, and as often as DNS is looked at while they
/// aren't, since Fly may see by way of a proxy what we don't.
fn proved_to_fly(
    now: Timestamp,
    facts: &Facts,
    host: &Hostname,
    edge: &EdgeFact,
    hosted: &Hosted,
) -> Reached<()> {
    if let Some(until) = hosted.limited_until.filter(|until| *until > now) {
        return Err(Step::Wait(Waiting::Fly(now.duration_until(until))));
    }
    if routed_by(facts).is_none() || !is_complete(facts, host) {
        let looked = facts.known.sight.as_ref().map(|sight| sight.at);
        return if looked > Some(edge.at) { Err(Step::Do(Effect::CheckHostname)) } else { Ok(()) };
    }
    let pause = SignedDuration::from_secs(1 << edge.count.min(6)).min(SLOWEST);
    let left = pause - edge.at.duration_until(now);
    if left <= SignedDuration::ZERO {
        Err(Step::Do(Effect::CheckHostname))
    } else {
        Err(Step::Wait(Waiting::Fly(left)))
    }
}

/// The one in the Secret is imported.
fn kept(now: Timestamp, facts: &Facts, host: &Hostname, record: &DomainRecord) -> Reached<()> {
    let trusted = record.certificate.as_ref().is_some_and(|certificate| {
        certificate.source == CertificateSource::Secret && certificate.expire_time > now
    });
    match &facts.known.material {
        _ if facts.known.material_asked == Asked::Now => Err(Step::Look(Look::Material)),
        None if trusted && import_stands(facts) => Ok(()),
        None => Err(Step::Look(Look::Material)),
        Some(Material::Unfit(refusal)) => Err(refused(facts, refusal.clone())),
        Some(Material::Ready(certificate)) if certificate.not_after <= now => {
            let why =
                "The certificate in the Secret has expired, and is out of service. Put another in its place.";
            Err(refused(facts, Refusal::new(reason::CERTIFICATE_EXPIRED, why)))
        }
        Some(Material::Ready(certificate)) => imported(now, facts, host, record, certificate),
    }
}

/// Fly serves by exactly this certificate, and by no other.
fn imported(
    now: Timestamp,
    facts: &Facts,
    host: &Hostname,
    record: &DomainRecord,
    certificate: &Certificate,
) -> Reached<()> {
    let recorded = record.certificate.as_ref().and_then(|it| it.fingerprint.as_ref());
    if facts.known.deeds.imported.as_ref().or(recorded) != Some(&certificate.fingerprint) {
        return Err(Step::Do(Effect::Import));
    }
    let Some(edge) = facts.edge() else { return Ok(()) };
    let Some((hosted, custom)) = edge.hostname.as_ref().and_then(|it| Some((it, it.custom?))) else {
        return Err(Step::Do(Effect::Import));
    };
    match custom.standing {
        ImportStanding::Unproved => proved_to_fly(now, facts, host, edge, hosted),
        ImportStanding::Active if hosted.asked == Asking::Yes => Err(Step::Do(Effect::DropIssued)),
        ImportStanding::Active => Ok(()),
    }
}

/// Nothing that was shown for an order is left once it has ended, or waits for records that have gone.
pub(super) fn tidied(facts: &Facts, host: &Hostname) -> Reached<()> {
    let Some(stored) = &facts.known.stored else { return Ok(()) };
    let is_over = stored.order.is_none() || order::is_stranded(facts, host);
    if is_over && stored.has_left() == Left::Proofs { Err(Step::Do(Effect::Clean)) } else { Ok(()) }
}

/// Nothing is shown for an order that nobody goes on with. Each was counted, so where none is nothing was shown.
pub(super) fn unshown(facts: &Facts, record: &DomainRecord) -> Reached<()> {
    match &facts.known.stored {
        None if record.ordering.is_some() => Err(Step::Look(Look::Stored)),
        Some(stored) if stored.has_left() == Left::Proofs => Err(Step::Do(Effect::Clean)),
        _ => Ok(()),
    }
}

/// What was kept for ordering is forgotten once the certificate comes from elsewhere.
pub(super) fn forgotten(facts: &Facts, record: &DomainRecord) -> Reached<()> {
    let orders = facts.domain.spec.certificate.source == CertificateSource::Acme;
    let other = record.certificate.as_ref().is_some_and(|it| it.source != CertificateSource::Acme);
    if orders || !other || record.ordering.is_none() || facts.known.deeds.dropped == Dropped::Yes {
        return Ok(());
    }
    leave::forgotten(facts)
}
