//! An operator that starts knows of each Machine what the organisation's list shows: enough to rest on, and to see
//! what is to be done, but not to do it.

use crate::sleep::asleep;
use crate::world::{World, run, run_for, second};
use moorage::api::condition::ConditionType;
use moorage::api::runtime::PowerState;
use moorage::api::state::RuntimeState;
use moorage::control::policy::Suspension;
use moorage::control::runtime::decide::decide;
use moorage::control::runtime::facts::{Health, Knowledge, Known, Source};
use moorage::control::runtime::step::{Look, Rest, Step};

fn running() -> World {
    let mut world = World::new();
    assert_eq!(run(&mut world, None), Rest::Running);
    world.ledger.clear();
    world.now += second(60);
    world
}

fn rest_from(world: &mut World, known: Knowledge) -> Rest {
    run_for(world, known, 100, None).0.expect("it comes to rest")
}

fn first_step(world: &World) -> Step {
    decide(world.now, &world.facts(world.listed()))
}

#[test]
fn what_is_listed_as_declared_rests_without_a_look_and_without_a_write() {
    let mut world = running();
    assert_eq!(first_step(&world), Step::Rest(Rest::Running));
    let before = world.runtime.status.clone();
    let listed = world.listed();
    assert_eq!(rest_from(&mut world, listed), Rest::Running);
    assert_eq!(world.runtime.status, before);
    assert_eq!(world.ledger, Vec::<&str>::new());
}

#[test]
fn one_that_is_stopped_as_declared_rests_without_a_look_and_without_a_write() {
    let mut world = running();
    world.power(PowerState::Stopped);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    world.ledger.clear();
    let before = world.runtime.status.clone();
    assert_eq!(first_step(&world), Step::Rest(Rest::Stopped));
    let listed = world.listed();
    assert_eq!(rest_from(&mut world, listed), Rest::Stopped);
    assert_eq!(world.runtime.status, before);
    assert_eq!(world.ledger, Vec::<&str>::new());
}

#[test]
fn one_that_sleeps_as_it_was_seen_to_rests_without_a_look_and_without_a_write() {
    let mut world = asleep();
    let before = world.runtime.status.clone();
    assert_eq!(first_step(&world), Step::Rest(Rest::Sleeping));
    let listed = world.listed();
    assert_eq!(rest_from(&mut world, listed), Rest::Sleeping);
    assert_eq!(world.runtime.status, before);
    assert_eq!(world.ledger, Vec::<&str>::new());
}

#[test]
fn one_that_is_off_and_was_not_seen_asleep_is_asked_why() {
    let mut world = asleep();
    let Some(status) = &mut world.runtime.status else { panic!("it has a status") };
    status.state = Some(RuntimeState::Running);
    assert_eq!(first_step(&world), Step::Look(Look::Machine));
}

#[test]
fn one_that_is_off_is_asked_before_it_is_started() {
    let mut world = running();
    world.power(PowerState::Stopped);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    world.power(PowerState::Running);
    assert_eq!(first_step(&world), Step::Look(Look::Machine));
}

#[test]
fn one_that_may_not_run_is_told_to_the_proxy_whatever_the_status_says() {
    let mut world = asleep();
    world.policy.suspension = Suspension::Suspended;
    assert_eq!(first_step(&world), Step::Look(Look::Machine));
    let listed = world.listed();
    assert!(matches!(rest_from(&mut world, listed), Rest::Awaiting(_)));
    assert_eq!(world.ledger.first(), Some(&"KeepOff"));
}

#[test]
fn a_refused_spec_that_still_serves_changes_no_status() {
    let mut world = running();
    world.edit(|spec| spec.workspace_ref = Some(moorage::api::NameRef::new("nobody")));
    let mut facts = world.facts(world.listed());
    if let Known::Present(machine) = &mut facts.known.machine {
        (machine.source, machine.health) = (Source::Machine, Health::Passing);
    }
    assert!(matches!(rest_from(&mut world, facts.known), Rest::Refused(..)));
    let before = world.runtime.status.clone();
    let listed = world.listed();
    assert!(matches!(rest_from(&mut world, listed), Rest::Refused(..)));
    assert_eq!(world.runtime.status, before);
}

#[test]
fn before_anything_is_done_or_waited_for_the_machine_itself_is_read() {
    let mut world = running();
    world.power(PowerState::Stopped);
    assert_eq!(first_step(&world), Step::Look(Look::Machine));
    let mut world = running();
    let request = ("moorage.dev/restarted-at".to_owned(), "now".to_owned());
    world.runtime.metadata.annotations = Some([request].into());
    // What the new configuration needs is read first.
    let mut facts = world.facts(world.listed());
    assert_eq!(decide(world.now, &facts), Step::Look(Look::Env));
    world.look(Look::Env, &mut facts);
    assert_eq!(decide(world.now, &facts), Step::Look(Look::Machine));
}

#[test]
fn one_that_was_not_seen_to_serve_is_asked() {
    let mut world = running();
    world.runtime.status = world.runtime.status.take().map(|mut status| {
        status.conditions.retain(|condition| condition.type_ != ConditionType::Available);
        status
    });
    assert_eq!(first_step(&world), Step::Look(Look::Machine));
}
