//! Any path to a spec ends where a fresh creation of it ends: random sequences of edits, changes behind our back, and
//! faults. An edit that can't be done and is taken back leaves Fly as it was.

use moorage::api::NameRef;
use moorage::api::condition::{ConditionType, find};
use moorage::api::refs::SecretKeyRef;
use moorage::api::runtime::{EnvSource, EnvVar, Persona, PowerState, Sleep, SleepMode};
use moorage::control::runtime::facts::{
    Compared, EnvFact, Knowledge, Known, MachinePhase, RequestKind, Token,
};
use moorage::control::runtime::step::Rest;
use proptest::prelude::*;

use crate::drift::reported;
use crate::hostnames::base;
use crate::world::{Broken, Fault, World, run, run_for, second};

/// Something that a person does to the spec. The last of each kind is what counts.
#[derive(Clone, Debug)]
pub enum Edit {
    Power(PowerState),
    Persona(Option<&'static str>),
    Env(Option<&'static str>),
    Plan(&'static str),
    Sleep(SleepMode),
    /// Hostname under the base domain, if there is a base domain.
    Hostname(Option<&'static str>),
    /// A variable from a Secret that is there, or isn't.
    Secret(Option<&'static str>),
    /// That Secret's value changes.
    Rotate(&'static str),
    /// The Blueprint's image changes, and somebody asks for the upgrade.
    Upgrade(&'static str),
}

/// Something that happens at Fly, and that nobody told us of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    Stopped,
    /// Started, whether it may run or not.
    Started,
    Destroyed,
    /// It has another size than we gave it.
    Resized,
    /// It has a configuration of somebody else's, without our marks.
    Edited,
}

#[derive(Clone, Debug)]
enum Event {
    Edit(Edit),
    Drift(Drift),
    /// Some steps are taken, with a fault at one of the effects.
    Steps(usize, Option<(usize, Fault)>),
    Time(i64),
}

pub fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        prop_oneof![Just(PowerState::Running), Just(PowerState::Stopped)].prop_map(Edit::Power),
        prop_oneof![Just(None), Just(Some("Ada")), Just(Some("Bob"))].prop_map(Edit::Persona),
        prop_oneof![Just(None), Just(Some("one")), Just(Some("two"))].prop_map(Edit::Env),
        prop_oneof![Just("trial"), Just("pro"), Just("narrow"), Just("tiny"), Just("nowhere")]
            .prop_map(Edit::Plan),
        prop_oneof![Just(SleepMode::Never), Just(SleepMode::Stop)].prop_map(Edit::Sleep),
        prop_oneof![Just(None), Just(Some("ops.example.dev")), Just(Some("old.example.dev"))]
            .prop_map(Edit::Hostname),
        prop_oneof![Just(None), Just(Some("KEY")), Just(Some("ABSENT"))].prop_map(Edit::Secret),
        prop_oneof![Just("one"), Just("two")].prop_map(Edit::Rotate),
        prop_oneof![Just("a"), Just("b"), Just("crashes"), Just("missing")].prop_map(Edit::Upgrade),
    ]
}

pub fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::CrashBefore),
        Just(Fault::CrashAfter),
        Just(Fault::LostReply),
        Just(Fault::LostRequest)
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => edit().prop_map(Event::Edit),
        1 => prop_oneof![
            Just(Drift::Stopped),
            Just(Drift::Started),
            Just(Drift::Destroyed),
            Just(Drift::Resized),
            Just(Drift::Edited)
        ].prop_map(Event::Drift),
        4 => (1_usize..40, proptest::option::of((0_usize..6, faults()))).prop_map(|(steps, fault)| Event::Steps(steps, fault)),
        1 => (1_i64..120).prop_map(Event::Time),
    ]
}

pub fn apply(world: &mut World, edit: &Edit) {
    match edit {
        Edit::Power(state) => world.power(*state),
        Edit::Plan(name) => world.edit(|spec| spec.plan_ref = Some(NameRef::new(*name))),
        Edit::Sleep(mode) => world.edit(|spec| spec.sleep = Some(Sleep { mode: *mode })),
        Edit::Persona(name) => {
            world.edit(|spec| spec.persona = name.map(|name| Persona { name: name.into() }));
        }
        Edit::Hostname(host) => world.base = host.map(|host| base("certificate", host)),
        Edit::Rotate(value) => {
            world.secrets.insert("KEY".into(), (*value).into());
            world.rotated = true;
        }
        Edit::Upgrade(image) => {
            world.edit_blueprint(|spec| spec.image = format!("openclaw:{image}"));
            let task = format!("up{}", world.requests.len() + world.finished.len());
            world.request(&task, RequestKind::Upgrade);
        }
        Edit::Secret(name) => world.edit(|spec| {
            spec.env.retain(|env| env.value_from.is_none());
            spec.env.extend(name.map(secret));
        }),
        Edit::Env(value) => world.edit(|spec| {
            spec.env.retain(|env| env.value_from.is_some());
            let color =
                |value: &str| EnvVar { name: "COLOR".into(), value: Some(value.into()), value_from: None };
            spec.env.extend(value.map(color));
        }),
    }
}

fn secret(name: &str) -> EnvVar {
    let secret_key_ref = SecretKeyRef { name: "keys".into(), key: name.into() };
    EnvVar { name: name.into(), value: None, value_from: Some(EnvSource { secret_key_ref }) }
}

/// The organisation's list tells that something has happened to the Machine, not what.
pub fn drift(world: &mut World, known: &mut Knowledge, drift: Drift) {
    known.machine = Known::Unknown;
    match drift {
        Drift::Stopped => {
            let now = world.now;
            if let Some(machine) = &mut world.machine {
                (machine.phase, machine.quiet) = (MachinePhase::Stopped, Some(now));
            }
        }
        Drift::Started => {
            if world.machine.is_some() {
                world.wake();
            }
        }
        Drift::Destroyed => {
            if world.machine.take().is_some() {
                // Another one is no second one.
                world.moves.machines += 1;
            }
        }
        Drift::Resized | Drift::Edited => {
            let version = world.id("theirs");
            let Some(machine) = &mut world.machine else { return };
            machine.version = version;
            if drift == Drift::Resized {
                machine.drift = Some(reported("theirs"));
            } else {
                (machine.config_hash, machine.env_mark) = (None, None);
            }
        }
    }
}

/// What stands outside, in words by which two worlds with different pasts can be compared: not by ids, numbers of
/// versions, sizes that only grow, and what waits to be removed.
pub fn projection(world: &World) -> String {
    let may_sleep = world.runtime.spec.sleep.as_ref().is_some_and(|sleep| sleep.mode != SleepMode::Never);
    let running = world.runtime.spec.power_state == PowerState::Running;
    let machine = world.machine.as_ref().map(|machine| {
        // One that may sleep is up or asleep.
        let phase = (!may_sleep || !running).then_some(machine.phase);
        let config = (&machine.config_hash, &machine.env_mark, &machine.secrets_hash, &machine.image_digest);
        let config = (config, &machine.drift, world.snapshot_days());
        format!("{:?}", (phase, machine.services, machine.idling, config))
    });
    let identity = world.identity();
    let pin = (&identity.pin.plan, &identity.pin.spec.image, &identity.pin.image_digest);
    // In an app of our own a first volume may be recorded with its Machine.
    let recorded =
        world.machine.is_some().then(|| (identity.machine_id.is_some(), identity.volume_id.is_some()));
    let recorded = (recorded, pin);
    // Without a base domain nobody is there to take a name back.
    let host = world.base.as_ref().and_then(|base| base.host.as_ref());
    let names = host.map(|host| (world.records.get(host), world.certificates.get(host)));
    // A Machine that was destroyed behind our back, and can't be made again, has no size.
    let guest = world.machine.as_ref().and(world.moves.guest);
    let fly = (world.app, world.v6, world.v4, guest, &world.app_secrets);
    let ready =
        world.runtime.status.as_ref().and_then(|status| find(&status.conditions, ConditionType::Ready));
    let ready = ready.filter(|_| !may_sleep).map(|ready| (ready.status, &ready.reason));
    format!("{:?}", (fly, machine, recorded, names, ready))
}

/// At rest secret values aren't kept.
pub fn forget_secrets(known: &mut Knowledge) {
    known.token = Token::Unknown;
    known.env = EnvFact::Unknown;
    known.secrets = None;
}

/// A world whose platform allows every Plan, with images that work and images that don't.
pub fn roomy() -> World {
    let mut world = World::new();
    world.policy.plans = Some(["trial", "pro", "narrow", "tiny"].map(str::to_owned).into());
    world.secrets.insert("KEY".into(), "one".into());
    world.broken = [("crashes", Broken::Crashes), ("hangs", Broken::Hangs), ("missing", Broken::Missing)]
        .map(|(image, how)| (format!("openclaw:{image}"), how))
        .into();
    world
}

/// The end of `world`, when nothing more happens to it and everything is looked at again. One that is made of an image
/// that isn't there never rests.
fn settled(world: &mut World) -> (Option<Rest>, String) {
    let long = |world: &mut World| {
        let known = world.fresh();
        run_for(world, known, 800, None).0
    };
    let mut rest = long(world);
    // Requests come: awake, it can be compared with one that never slept. What an upgrade waited for as long as it slept
    // may then be done, and leave it asleep until the next.
    for _ in 0..3 {
        if rest == Some(Rest::Sleeping) {
            world.wake();
            rest = long(world);
        }
    }
    // How long it pauses before the next try depends on what was tried.
    if let Some(Rest::Refused(refusal, _)) = rest {
        rest = Some(Rest::Refused(refusal, second(0)));
    }
    (rest, projection(world))
}

/// An edit that can't be carried out is taken back in the end.
pub fn mended(world: &mut World) {
    let named = world.runtime.spec.plan_ref.as_ref().map(|reference| reference.name.as_str());
    if matches!(named, Some("tiny" | "nowhere")) {
        apply(world, &Edit::Plan("trial"));
    }
    if world.runtime.spec.env.iter().any(|env| env.name == "ABSENT") {
        apply(world, &Edit::Secret(Some("KEY")));
    }
}

/// A fresh creation of what `world` declares. An upgrade is asked for and may fail: what counts is the pin.
pub fn created(world: &World) -> World {
    let mut fresh = roomy();
    fresh.runtime.spec = world.runtime.spec.clone();
    fresh.base.clone_from(&world.base);
    fresh.secrets.clone_from(&world.secrets);
    fresh.blueprint.1 = (*world.identity().pin.spec).clone();
    fresh
}

/// Follows a path as far as it goes.
fn follow(world: &mut World, events: &[Event]) {
    let mut known = Knowledge::default();
    for event in events {
        match event {
            Event::Edit(edit) => {
                // The round over all Secrets, and the watch on Blueprints, come to it.
                known.compared =
                    matches!(edit, Edit::Rotate(_)).then_some(Compared::Never).or(known.compared);
                apply(world, edit);
            }
            Event::Drift(change) => drift(world, &mut known, *change),
            Event::Time(seconds) => world.now += second(*seconds),
            Event::Steps(steps, fault) => {
                let (rest, after) = run_for(world, known, *steps, *fault);
                known = after;
                if rest.is_some() {
                    forget_secrets(&mut known);
                }
            }
        }
    }
}

/// Edits that can't be carried out, and what takes each back.
fn bad_edits() -> impl Strategy<Value = (Edit, Edit)> {
    prop_oneof![
        Just((Edit::Plan("tiny"), Edit::Plan("trial"))),
        Just((Edit::Plan("nowhere"), Edit::Plan("trial"))),
        Just((Edit::Secret(Some("ABSENT")), Edit::Secret(None))),
        Just((Edit::Upgrade("crashes"), Edit::Upgrade("a"))),
        Just((Edit::Upgrade("hangs"), Edit::Upgrade("a"))),
        Just((Edit::Upgrade("missing"), Edit::Upgrade("a"))),
    ]
}

/// What Fly keeps of a Runtime: which Machine and volume, what they are, and what is on the volume.
fn kept(world: &World) -> String {
    format!("{} {}", projection(world), world.content())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_path_to_a_spec_ends_where_a_fresh_creation_of_it_ends(events in prop::collection::vec(event(), 0..14)) {
        let mut world = roomy();
        follow(&mut world, &events);
        mended(&mut world);
        let path = settled(&mut world);
        let fresh = settled(&mut created(&world));
        prop_assert_eq!(&path, &fresh, "after {:?}", world.ledger);
        let displaced = world.identity().displaced.len();
        prop_assert_eq!(world.usable_volumes(), 1 + displaced, "after {:?}", world.ledger);
    }

    #[test]
    fn a_bad_edit_that_is_taken_back_leaves_what_was(
        (bad, back) in bad_edits(), steps in 1_usize..120, fault in proptest::option::of((0_usize..6, faults()))
    ) {
        let mut world = roomy();
        apply(&mut world, &Edit::Plan("trial"));
        apply(&mut world, &Edit::Upgrade("a"));
        prop_assert_eq!(run(&mut world, None), Rest::Running);
        world.write("the customer's file");
        let before = kept(&world);
        apply(&mut world, &bad);
        run_for(&mut world, Knowledge::default(), steps, fault);
        apply(&mut world, &back);
        prop_assert_eq!(run(&mut world, None), Rest::Running);
        prop_assert_eq!(kept(&world), before, "after {:?}", world.ledger);
    }
}
