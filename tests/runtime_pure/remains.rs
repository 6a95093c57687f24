//! What a deletion leaves in the app, and what it doesn't take along with it.

use crate::world::{Fault, World, run, second};
use moorage::api::runtime::DeletionPolicy;
use moorage::control::runtime::facts::{RequestKind, VolumePhase};
use moorage::control::runtime::step::Rest;

const FAULTS: [Fault; 4] = [Fault::CrashBefore, Fault::CrashAfter, Fault::LostReply, Fault::LostRequest];

/// A Runtime with yesterday's snapshot and more written since.
fn running() -> World {
    let mut world = World::new();
    assert_eq!(run(&mut world, None), Rest::Running);
    world.write("diary");
    world.backup();
    world.now += second(3600);
    world.write("diary, continued");
    world.ledger.clear();
    world
}

/// Somebody destroys Machine and volume.
fn lose_volume(world: &mut World, phase: VolumePhase) {
    world.machine = None;
    let volume = world.identity().volume_id.unwrap();
    world.volumes.retain(|(id, _)| *id != volume);
    if phase == VolumePhase::Going {
        world.volumes.push((volume, VolumePhase::Going));
    }
}

/// What is kept of one that was deleted, by its content.
fn kept(world: &World) -> Option<&str> {
    let kept = world.claim.as_ref().unwrap().runtime.as_ref()?.snapshot.as_ref()?;
    let shot = world.moves.shots.iter().find(|shot| shot.id == kept.id).unwrap();
    assert_eq!(shot.volume, kept.volume_id);
    Some(&shot.volume_now.content)
}

type Begin = fn() -> World;

/// One whose volume is gone at Fly, or goes within a day: its last snapshot is what is left.
fn lost(phase: VolumePhase) -> World {
    let mut world = running();
    lose_volume(&mut world, phase);
    world.delete(DeletionPolicy::Snapshot);
    world
}

/// The volume that took another's place is lost without a snapshot: the other one has all that is left.
fn lost_after_a_restore() -> World {
    let mut world = running();
    world.request("back", RequestKind::Restore { snapshot: None });
    assert_eq!(run(&mut world, None), Rest::Running);
    world.write("diary, restored");
    lose_volume(&mut world, VolumePhase::Going);
    world.moves.shots.clear();
    world.delete(DeletionPolicy::Snapshot);
    world
}

#[test]
fn the_snapshots_of_a_lost_volume_outlive_a_deletion() {
    let begins: [(Begin, &str); 3] = [
        (|| lost(VolumePhase::Usable), "diary"),
        (|| lost(VolumePhase::Going), "diary"),
        (lost_after_a_restore, "diary, continued"),
    ];
    for (begin, content) in begins {
        let mut reference = begin();
        let begun = reference.attempts;
        assert_eq!(run(&mut reference, None), Rest::Gone);
        assert_eq!((kept(&reference), reference.app), (Some(content), true), "{:?}", reference.ledger);
        for at in 0..reference.attempts - begun {
            for fault in FAULTS {
                let mut world = begin();
                assert_eq!(run(&mut world, Some((at, fault))), Rest::Gone, "{fault:?} at {at}");
                assert_eq!((kept(&world), world.app), (Some(content), true), "{fault:?} at {at}");
            }
        }
    }
}

#[test]
fn a_lost_volume_without_any_snapshot_leaves_nothing() {
    let mut world = lost(VolumePhase::Going);
    world.moves.shots.clear();
    let begun = world.now;
    assert_eq!(run(&mut world, None), Rest::Gone);
    assert!(!world.app && kept(&world).is_none());
    assert!(begun.duration_until(world.now) >= second(30), "an empty list proves nothing");
}

#[test]
fn what_nobody_recorded_does_not_go_with_the_app() {
    for (volume, reason) in [(true, "UnknownVolume"), (false, "UnknownMachine")] {
        let mut world = running();
        let strangers = if volume { &mut world.around.volumes } else { &mut world.around.machines };
        strangers.insert("theirs".into());
        world.delete(DeletionPolicy::Delete);
        for _ in 0..5 {
            let Rest::Refused(refusal, again) = run(&mut world, None) else { panic!("it went on") };
            assert_eq!(refusal.reason, reason);
            for part in ["doesn't know", "theirs", "goes on by itself"] {
                assert!(refusal.message.contains(part), "{}", refusal.message);
            }
            world.now += again;
        }
        assert!(world.app && world.usable_volumes() == 0 && world.machine.is_none(), "{:?}", world.ledger);
        world.around.volumes.clear();
        world.around.machines.clear();
        assert_eq!(run(&mut world, None), Rest::Gone);
        assert!(!world.app);
    }
}
