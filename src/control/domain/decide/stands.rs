//! The stage that records what stands under the name, in one write.

use jiff::Timestamp;

use super::super::certificate::Material;
use super::super::edge::Hosted;
use super::super::facts::Facts;
use super::super::ordering;
use super::super::sighting::{Way, way};
use super::super::step::{Effect, Standing, Step};
use super::{Reached, route};
use crate::api::condition::whole_seconds;
use crate::api::custom_domain::CertificateSource;
use crate::api::domain_record::{CertificateRecord, DomainRecord};
use crate::domains::certificate::Certificate;
use crate::domains::name::Hostname;

/// Longest name of an issuer that is recorded, in characters.
const LONGEST: usize = 128;

/// The claim says what stands.
pub(super) fn recorded(now: Timestamp, facts: &Facts, host: &Hostname, record: &DomainRecord) -> Reached<()> {
    let certificate = certificate(now, facts, host, record);
    let wanted = Standing {
        addresses: route::standing(facts, record).to_vec(),
        service_time: serving(now, facts, host, record, certificate.as_ref()),
        certificate,
    };
    let stands = Standing {
        addresses: record.route.as_ref().map(|route| route.addresses.clone()).unwrap_or_default(),
        certificate: record.certificate.clone(),
        service_time: record.service_time,
    };
    if wanted == stands { Ok(()) } else { Err(Step::Do(Effect::RecordStanding(Box::new(wanted)))) }
}

/// Since when it serves: it begins to with every record in place. What was in service stays so while a certificate is: a route that comes and goes restarts no
/// gateway.
fn serving(
    now: Timestamp,
    facts: &Facts,
    host: &Hostname,
    record: &DomainRecord,
    certificate: Option<&CertificateRecord>,
) -> Option<Timestamp> {
    certificate?;
    let leads = way(facts, host) == Way::Here;
    record.service_time.or_else(|| leads.then(|| whole_seconds(now)))
}

/// The certificate in service: as Fly says, or, where Fly wasn't asked, as recorded.
fn certificate(
    now: Timestamp,
    facts: &Facts,
    host: &Hostname,
    record: &DomainRecord,
) -> Option<CertificateRecord> {
    let Some(edge) = facts.edge() else {
        return record
            .certificate
            .clone()
            .filter(|it| it.expire_time > now)
            .map(|it| advised(facts, host, it));
    };
    let hosted = edge.hostname.as_ref()?;
    at_hand(facts, host)
        .filter(|it| is_imported(facts, record, it))
        .and_then(|it| imported(facts, record, hosted, it))
        .or_else(|| still_imported(record, hosted))
        .or_else(|| hosted.fly_until.map(issued))
        .filter(|it| it.expire_time > now)
}

/// The one that is recorded, to be renewed when its authority says by now.
fn advised(facts: &Facts, host: &Hostname, recorded: CertificateRecord) -> CertificateRecord {
    let same = at_hand(facts, host).filter(|it| {
        recorded.renewal_time.is_some() && recorded.fingerprint.as_ref() == Some(&it.fingerprint)
    });
    let renewal = same.map(|it| ordering::renewal(it, Some(&recorded), facts.known.renewal.as_ref()));
    CertificateRecord { renewal_time: renewal.or(recorded.renewal_time), ..recorded }
}

fn at_hand<'f>(facts: &'f Facts, host: &Hostname) -> Option<&'f Certificate> {
    match facts.domain.spec.certificate.source {
        CertificateSource::Fly => None,
        CertificateSource::Acme => {
            let stored = facts.known.stored.as_ref()?.certificate.as_deref();
            stored.filter(|it| it.covers(host.as_str()))
        }
        CertificateSource::Secret => match facts.known.material.as_ref()? {
            Material::Ready(certificate) => Some(certificate),
            Material::Unfit(_) => None,
        },
    }
}

fn is_imported(facts: &Facts, record: &DomainRecord, certificate: &Certificate) -> bool {
    let recorded = record.certificate.as_ref().and_then(|it| it.fingerprint.as_ref());
    facts.known.deeds.imported.as_ref().or(recorded) == Some(&certificate.fingerprint)
}

fn imported(
    facts: &Facts,
    record: &DomainRecord,
    hosted: &Hosted,
    certificate: &Certificate,
) -> Option<CertificateRecord> {
    hosted.imported_until()?;
    let source = facts.domain.spec.certificate.source;
    let renews = source == CertificateSource::Acme;
    Some(CertificateRecord {
        source,
        fingerprint: Some(certificate.fingerprint.clone()),
        expire_time: whole_seconds(certificate.not_after),
        renewal_time: renews.then(|| {
            ordering::renewal(certificate, record.certificate.as_ref(), facts.known.renewal.as_ref())
        }),
        serial: Some(certificate.serial.chars().take(64).collect()),
        issuer: Some(certificate.issuer.chars().take(LONGEST).collect::<String>())
            .filter(|it| !it.is_empty()),
    })
}

/// One that was imported before, and that another is to take the place of.
fn still_imported(record: &DomainRecord, hosted: &Hosted) -> Option<CertificateRecord> {
    hosted.imported_until()?;
    record.certificate.clone().filter(|it| it.fingerprint.is_some())
}

fn issued(until: Timestamp) -> CertificateRecord {
    CertificateRecord {
        source: CertificateSource::Fly,
        fingerprint: None,
        expire_time: whole_seconds(until),
        renewal_time: None,
        serial: None,
        issuer: None,
    }
}
