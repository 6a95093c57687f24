//! What a process finds out again that knows nothing of a hostname in service.

use moorage::api::custom_domain::{CertificateSource, RoutedBy};
use moorage::api::state::DomainState;
use moorage::control::domain::step::{Rest, Step};

use crate::world::{DAY, HOUR, World};

const SOURCES: [CertificateSource; 3] =
    [CertificateSource::Fly, CertificateSource::Acme, CertificateSource::Secret];

/// A hostname of this source whose records are as listed.
fn set(source: CertificateSource) -> World {
    let mut world = World::new("ai.example.com", source);
    world.secret = Some(Ok(0));
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    world
}

/// The same behind a proxy, which hides the CNAME.
fn behind_a_proxy(source: CertificateSource) -> World {
    let mut world = set(source);
    world.dns.cname = None;
    world.dns.addresses = vec!["203.0.113.9".parse().unwrap()];
    world.dns.texts = vec![world.proofs(0).text];
    world
}

fn restart(world: &mut World) {
    world.customers[0].known = Default::default();
}

#[test]
fn a_name_behind_a_proxy_stays_active_through_a_restart() {
    for source in SOURCES {
        let mut world = behind_a_proxy(source);
        world.dns.proxied = Some("app-acme");
        world.fly.owned = true;
        assert_eq!(world.settle(0), Step::Rest(Rest::Active), "{source:?}");
        restart(&mut world);
        for _ in 0..60 {
            world.pass(HOUR);
            let status = world.status(0);
            let told = (status.state, status.routed_by);
            assert_eq!(told, (Some(DomainState::Active), Some(RoutedBy::Proxied)), "{source:?}");
        }
    }
}

#[test]
fn an_imported_certificate_says_nothing_of_where_visitors_go_until_a_proxy_brings_them() {
    for source in SOURCES {
        let mut world = behind_a_proxy(source);
        world.fly.owned = true;
        assert_eq!(world.settle(0), Step::Rest(Rest::PendingDns), "{source:?}");
        world.pass(600);
        assert_eq!((world.status(0).state, world.status(0).routed_by), (Some(DomainState::PendingDns), None));
        world.dns.proxied = Some("app-acme");
        world.pass(600);
        assert_eq!(world.status(0).state, Some(DomainState::Active), "{source:?}");
        assert_eq!(world.status(0).routed_by, Some(RoutedBy::Proxied), "{source:?}");
    }
}

#[test]
fn what_was_removed_at_fly_is_back_within_a_day_of_a_start() {
    for source in SOURCES {
        let mut world = set(source);
        assert_eq!(world.settle(0), Step::Rest(Rest::Active), "{source:?}");
        for day in 0..3 {
            if day != 1 {
                restart(&mut world);
            }
            world.fly.apps.insert("app-acme".into(), None);
            world.pass(DAY + HOUR);
            assert_eq!(world.fly.serving(), ["app-acme"], "{source:?}, day {day}");
        }
        assert_eq!(world.status(0).state, Some(DomainState::Active), "{source:?}");
    }
}

#[test]
fn other_addresses_of_the_app_are_published_within_a_day() {
    let mut world = set(CertificateSource::Fly);
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    world.shift = 4;
    world.pass(DAY + HOUR);
    assert_eq!(world.zone[&world.target(0)], world.addresses("app-acme"));
    assert_eq!(world.status(0).state, Some(DomainState::Active));
}
