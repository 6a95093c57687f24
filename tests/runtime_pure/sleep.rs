//! A Runtime that may sleep: nobody but a request wakes it, and what may not run can't be woken.

use crate::faults::{every_fault, running_with};
use crate::world::{World, run};
use moorage::api::blueprint::{Awake, EnvRule, EnvType};
use moorage::api::condition::{ConditionType, find, is_true};
use moorage::api::runtime::{DeletionPolicy, EnvVar, PowerState, RuntimeSpec, Sleep, SleepMode};
use moorage::api::state::RuntimeState;
use moorage::control::policy::Suspension;
use moorage::control::runtime::facts::{Boot, Idling, MachinePhase};
use moorage::control::runtime::step::Rest;
use moorage::gateway::exit::ExitCause;

fn may_sleep(spec: &mut RuntimeSpec) {
    spec.sleep = Some(Sleep { mode: SleepMode::Stop });
}

/// One that may sleep, and is awake.
pub fn awake() -> World {
    running_with(may_sleep)
}

/// One that sleeps.
pub fn asleep() -> World {
    let mut world = awake();
    world.doze();
    assert_eq!(run(&mut world, None), Rest::Sleeping);
    world.ledger.clear();
    world
}

fn state(world: &World) -> RuntimeState {
    world.runtime.status.as_ref().unwrap().state.unwrap()
}

#[test]
fn it_is_made_awake_and_what_the_proxy_stops_is_left_asleep() {
    let mut world = awake();
    assert_eq!(world.machine.as_ref().unwrap().idling, Idling::Stop);
    world.doze();
    assert_eq!(run(&mut world, None), Rest::Sleeping);
    assert_eq!(world.ledger, [""; 0]);
    assert_eq!(state(&world), RuntimeState::Sleeping);
    let conditions = &world.runtime.status.as_ref().unwrap().conditions;
    for kind in [ConditionType::Ready, ConditionType::Available] {
        assert!(is_true(conditions, kind));
        assert_eq!(find(conditions, kind).unwrap().reason, "Sleeping");
    }
    let told = &find(conditions, ConditionType::Available).unwrap().message;
    assert!(told.contains("schedules and heartbeats don't run"), "{told}");
    world.wake();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, [""; 0]);
}

#[test]
fn one_that_wakes_or_falls_asleep_reads_so() {
    let mut world = asleep();
    world.machine.as_mut().unwrap().phase = MachinePhase::Starting;
    world.glance();
    assert_eq!(state(&world), RuntimeState::Waking);
    let conditions = &world.runtime.status.as_ref().unwrap().conditions;
    assert_eq!(find(conditions, ConditionType::Ready).unwrap().reason, "Waking");
    assert!(!is_true(conditions, ConditionType::Available));
    world.wake();
    assert_eq!(run(&mut world, None), Rest::Running);
    world.machine.as_mut().unwrap().phase = MachinePhase::Stopping;
    world.glance();
    assert_eq!(state(&world), RuntimeState::Sleeping);
}

#[test]
fn a_change_reaches_one_that_sleeps_without_waking_it() {
    let mut world = asleep();
    let before = world.machine.clone().unwrap();
    world.edit(|spec| spec.env = vec![variable("LLM_MODEL")]);
    assert_eq!(run(&mut world, None), Rest::Sleeping);
    let after = world.machine.clone().unwrap();
    assert_eq!((after.phase, after.boot), (MachinePhase::Stopped, Boot::Done));
    assert_ne!(after.env_mark, before.env_mark);
    assert!(!world.ledger.contains(&"StartMachine"), "{:?}", world.ledger);
}

fn variable(name: &str) -> EnvVar {
    EnvVar { name: name.into(), value: Some("x".into()), value_from: None }
}

#[test]
fn a_crash_isnt_sleep() {
    let mut world = asleep();
    world.machine.as_mut().unwrap().exit = Some(ExitCause::ConfigurationRefused);
    let Rest::Refused(refusal, _) = run(&mut world, None) else { panic!("it sleeps over a crash") };
    assert_eq!(refusal.reason, "ConfigurationRefused");
    world.machine.as_mut().unwrap().exit = Some(ExitCause::Crashed { code: 1 });
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, ["StartMachine"]);
}

#[test]
fn what_may_not_run_is_stopped_first_and_then_out_of_a_requests_reach() {
    for requests in [0, 1, 3] {
        for what in ["spec", "policy"] {
            let mut world = awake();
            world.visitors = requests;
            match what {
                "spec" => world.power(PowerState::Stopped),
                _ => world.policy.suspension = Suspension::Suspended,
            }
            let rest = run(&mut world, None);
            assert!(matches!(rest, Rest::Stopped | Rest::Awaiting(_)), "{rest:?}");
            let machine = world.machine.clone().unwrap();
            assert_eq!((machine.phase, machine.idling), (MachinePhase::Stopped, Idling::Off), "{what}");
            assert_eq!((world.ledger[0], world.ledger.contains(&"KeepOff")), ("StopMachine", true));
            assert!(!world.ledger.contains(&"UpdateMachine"), "{:?}", world.ledger);
        }
    }
}

#[test]
fn a_declaration_that_cant_be_carried_out_is_no_way_round_a_suspension() {
    let mut world = awake();
    world.policy.suspension = Suspension::Suspended;
    world.edit(|spec| spec.regions = vec!["xxx".into()]);
    world.policy.regions = Some(["fra".to_owned()].into());
    assert!(matches!(run(&mut world, None), Rest::Refused(..)));
    assert_eq!(world.machine.as_ref().unwrap().phase, MachinePhase::Stopped);
}

#[test]
fn one_that_was_stopped_is_started_once_when_it_may_run() {
    let mut world = asleep();
    world.power(PowerState::Stopped);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    assert_eq!(world.ledger, ["KeepOff"], "one that sleeps has stopped already");
    world.power(PowerState::Running);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger.iter().filter(|it| **it == "StartMachine").count(), 1);
    world.doze();
    assert_eq!(run(&mut world, None), Rest::Sleeping);
}

#[test]
fn one_that_sleeps_wakes_when_it_may_not_sleep_any_more() {
    let mut world = asleep();
    world.edit(|spec| spec.sleep = None);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.machine.as_ref().unwrap().idling, Idling::Off);
}

#[test]
fn more_memory_than_fly_suspends_is_refused_and_said() {
    let mut world = World::new();
    world.memory_mb = 4096;
    world.edit(|spec| spec.sleep = Some(Sleep { mode: SleepMode::Suspend }));
    let Rest::Refused(refusal, _) = run(&mut world, None) else { panic!("it suspends 4 GB") };
    assert_eq!(refusal.reason, "SuspendTooLarge");
    world.edit(may_sleep);
    assert_eq!(run(&mut world, None), Rest::Running);
}

#[test]
fn a_channel_that_sleep_makes_deaf_is_warned_of_while_it_is_so() {
    let mut world = awake();
    let rule = EnvRule {
        name: "TELEGRAM_BOT_TOKEN".into(),
        type_: EnvType::Plain,
        on_change: moorage::api::blueprint::OnChange::Restart,
        awake: Awake::Required,
        description: None,
    };
    world.blueprint.1.env_schema = vec![rule];
    let warned = |world: &World| {
        let conditions = &world.runtime.status.as_ref().unwrap().conditions;
        find(conditions, ConditionType::DeafWhileAsleep).map(|condition| condition.message.clone())
    };
    world.edit(|spec| spec.env = vec![variable("LLM_MODEL")]);
    run(&mut world, None);
    assert_eq!(warned(&world), None);
    world.edit(|spec| spec.env.push(variable("TELEGRAM_BOT_TOKEN")));
    run(&mut world, None);
    assert!(warned(&world).unwrap().contains("`TELEGRAM_BOT_TOKEN`"));
    world.edit(|spec| spec.sleep = None);
    run(&mut world, None);
    assert_eq!(warned(&world), None);
}

#[test]
fn one_fault_at_every_effect_of_a_life_with_sleep_changes_nothing_in_the_end() {
    let stop = |world: &mut World| world.power(PowerState::Stopped);
    every_fault("create", World::new, |world| world.edit(may_sleep), Rest::Running);
    every_fault("stop awake", awake, stop, Rest::Stopped);
    every_fault("stop asleep", asleep, stop, Rest::Stopped);
    let under_load = |world: &mut World| {
        world.visitors = 3;
        world.power(PowerState::Stopped);
    };
    every_fault("stop under load", awake, under_load, Rest::Stopped);
    let change = |world: &mut World| world.edit(|spec| spec.env = vec![variable("LLM_MODEL")]);
    every_fault("change asleep", asleep, change, Rest::Sleeping);
    every_fault("never again", asleep, |world| world.edit(|spec| spec.sleep = None), Rest::Running);
    let policies = [DeletionPolicy::Delete, DeletionPolicy::Snapshot, DeletionPolicy::Retain];
    every_fault("delete", asleep, move |world| world.delete(policies[0]), Rest::Gone);
    every_fault("snapshot", asleep, move |world| world.delete(policies[1]), Rest::Gone);
    every_fault("retain", asleep, move |world| world.delete(policies[2]), Rest::Gone);
}
