//! What somebody else does to a Machine is put right, told, and not fought over for ever.

use crate::faults::{FAULTS, every_fault, running};
use crate::world::{World, run, run_for, second};
use fly_machines::types as fly;
use moorage::api::condition::{Condition, ConditionStatus, ConditionType, find};
use moorage::control::runtime::desired::metadata;
use moorage::control::runtime::drift::{Drift, drift, mark};
use moorage::control::runtime::facts::{Knowledge, MachinePhase};
use moorage::control::runtime::step::Rest;

/// A Machine whose size isn't what was asked for, in these words.
pub fn reported(words: &str) -> Box<Drift> {
    Box::new(Drift { changed: vec!["guest"], spelled: vec![], reported: words.into() })
}

/// Somebody gives the Machine another size, by another tool.
fn meddle(world: &mut World) {
    let version = world.id("theirs");
    let machine = world.machine.as_mut().unwrap();
    machine.version = version;
    machine.drift = Some(reported("theirs"));
}

/// Somebody gives the Machine a configuration of their own, without our marks.
fn strip(world: &mut World) {
    meddle(world);
    let machine = world.machine.as_mut().unwrap();
    (machine.config_hash, machine.env_mark, machine.drift) = (None, None, None);
}

fn updates(world: &World) -> usize {
    world.ledger.iter().filter(|effect| **effect == "UpdateMachine").count()
}

fn told(world: &World) -> &Condition {
    let conditions = &world.runtime.status.as_ref().unwrap().conditions;
    find(conditions, ConditionType::ConfigApplied).unwrap()
}

/// Goes on from what is known, to rest.
fn go_on(world: &mut World, known: Knowledge) -> Knowledge {
    let forgotten = Knowledge { machine: Default::default(), ..known };
    let (rest, known) = run_for(world, forgotten, 500, None);
    assert_eq!(rest, Some(Rest::Running), "{:?}", world.ledger);
    known
}

#[test]
fn a_changed_configuration_is_put_right_by_one_update() {
    let mut world = running();
    meddle(&mut world);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(updates(&world), 1, "{:?}", world.ledger);
    assert_eq!(world.machine.as_ref().unwrap().drift, None);
    world.ledger.clear();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, [""; 0]);
}

#[test]
fn the_same_change_is_put_right_each_time_it_is_made() {
    let mut world = running();
    let mut known = Knowledge::default();
    for times in 1..=3 {
        meddle(&mut world);
        known = go_on(&mut world, known);
        assert_eq!(updates(&world), times, "{:?}", world.ledger);
        assert_eq!(world.machine.as_ref().unwrap().drift, None);
    }
}

#[test]
fn one_that_is_changed_again_and_again_is_put_right_ever_more_slowly_and_it_is_told() {
    for spoil in [meddle, strip] {
        let mut world = running();
        let mut known = Knowledge::default();
        for _ in 0..20 {
            spoil(&mut world);
            known = go_on(&mut world, known);
            world.now += second(60);
        }
        assert_eq!(updates(&world), 3, "{:?}", world.ledger);
        assert_eq!((told(&world).status, told(&world).reason.as_str()), (ConditionStatus::False, "Drifted"));
        let settled = world.runtime.status.clone();
        known = go_on(&mut world, known);
        assert_eq!(world.runtime.status, settled);
        for hour in 1..=3 {
            world.now += second(3_600);
            known = go_on(&mut world, known);
            assert_eq!(updates(&world), 3 + hour, "{:?}", world.ledger);
            spoil(&mut world);
            known = go_on(&mut world, known);
            assert_eq!(updates(&world), 3 + hour, "{:?}", world.ledger);
        }
    }
}

#[test]
fn a_new_declaration_is_carried_out_even_then() {
    let mut world = running();
    let mut known = Knowledge::default();
    for _ in 0..5 {
        meddle(&mut world);
        known = go_on(&mut world, known);
    }
    assert_eq!(updates(&world), 3);
    world.edit(|spec| spec.persona = Some(moorage::api::runtime::Persona { name: "Ada".into() }));
    go_on(&mut world, known);
    assert_eq!(updates(&world), 4);
    assert_eq!(world.machine.as_ref().unwrap().drift, None);
    assert_eq!(told(&world).status, ConditionStatus::True);
}

#[test]
fn what_fly_puts_in_its_own_way_is_no_change_and_restarts_nothing() {
    let mut world = World::new();
    world.stubborn = true;
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((updates(&world), world.ledger.contains(&"MarkSpelling")), (0, true), "{:?}", world.ledger);
    assert!(told(&world).message.contains("Fly reports guest otherwise"), "{}", told(&world).message);
    let (settled, effects) = (world.runtime.status.clone(), world.ledger.len());
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((&world.runtime.status, world.ledger.len()), (&settled, effects));
    // Of a mark that was never made it costs one update to find out.
    meddle(&mut world);
    world.ledger.clear();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, ["EnsureToken", "UpdateMachine", "MarkSpelling"]);
}

#[test]
fn a_start_of_the_operator_that_reads_the_list_updates_nothing() {
    let mut world = running();
    world.stubborn = true;
    meddle(&mut world);
    let known = world.listed();
    let (rest, _) = run_for(&mut world, known, 500, None);
    assert_eq!((rest, world.ledger.len()), (Some(Rest::Running), 0), "{:?}", world.ledger);
}

#[test]
fn stripped_marks_and_a_stop_by_hand_are_put_right() {
    let mut world = running();
    strip(&mut world);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(updates(&world), 1, "{:?}", world.ledger);
    world.ledger.clear();
    world.machine.as_mut().unwrap().phase = MachinePhase::Stopped;
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, ["StartMachine"]);
}

#[test]
fn one_fault_at_every_effect_of_putting_it_right_changes_nothing_in_the_end() {
    every_fault("stripped marks", running, strip, Rest::Running);
    let stop = |world: &mut World| world.machine.as_mut().unwrap().phase = MachinePhase::Stopped;
    every_fault("a stop", running, stop, Rest::Running);
    swept("a change", running);
    swept("a change where Fly has its own way", own_way);
}

fn own_way() -> World {
    let mut world = running();
    world.stubborn = true;
    world
}

/// An operator that has just started, and rests on what the list shows, reads the Machine itself in its round.
fn swept(name: &str, before: impl Fn() -> World) {
    let mut reference = before();
    meddle(&mut reference);
    run(&mut reference, None);
    for at in 0..reference.ledger.len() {
        for fault in FAULTS {
            let mut world = before();
            meddle(&mut world);
            run(&mut world, Some((at, fault)));
            assert_eq!(run(&mut world, None), Rest::Running);
            let told = format!("{name} with {fault:?} at {}: {:?}", reference.ledger[at], world.ledger);
            assert_eq!(world.summary(), reference.summary(), "{told}");
            assert!(updates(&world) <= 2, "{told}");
        }
    }
}

fn config() -> fly::MachineConfig {
    let mut config = fly::MachineConfig {
        image: "openclaw:1".into(),
        guest: Some(fly::Guest::shared(2, 2048)),
        services: vec![fly::Service {
            autostop: Some(fly::Autostop::Off),
            autostart: Some(false),
            ..fly::Service::default()
        }],
        ..fly::MachineConfig::default()
    };
    config.metadata.insert(metadata::ASKED.into(), mark(&config));
    config
}

#[test]
fn each_field_that_is_ours_is_compared_and_fly_may_fill_in_what_it_likes() {
    let asked = config();
    assert_eq!(drift(&asked), None);
    let mut filled = asked.clone();
    filled.init = Some(fly::Init::default());
    filled.services[0].autostop = None;
    filled.services[0].min_machines_running = Some(0);
    filled.metadata.insert("fly_release_id".into(), "x".into());
    assert_eq!(drift(&filled), None);
    type Change = fn(&mut fly::MachineConfig);
    let other: [(&str, Change); 6] = [
        ("image", |it| it.image = "other:1".into()),
        ("guest", |it| it.guest = Some(fly::Guest::shared(1, 256))),
        ("env", |it| drop(it.env.insert("A".into(), "b".into()))),
        ("services", |it| it.services.clear()),
        ("auto_destroy", |it| it.auto_destroy = Some(true)),
        ("files", |it| it.files.push(fly::File::raw("/etc/x", "eA=="))),
    ];
    for (field, change) in other {
        let mut changed = asked.clone();
        change(&mut changed);
        let found = drift(&changed).unwrap();
        assert_eq!((found.changed, found.spelled), (vec![field], vec![]));
    }
}

#[test]
fn a_spelling_is_known_by_its_mark_field_by_field_and_without_marks_nothing_is_known() {
    let mut spelled = config();
    spelled.guest = Some(fly::Guest::shared(2, 2047));
    let reported = drift(&spelled).unwrap().reported;
    spelled.metadata.insert(metadata::SPELLED.into(), reported);
    assert_eq!(drift(&spelled).unwrap().spelled, ["guest"]);
    spelled.image = "other:1".into();
    let found = drift(&spelled).unwrap();
    assert_eq!((found.changed, found.spelled), (vec!["image"], vec!["guest"]));
    spelled.metadata.clear();
    assert_eq!(drift(&spelled), None);
}
