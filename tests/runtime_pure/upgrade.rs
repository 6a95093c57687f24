//! An upgrade, in every way that it may go, and with every fault: it is done, or all is as it was.

use crate::world::{Broken, Fault, World, run, second};
use moorage::api::blueprint::Rollout;
use moorage::api::condition::{ConditionType, find};
use moorage::api::name_claim::{RuntimeIdentity, UpgradePhase};
use moorage::api::replacement::ReplacementCause;
use moorage::api::runtime::PowerState;
use moorage::control::rollout::pick::Permit;
use moorage::control::runtime::step::Rest;

const OLD: &str = "ghcr.io/openclaw/openclaw:2026.9.6";
const NEW: &str = "ghcr.io/openclaw/openclaw:2026.10.1";
const FAULTS: [Fault; 4] = [Fault::CrashBefore, Fault::CrashAfter, Fault::LostReply, Fault::LostRequest];

fn running() -> World {
    let mut world = World::new();
    assert_eq!(run(&mut world, None), Rest::Running);
    world.ledger.clear();
    world.now += second(60);
    world
}

fn stopped() -> World {
    let mut world = running();
    world.power(PowerState::Stopped);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    world.ledger.clear();
    world
}

/// The Blueprint is edited, and the rollout lets the Runtime begin.
fn roll_out(world: &mut World) {
    world.edit_blueprint(|spec| spec.image = NEW.into());
    world.permit = Permit::Granted;
}

fn identity(world: &World) -> RuntimeIdentity {
    world.claim.as_ref().unwrap().runtime.clone().unwrap()
}

fn available(world: &World) -> Option<String> {
    let conditions = &world.runtime.status.as_ref().unwrap().conditions;
    find(conditions, ConditionType::UpdateAvailable).map(|condition| condition.reason.clone())
}

#[test]
fn it_is_kept_moved_and_proved() {
    let mut world = running();
    roll_out(&mut world);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(
        world.ledger,
        [
            "BeginUpgrade",
            "StopMachine",
            "SnapshotBeforeUpgrade",
            "RecordIdentity",
            "EnsureToken",
            "UpdateMachine",
            "RecordIdentity",
            "StartMachine",
            "RecordIdentity"
        ]
    );
    let identity = identity(&world);
    assert_eq!((identity.pin.spec.image.as_str(), identity.pin.blueprint_generation), (NEW, 2));
    assert_eq!(identity.pin.image_digest, Some(format!("sha256:of {NEW}")));
    assert_eq!((identity.upgrade, identity.failed_upgrade, available(&world)), (None, None, None));
}

#[test]
fn without_a_permit_nothing_is_done() {
    let mut world = running();
    roll_out(&mut world);
    world.permit = Permit::None;
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, [""; 0]);
}

#[test]
fn a_stopped_one_is_moved_without_being_started_and_proves_itself_at_its_next_start() {
    let mut world = stopped();
    roll_out(&mut world);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    assert!(!world.ledger.contains(&"StartMachine") && !world.ledger.contains(&"StopMachine"));
    assert_eq!(identity(&world).pin.spec.image, NEW);
    assert_eq!(identity(&world).upgrade.unwrap().phase, UpgradePhase::Trial);
    world.now += second(86_400);
    world.power(PowerState::Running);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(identity(&world).pin.spec.image, NEW, "a start takes time that isn't its failure");
    assert_eq!(identity(&world).upgrade, None);
}

#[test]
fn an_edit_that_is_taken_back_meanwhile_ends_it() {
    let mut world = running();
    roll_out(&mut world);
    let mut begun = identity(&world);
    begun.upgrade = Some(moorage::api::name_claim::Upgrade {
        phase: UpgradePhase::Snapshot,
        begin_time: world.now,
        from: begun.pin.clone(),
        snapshot: None,
        request: None,
    });
    world.claim.as_mut().unwrap().runtime = Some(begun);
    world.edit_blueprint(|spec| spec.image = OLD.into());
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, ["RecordIdentity"]);
    assert_eq!(identity(&world).upgrade, None);
}

/// Every way in which the new version may fail.
const FAILURES: [(Broken, &str); 3] =
    [(Broken::Crashes, "CrashLoop"), (Broken::Hangs, "DeadlineExceeded"), (Broken::Missing, "ImageNotFound")];

#[test]
fn one_that_fails_goes_back_and_is_not_tried_again_by_itself() {
    for (broken, cause) in FAILURES {
        let mut world = running();
        world.write("the customer's file");
        world.broken.insert(NEW.into(), broken);
        roll_out(&mut world);
        assert_eq!(run(&mut world, None), Rest::Running, "{broken:?}");
        let identity = identity(&world);
        assert_eq!((identity.pin.spec.image.as_str(), &identity.upgrade), (OLD, &None), "{broken:?}");
        let failed = identity.failed_upgrade.unwrap();
        assert_eq!((failed.reason.as_str(), failed.blueprint_generation), (cause, 2));
        assert_eq!(world.content(), "the customer's file", "{broken:?}");
        // What never ran has changed nothing, and the volume stays.
        let restored = identity.restored.map(|restored| restored.cause);
        let ran = broken != Broken::Missing;
        assert_eq!(restored, ran.then_some(ReplacementCause::Rollback), "{broken:?}");
        assert_eq!(world.ledger.contains(&"ReplaceVolume"), ran, "{broken:?}: {:?}", world.ledger);
        assert_eq!(available(&world).as_deref(), Some("UpdateFailed"));
        world.ledger.clear();
        assert_eq!(run(&mut world, None), Rest::Running);
        assert_eq!(world.ledger, [""; 0], "{broken:?}: it is tried again");
        world.edit_blueprint(|spec| spec.image = format!("{OLD}-fixed"));
        assert_eq!(run(&mut world, None), Rest::Running);
        assert_eq!(self::identity(&world).pin.spec.image, format!("{OLD}-fixed"));
        assert_eq!(self::identity(&world).failed_upgrade, None);
    }
}

#[test]
fn a_stopped_one_that_fails_at_its_next_start_goes_back_then() {
    let mut world = stopped();
    world.write("the customer's file");
    world.broken.insert(NEW.into(), Broken::Crashes);
    roll_out(&mut world);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    world.power(PowerState::Running);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((identity(&world).pin.spec.image.as_str(), world.content()), (OLD, "the customer's file"));
    assert_eq!(available(&world).as_deref(), Some("UpdateFailed"));
}

#[test]
fn without_a_snapshot_it_is_moved_at_once() {
    let mut world = running();
    roll_out(&mut world);
    world.edit_blueprint(|spec| {
        spec.rollout = Some(Rollout { snapshot_first: false, ..Rollout::default() });
    });
    assert_eq!(run(&mut world, None), Rest::Running);
    assert!(!world.ledger.contains(&"SnapshotBeforeUpgrade") && !world.ledger.contains(&"StopMachine"));
    assert_eq!(identity(&world).pin.spec.image, NEW);
}

#[test]
fn one_fault_at_every_effect_changes_nothing_in_the_end() {
    let ways = [None, Some(Broken::Crashes), Some(Broken::Hangs), Some(Broken::Missing)];
    for (begin, end) in [(running as fn() -> World, Rest::Running), (stopped, Rest::Stopped)] {
        for way in ways {
            let start = || {
                let mut world = begin();
                world.write("the customer's file");
                way.map(|way| world.broken.insert(NEW.into(), way));
                roll_out(&mut world);
                world
            };
            let mut reference = start();
            assert_eq!(run(&mut reference, None), end, "{way:?}");
            for at in 0..reference.ledger.len() {
                for fault in FAULTS {
                    let mut world = start();
                    let told = format!("{way:?} with {fault:?} at {}", reference.ledger[at]);
                    assert_eq!(run(&mut world, Some((at, fault))), end, "{told}: {:?}", world.ledger);
                    assert_eq!(world.summary(), reference.summary(), "{told}: {:?}", world.ledger);
                    let (one, other) = (identity(&world), identity(&reference));
                    assert_eq!(one.pin.spec, other.pin.spec, "{told}");
                    assert_eq!(world.content(), "the customer's file", "{told}: {:?}", world.ledger);
                    assert_eq!(
                        one.failed_upgrade.map(|failed| failed.target),
                        other.failed_upgrade.map(|failed| failed.target),
                        "{told}"
                    );
                }
            }
        }
    }
}
