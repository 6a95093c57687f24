//! Machines as Fly tells of them: in part, or with marks that somebody changed. And how long what settles is waited for.

use fly_machines::types::Machine;
use jiff::SignedDuration;
use moorage::control::runtime::decide::decide;
use moorage::control::runtime::desired::metadata;
use moorage::control::runtime::facts::{Facts, Host, Knowledge, Known, Token, TroubleClass};
use moorage::control::runtime::look::note_machine;
use moorage::control::runtime::step::{Effect, Look, Rest, Step};
use moorage::control::runtime::trouble::{Failure, Pace, note};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::world::{World, run, second};

fn running() -> (World, Facts) {
    let mut world = World::new();
    assert_eq!(run(&mut world, None), Rest::Running);
    let mut facts = world.facts(Knowledge::default());
    world.look(Look::Machine, &mut facts);
    (world, facts)
}

/// The world's Machine as Fly answers it, with these fields.
fn answer(world: &World, fields: Value) -> Machine {
    let machine = world.machine.as_ref().unwrap();
    let mut all =
        json!({"id": machine.id, "state": "started", "instance_id": machine.version, "region": "fra"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

/// The first thing that is done about what is known, the token's Secret aside.
fn first_effect(world: &World, mut facts: Facts) -> Effect {
    for _ in 0..100 {
        match decide(world.now, &facts) {
            Step::Look(Look::Machine) => panic!("the Machine is asked for again"),
            Step::Look(look) => world.look(look, &mut facts),
            Step::Do(Effect::EnsureToken) => {
                facts.known.token = Token::Known(SecretString::from(world.token.clone().unwrap()));
            }
            Step::Do(effect) => return effect,
            step => panic!("{step:?}"),
        }
    }
    panic!("nothing is done")
}

#[test]
fn from_what_is_told_in_part_nothing_is_concluded() {
    for (host, told) in [
        (json!("unknown"), json!({"incomplete_config": {"image": "theirs"}})),
        (json!("unknown"), json!({"config": {"image": "theirs"}})),
        (json!("ok"), json!({"config": null})),
        (json!(null), json!({})),
    ] {
        let (world, mut facts) = running();
        let mut fields = told.clone();
        fields["host_status"] = host.clone();
        note_machine(world.now, &mut facts, &world.identity(), Some(answer(&world, fields)));
        assert_eq!(decide(world.now, &facts), Step::Look(Look::Machine), "{host} with {told}");
    }
}

#[test]
fn a_host_that_is_known_to_be_lost_is_told_as_that() {
    let (world, mut facts) = running();
    let fields = json!({"host_status": "unreachable", "incomplete_config": {"image": "ours"}});
    note_machine(world.now, &mut facts, &world.identity(), Some(answer(&world, fields)));
    assert_eq!(facts.known.machine.present().unwrap().host, Host::Unreachable);
}

/// The world's Machine, marked as another Runtime's.
fn marked_otherwise(world: &World) -> Machine {
    let marks = json!({metadata::IDENTITY: "another", metadata::CONFIG: "theirs"});
    answer(world, json!({"host_status": "ok", "config": {"image": world.image, "metadata": marks}}))
}

#[test]
fn the_recorded_machine_is_ours_whatever_it_is_marked_with_and_its_marks_are_put_right() {
    let (world, mut facts) = running();
    note_machine(world.now, &mut facts, &world.identity(), Some(marked_otherwise(&world)));
    let machine = facts.known.machine.present().expect("it isn't gone");
    assert_eq!(moorage::control::runtime::drift::changed(&facts, machine), ["metadata"]);
    let effect = first_effect(&world, facts);
    assert!(matches!(effect, Effect::SetSecrets | Effect::UpdateMachine(_)), "{effect:?}");
}

#[test]
fn one_that_is_found_by_its_name_and_marked_as_anothers_is_not_ours() {
    let (world, mut facts) = running();
    let mut identity = world.identity();
    identity.machine_id = None;
    note_machine(world.now, &mut facts, &identity, Some(marked_otherwise(&world)));
    assert!(matches!(facts.known.machine, Known::Missing(_)), "{:?}", facts.known.machine);
}

fn settling() -> Failure {
    Failure {
        class: TroubleClass::Transient,
        reason: "FlyRefused",
        message: "The volume is claimed by another Machine still.".into(),
        retry_after: None,
        pace: Pace::Soon,
    }
}

#[test]
fn what_settles_is_tried_all_the_time_that_fly_may_take_and_more_slowly_from_there() {
    let (world, mut facts) = running();
    let mut tries = Vec::new();
    let mut now = world.now;
    while world.now.duration_until(now) < SignedDuration::from_hours(2) {
        note(now, &mut facts, settling());
        let next = facts.known.trouble.as_ref().unwrap().next;
        tries.push((world.now.duration_until(now), now.duration_until(next)));
        now = next;
    }
    let slowest = facts.cluster.settings.slow_retry;
    let mut before = second(0);
    for (waited, pause) in tries {
        let soon = if waited < SignedDuration::from_mins(10) { second(2) } else { slowest };
        assert!(pause >= second(1) && pause <= soon, "{pause:?} after {waited:?}");
        assert!(pause <= (before * 2).max(second(2)), "{pause:?} after {waited:?} follows {before:?}");
        before = pause;
    }
    assert_eq!(before, slowest);
}
