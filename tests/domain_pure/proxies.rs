//! A name that is put behind a proxy, which hides the CNAME that proved whose it is.

use moorage::api::custom_domain::{CertificateSource, RecordPurpose, RecordState, RoutedBy};
use moorage::api::domain_record::OwnershipMethod;
use moorage::api::state::DomainState;
use moorage::api::{ConditionType, condition};
use moorage::control::domain::step::{Rest, Step};

use crate::world::{DAY, HOUR, World};

/// A hostname in service by its CNAME, that was then put behind a proxy.
fn proxied(source: CertificateSource) -> World {
    let mut world = World::new("ai.example.com", source);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    assert_eq!(world.record().unwrap().method, OwnershipMethod::Cname);
    world.dns.cname = None;
    world.dns.addresses = vec!["203.0.113.9".parse().unwrap()];
    world.dns.proxied = Some("app-acme");
    world
}

#[test]
fn a_name_that_a_cname_proved_is_told_the_text_once_a_proxy_hides_it_and_goes_on_by_that() {
    for source in [CertificateSource::Fly, CertificateSource::Acme] {
        for wait in [HOUR, 2 * DAY] {
            let mut world = proxied(source);
            world.pass(DAY + HOUR);
            let status = world.status(0);
            let text = status.records.iter().find(|it| it.name.starts_with("_moorage")).cloned();
            let text = text.expect("the remedy names it, so it is listed");
            assert_eq!((text.state, text.purpose), (RecordState::Missing, RecordPurpose::Ownership));
            let dns = condition::find(&status.conditions, ConditionType::DnsConfigured).unwrap();
            assert!(dns.message.contains("set the TXT record in `status.records`"), "{}", dns.message);

            world.pass(wait);
            world.dns.texts.push(world.proofs(0).text);
            world.fly.owned = true;
            world.pass(2 * HOUR);
            let record = world.record().unwrap();
            assert_eq!((record.method, record.missing_since), (OwnershipMethod::Txt, None), "{source:?}");
            let status = world.status(0);
            assert_eq!(status.routed_by, Some(RoutedBy::Proxied), "{source:?}, {wait}");
            assert_eq!(status.state, Some(DomainState::Active));
            world.pass(10 * DAY);
            assert_eq!(world.status(0).state, Some(DomainState::Active), "past every grace");
        }
    }
}

#[test]
fn a_text_that_stands_in_time_is_recorded_as_the_proof_before_anything_is_missed() {
    let mut world = proxied(CertificateSource::Fly);
    world.dns.texts.push(world.proofs(0).text);
    world.pass(2 * DAY);
    assert_eq!(world.record().unwrap().method, OwnershipMethod::Txt);
    assert_eq!(world.status(0).routed_by, Some(RoutedBy::Proxied));
    assert!(!world.writes.contains(&"RecordMissing"), "{:?}", world.writes);
}

#[test]
fn a_text_beside_a_cname_that_shows_is_asked_of_nobody() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.alias(0);
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    world.dns.texts.push(world.proofs(0).text);
    world.pass(2 * DAY);
    assert_eq!(world.record().unwrap().method, OwnershipMethod::Cname);
    assert_eq!(world.status(0).records.len(), 1);
}
