//! A hostname in service for which something is to be done that may not be done now.

use moorage::api::condition::ConditionStatus;
use moorage::api::custom_domain::CertificateSource;
use moorage::api::state::DomainState;
use moorage::api::{ConditionType, condition, reason};
use moorage::control::domain::facts::RuntimeFact;
use moorage::control::domain::step::{Rest, Step};
use moorage::control::domain::view::view;

use crate::world::{DAY, HOUR, World, at};

const PAUSED: &str = "moorage.dev/paused";

fn pause(world: &mut World) {
    let meta = &mut world.customers[0].domain.as_mut().unwrap().metadata;
    meta.annotations.get_or_insert_default().insert(PAUSED.into(), "true".into());
}

#[test]
fn what_serves_reads_so_while_it_is_held_and_the_hold_is_told_beside_it() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.alias(0);
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    pause(&mut world);
    // The app's addresses are others: they would be published.
    world.shift = 4;
    world.pass(2 * DAY);
    assert!(matches!(world.settle(0), Step::Rest(Rest::Awaiting(_))));
    let status = world.status(0);
    assert_eq!(status.state, Some(DomainState::Active));
    assert!(condition::is_true(&status.conditions, ConditionType::Ready), "{:?}", status.conditions);
    let held = condition::find(&status.conditions, ConditionType::Reconciling).unwrap();
    assert_eq!((held.status, held.reason.as_str()), (ConditionStatus::True, reason::AWAITING_UNPAUSE));

    let end = world.record().unwrap().certificate.as_ref().unwrap().expire_time;
    world.now = end.as_second();
    let held = world.settle(0);
    let over = view(at(world.now), &world.facts(0), &held, &world.status(0));
    assert_ne!(over.state, Some(DomainState::Active), "its certificate has expired");
}

#[test]
fn a_hold_does_not_make_ready_what_never_served() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.settle(0);
    pause(&mut world);
    world.alias(0);
    world.now += 6;
    assert!(matches!(world.settle(0), Step::Rest(Rest::Awaiting(_))));
    let status = world.status(0);
    assert_eq!(status.state, Some(DomainState::PendingDns));
    let ready = condition::find(&status.conditions, ConditionType::Ready).unwrap();
    assert_eq!(ready.reason, reason::AWAITING_UNPAUSE);
}

#[test]
fn what_serves_and_has_to_wait_for_a_runtime_says_that_and_no_more() {
    let mut world = World::new("ai.example.com", CertificateSource::Fly);
    world.alias(0);
    assert_eq!(world.settle(0), Step::Rest(Rest::Active));
    pause(&mut world);
    world.customers[0].runtime = RuntimeFact::Missing;
    world.pass(HOUR);
    let ready = condition::find(&world.status(0).conditions, ConditionType::Ready).cloned().unwrap();
    assert_eq!((ready.status, ready.reason.as_str()), (ConditionStatus::False, reason::RUNTIME_NOT_FOUND));
}
