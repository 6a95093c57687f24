//! A name whose text stands and that leads elsewhere: it isn't served and renewed for ever.

use moorage::api::custom_domain::{CertificateSource, RoutedBy};
use moorage::api::state::DomainState;
use moorage::api::{ConditionType, condition};
use moorage::control::domain::facts::Asked;
use moorage::control::domain::step::{Rest, Step};

use crate::world::{DAY, HOUR, World};

/// An apex in service, by a text and the app's addresses.
fn apex(source: CertificateSource) -> World {
    let mut world = World::new("example.com", source);
    world.secret = Some(Ok(0));
    // Fly serves by what is imported wherever the name leads.
    world.fly.owned = true;
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    world
}

#[test]
fn a_name_that_leads_elsewhere_is_out_of_service_after_the_grace_and_back_once_it_leads_here() {
    for source in [CertificateSource::Fly, CertificateSource::Acme, CertificateSource::Secret] {
        let mut world = apex(source);
        let right = std::mem::replace(&mut world.dns.addresses, vec!["203.0.113.9".parse().unwrap()]);
        world.pass(2 * DAY);
        let status = world.status(0);
        assert_eq!(status.state, Some(DomainState::PendingDns), "{source:?}");
        assert!(status.grace_end_time.is_some(), "{source:?}: it is told until when it serves on");
        assert_eq!(world.fly.serving(), ["app-acme"]);
        world.pass(3 * DAY);
        assert!(world.fly.serving().is_empty(), "{source:?}: {:?}", world.fly.apps);
        let dns =
            condition::find(&world.status(0).conditions, ConditionType::DnsConfigured).cloned().unwrap();
        assert!(dns.message.contains("out of service"), "{}", dns.message);
        let writes = world.writes.len();
        world.pass(90 * DAY);
        assert_eq!(world.writes.len(), writes, "nothing is done: {:?}", &world.writes[writes..]);
        assert!(world.ca.certificates <= 1, "nor ordered");
        assert_eq!(world.holder(), Some(0), "the name is its tenant's still");
        world.secret = Some(Ok(world.now));
        world.customers[0].known.material_asked = Asked::Now;
        world.dns.addresses = right;
        world.pass(2 * HOUR);
        assert_eq!(world.status(0).state, Some(DomainState::Active), "{source:?}: {:?}", world.status(0));
        assert_eq!(world.fly.serving(), ["app-acme"]);
    }
}

#[test]
fn one_that_comes_back_behind_a_proxy_is_found_when_somebody_asks() {
    let mut world = apex(CertificateSource::Fly);
    world.dns.addresses = vec!["203.0.113.9".parse().unwrap()];
    world.pass(5 * DAY);
    assert!(world.fly.serving().is_empty());
    world.dns.proxied = Some("app-acme");
    world.fly.owned = true;
    world.customers[0].known.asked = Asked::Now;
    world.customers[0].known.edge_asked = Asked::Now;
    world.pass(HOUR);
    let status = world.status(0);
    assert_eq!((status.state, status.routed_by), (Some(DomainState::Active), Some(RoutedBy::Proxied)));
    world.pass(10 * DAY);
    assert_eq!(world.status(0).state, Some(DomainState::Active), "the grace is over");
}

#[test]
fn what_can_not_be_seen_or_found_out_takes_nothing_out_of_service() {
    let mut world = apex(CertificateSource::Fly);
    world.dns.hides.target = true;
    world.pass(10 * DAY);
    assert_eq!(world.fly.serving(), ["app-acme"]);

    let mut world = World::new("*.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    world.dns.cname = None;
    world.dns.addresses = vec!["203.0.113.9".parse().unwrap()];
    world.pass(10 * DAY);
    assert_eq!(world.fly.serving(), ["app-acme"], "of a wildcard behind a proxy nobody can tell");
}
