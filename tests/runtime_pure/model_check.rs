//! Explores every order of a Runtime's steps, two faults and two changes of mind, exhaustively: whatever happens, the
//! invariants hold at each state, and every path ends at rest.

use std::hash::{Hash, Hasher};

use crate::world::{self, Fault, World, strike};
use jiff::SignedDuration;
use moorage::api::runtime::{DeletionPolicy, PowerState};
use moorage::control::runtime::decide::decide;
use moorage::control::runtime::facts::Knowledge;
use moorage::control::runtime::step::{Rest, Step};
use moorage::control::runtime::view::view;
use stateright::{Checker, Model, Property};

/// A Runtime in its world, and what may still happen to it.
#[derive(Clone, Debug)]
struct Situation {
    world: World,
    known: Knowledge,
    faults_left: u8,
    changes_left: u8,
    at_rest: Option<bool>,
}

impl Situation {
    /// What tells two situations apart. The time itself doesn't, only what has become of it.
    fn key(&self) -> String {
        format!(
            "{:?}",
            (
                self.world.key(),
                world::knowledge_key(&self.known, self.world.now),
                self.faults_left,
                self.changes_left,
                self.at_rest,
            )
        )
    }
}

impl PartialEq for Situation {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Hash for Situation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// The operator takes its next step.
    Step,
    /// Its next effect is struck.
    Strike(Fault),
    /// Somebody changes what is wanted.
    Stop,
    /// Somebody changes it back.
    Run,
    /// Somebody deletes it.
    Delete(DeletionPolicy),
}

struct Small;

impl Model for Small {
    type State = Situation;
    type Action = Event;

    fn init_states(&self) -> Vec<Situation> {
        let fresh = Situation {
            world: World::new(),
            known: Knowledge::default(),
            faults_left: 2,
            changes_left: 2,
            at_rest: None,
        };
        vec![fresh]
    }

    fn actions(&self, situation: &Situation, actions: &mut Vec<Event>) {
        if situation.world.gone {
            return;
        }
        let facts = situation.world.facts(situation.known.clone());
        let step = decide(situation.world.now, &facts);
        if situation.at_rest.is_none() {
            actions.push(Event::Step);
            if let (Step::Do(_), 1..) = (&step, situation.faults_left) {
                let all = [Fault::CrashBefore, Fault::CrashAfter, Fault::LostReply, Fault::LostRequest];
                actions.extend(all.map(Event::Strike));
            }
        }
        // Minds change right before an effect, or at rest: elsewhere nothing could tell the difference.
        let telling = matches!(step, Step::Do(_)) || situation.at_rest.is_some();
        let deleted = situation.world.runtime.metadata.deletion_timestamp.is_some();
        if situation.changes_left > 0 && telling && !deleted {
            actions.extend([Event::Stop, Event::Run]);
            let policies = [DeletionPolicy::Delete, DeletionPolicy::Snapshot, DeletionPolicy::Retain];
            actions.extend(policies.map(Event::Delete));
        }
    }

    fn next_state(&self, situation: &Situation, event: Event) -> Option<Situation> {
        let mut next = situation.clone();
        match event {
            Event::Step => step(&mut next, None),
            Event::Strike(fault) => {
                next.faults_left -= 1;
                step(&mut next, Some(fault));
            }
            Event::Stop => change(&mut next, |world| world.power(PowerState::Stopped)),
            Event::Run => change(&mut next, |world| world.power(PowerState::Running)),
            Event::Delete(policy) => change(&mut next, |world| world.delete(policy)),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing twice, nothing removed without intent", |_, situation: &Situation| {
                situation.world.violations().is_empty()
            }),
            Property::always("what rests is what was asked for", |_, situation: &Situation| {
                situation.at_rest != Some(false)
            }),
            Property::eventually("it comes to rest", |_, situation: &Situation| {
                situation.at_rest.is_some() || situation.world.gone
            }),
        ]
    }
}

fn change(situation: &mut Situation, edit: impl FnOnce(&mut World)) {
    situation.changes_left -= 1;
    situation.at_rest = None;
    edit(&mut situation.world);
}

fn step(situation: &mut Situation, fault: Option<Fault>) {
    let world = &mut situation.world;
    let mut facts = world.facts(situation.known.clone());
    let step = decide(world.now, &facts);
    let old = world.runtime.status.clone().unwrap_or_default();
    let shown = view(world.now, &facts, &step, &old);
    match step {
        Step::Rest(rest) => {
            world.runtime.status = Some(shown);
            situation.at_rest = Some(is_as_asked(world, &rest));
        }
        Step::Wait(wait) => {
            world.runtime.status = Some(shown);
            world.now += wait.again.max(SignedDuration::from_millis(10));
        }
        Step::Look(look) => {
            world.look(look, &mut facts);
            situation.known = facts.known;
        }
        Step::Do(effect) => situation.known = strike(world, facts, &effect, fault),
    }
}

fn is_as_asked(world: &World, rest: &Rest) -> bool {
    match (world.runtime.metadata.deletion_timestamp.is_some(), world.runtime.spec.power_state) {
        (true, _) => *rest == Rest::Gone,
        (false, PowerState::Running) => *rest == Rest::Running,
        (false, PowerState::Stopped) => *rest == Rest::Stopped,
    }
}

#[test]
fn every_order_of_steps_two_faults_and_two_changes_of_mind_ends_well() {
    let checked = Small.checker().threads(2).spawn_bfs().join();
    checked.assert_properties();
    assert!(checked.unique_state_count() > 1_000, "only {} states", checked.unique_state_count());
    println!("{} states", checked.unique_state_count());
}
