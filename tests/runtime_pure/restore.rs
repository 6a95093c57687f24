//! A Restore that somebody asked for: everything is as the snapshot had it, and nothing is lost on the way.

use crate::world::{Fault, World, run, second};
use moorage::api::name_claim::{Confirm, ConfirmAction};
use moorage::api::runtime::DeletionPolicy;
use moorage::api::state::TaskState;
use moorage::control::runtime::facts::{MachinePhase, RequestKind, VolumePhase};
use moorage::control::runtime::step::Rest;

const FAULTS: [Fault; 4] = [Fault::CrashBefore, Fault::CrashAfter, Fault::LostReply, Fault::LostRequest];

/// A Runtime with yesterday's snapshot and more written since.
fn running() -> World {
    let mut world = World::new();
    assert_eq!(run(&mut world, None), Rest::Running);
    world.write("diary");
    world.backup();
    world.now += second(60);
    world.write("spoilt");
    world.ledger.clear();
    world
}

fn restore(world: &mut World, snapshot: Option<&str>) {
    world.request("back", RequestKind::Restore { snapshot: snapshot.map(str::to_owned) });
}

/// How the request ended.
fn ended(world: &World) -> (TaskState, &str) {
    let finish = world.finished.last().expect("it isn't finished");
    (finish.state, finish.reason)
}

#[test]
fn everything_is_as_the_newest_snapshot_had_it() {
    let mut world = running();
    let old = world.identity().volume_id.unwrap();
    restore(&mut world, None);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.content(), "diary");
    assert_eq!(ended(&world), (TaskState::Completed, "Completed"));
    let result = world.finished[0].result.clone().unwrap();
    assert_eq!(result.snapshot_id.as_deref(), Some("vs_1"));
    let displaced = &world.identity().displaced;
    assert_eq!((displaced.len(), displaced[0].volume_id.as_str()), (1, old.as_str()));
    assert_eq!(world.moves.volumes[&old].content, "spoilt", "what was there before is kept");
}

#[test]
fn what_was_there_before_goes_with_a_snapshot_after_an_hour() {
    let mut world = running();
    let old = world.identity().volume_id.unwrap();
    restore(&mut world, None);
    run(&mut world, None);
    for _ in 0..8 {
        world.now += second(600);
        assert_eq!(run(&mut world, None), Rest::Running);
    }
    assert_eq!(world.moves.cleared, std::slice::from_ref(&old));
    let last = world.moves.shots.last().unwrap();
    assert_eq!((last.volume.as_str(), last.volume_now.content.as_str()), (old.as_str(), "spoilt"));
    assert!(world.identity().displaced.is_empty());
}

#[test]
fn a_named_snapshot_is_restored_and_no_other() {
    let mut world = running();
    world.now += second(60);
    world.backup();
    restore(&mut world, Some("vs_1"));
    run(&mut world, None);
    assert_eq!(world.content(), "diary");
    restore(&mut world, Some("vs_none"));
    world.requests.last_mut().unwrap().uid = "uid-other".into();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(ended(&world), (TaskState::Failed, "SnapshotNotFound"));
    assert_eq!(world.content(), "diary");
}

#[test]
fn a_fault_at_any_effect_changes_nothing_in_the_end() {
    let mut reference = running();
    restore(&mut reference, None);
    let begun = reference.attempts;
    assert_eq!(run(&mut reference, None), Rest::Running);
    for lag in [0, 20] {
        for at in 0..reference.attempts - begun {
            for fault in FAULTS {
                let mut world = running();
                world.lag = second(lag);
                restore(&mut world, None);
                let told = format!("{fault:?} at {at}, {lag} s of lag");
                assert_eq!(run(&mut world, Some((at, fault))), Rest::Running, "{told}");
                assert_eq!(world.content(), "diary", "{told}: {:?}", world.ledger);
                assert_eq!(world.summary(), reference.summary(), "{told}: {:?}", world.ledger);
                assert_eq!(world.finished.len(), 1, "{told}");
            }
        }
    }
}

#[test]
fn a_lost_volume_comes_back_from_its_snapshot() {
    let mut world = running();
    world.volumes.clear();
    world.machine = None;
    world.ledger.clear();
    let Rest::Refused(refusal, _) = run(&mut world, None) else { panic!("it went on without its volume") };
    assert_eq!(refusal.reason, "VolumeLost");
    for part in ["kubectl create -f -", "\"type\":\"Restore\"", "\"name\":\"ops\""] {
        assert!(refusal.message.contains(part), "{}", refusal.message);
    }
    restore(&mut world, None);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.content(), "diary");
    world.now += second(3700);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert!(world.identity().displaced.is_empty(), "there is nothing to be removed");
}

#[test]
fn a_runtime_that_is_made_again_gets_the_kept_snapshot() {
    let mut world = running();
    world.delete(DeletionPolicy::Snapshot);
    assert_eq!(run(&mut world, None), Rest::Gone);
    world.gone = false;
    world.volumes.clear();
    world.runtime.metadata.uid = Some("uid-2".into());
    world.runtime.metadata.deletion_timestamp = None;
    world.runtime.metadata.finalizers = None;
    world.runtime.status = None;
    world.claim.as_mut().unwrap().confirm =
        Some(Confirm { uid: "uid-2".into(), action: ConfirmAction::Takeover });
    let Rest::Refused(refusal, _) = run(&mut world, None) else { panic!("it went on without its volume") };
    assert_eq!(refusal.reason, "VolumeLost");
    restore(&mut world, None);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.content(), "spoilt", "as it was when it was deleted");
    assert_eq!(world.identity().snapshot, None, "the next deletion makes one of its own");
}

#[test]
fn a_gateway_that_does_not_come_up_keeps_nobody_from_restoring() {
    let mut world = running();
    world.machine.as_mut().unwrap().phase = MachinePhase::Failed;
    world.fill_host();
    world.moves.no_copies = true;
    let (stuck, _) = crate::world::run_for(&mut world, Default::default(), 200, None);
    assert_eq!(stuck, None, "it tries to start");
    world.moves.no_copies = false;
    world.moves.full = None;
    restore(&mut world, None);
    assert_eq!(run(&mut world, None), Rest::Running);
    let usable = world.volumes.iter().filter(|(_, phase)| *phase == VolumePhase::Usable).count();
    assert_eq!((world.content(), usable), ("diary", 2));
}
