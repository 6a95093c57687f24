//! The records that a customer has to set: exactly those, each with what was found. Pure.

use std::net::IpAddr;

use super::edge::{ImportStanding, Leads};
use super::facts::Facts;
use super::ownership::{acme_name, delegation, target, text_name};
use super::verdict::{can_alias, is_apex, takes_text};
use crate::api::custom_domain::{
    CertificateSource, Challenge, RecordPurpose, RecordState, RecordStatus, RecordType, RoutedBy,
};
use crate::api::domain_record::OwnershipMethod;
use crate::domains::dns::Target;
use crate::domains::name::Hostname;

/// Most of what was found that is told of one record.
const TOLD: usize = 8;

/// Every record that has to be set, and kept.
pub fn records(facts: &Facts, host: &Hostname) -> Vec<RecordStatus> {
    let mut all = Vec::new();
    if facts.known.proofs.is_none() {
        return all;
    }
    if needs_text(facts, host) {
        all.push(text(facts, host));
    }
    all.extend(routing(facts, host));
    all.extend(for_certificate(facts, host));
    all.extend(for_fly(facts));
    all
}

/// Whether the customer has to set the text. A name that is answered for by addresses that aren't the Runtime's may be
/// behind a proxy, which hides a CNAME, be it one that proved the name before.
fn needs_text(facts: &Facts, host: &Hostname) -> bool {
    let takes = match facts.record() {
        Some(record) => record.method == OwnershipMethod::Txt,
        None => takes_text(facts, host),
    };
    takes || may_be_proxied(facts)
}

/// Whether something else than the Runtime answers for the name, which may lead here all the same.
pub fn may_be_proxied(facts: &Facts) -> bool {
    facts
        .target()
        .is_some_and(|led| led.chain.is_empty() && !led.addresses.is_empty() && !leads_by_address(facts, led))
}

fn text(facts: &Facts, host: &Hostname) -> RecordStatus {
    let value = facts.known.proofs.as_ref().map(|proofs| proofs.text.clone()).unwrap_or_default();
    let found = facts.seen().and_then(|seen| seen.texts.as_ref().ok()).map(|texts| {
        if texts.contains(&value) {
            return (RecordState::Found, Vec::new());
        }
        let others: Vec<String> = texts.iter().take(TOLD).map(|text| short(text)).collect();
        (if others.is_empty() { RecordState::Missing } else { RecordState::Wrong }, others)
    });
    record(RecordType::Txt, text_name(host), value, RecordPurpose::Ownership, found)
}

/// What leads visitors here: a CNAME, or addresses where none can stand.
fn routing(facts: &Facts, host: &Hostname) -> Vec<RecordStatus> {
    match facts.base().zip(label(facts)).filter(|_| !is_apex(facts, host)) {
        Some((base, label)) => vec![alias(facts, host, target(label, base))],
        None => addresses(facts, host),
    }
}

fn alias(facts: &Facts, host: &Hostname, value: String) -> RecordStatus {
    let both = can_alias(facts, host) && !needs_text(facts, host);
    let purpose = if both { RecordPurpose::OwnershipAndRouting } else { RecordPurpose::Routing };
    let found = facts.target().map(|led| match routed_by(facts) {
        Some(_) => (RecordState::Found, Vec::new()),
        None => instead(led),
    });
    record(RecordType::Cname, host.as_str().to_owned(), value, purpose, found)
}

fn addresses(facts: &Facts, host: &Hostname) -> Vec<RecordStatus> {
    let wanted = wanted_addresses(facts).unwrap_or_default();
    let each = wanted.iter().filter_map(|address| Some((address, address.parse::<IpAddr>().ok()?)));
    each.map(|(value, address)| {
        let kind = if address.is_ipv4() { RecordType::A } else { RecordType::Aaaa };
        let found = facts.target().map(|led| address_found(facts, led, address, wanted));
        record(kind, host.as_str().to_owned(), value.clone(), RecordPurpose::Routing, found)
    })
    .collect()
}

/// Whether the address is there, alone of its kind.
fn address_found(
    facts: &Facts,
    led: &Target,
    address: IpAddr,
    wanted: &[String],
) -> (RecordState, Vec<String>) {
    if routed_by(facts) == Some(RoutedBy::Proxied) {
        return (RecordState::Found, Vec::new());
    }
    let foreign = |other: &&IpAddr| other.is_ipv4() == address.is_ipv4() && !is_among(other, wanted);
    let others: Vec<String> = led.addresses.iter().filter(foreign).take(TOLD).map(told).collect();
    let (there, chain) = (led.addresses.contains(&address), instead(led));
    match (there, others.is_empty()) {
        (true, true) => (RecordState::Found, Vec::new()),
        (_, false) => (RecordState::Wrong, others),
        (false, true) if led.chain.is_empty() => (RecordState::Missing, Vec::new()),
        (false, true) => chain,
    }
}

/// What stands in the place of the record that leads here.
fn instead(led: &Target) -> (RecordState, Vec<String>) {
    let found: Vec<String> = match led.chain.first() {
        Some(first) => vec![format!("CNAME {}", short(first))],
        None => led.addresses.iter().take(TOLD).map(told).collect(),
    };
    (if found.is_empty() { RecordState::Missing } else { RecordState::Wrong }, found)
}

/// What lets a certificate authority see texts of ours, or of Fly's, about the name.
fn for_certificate(facts: &Facts, host: &Hostname) -> Option<RecordStatus> {
    let value = delegated(facts, host)?;
    let found = facts.seen().and_then(|seen| seen.delegated.as_ref().ok()).map(|delegated| match delegated {
        Some(there) if *there == value => (RecordState::Found, Vec::new()),
        Some(other) => (RecordState::Wrong, vec![format!("CNAME {}", short(other))]),
        None => (RecordState::Missing, Vec::new()),
    });
    Some(record(RecordType::Cname, acme_name(host), value, RecordPurpose::Certificate, found))
}

/// Where `_acme-challenge` has to lead, if it has to.
pub fn delegated(facts: &Facts, host: &Hostname) -> Option<String> {
    let spec = &facts.domain.spec.certificate;
    match spec.source {
        CertificateSource::Acme if spec.challenge.unwrap_or_default() == Challenge::Dns01 => {
            text_target(facts)
        }
        CertificateSource::Fly if host.is_wildcard() => {
            facts.edge()?.hostname.as_ref()?.challenge.as_ref().map(|(_, target)| target.clone())
        }
        CertificateSource::Fly | CertificateSource::Acme | CertificateSource::Secret => None,
    }
}

/// The name in the platform's zone under which texts for the certificate authority stand: one for a wildcard and the name
/// itself, since `_acme-challenge` can lead to one only. What leads to the hostname's own, as it once had to, does as well.
pub fn text_target(facts: &Facts) -> Option<String> {
    let base = facts.base()?;
    let there = facts.seen().and_then(|seen| seen.delegated.as_ref().ok()?.as_ref());
    let own = label(facts).map(|label| delegation(label, base)).filter(|own| Some(own) == there);
    own.or_else(|| Some(delegation(&facts.known.proofs.as_ref()?.shared, base)))
}

/// The text by which Fly is shown that it may serve the name, where it can't see that by itself.
fn for_fly(facts: &Facts) -> Option<RecordStatus> {
    let hosted = facts.edge()?.hostname.as_ref()?;
    let (name, value) = hosted.ownership.clone()?;
    let unproved = hosted.custom.is_some_and(|custom| custom.standing == ImportStanding::Unproved);
    let hidden = may_be_proxied(facts);
    let owned = hosted.owned == Leads::Yes;
    let wanted = hidden || (unproved && routed_by(facts).is_some());
    let state = if owned { RecordState::Found } else { RecordState::Missing };
    (wanted || (owned && routed_by(facts) == Some(RoutedBy::Proxied)))
        .then(|| record(RecordType::Txt, name, value, RecordPurpose::Certificate, Some((state, Vec::new()))))
}

/// How the name leads here, as far as was seen.
pub fn routed_by(facts: &Facts) -> Option<RoutedBy> {
    let led = facts.target()?;
    let aliased =
        facts.base().zip(label(facts)).is_some_and(|(base, label)| led.chain.contains(&target(label, base)));
    if aliased {
        return Some(RoutedBy::Cname);
    }
    if leads_by_address(facts, led) {
        return Some(RoutedBy::Address);
    }
    let by_text = facts.record().is_some_and(|record| record.method == OwnershipMethod::Txt);
    let checked = facts.edge().and_then(|edge| edge.hostname.as_ref());
    let comes_here = checked.is_some_and(|hosted| hosted.leads_here == Leads::Yes);
    (by_text && comes_here && !led.addresses.is_empty()).then_some(RoutedBy::Proxied)
}

/// Whether every address that the name has is one that it should have, and none is missing: an address of another's that
/// stayed behind may be the one that a visitor, or a certificate authority, comes to.
fn leads_by_address(facts: &Facts, led: &Target) -> bool {
    let Some(wanted) = wanted_addresses(facts).filter(|wanted| !wanted.is_empty()) else { return false };
    let mut parsed = wanted.iter().filter_map(|one| one.parse::<IpAddr>().ok());
    led.addresses.iter().all(|address| is_among(address, wanted))
        && parsed.all(|address| led.addresses.contains(&address))
}

/// The addresses that the name, or the one that it leads to, is to have: the app's, or those of the platform's ingress
/// where that answers the certificate authority.
pub fn wanted_addresses(facts: &Facts) -> Option<&[String]> {
    match (facts.domain.spec.certificate.challenge, &facts.cluster.acme) {
        (Some(Challenge::Http01), Some(acme)) => Some(&acme.ingress),
        _ => facts.addresses(),
    }
}

/// Whether every record that a certificate takes is there.
pub fn is_complete(facts: &Facts, host: &Hostname) -> bool {
    records(facts, host)
        .iter()
        .filter(|record| record.purpose == RecordPurpose::Certificate)
        .all(|record| record.state == RecordState::Found)
}

/// First label of the name in the platform's zone.
pub fn label(facts: &Facts) -> Option<&str> {
    let recorded = facts.record().map(|record| record.label.as_str());
    recorded.or_else(|| facts.known.proofs.as_ref().map(|proofs| proofs.label.as_str()))
}

fn is_among(address: &IpAddr, wanted: &[String]) -> bool {
    wanted.iter().any(|one| one.parse() == Ok(*address))
}

fn told(address: &IpAddr) -> String {
    format!("{} {address}", if address.is_ipv4() { "A" } else { "AAAA" })
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn record(
    type_: RecordType,
    name: String,
    value: String,
    purpose: RecordPurpose,
    found: Option<(RecordState, Vec<String>)>,
) -> RecordStatus {
    let (state, found) = found.unwrap_or((RecordState::Unknown, Vec::new()));
    RecordStatus { type_, name, value, purpose, state, found }
}
