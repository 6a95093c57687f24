//! Any path to a spec ends where a fresh creation of it ends: random sequences of edits, changes behind our back, and
//! faults. An edit that can't be done and is taken back leaves Fly as it was.

use moorage::api::NameRef;
use moorage::api::runtime::{EnvVar, Persona, PowerState, Sleep, SleepMode};
use moorage::control::runtime::facts::{EnvFact, Knowledge, Known, MachinePhase, Token};
use moorage::control::runtime::step::Rest;
use proptest::prelude::*;

use crate::world::{Fault, World, run, run_for, second};

/// Something that a person does to the spec. The last of each kind is what counts.
#[derive(Clone, Debug)]
enum Edit {
    Power(PowerState),
    Persona(Option<&'static str>),
    Env(Option<&'static str>),
    Plan(&'static str),
    Sleep(SleepMode),
}

/// Something that happens at Fly, and that nobody told us of.
#[derive(Clone, Copy, Debug)]
enum Drift {
    Stopped,
    Destroyed,
}

#[derive(Clone, Debug)]
enum Event {
    Edit(Edit),
    Drift(Drift),
    /// Some steps are taken, with a fault at one of the effects.
    Steps(usize, Option<(usize, Fault)>),
    Time(i64),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        prop_oneof![Just(PowerState::Running), Just(PowerState::Stopped)].prop_map(Edit::Power),
        prop_oneof![Just(None), Just(Some("Ada")), Just(Some("Bob"))].prop_map(Edit::Persona),
        prop_oneof![Just(None), Just(Some("one")), Just(Some("two"))].prop_map(Edit::Env),
        prop_oneof![Just("trial"), Just("pro"), Just("narrow"), Just("tiny"), Just("nowhere")]
            .prop_map(Edit::Plan),
        prop_oneof![Just(SleepMode::Never), Just(SleepMode::Stop)].prop_map(Edit::Sleep),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let fault = prop_oneof![
        Just(Fault::CrashBefore),
        Just(Fault::CrashAfter),
        Just(Fault::LostReply),
        Just(Fault::LostRequest)
    ];
    prop_oneof![
        3 => edit().prop_map(Event::Edit),
        1 => prop_oneof![Just(Drift::Stopped), Just(Drift::Destroyed)].prop_map(Event::Drift),
        4 => (1_usize..40, proptest::option::of((0_usize..6, fault))).prop_map(|(steps, fault)| Event::Steps(steps, fault)),
        1 => (1_i64..120).prop_map(Event::Time),
    ]
}

fn apply(world: &mut World, edit: &Edit) {
    match edit {
        Edit::Power(state) => world.power(*state),
        Edit::Plan(name) => world.edit(|spec| spec.plan_ref = Some(NameRef::new(*name))),
        Edit::Sleep(mode) => world.edit(|spec| spec.sleep = Some(Sleep { mode: *mode })),
        Edit::Persona(name) => {
            world.edit(|spec| spec.persona = name.map(|name| Persona { name: name.into() }));
        }
        Edit::Env(value) => world.edit(|spec| {
            spec.env = value
                .map(|value| EnvVar { name: "COLOR".into(), value: Some(value.into()), value_from: None })
                .into_iter()
                .collect();
        }),
    }
}

/// The organisation's list tells that something has happened to the Machine, not what.
fn drift(world: &mut World, known: &mut Knowledge, drift: Drift) {
    known.machine = Known::Unknown;
    match drift {
        Drift::Stopped => {
            if let Some(machine) = &mut world.machine {
                machine.phase = MachinePhase::Stopped;
            }
        }
        Drift::Destroyed => {
            world.machine = None;
            // Another one is no second one.
            world.ledger.retain(|effect| *effect != "CreateMachine");
        }
    }
}

/// At rest secret values aren't kept.
fn forget_secrets(known: &mut Knowledge) {
    known.token = Token::Unknown;
    known.env = EnvFact::Unknown;
    known.secrets = None;
}

/// A world whose platform allows every Plan.
fn roomy() -> World {
    let mut world = World::new();
    world.policy.plans = Some(["trial", "pro", "narrow", "tiny"].map(str::to_owned).into());
    world
}

/// The end of `world`, when nothing more happens to it and everything is looked at again.
fn settled(world: &mut World) -> (Rest, String) {
    let mut rest = run(world, None);
    if rest == Rest::Sleeping {
        // A request comes: awake, it can be compared with one that never slept.
        world.wake();
        rest = run(world, None);
    }
    (rest, world.summary())
}

/// An edit that can't be carried out is taken back in the end.
fn mended(world: &mut World) {
    let named = world.runtime.spec.plan_ref.as_ref().map(|reference| reference.name.as_str());
    if matches!(named, Some("tiny" | "nowhere")) {
        apply(world, &Edit::Plan("trial"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn any_path_to_a_spec_ends_where_a_fresh_creation_of_it_ends(events in prop::collection::vec(event(), 0..14)) {
        let mut world = roomy();
        let mut known = Knowledge::default();
        for event in &events {
            match event {
                Event::Edit(edit) => apply(&mut world, edit),
                Event::Drift(change) => drift(&mut world, &mut known, *change),
                Event::Time(seconds) => world.now += second(*seconds),
                Event::Steps(steps, fault) => {
                    let (rest, after) = run_for(&mut world, known, *steps, *fault);
                    known = after;
                    if rest.is_some() {
                        forget_secrets(&mut known);
                    }
                }
            }
        }
        mended(&mut world);
        let path = settled(&mut world);
        let mut fresh = roomy();
        fresh.runtime.spec = world.runtime.spec.clone();
        prop_assert_eq!(path, settled(&mut fresh));
    }
}
