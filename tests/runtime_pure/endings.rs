//! What is kept of a deleted Runtime, and what is told of it.

use crate::faults::running;
use crate::world::{World, run, run_for, second};
use moorage::api::NameRef;
use moorage::api::condition::{ConditionType, is_true};
use moorage::api::runtime::DeletionPolicy;
use moorage::control::runtime::facts::Knowledge;
use moorage::control::runtime::step::Rest;

fn count(world: &World, effect: &str) -> usize {
    world.ledger.iter().filter(|done| **done == effect).count()
}

#[test]
fn a_snapshot_that_comes_to_nothing_is_told_of_and_another_asked_for_while_all_is_kept() {
    let mut world = running();
    world.moves.unmade = true;
    world.delete(DeletionPolicy::Snapshot);
    let Rest::Refused(refusal, again) = run(&mut world, None) else { panic!("{:?}", world.ledger) };
    assert_eq!(refusal.reason, "SnapshotFailed");
    assert!(refusal.message.contains("Fly says `failed` of it"), "{}", refusal.message);
    assert!(again <= second(60));
    let (asked, began) = (count(&world, "SnapshotVolume"), world.now);
    assert!(asked <= 2, "{:?}", world.ledger);
    let mut known = Knowledge::default();
    while began.duration_until(world.now) < second(3 * 3600) {
        world.now += again;
        known = run_for(&mut world, known, 200, None).1;
    }
    let more = count(&world, "SnapshotVolume") - asked;
    assert!((3..=8).contains(&more), "one in half an hour: {more}");
    assert_eq!(world.usable_volumes(), 1);
    world.moves.unmade = false;
    assert_eq!(run(&mut world, None), Rest::Gone);
}

#[test]
fn one_whose_deletion_is_held_is_told_to_serve_for_as_long_as_it_does() {
    let mut world = running();
    world.brake = true;
    world.delete(DeletionPolicy::Delete);
    assert!(matches!(run(&mut world, None), Rest::Awaiting(_)));
    let serves =
        |world: &World| is_true(&world.runtime.status.as_ref().unwrap().conditions, ConditionType::Available);
    assert!(serves(&world));
    // The sweep comes by: nothing is known of the Machine.
    assert!(matches!(run_for(&mut world, Knowledge::default(), 100, None).0, Some(Rest::Awaiting(_))));
    assert!(serves(&world));
}

#[test]
fn what_is_retained_costs_what_its_volume_costs_whatever_the_plan_says() {
    let mut world = running();
    world.policy.plans = Some(["trial", "narrow"].map(str::to_owned).into());
    world.edit(|spec| spec.plan_ref = Some(NameRef::new("narrow")));
    assert_eq!(run(&mut world, None), Rest::Running);
    world.delete(DeletionPolicy::Retain);
    assert_eq!(run(&mut world, None), Rest::Gone);
    let told = world.claim.unwrap().tombstone.unwrap().message;
    assert!(told.contains("$1.50 a month"), "10 GB, though the Plan has 5: {told}");
}
