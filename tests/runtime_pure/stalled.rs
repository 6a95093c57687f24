//! A declaration that can't be carried out: what ran by the one before it is kept running as it was.

use crate::env::{changes, secret};
use crate::faults::{running, running_with};
use crate::sleep::asleep;
use crate::world::{World, run, run_for, second};
use moorage::api::NameRef;
use moorage::api::condition::{ConditionType, find};
use moorage::api::runtime::{DeletionPolicy, PowerState};
use moorage::api::state::RuntimeState;
use moorage::control::policy::Suspension;
use moorage::control::runtime::facts::{Knowledge, Known, MachinePhase};
use moorage::control::runtime::step::Rest;
use moorage::gateway::exit::ExitCause;

/// An edit that leads nowhere.
fn spoil(world: &mut World) {
    world.edit(|spec| spec.workspace_ref = Some(NameRef::new("nobody")));
}

/// An edit that refers to a Secret that isn't there.
fn lack(world: &mut World) {
    world.edit(|spec| spec.env.push(secret("KEY")));
}

fn refused(world: &mut World) -> &'static str {
    match run(world, None) {
        Rest::Refused(refusal, _) => refusal.reason,
        other => panic!("{other:?}"),
    }
}

/// It ends by itself.
fn crash(world: &mut World) {
    let now = world.now;
    let machine = world.machine.as_mut().unwrap();
    (machine.phase, machine.exit) = (MachinePhase::Stopped, Some(ExitCause::Crashed { code: 1 }));
    (machine.since, machine.quiet) = (now, Some(now));
}

/// Somebody stops it at Fly.
fn stop(world: &mut World) {
    crash(world);
    world.machine.as_mut().unwrap().exit = None;
}

fn phase(world: &World) -> MachinePhase {
    world.machine.as_ref().unwrap().phase
}

#[test]
fn what_ends_while_its_new_spec_is_refused_is_started_as_it_was() {
    type Change = fn(&mut World);
    let edits: [(Change, &str); 2] = [(spoil, "WorkspaceNotFound"), (lack, "SecretNotFound")];
    for (edit, reason) in edits {
        for end in [crash, stop] {
            let mut world = running();
            edit(&mut world);
            assert_eq!(refused(&mut world), reason);
            let before = world.machine.clone().unwrap();
            world.now += second(60);
            end(&mut world);
            assert_eq!(refused(&mut world), reason);
            assert_eq!(phase(&world), MachinePhase::Started);
            assert_eq!(changes(&world), ["StartMachine"]);
            let now = world.machine.clone().unwrap();
            assert_eq!((now.config_hash, now.env_mark), (before.config_hash, before.env_mark));
            let status = world.runtime.status.clone().unwrap();
            assert_eq!(find(&status.conditions, ConditionType::Stalled).unwrap().reason, reason);
            assert_eq!(status.state, Some(RuntimeState::Error));
            world.edit(|spec| (spec.workspace_ref, spec.env) = (None, Vec::new()));
            assert_eq!(run(&mut world, None), Rest::Running);
        }
    }
}

#[test]
fn what_ends_again_and_again_is_started_ever_more_seldom() {
    let mut world = running();
    spoil(&mut world);
    refused(&mut world);
    world.ledger.clear();
    let mut known = Knowledge::default();
    for _ in 0..120 {
        if phase(&world) == MachinePhase::Started {
            crash(&mut world);
        }
        // What was known of it is old.
        known.machine = Known::Unknown;
        let (rest, after) = run_for(&mut world, known, 100, None);
        assert!(matches!(rest, Some(Rest::Refused(..))), "{rest:?}");
        known = after;
        world.now += second(1);
    }
    let starts = world.ledger.iter().filter(|effect| **effect == "StartMachine").count();
    assert!((2..10).contains(&starts), "{starts} starts in two minutes");
}

#[test]
fn what_may_not_run_or_is_to_be_off_or_sleeps_is_not_started() {
    let mut world = running();
    world.edit(|spec| {
        (spec.power_state, spec.workspace_ref) = (PowerState::Stopped, Some(NameRef::new("nobody")))
    });
    refused(&mut world);
    assert_eq!(phase(&world), MachinePhase::Stopped, "a refused spec is no way round a stop");
    for end in [crash, stop] {
        let mut world = running();
        spoil(&mut world);
        world.policy.suspension = Suspension::Suspended;
        refused(&mut world);
        world.ledger.clear();
        end(&mut world);
        refused(&mut world);
        assert_eq!(world.ledger, [""; 0]);
        let mut world = running();
        spoil(&mut world);
        end(&mut world);
        world.runtime.metadata.annotations =
            Some([("moorage.dev/paused".to_owned(), "true".to_owned())].into());
        assert!(matches!(run(&mut world, None), Rest::Awaiting(_) | Rest::Refused(..)));
        assert_eq!(world.ledger, [""; 0], "it is held");
        let mut world = running();
        spoil(&mut world);
        end(&mut world);
        world.delete(DeletionPolicy::Delete);
        assert_eq!(run(&mut world, None), Rest::Gone);
        assert!(!world.ledger.contains(&"StartMachine"), "{:?}", world.ledger);
    }
    let mut world = asleep();
    world.ledger.clear();
    spoil(&mut world);
    refused(&mut world);
    assert_eq!(world.ledger, [""; 0], "nobody asked it anything");
}

#[test]
fn what_is_being_moved_is_not_started_on_the_volume_that_is_copied() {
    let mut world = running_with(|spec| spec.plan_ref = Some(NameRef::new("trial")));
    world.policy.plans = Some(["trial", "pro"].map(str::to_owned).into());
    world.fill_host();
    world.edit(|spec| spec.plan_ref = Some(NameRef::new("pro")));
    crate::world::run_until(&mut world, |world| world.ledger.contains(&"ReplaceVolume"));
    assert_eq!(phase(&world), MachinePhase::Stopped);
    spoil(&mut world);
    refused(&mut world);
    assert_eq!(phase(&world), MachinePhase::Stopped);
}
