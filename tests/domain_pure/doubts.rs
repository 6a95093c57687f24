//! What one look that fails in part, or that shows something else for once, comes to for a hostname in service: nothing.

use moorage::api::custom_domain::CertificateSource;
use moorage::api::state::DomainState;
use moorage::api::{ConditionType, condition, reason};
use moorage::control::domain::facts::Asked;
use moorage::control::domain::step::{Rest, Step};

use crate::world::{DAY, World};

fn in_service(host: &str, source: CertificateSource) -> World {
    let mut world = World::new(host, source);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    world.settle(0);
    // A wildcard's record for Fly is listed only now.
    world.set_listed(0);
    world.now += 6;
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    world
}

/// It is looked at once.
fn look(world: &mut World) -> (Option<DomainState>, String) {
    world.now += DAY;
    world.customers[0].known.asked = Asked::Now;
    world.settle(0);
    let status = world.status(0);
    let dns = condition::find(&status.conditions, ConditionType::DnsConfigured).unwrap();
    (status.state, dns.reason.to_string())
}

/// Hides a part of what is seen, or shows it again.
type Hide = fn(&mut World, bool);

/// Changes what is seen.
type Change = fn(&mut World);

#[test]
fn a_part_that_can_not_be_seen_is_told_and_takes_nothing_out_of_service() {
    let cases: [(&str, CertificateSource, Hide); 3] = [
        ("ai.example.com", CertificateSource::Acme, |world, hides| world.dns.hides.delegated = hides),
        ("*.example.com", CertificateSource::Acme, |world, hides| world.dns.hides.delegated = hides),
        ("example.com", CertificateSource::Fly, |world, hides| world.dns.hides.target = hides),
    ];
    for (host, source, hide) in cases {
        let mut world = in_service(host, source);
        hide(&mut world, true);
        for _ in 0..5 {
            let told = look(&mut world);
            assert_eq!(told, (Some(DomainState::Active), reason::DNS_UNAVAILABLE.to_owned()), "{host}");
        }
        hide(&mut world, false);
        assert_eq!(look(&mut world), (Some(DomainState::Active), reason::CONFIGURED.to_owned()), "{host}");
    }
}

#[test]
fn what_is_seen_otherwise_for_once_is_looked_at_again_before_it_is_believed() {
    let cases: [(&str, Change); 2] = [
        ("example.com", |world| world.dns.addresses = vec!["203.0.113.9".parse().unwrap()]),
        ("ai.example.com", |world| world.dns.delegated = None),
    ];
    for (host, change) in cases {
        let source = if host == "example.com" { CertificateSource::Fly } else { CertificateSource::Acme };
        let mut world = in_service(host, source);
        let right = world.dns.clone();
        for _ in 0..4 {
            change(&mut world);
            let (state, dns) = look(&mut world);
            assert_eq!(state, Some(DomainState::Active), "{host}");
            assert_ne!(dns, reason::CONFIGURED, "{host}: it is told at once");
            world.dns = right.clone();
            assert_eq!(look(&mut world).0, Some(DomainState::Active), "{host}");
        }
        change(&mut world);
        let states: Vec<_> = (0..3).map(|_| look(&mut world).0).collect();
        let (active, pending) = (Some(DomainState::Active), Some(DomainState::PendingDns));
        assert_eq!(states, [active, active, pending], "{host}: it is believed after three looks");
        world.dns = right;
        assert_eq!(look(&mut world).0, active, "{host}");
    }
}

#[test]
fn a_domain_that_its_registry_does_not_know_any_more_has_its_grace_and_one_that_is_broken_serves_on() {
    let mut world = in_service("ai.example.com", CertificateSource::Fly);
    world.dns.broken = true;
    world.pass(5 * DAY);
    assert!(world.record().unwrap().missing_since.is_none(), "absence needs proof");
    world.dns.broken = false;
    world.dns.gone = true;
    world.pass(2 * DAY);
    let status = world.status(0);
    assert_eq!((status.state, status.grace_end_time.is_some()), (Some(DomainState::Active), true));
    let dns = condition::find(&status.conditions, ConditionType::DnsConfigured).unwrap();
    assert!(dns.message.contains("There is no domain example.com"), "{}", dns.message);
    world.pass(3 * DAY);
    assert_eq!(world.status(0).state, Some(DomainState::PendingDns));
    assert!(world.fly.serving().is_empty() && world.zone.is_empty());
    world.dns.gone = false;
    world.pass(DAY);
    assert_eq!(world.status(0).state, Some(DomainState::Active));
}

#[test]
fn a_domain_that_was_never_registered_is_told_before_anything_is_held() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.dns.gone = true;
    assert_eq!(world.settle(0), Step::Rest(Rest::PendingDns));
    let status = world.status(0);
    let owned = condition::find(&status.conditions, ConditionType::OwnershipVerified).unwrap();
    assert_eq!(owned.reason, reason::RECORD_MISSING);
    assert!(owned.message.contains("There is no domain example.com"), "{}", owned.message);
}
