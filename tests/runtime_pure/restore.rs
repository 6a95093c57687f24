//! A Restore that somebody asked for: everything is as the snapshot had it, and nothing is lost on the way.

use crate::world::{Broken, Fault, World, run, run_for, run_until, second};
use moorage::api::name_claim::{Confirm, ConfirmAction, UpgradePhase};
use moorage::api::runtime::{DeletionPolicy, PowerState};
use moorage::api::state::TaskState;
use moorage::control::rollout::pick::Permit;
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

const OLD: &str = "ghcr.io/openclaw/openclaw:2026.9.6";
const NEW: &str = "ghcr.io/openclaw/openclaw:2026.10.1";

/// In this phase of an upgrade to something that crashes, asked for by the rollout or by a person.
fn upgrading(phase: UpgradePhase, asked: Permit) -> World {
    let mut world = running();
    world.broken.insert(NEW.into(), Broken::Crashes);
    world.edit_blueprint(|spec| spec.image = NEW.into());
    world.permit = asked;
    if asked == Permit::None {
        world.request("up", RequestKind::Upgrade);
    }
    run_until(&mut world, |world| world.identity().upgrade.is_some_and(|upgrade| upgrade.phase == phase));
    assert_eq!(world.identity().upgrade.unwrap().phase, phase);
    world
}

const PHASES: [UpgradePhase; 3] = [UpgradePhase::Snapshot, UpgradePhase::Trial, UpgradePhase::Rollback];

#[test]
fn a_volume_that_is_lost_in_the_middle_of_an_upgrade_comes_back_from_its_snapshot() {
    for phase in PHASES {
        for asked in [Permit::Granted, Permit::None] {
            let mut world = upgrading(phase, asked);
            world.permit = Permit::None;
            let left = world.identity().volume_id.unwrap();
            world.volumes.retain(|(id, _)| *id != left);
            world.machine = None;
            restore(&mut world, Some("vs_1"));
            world.requests.last_mut().unwrap().uid = "uid-back".into();
            // One that goes back anyway is restored from the upgrade's own snapshot before.
            let begun = world.now;
            let told = format!("{phase:?}, {asked:?}");
            assert_eq!(run(&mut world, None), Rest::Running, "{told}: {:?}", world.ledger);
            assert!(begun.duration_until(world.now) < second(3600), "{told}: it took an hour");
            assert_eq!(world.content(), "diary", "{told}");
            assert_eq!(world.image, OLD, "{told}: what is restored is tried on by what served");
            let identity = world.identity();
            assert_eq!((identity.upgrade, identity.pin.spec.image.as_str()), (None, OLD), "{told}");
            assert!(world.requests.is_empty(), "{told}: {:?}", world.requests);
            let back = world.finished.iter().find(|finish| finish.task == "back").unwrap();
            assert_eq!(back.state, TaskState::Completed, "{told}: {}", back.message);
        }
    }
}

#[test]
fn a_restore_gets_through_a_host_that_is_lost_in_the_middle_of_an_upgrade() {
    for phase in PHASES {
        let mut world = upgrading(phase, Permit::Granted);
        world.permit = Permit::None;
        world.lose_host();
        restore(&mut world, Some("vs_1"));
        let mut rest = run(&mut world, None);
        for _ in 0..20 {
            if rest == Rest::Running {
                break;
            }
            world.now += second(30);
            rest = run(&mut world, None);
        }
        assert_eq!(rest, Rest::Running, "{phase:?}: {:?}", world.ledger);
        assert_eq!((world.content(), world.image.as_str()), ("diary", OLD), "{phase:?}");
    }
}

#[test]
fn a_snapshot_made_by_a_version_that_is_on_trial_goes_with_that_version() {
    let mut world = running();
    world.power(PowerState::Stopped);
    run(&mut world, None);
    world.edit_blueprint(|spec| spec.image = NEW.into());
    world.permit = Permit::Granted;
    assert_eq!(run(&mut world, None), Rest::Stopped);
    world.permit = Permit::None;
    world.now += second(3600);
    let made = world.backup();
    restore(&mut world, Some(&made));
    assert_eq!(run(&mut world, None), Rest::Stopped);
    assert_eq!(world.identity().upgrade.unwrap().phase, UpgradePhase::Trial);
    world.power(PowerState::Running);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((world.identity().upgrade, world.image.as_str()), (None, NEW));
}

#[test]
fn a_restore_into_a_full_region_leaves_what_serves_alone_and_is_given_up_after_an_hour() {
    let mut world = running();
    world.moves.full_region = true;
    restore(&mut world, None);
    let asked = world.now;
    let mut known = Default::default();
    for _ in 0..5_000 {
        let served = world.machine.as_ref().is_some_and(|machine| machine.phase == MachinePhase::Started);
        assert!(served, "{:?}", world.ledger);
        let (rest, after) = run_for(&mut world, known, 1, None);
        known = after;
        if rest.is_some() {
            break;
        }
    }
    assert_eq!(ended(&world), (TaskState::Failed, "DeadlineExceeded"));
    let message = &world.finished[0].message;
    assert!(message.contains("within an hour") && message.contains("no room in the region"), "{message}");
    let waited = asked.duration_until(world.now);
    assert!(waited >= second(3600) && waited < second(5400), "{waited:?}");
    assert_eq!((world.content(), world.identity().replacement), ("spoilt", None));
    world.moves.full_region = false;
    world.now += second(3600);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(
        (world.content(), world.usable_volumes()),
        ("spoilt", 1),
        "what was given up doesn't come late"
    );
}

#[test]
fn a_restore_into_a_region_with_room_within_the_hour_is_carried_out() {
    let mut world = running();
    world.moves.full_region = true;
    restore(&mut world, None);
    let (rest, known) = run_for(&mut world, Default::default(), 40, None);
    assert_eq!(rest, None);
    world.moves.full_region = false;
    let (rest, _) = run_for(&mut world, known, 2_000, None);
    assert_eq!((rest, world.content()), (Some(Rest::Running), "diary"));
    assert_eq!(ended(&world), (TaskState::Completed, "Completed"));
}
