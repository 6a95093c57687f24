//! The last snapshot of a volume: whenever Fly makes its own of each day, what is kept is what the Machine left, for as
//! long as Fly can.

use crate::world::{Broken, Fault, World, run, run_for, run_until, second};
use moorage::api::name_claim::{Confirm, ConfirmAction, DeletionPhase};
use moorage::api::runtime::{DeletionPolicy, HostLossPolicy, PowerState, Recovery, Sleep, SleepMode};
use moorage::control::rollout::pick::Permit;
use moorage::control::runtime::facts::{Idling, Knowledge, MachinePhase, RequestKind, VolumePhase};
use moorage::control::runtime::step::Rest;

const NEW: &str = "ghcr.io/openclaw/openclaw:2026.10.1";
const FAULTS: [Fault; 4] = [Fault::CrashBefore, Fault::CrashAfter, Fault::LostReply, Fault::LostRequest];
const DAY: i64 = 86_400;

fn running() -> World {
    let mut world = World::new();
    assert_eq!(run(&mut world, None), Rest::Running);
    world.write("diary");
    world.ledger.clear();
    world.now += second(60);
    world
}

/// The same, where somebody has Fly keep each day's snapshot of its volume for as long as it can.
fn kept_long() -> World {
    let mut world = running();
    let volume = world.identity().volume_id.unwrap();
    world.moves.volumes.get_mut(&volume).unwrap().days = 60;
    world
}

/// One whose deletion the brake holds for a day: it serves on, and Fly makes its snapshot of the day.
fn held_for_a_day(mut world: World) -> World {
    world.brake = true;
    world.delete(DeletionPolicy::Snapshot);
    assert!(matches!(run(&mut world, None), Rest::Awaiting(_)));
    assert_eq!(world.claim.as_ref().unwrap().deletion_phase(), Some(DeletionPhase::Held));
    world.now += second(DAY);
    world.backup();
    world.now += second(3600);
    world.write("diary, of the day on which it was held");
    let uid = world.runtime.metadata.uid.clone().unwrap();
    world.claim.as_mut().unwrap().confirm = Some(Confirm { uid, action: ConfirmAction::Deletion });
    world
}

/// One whose volume gets its daily snapshot after the deletion was asked for and before the Machine stops.
fn in_between(mut world: World) -> World {
    world.delete(DeletionPolicy::Snapshot);
    world.now += second(5);
    world.backup();
    world.now += second(5);
    world.write("diary, the last page");
    world
}

/// The same, while Fly makes that snapshot still and takes no request for another.
fn under_way(mut world: World) -> World {
    world.moves.slow_shots = second(40);
    world.delete(DeletionPolicy::Snapshot);
    world.backup();
    world.now += second(5);
    world.write("diary, the last page");
    world
}

/// One that was off for days: the daily snapshot has all, and Fly keeps it for five days.
fn long_off(mut world: World) -> World {
    world.power(PowerState::Stopped);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    world.now += second(DAY);
    world.backup();
    world.now += second(60);
    world.delete(DeletionPolicy::Snapshot);
    world
}

/// One whose Machine somebody destroys right when it is deleted.
fn without_machine(world: World) -> World {
    let mut world = in_between(world);
    world.machine = None;
    world
}

type Change = fn(World) -> World;

const DELETIONS: [(&str, Change); 5] = [
    ("held", held_for_a_day),
    ("in between", in_between),
    ("under way", under_way),
    ("long off", long_off),
    ("without a Machine", without_machine),
];

/// The world itself sees to it that no volume goes before a snapshot has what was last written.
fn saved(world: &World, told: &str) {
    assert!(
        world.volumes.iter().all(|(_, phase)| *phase == VolumePhase::Going),
        "{told}: {:?}",
        world.volumes
    );
    let kept = world.identity().snapshot.unwrap();
    let left = world.now.duration_until(kept.expiry_time).as_hours();
    assert!(left > 24 * 59, "{told}: it is kept for {left} hours");
}

#[test]
fn a_deletion_keeps_what_the_machine_left_and_for_as_long_as_fly_can() {
    for (told, change) in DELETIONS {
        for begin in [running as fn() -> World, kept_long] {
            let mut world = change(begin());
            assert_eq!(run(&mut world, None), Rest::Gone, "{told}");
            saved(&world, told);
        }
    }
}

#[test]
fn so_does_one_with_a_fault_at_every_effect() {
    for ((told, change), begin) in DELETIONS.iter().zip([running, kept_long].iter().cycle()) {
        let mut reference = change(begin());
        let begun = reference.attempts;
        run(&mut reference, None);
        for at in 0..reference.attempts - begun {
            for fault in FAULTS {
                let told = format!("{told} with {fault:?} at {at}");
                let mut world = change(begin());
                assert_eq!(run(&mut world, Some((at, fault))), Rest::Gone, "{told}");
                saved(&world, &told);
            }
        }
    }
}

#[test]
fn a_snapshot_that_an_earlier_deletion_made_is_not_the_last() {
    let mut world = running();
    world.delete(DeletionPolicy::Snapshot);
    run_until(&mut world, |world| world.identity().snapshot.is_some());
    // Its finalizer is stripped, the object declared again, and the platform lets it take over.
    world.runtime.metadata.deletion_timestamp = None;
    world.runtime.metadata.finalizers = None;
    world.runtime.metadata.uid = Some("uid-2".into());
    let confirm = Confirm { uid: "uid-2".into(), action: ConfirmAction::Takeover };
    world.claim.as_mut().unwrap().confirm = Some(confirm);
    assert_eq!(run(&mut world, None), Rest::Running);
    world.now += second(30 * DAY);
    world.write("diary, a month later");
    world.delete(DeletionPolicy::Snapshot);
    assert_eq!(run(&mut world, None), Rest::Gone);
    saved(&world, "taken over");
}

/// The Blueprint is edited, and the rollout lets the Runtime begin.
fn roll_out(world: &mut World) {
    world.edit_blueprint(|spec| spec.image = NEW.into());
    world.permit = Permit::Granted;
}

/// An upgrade to something that fails, with Fly's daily snapshot in each of its steps.
#[test]
fn an_upgrade_goes_back_to_what_the_machine_left() {
    let mut reference = kept_long();
    reference.broken.insert(NEW.into(), Broken::Crashes);
    roll_out(&mut reference);
    run(&mut reference, None);
    for at in 0..reference.ledger.len() {
        let mut world = kept_long();
        world.broken.insert(NEW.into(), Broken::Crashes);
        roll_out(&mut world);
        run_until(&mut world, |world| world.ledger.len() > at);
        world.now += second(1);
        world.backup();
        world.now += second(1);
        let serves = |world: &World| {
            let phase = world.machine.as_ref().map(|machine| machine.phase);
            phase == Some(MachinePhase::Started) && !world.ledger.contains(&"StopMachine")
        };
        let page = if serves(&world) { "diary, the last page" } else { "diary" };
        if serves(&world) {
            world.write(page);
        }
        assert_eq!(run(&mut world, None), Rest::Running, "{at}: {:?}", world.ledger);
        assert_eq!(world.content(), page, "after {:?}", &reference.ledger[..=at]);
    }
}

#[test]
fn one_that_is_off_for_weeks_goes_back_with_its_snapshot() {
    let mut world = running();
    world.power(PowerState::Stopped);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    let volume = world.identity().volume_id.unwrap();
    world.moves.volumes.get_mut(&volume).unwrap().days = 14;
    world.broken.insert(NEW.into(), Broken::Crashes);
    roll_out(&mut world);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    assert_eq!(world.snapshot_days(), Some(14), "the volume's own setting is as it was");
    world.now += second(45 * DAY);
    world.power(PowerState::Running);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.content(), "diary");
}

#[test]
fn the_setting_of_the_volume_comes_back_whatever_becomes_of_the_upgrade() {
    let started = || {
        let mut world = running();
        let volume = world.identity().volume_id.unwrap();
        world.moves.volumes.get_mut(&volume).unwrap().days = 14;
        roll_out(&mut world);
        world
    };
    // Done, with a fault anywhere.
    let mut reference = started();
    run(&mut reference, None);
    for at in 0..reference.ledger.len() {
        for fault in FAULTS {
            let mut world = started();
            assert_eq!(run(&mut world, Some((at, fault))), Rest::Running);
            assert_eq!(world.snapshot_days(), Some(14), "{fault:?} at {}", reference.ledger[at]);
        }
    }
    // The edit is taken back once the snapshot is made.
    let mut world = started();
    let old = (*world.identity().pin.spec).clone();
    run_until(&mut world, |world| world.ledger.contains(&"SnapshotBeforeUpgrade"));
    assert_eq!(world.snapshot_days(), Some(60));
    world.edit_blueprint(|spec| *spec = old);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.snapshot_days(), Some(14));
    // Fly doesn't come to an end with it.
    let mut world = started();
    world.moves.slow_shots = second(DAY);
    assert_eq!(run_for(&mut world, Knowledge::default(), 5_000, None).0, Some(Rest::Running));
    assert_eq!(world.identity().failed_upgrade.unwrap().reason, "SnapshotFailed");
    assert_eq!(world.snapshot_days(), Some(14));
}

#[test]
fn requests_that_wake_it_again_and_again_keep_no_upgrade_from_its_snapshot() {
    let mut world = running();
    world.edit(|spec| spec.sleep = Some(Sleep { mode: SleepMode::Stop }));
    assert_eq!(run(&mut world, None), Rest::Running);
    world.moves.slow_shots = second(10);
    world.broken.insert(NEW.into(), Broken::Crashes);
    roll_out(&mut world);
    world.ledger.clear();
    // Whoever uses it connects again as soon as it is off, and writes on.
    let (mut known, mut page) = (Knowledge::default(), 0);
    for _ in 0..4_000 {
        if world.identity().pin.spec.image == NEW {
            break;
        }
        known = run_for(&mut world, known, 1, None).1;
        let machine = world.machine.as_ref().unwrap();
        if machine.phase == MachinePhase::Stopped && machine.idling != Idling::Off {
            world.wake();
        }
        if world.machine.as_ref().unwrap().phase == MachinePhase::Started {
            page += 1;
            world.write(&format!("diary, page {page}"));
        }
    }
    assert_eq!(world.identity().pin.spec.image, NEW, "it was never moved: {:?}", world.ledger);
    assert!(world.ledger.contains(&"KeepOff"), "{:?}", world.ledger);
    assert_eq!(run_for(&mut world, known, 2_000, None).0, Some(Rest::Running));
    assert_eq!(world.identity().failed_upgrade.unwrap().reason, "CrashLoop");
    assert_eq!(world.content(), format!("diary, page {page}"));
    assert_eq!(world.machine.as_ref().unwrap().idling, Idling::Stop, "it may sleep again");
}

/// One that was put on another volume; the other one waits to be removed, and Fly goes on to make its daily snapshots.
fn restored() -> World {
    let mut world = running();
    world.backup();
    world.write("diary, before the restore");
    world.request("back", RequestKind::Restore { snapshot: None });
    assert_eq!(run(&mut world, None), Rest::Running);
    world.now += second(60);
    let left = world.identity().displaced[0].volume_id.clone();
    world.shoot(&left);
    world
}

/// Waits as long as it takes for everything to be cleared up.
fn cleared(world: &mut World) {
    for _ in 0..12 {
        run(world, None);
        world.now += second(1800);
    }
}

#[test]
fn what_was_left_behind_goes_with_a_snapshot_that_fly_keeps_long() {
    // The world itself sees to it.
    let mut world = restored();
    cleared(&mut world);
    assert_eq!(world.moves.cleared.len(), 1);
}

#[test]
fn what_a_machine_wrote_on_a_lost_host_until_it_was_removed_is_kept() {
    let mut world = kept_long();
    world.backup();
    world.edit(|spec| {
        spec.recovery = Some(Recovery { on_host_loss: HostLossPolicy::Restore, after_minutes: 10 });
    });
    assert_eq!(run(&mut world, None), Rest::Running);
    let old = world.identity().volume_id.unwrap();
    world.lose_host();
    for _ in 0..60 {
        if world.identity().incarnation == 1 && run(&mut world, None) == Rest::Running {
            break;
        }
        run(&mut world, None);
        world.now += second(30);
    }
    assert_eq!(world.identity().displaced[0].volume_id, old);
    // The host is back for a day with its Machine on, before we get through to it.
    world.shoot(&old);
    world.moves.volumes.get_mut(&old).unwrap().content = "diary, from the lost host".into();
    world.now += second(3600);
    world.find_host();
    cleared(&mut world);
    assert_eq!(world.moves.cleared, [old]);
}
