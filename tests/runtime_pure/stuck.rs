//! A Machine that Fly leaves between two states.

use crate::faults::{FAULTS, running};
use crate::world::{World, run, second, strike};
use moorage::api::condition::{ConditionType, find};
use moorage::api::runtime::{DeletionPolicy, PowerState, RuntimeStatus};
use moorage::api::state::TaskState;
use moorage::control::runtime::decide::decide;
use moorage::control::runtime::facts::{Health, Host, Knowledge, MachinePhase, RequestKind};
use moorage::control::runtime::step::{Effect, Rest, Step};
use moorage::control::runtime::view::{effect_name, view};

/// What the operator knows, from visit to visit.
struct Operator(Knowledge);

impl Operator {
    fn new() -> Self {
        Self(Knowledge::default())
    }

    /// The first step that isn't a look; an effect takes place.
    fn next(&mut self, world: &mut World) -> Step {
        loop {
            let mut facts = world.facts(self.0.clone());
            match decide(world.now, &facts) {
                Step::Look(look) => {
                    world.look(look, &mut facts);
                    self.0 = facts.known;
                }
                Step::Do(effect) => {
                    self.0 = strike(world, facts, &effect, None);
                    return Step::Do(effect);
                }
                step => return step,
            }
        }
    }

    /// The status that it writes, if it looks at nothing more.
    fn shown(&self, world: &World) -> RuntimeStatus {
        let facts = world.facts(self.0.clone());
        let old = world.runtime.status.clone().unwrap_or_default();
        view(world.now, &facts, &decide(world.now, &facts), &old)
    }

    /// Effects within these seconds, each with the second that it took place in.
    fn effects(&mut self, world: &mut World, seconds: i64) -> Vec<(i64, &'static str)> {
        let begun = world.now;
        let mut done = Vec::new();
        while begun.duration_until(world.now) < second(seconds) {
            match self.next(world) {
                Step::Do(effect) => {
                    done.push((begun.duration_until(world.now).as_secs(), effect_name(&effect)))
                }
                _ => world.now += second(1),
            }
        }
        done
    }
}

/// One that runs, and whose Machine Fly leaves in this phase from now on.
fn left(phase: MachinePhase) -> World {
    let mut world = running();
    let machine = world.machine.as_mut().unwrap();
    (machine.phase, machine.health, machine.since) = (phase, Health::Unknown, world.now);
    world
}

#[test]
fn one_that_is_stuck_on_its_way_is_stopped_and_started_when_somebody_asks() {
    let mut world = left(MachinePhase::Starting);
    world.now += second(600);
    assert!(matches!(Operator::new().next(&mut world), Step::Wait(_)), "it may just be slow");
    world.request("again", RequestKind::Restart);
    let mut recent = world.clone();
    recent.machine.as_mut().unwrap().since = world.now;
    assert!(matches!(Operator::new().next(&mut recent), Step::Wait(_)), "it hasn't been long");
    assert_eq!(Operator::new().next(&mut world), Step::Do(Effect::StopMachine));
}

#[test]
fn one_that_is_to_be_off_and_is_stuck_on_its_way_to_a_start_is_stopped() {
    for phase in [MachinePhase::Preparing, MachinePhase::Starting, MachinePhase::Replacing] {
        let mut world = left(phase);
        world.power(PowerState::Stopped);
        assert!(matches!(Operator::new().next(&mut world), Step::Wait(_)), "it hasn't been long");
        world.now += second(600);
        assert_eq!(Operator::new().next(&mut world), Step::Do(Effect::StopMachine), "{phase:?}");
        let mut world = left(phase);
        world.now += second(600);
        world.delete(DeletionPolicy::Snapshot);
        assert_eq!(run(&mut world, None), Rest::Gone, "{phase:?}");
    }
}

#[test]
fn one_that_is_stuck_on_its_way_to_a_stop_is_killed_and_comes_back() {
    let mut world = left(MachinePhase::Stopping);
    let mut operator = Operator::new();
    assert_eq!(operator.effects(&mut world, 299), [], "its own time to stop may be five minutes");
    let done = operator.effects(&mut world, 120);
    assert_eq!(done.iter().map(|(_, what)| *what).collect::<Vec<_>>(), ["KillMachine", "StartMachine"]);
    assert_eq!(run(&mut world, None), Rest::Running);
}

#[test]
fn one_that_is_to_be_off_or_to_go_is_killed_as_well() {
    let mut world = left(MachinePhase::Stopping);
    world.power(PowerState::Stopped);
    let done = Operator::new().effects(&mut world, 420);
    assert_eq!(done.iter().map(|(_, what)| *what).collect::<Vec<_>>(), ["KillMachine"]);
    assert_eq!(run(&mut world, None), Rest::Stopped);
    for policy in [DeletionPolicy::Snapshot, DeletionPolicy::Retain] {
        let mut world = left(MachinePhase::Stopping);
        world.now += second(420);
        world.delete(policy);
        assert_eq!(run(&mut world, None), Rest::Gone, "{policy:?}");
        assert!(world.ledger.contains(&"KillMachine"), "{policy:?}: {:?}", world.ledger);
    }
}

#[test]
fn one_whose_host_doesn_t_answer_is_left_alone() {
    let mut world = left(MachinePhase::Stopping);
    world.machine.as_mut().unwrap().host = Host::Unreachable;
    world.now += second(420);
    assert_eq!(Operator::new().effects(&mut world, 420), []);
}

#[test]
fn one_that_nothing_ends_is_killed_a_few_times_and_told_of_and_a_restart_goes_on() {
    let mut world = left(MachinePhase::Stopping);
    world.tough = 5;
    let mut operator = Operator::new();
    let done = operator.effects(&mut world, 3600);
    assert_eq!(done.iter().map(|(_, what)| *what).collect::<Vec<_>>(), ["KillMachine"; 3]);
    assert!(done.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 60), "{done:?}");
    assert!(done[2].0 < 600, "{done:?}");
    let conditions = operator.shown(&world).conditions;
    let ready = find(&conditions, ConditionType::Ready).unwrap();
    assert!(ready.message.contains("on its way to a stop"), "{}", ready.message);
    world.request("again", RequestKind::Restart);
    let done = operator.effects(&mut world, 300);
    let done: Vec<_> = done.iter().map(|(_, what)| *what).collect();
    assert_eq!(done, ["KillMachine", "KillMachine", "KillMachine", "StartMachine", "FinishTask"]);
    assert_eq!(world.finished[0].state, TaskState::Completed);
}

#[test]
fn a_lost_answer_is_a_kill_as_well() {
    let mut reference = left(MachinePhase::Stopping);
    reference.power(PowerState::Stopped);
    assert_eq!(run(&mut reference, None), Rest::Stopped);
    for fault in FAULTS {
        let mut world = left(MachinePhase::Stopping);
        world.power(PowerState::Stopped);
        assert_eq!(run(&mut world, Some((0, fault))), Rest::Stopped, "{fault:?}");
        assert_eq!(world.summary(), reference.summary(), "{fault:?}: {:?}", world.ledger);
    }
}
