//! What is told of the records that a customer has to set.

use moorage::api::custom_domain::{CertificateSource, RecordPurpose, RecordState, RecordType, RoutedBy};
use moorage::api::state::DomainState;
use moorage::api::{ConditionType, condition, reason};
use moorage::control::domain::step::{Rest, Step};

use crate::world::World;

fn message(world: &World) -> String {
    condition::find(&world.status(0).conditions, ConditionType::Ready).unwrap().message.to_string()
}

#[test]
fn what_was_found_instead_is_named() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.dns.cname = Some("old.host.example".into());
    world.settle(0);
    let record = &world.status(0).records[0];
    assert_eq!((record.state, record.purpose), (RecordState::Wrong, RecordPurpose::OwnershipAndRouting));
    assert_eq!(record.found, ["CNAME old.host.example"]);
    let text = message(&world);
    assert!(text.contains("CNAME ai.example.com") && text.contains("old.host.example"), "{text}");
    assert!(text.contains(&world.target(0)), "{text}");
    let ready = condition::find(&world.status(0).conditions, ConditionType::Ready).cloned().unwrap();
    assert_eq!(ready.reason, reason::PENDING_DNS);
    let waits = condition::find(&world.status(0).conditions, ConditionType::Reconciling).cloned().unwrap();
    assert_eq!(waits.reason, reason::AWAITING_DNS);
}

#[test]
fn a_stale_aaaa_is_named() {
    let mut world = World::new("example.com", CertificateSource::Fly);
    world.settle(0);
    world.set_listed(0);
    world.dns.addresses.push("2001:db8:dead::1".parse().unwrap());
    world.now += 6;
    assert_eq!(world.settle(0), Step::Rest(Rest::PendingDns));
    let text = message(&world);
    assert!(text.contains("AAAA example.com") && text.contains("2001:db8:dead::1"), "{text}");
}

#[test]
fn one_that_may_be_behind_a_proxy_is_told_the_text_and_fly_finds_the_way() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.dns.addresses = vec!["203.0.113.9".parse().unwrap()];
    world.settle(0);
    let kinds: Vec<RecordType> = world.status(0).records.iter().map(|record| record.type_).collect();
    assert_eq!(kinds, [RecordType::Txt, RecordType::Cname]);
    world.dns.texts.push(world.proofs(0).text);
    world.now += 6;
    assert_eq!(world.settle(0), Step::Rest(Rest::PendingDns));
    let fly = world.status(0).records.iter().find(|it| it.name.starts_with("_fly-ownership")).cloned();
    assert_eq!(fly.unwrap().value, "app-1");
    assert_eq!(world.status(0).state, Some(DomainState::PendingDns));
    // The proxy brings visitors here, which Fly sees and we can't.
    world.customers[0].known.edge.as_mut().unwrap().hostname.as_mut().unwrap().leads_here =
        moorage::control::domain::edge::Leads::Yes;
    let facts = world.facts(0);
    assert_eq!(moorage::control::domain::records::routed_by(&facts), Some(RoutedBy::Proxied));
}

#[test]
fn the_text_of_another_tenant_shows_nothing() {
    let mut world = World::new("example.com", CertificateSource::Fly).with_rival();
    world.dns.texts.push(world.proofs(1).text);
    assert_eq!(world.settle(0), Step::Rest(Rest::PendingDns));
    let text = world.status(0).records[0].clone();
    assert_eq!((text.state, text.found.len()), (RecordState::Wrong, 1));
    assert!(world.claim.is_none());
}

#[test]
fn nobody_is_asked_to_remove_another_name_s_text() {
    let mut world = World::new("*.example.com", CertificateSource::Fly);
    world.dns.texts.push("moorage-domain-verification=of-the-name-itself".into());
    world.settle(0);
    let text = message(&world);
    assert!(
        text.contains("TXT _moorage-challenge.example.com") && text.contains("of-the-name-itself"),
        "{text}"
    );
    assert!(text.contains(&world.proofs(0).text) && !text.contains("remove"), "{text}");
}

#[test]
fn a_name_and_its_wildcard_are_told_one_name_for_the_authority_s_texts() {
    let told = |host: &str| {
        let mut world = World::new(host, CertificateSource::Acme);
        world.settle(0);
        let all = world.status(0).records;
        let record = all.into_iter().find(|it| it.purpose == RecordPurpose::Certificate).unwrap();
        (record.name, record.value)
    };
    let (apex, wildcard) = (told("example.com"), told("*.example.com"));
    assert_eq!(apex.0, "_acme-challenge.example.com");
    assert_eq!(apex, wildcard);
    assert_ne!(told("ai.example.com").1, apex.1);
}

#[test]
fn a_wildcard_whose_texts_were_set_under_a_name_of_its_own_goes_on_so() {
    let mut world = World::new("*.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    let own = moorage::control::domain::ownership::delegation(&world.proofs(0).label, crate::world::BASE);
    world.dns.delegated = Some(own.clone());
    world.now += 6;
    while world.texts.is_empty() {
        world.step(0, None);
    }
    assert!(world.texts.iter().all(|(name, _)| *name == own), "{:?}", world.texts);
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    assert!(world.texts.is_empty());
}
