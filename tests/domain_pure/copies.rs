//! The copy of an ordered certificate in the namespace: a convenience, for which nothing waits.

use moorage::api::condition::ConditionStatus;
use moorage::api::custom_domain::CertificateSource;
use moorage::api::state::DomainState;
use moorage::api::{ConditionType, condition, reason};
use moorage::control::domain::step::{Rest, Step};

use crate::world::{DAY, HOUR, World};

fn ordered() -> World {
    let mut world = World::new("ai.example.com", CertificateSource::Acme);
    world.settle(0);
    world.set_listed(0);
    world.now += 6;
    world
}

fn told(world: &World) -> (ConditionStatus, String, String) {
    let status = world.status(0);
    assert_eq!(status.state, Some(DomainState::Active));
    let issued = condition::find(&status.conditions, ConditionType::CertificateIssued).unwrap();
    (issued.status, issued.reason.to_string(), issued.message.to_string())
}

#[test]
fn a_secret_of_somebody_elses_keeps_no_certificate_from_service_or_renewal_and_is_told() {
    let mut world = ordered();
    world.foreign_copy = true;
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    assert_eq!(world.fly.serving(), ["app-acme"]);
    let (status, word, message) = told(&world);
    assert_eq!((status, word.as_str()), (ConditionStatus::True, reason::NAME_TAKEN));
    assert!(message.contains("isn't copied") && message.contains("isn't ours"), "{message}");

    let copies = |world: &World| world.writes.iter().filter(|it| **it == "Copy").count();
    let before = copies(&world);
    world.pass(HOUR);
    assert!((1..=7).contains(&(copies(&world) - before)), "it is tried now and then");
    world.pass(61 * DAY);
    assert_eq!(world.ca.certificates, 2, "it is renewed all the same");
    world.foreign_copy = false;
    world.pass(HOUR);
    assert_eq!(told(&world).1, reason::ISSUED);
    assert!(world.customers[0].copy.is_some());
}

#[test]
fn a_certificate_is_in_service_before_it_is_copied() {
    let mut world = ordered();
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    let place = |name: &str| world.writes.iter().position(|it| *it == name).unwrap();
    assert!(place("Import") < place("Copy"), "{:?}", world.writes);
}

#[test]
fn a_copy_that_went_while_nobody_looked_is_made_again_within_a_day_and_one_that_stands_is_left() {
    let mut world = ordered();
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    for copy in [None, world.customers[0].copy.clone()] {
        let (before, missing) = (world.writes.len(), usize::from(copy.is_none()));
        world.customers[0].known = Default::default();
        world.customers[0].copy = copy;
        world.pass(DAY + HOUR);
        assert!(world.customers[0].copy.is_some());
        let copied = world.writes[before..].iter().filter(|it| **it == "Copy").count();
        assert_eq!(copied, missing, "{:?}", &world.writes[before..]);
    }
}
