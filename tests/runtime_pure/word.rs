//! What a status says while something goes wrong: an outage says nothing of what runs, a refusal and a Machine that is
//! off do.

use moorage::api::condition::{ConditionStatus, ConditionType, find};
use moorage::api::reason;
use moorage::api::runtime::{OperationType, Persona, RuntimeStatus};
use moorage::api::state::RuntimeState;
use moorage::control::rollout::pick::Standing;
use moorage::control::runtime::decide::decide;
use moorage::control::runtime::facts::{Facts, Health, Knowledge, Known, Trouble, TroubleClass};
use moorage::control::runtime::machine::MachinePhase;
use moorage::control::runtime::step::{Rest, Step, Waiting};
use moorage::control::runtime::view::{standing, view};

use crate::world::{World, run, run_until, second};

/// One that runs, with what is known of it.
fn running() -> (World, Facts) {
    let mut world = World::new();
    assert_eq!(run(&mut world, None), Rest::Running);
    let mut facts = world.facts(Knowledge::default());
    while let Step::Look(look) = decide(world.now, &facts) {
        world.look(look, &mut facts);
    }
    (world, facts)
}

fn trouble(world: &World, class: TroubleClass, reason: &'static str) -> Trouble {
    let (since, next) = (world.now, world.now + second(30));
    let message = "Fly said no.".to_owned();
    Trouble { class, reason, message, since, attempts: 1, next, generation: 1 }
}

/// What the status says of it while it waits for the next try.
fn said(world: &World, facts: &Facts) -> RuntimeStatus {
    let step = decide(world.now, facts);
    assert!(matches!(&step, Step::Wait(wait) if wait.what == Waiting::Retry), "{step:?}");
    view(world.now, facts, &step, world.runtime.status.as_ref().unwrap())
}

fn is_ready(status: &RuntimeStatus) -> bool {
    find(&status.conditions, ConditionType::Ready).unwrap().status == ConditionStatus::True
}

#[test]
fn an_outage_says_nothing_of_what_runs() {
    let (world, mut facts) = running();
    for (class, reason) in [
        (TroubleClass::Transient, reason::FLY_UNAVAILABLE),
        (TroubleClass::Transient, reason::FLY_THROTTLED),
        (TroubleClass::Human, reason::FLY_UNAUTHORIZED),
    ] {
        facts.known.trouble = Some(trouble(&world, class, reason));
        assert_eq!(Some(said(&world, &facts)), world.runtime.status, "{reason}");
    }
}

#[test]
fn what_fly_refuses_is_told_of_one_that_runs() {
    let (world, mut facts) = running();
    facts.known.trouble = Some(trouble(&world, TroubleClass::Human, reason::FLY_REFUSED));
    let status = said(&world, &facts);
    assert!(!is_ready(&status));
    assert_eq!(find(&status.conditions, ConditionType::Stalled).unwrap().reason, reason::FLY_REFUSED);
    assert_eq!(find(&status.conditions, ConditionType::Available).unwrap().status, ConditionStatus::True);
    let step = decide(world.now, &facts);
    assert_eq!(standing(&facts, &step), Some(Standing::Serving));
    facts.known.machine = Known::Unknown;
    assert_eq!(standing(&facts, &step), Some(Standing::Down), "a rollout counts it as one that failed");
}

#[test]
fn one_that_was_seen_to_be_off_is_not_called_running() {
    for phase in [MachinePhase::Stopped, MachinePhase::Failed, MachinePhase::Replacing] {
        let (mut world, mut facts) = running();
        let machine = world.machine.as_mut().unwrap();
        (machine.phase, machine.health) = (phase, Health::Unknown);
        world.look(moorage::control::runtime::step::Look::Machine, &mut facts);
        facts.known.trouble = Some(trouble(&world, TroubleClass::Transient, reason::FLY_UNAVAILABLE));
        let status = said(&world, &facts);
        assert!(!is_ready(&status), "{phase:?}");
        assert_ne!(status.state, Some(RuntimeState::Running), "{phase:?}");
    }
}

#[test]
fn an_update_is_called_so_by_whoever_takes_over_in_the_middle() {
    let (mut world, _) = running();
    world.edit(|spec| spec.persona = Some(Persona { name: "Grace".into() }));
    run_until(&mut world, |world| world.ledger.last() == Some(&"UpdateMachine"));
    let machine = world.machine.as_mut().unwrap();
    (machine.phase, machine.health, machine.since) = (MachinePhase::Starting, Health::Unknown, world.now);
    let mut facts = world.facts(Knowledge::default());
    while let Step::Look(look) = decide(world.now, &facts) {
        world.look(look, &mut facts);
    }
    let step = decide(world.now, &facts);
    let status = view(world.now, &facts, &step, world.runtime.status.as_ref().unwrap());
    assert_eq!(status.operation.unwrap().type_, OperationType::Update);
}
