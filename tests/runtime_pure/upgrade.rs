//! An upgrade, in every way that it may go, and with every fault: it is done, or all is as it was.

use crate::world::{Broken, Fault, World, run, run_for, run_until, second};
use moorage::api::blueprint::Rollout;
use moorage::api::condition::{ConditionType, find};
use moorage::api::name_claim::{RuntimeIdentity, UpgradePhase};
use moorage::api::replacement::ReplacementCause;
use moorage::api::runtime::{PowerState, Sleep, SleepMode};
use moorage::api::state::{RuntimeState, TaskState};
use moorage::control::rollout::pick::Permit;
use moorage::control::rollout::target::Current;
use moorage::control::runtime::facts::RequestKind;
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
    find(conditions, ConditionType::UpdateAvailable).map(|condition| condition.reason.to_string())
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
            "KeepSnapshots",
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
        snapshot_days: Some(5),
        session_time: None,
        request: None,
    });
    world.claim.as_mut().unwrap().runtime = Some(begun);
    world.edit_blueprint(|spec| spec.image = OLD.into());
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, ["RecordIdentity"]);
    assert_eq!(identity(&world).upgrade, None);
}

/// Runs until it rests for good: what Fly couldn't boot gets another start after a pause.
fn settle(world: &mut World, fault: Option<(usize, Fault)>) -> Rest {
    let begun = world.attempts;
    let mut known = world.fresh();
    let mut fault = fault;
    for _ in 0..10 {
        let (rest, after) = run_for(world, known, 2_000, fault);
        match rest.expect("it doesn't come to rest") {
            Rest::Refused(_, again) => world.now += again,
            rest => return rest,
        }
        fault = fault.and_then(|(at, fault)| Some((at.checked_sub(world.attempts - begun)?, fault)));
        known = after;
    }
    panic!("it is refused for good: {:?}", world.ledger)
}

/// Every way in which the new version may fail.
const FAILURES: [(Broken, &str); 4] = [
    (Broken::Crashes, "CrashLoop"),
    (Broken::Hangs, "DeadlineExceeded"),
    (Broken::Missing, "ImageNotFound"),
    (Broken::Fails, "CrashLoop"),
];

#[test]
fn one_that_fails_goes_back_and_is_not_tried_again_by_itself() {
    for (broken, cause) in FAILURES {
        let mut world = running();
        world.write("the customer's file");
        world.broken.insert(NEW.into(), broken);
        roll_out(&mut world);
        assert_eq!(settle(&mut world, None), Rest::Running, "{broken:?}");
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
fn a_failure_stays_recorded_until_another_try_has_proved_itself() {
    for begin in [running as fn() -> World, stopped] {
        let mut world = begin();
        world.broken.insert(NEW.into(), Broken::Missing);
        roll_out(&mut world);
        settle(&mut world, None);
        world.permit = Permit::None;
        let (generation, spec) = world.blueprint.clone();
        let current = Current::new("openclaw", generation, &spec, None);
        assert!(current.has_failed_on(&identity(&world)));
        let ended = identity(&world).failed_upgrade;
        world.broken.clear();
        world.request("again", RequestKind::Upgrade);
        for phase in [UpgradePhase::Snapshot, UpgradePhase::Trial] {
            run_until(&mut world, |world| identity(world).upgrade.is_some_and(|it| it.phase == phase));
            assert_eq!(identity(&world).failed_upgrade, ended, "{phase:?}");
            assert!(current.has_failed_on(&identity(&world)), "{phase:?}");
        }
        world.power(PowerState::Running);
        assert_eq!(run(&mut world, None), Rest::Running);
        assert_eq!((identity(&world).pin.spec.image.as_str(), identity(&world).failed_upgrade), (NEW, None));
        assert!(!current.has_failed_on(&identity(&world)));
    }
}

/// One that sleeps and was moved, of whose session afterwards no operator saw anything.
fn used_unseen() -> World {
    let mut world = running();
    world.edit(|spec| spec.sleep = Some(Sleep { mode: SleepMode::Stop }));
    assert_eq!(run(&mut world, None), Rest::Running);
    world.doze();
    assert_eq!(run(&mut world, None), Rest::Sleeping);
    world.write("before");
    roll_out(&mut world);
    assert_eq!(run(&mut world, None), Rest::Sleeping);
    assert_eq!(identity(&world).upgrade.unwrap().phase, UpgradePhase::Trial);
    world.permit = Permit::None;
    world.now += second(3_600);
    world.wake();
    world.write("the session's work");
    world.now += second(3_600);
    world
}

/// The new version crashes at the next wake, and leaves the volume as it is.
fn crash(world: &mut World) {
    world.now += second(2 * 86_400);
    world.broken.insert(NEW.into(), Broken::Crashes);
    world.wake();
    world.write("the session's work");
}

#[test]
fn what_was_done_in_a_session_that_nobody_saw_outlives_a_rollback() {
    // An operator sees it asleep again, or none does before it crashes.
    for looks in [true, false] {
        let mut world = used_unseen();
        world.doze();
        if looks {
            let known = world.listed();
            assert_eq!(run_for(&mut world, known, 200, None).0, Some(Rest::Sleeping));
        }
        crash(&mut world);
        if looks {
            // Its events tell of its last end alone.
            world.machine.as_mut().unwrap().session = None;
        }
        settle(&mut world, None);
        assert_eq!(world.content(), "the session's work", "{looks}: {:?}", world.ledger);
        assert_eq!(identity(&world).pin.spec.image, OLD, "{looks}");
        assert!(!world.ledger.contains(&"ReplaceVolume"), "{looks}: {:?}", world.ledger);
        assert!(told(&world).contains("had been in use"), "{}", told(&world));
        assert!(told(&world).contains("only the image went back"), "{}", told(&world));
    }
}

#[test]
fn one_that_crashes_after_hours_that_nobody_saw_keeps_their_work() {
    let mut world = used_unseen();
    let started = world.machine.as_ref().unwrap().started;
    world.broken.insert(NEW.into(), Broken::Crashes);
    world.wake();
    world.write("the session's work");
    let machine = world.machine.as_mut().unwrap();
    (machine.started, machine.quiet) = (started, Some(world.now));
    settle(&mut world, None);
    assert_eq!(world.content(), "the session's work", "{:?}", world.ledger);
    assert!(told(&world).contains("had been in use"), "{}", told(&world));
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
    let ways = [None, Some(Broken::Crashes), Some(Broken::Hangs), Some(Broken::Missing), Some(Broken::Fails)];
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
            assert_eq!(settle(&mut reference, None), end, "{way:?}");
            for at in 0..reference.ledger.len() {
                for fault in FAULTS {
                    let mut world = start();
                    let told = format!("{way:?} with {fault:?} at {}", reference.ledger[at]);
                    assert_eq!(settle(&mut world, Some((at, fault))), end, "{told}: {:?}", world.ledger);
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

#[test]
fn a_request_waits_for_an_edit_that_was_made_just_before_it() {
    let mut world = running();
    world.request("up", RequestKind::Upgrade);
    let (asked, mut known) = (world.now, Default::default());
    while world.now < asked + second(1) {
        known = run_for(&mut world, known, 1, None).1;
        assert!(world.finished.is_empty(), "{:?}", world.finished);
    }
    assert_eq!(world.runtime.status.as_ref().unwrap().state, Some(RuntimeState::Running));
    world.edit_blueprint(|spec| spec.image = NEW.into());
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(identity(&world).pin.spec.image, NEW);

    world.request("again", RequestKind::Upgrade);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.finished.last().unwrap().message, "It runs the Blueprint as it is now.");
}

/// Both versions fail: what ran before doesn't come up on its own snapshot either.
fn failing_twice(old: Broken) -> World {
    let mut world = running();
    world.request("up", RequestKind::Upgrade);
    world.edit_blueprint(|spec| spec.image = NEW.into());
    world.broken = [(NEW.to_owned(), Broken::Crashes), (OLD.to_owned(), old)].into();
    world
}

#[test]
fn one_whose_old_version_fails_too_ends_in_an_error_that_says_so() {
    for (old, cause) in
        [(Broken::Crashes, "CrashLoop"), (Broken::Fails, "CrashLoop"), (Broken::Hangs, "DeadlineExceeded")]
    {
        let mut world = failing_twice(old);
        let mut known = Default::default();
        for _ in 0..60 {
            known = run_for(&mut world, known, 200, None).1;
            world.now += second(60);
        }
        let status = world.runtime.status.clone().unwrap();
        assert_eq!(status.state, Some(RuntimeState::Error), "{old:?}");
        let ready = find(&status.conditions, ConditionType::Ready).unwrap();
        assert_eq!(ready.reason, cause, "{old:?}: {}", ready.message);
        assert_eq!(available(&world).as_deref(), Some("UpdateFailed"));
        let identity = identity(&world);
        assert_eq!(
            (identity.pin.spec.image.as_str(), identity.incarnation, &identity.upgrade),
            (OLD, 1, &None)
        );
        let ended = &world.finished[0];
        assert_eq!((ended.state, ended.reason), (TaskState::Failed, "UpdateFailed"), "{old:?}");
        let starts = world.ledger.iter().filter(|effect| **effect == "StartMachine").count();
        assert!(starts < 20, "{old:?}: it was started {starts} times");

        world.finished.clear();
        world.edit_blueprint(|spec| spec.image = format!("{OLD}-fixed"));
        world.request("again", RequestKind::Upgrade);
        assert_eq!(run(&mut world, None), Rest::Running, "{old:?}: a fixed image is the remedy");
    }
}

fn told(world: &World) -> String {
    let conditions = &world.runtime.status.as_ref().unwrap().conditions;
    find(conditions, ConditionType::UpdateAvailable).unwrap().message.to_string()
}

#[test]
fn one_that_goes_back_without_the_snapshot_says_so() {
    // Fly has removed it meanwhile.
    let mut world = stopped();
    world.broken.insert(NEW.into(), Broken::Crashes);
    roll_out(&mut world);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    world.now += second(61 * 86_400);
    world.power(PowerState::Running);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((identity(&world).pin.spec.image.as_str(), world.content()), (OLD, "migrated"));
    assert!(told(&world).contains("has removed its snapshot"), "{}", told(&world));
    assert!(told(&world).contains("only the image went back"), "{}", told(&world));
    // Fly refuses to restore it.
    let mut world = running();
    world.moves.no_copies = true;
    world.broken.insert(NEW.into(), Broken::Crashes);
    world.request("up", RequestKind::Upgrade);
    world.edit_blueprint(|spec| spec.image = NEW.into());
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((identity(&world).pin.spec.image.as_str(), world.content()), (OLD, "migrated"));
    assert!(told(&world).contains("only the image went back"), "{}", told(&world));
    assert!(world.finished[0].message.contains("only the image went back"), "{}", world.finished[0].message);
    // None was made.
    let mut world = running();
    world.broken.insert(NEW.into(), Broken::Crashes);
    roll_out(&mut world);
    world.edit_blueprint(|spec| {
        spec.rollout = Some(Rollout { snapshot_first: false, ..Rollout::default() });
    });
    assert_eq!(run(&mut world, None), Rest::Running);
    assert!(told(&world).contains("`snapshotFirst`"), "{}", told(&world));
    // Where the snapshot went back too, or the new version never ran, there is nothing to tell.
    for broken in [Broken::Crashes, Broken::Missing] {
        let mut world = running();
        world.broken.insert(NEW.into(), broken);
        roll_out(&mut world);
        assert_eq!(run(&mut world, None), Rest::Running);
        assert!(!told(&world).contains("only the image"), "{}", told(&world));
    }
}

/// Stopped, and moved by the rollout: it has yet to prove itself.
fn on_trial() -> World {
    let mut world = stopped();
    roll_out(&mut world);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    world.permit = Permit::None;
    world.now += second(60);
    world
}

#[test]
fn what_is_asked_of_one_that_a_rollout_moved_while_it_is_off_is_answered() {
    let mut world = on_trial();
    world.request("up", RequestKind::Upgrade);
    world.request("keep", RequestKind::Snapshot);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    let ended: Vec<_> = world.finished.iter().map(|it| (it.task.as_str(), it.state)).collect();
    assert_eq!(ended, [("up", TaskState::Completed), ("keep", TaskState::Completed)]);
    assert!(world.finished[0].message.contains("proves itself at its next start"));
    assert_eq!(identity(&world).upgrade.unwrap().phase, UpgradePhase::Trial);
}

#[test]
fn one_that_is_off_is_moved_on_and_goes_back_to_what_has_served() {
    let mut world = on_trial();
    world.write("the customer's file");
    let newest = format!("{NEW}-2");
    world.edit_blueprint(|spec| spec.image = newest.clone());
    world.broken.insert(newest.clone(), Broken::Crashes);
    world.request("up", RequestKind::Upgrade);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    assert_eq!(world.finished[0].state, TaskState::Completed, "{}", world.finished[0].message);
    assert_eq!(
        (identity(&world).pin.spec.image.clone(), identity(&world).pin.blueprint_generation),
        (newest, 3)
    );
    world.power(PowerState::Running);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(identity(&world).pin.spec.image, OLD);
    assert_eq!(identity(&world).failed_upgrade.unwrap().blueprint_generation, 3);
}

#[test]
fn an_upgrade_that_comes_to_nothing_is_given_up_after_an_hour_and_the_next_request_has_its_turn() {
    let mut world = running();
    world.edit_blueprint(|spec| spec.image = NEW.into());
    world.request("up", RequestKind::Upgrade);
    world.request("keep", RequestKind::Snapshot);
    run_until(&mut world, |world| identity(world).upgrade.is_some());
    world.lose_host();
    for _ in 0..100 {
        assert!(matches!(run(&mut world, None), Rest::Refused(..)));
        world.now += second(60);
    }
    let ended: Vec<_> = world.finished.iter().map(|it| (it.task.as_str(), it.reason)).collect();
    assert_eq!(ended[0], ("up", "DeadlineExceeded"), "{ended:?}");
    assert!(world.requests.is_empty(), "{:?}", world.requests);
    world.find_host();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(identity(&world).upgrade, None);
}

#[test]
fn one_whose_machine_is_destroyed_and_whose_image_is_missing_goes_back() {
    let mut world = stopped();
    world.write("the customer's file");
    world.broken.insert(NEW.into(), Broken::Missing);
    roll_out(&mut world);
    run_until(&mut world, |world| {
        identity(world).upgrade.is_some_and(|upgrade| upgrade.phase == UpgradePhase::Trial)
    });
    world.machine = None;
    world.moves.machines += 1;
    world.power(PowerState::Running);
    assert_eq!(settle(&mut world, None), Rest::Running, "{:?}", world.ledger);
    assert_eq!((world.image.as_str(), world.content()), (OLD, "the customer's file"));
    assert_eq!(identity(&world).failed_upgrade.unwrap().reason, "ImageNotFound");
}
