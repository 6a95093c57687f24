//! Variables and their secrets: a restart only where the variable needs one, and a rotation reaches everybody.

use crate::faults::{every_fault, running_with};
use crate::world::{World, run, run_for, second};
use moorage::api::blueprint::{Awake, EnvRule, EnvType, OnChange};
use moorage::api::condition::{ConditionType, find};
use moorage::api::refs::SecretKeyRef;
use moorage::api::runtime::{EnvEffect, EnvSource, EnvVar, RuntimeSpec, Sleep, SleepMode};
use moorage::control::runtime::facts::{EnvFact, Knowledge, MachinePhase, Token};
use moorage::control::runtime::step::Rest;

fn literal(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.into(), value: Some(value.into()), value_from: None }
}

pub fn secret(name: &str) -> EnvVar {
    let secret_key_ref = SecretKeyRef { name: "keys".into(), key: name.into() };
    EnvVar { name: name.into(), value: None, value_from: Some(EnvSource { secret_key_ref }) }
}

/// A change of `LATER` or `LATER_SECRET` needs no restart.
fn schema(world: &mut World) {
    world.blueprint.1.env_schema = ["LATER", "LATER_SECRET"]
        .map(|name| EnvRule {
            name: name.into(),
            type_: EnvType::Plain,
            on_change: OnChange::NextStart,
            awake: Awake::NotRequired,
            description: None,
        })
        .into();
}

fn declared(spec: &mut RuntimeSpec) {
    spec.env = vec![literal("NOW", "1"), literal("LATER", "1"), secret("KEY"), secret("LATER_SECRET")];
}

fn start(edit: impl FnOnce(&mut RuntimeSpec)) -> World {
    let mut world = running_with(|_| {});
    schema(&mut world);
    for name in ["KEY", "LATER_SECRET"] {
        world.secrets.insert(name.into(), "old".into());
    }
    world.edit(|spec| {
        declared(spec);
        edit(spec);
    });
    assert_eq!(run(&mut world, None), Rest::Running);
    world.ledger.clear();
    world
}

fn running() -> World {
    start(|_| {})
}

fn asleep() -> World {
    let mut world = start(|spec| spec.sleep = Some(Sleep { mode: SleepMode::Stop }));
    world.doze();
    assert_eq!(run(&mut world, None), Rest::Sleeping);
    world
}

fn rotate(world: &mut World, name: &str) {
    world.secrets.insert(name.into(), "new".into());
    world.rotated = true;
}

fn pending(world: &World) -> Vec<String> {
    let status = world.runtime.status.as_ref().unwrap();
    let waits = status.env.iter().filter(|env| env.effective == Some(EnvEffect::NextStart));
    waits.map(|env| env.name.clone()).collect()
}

/// What was changed, reading the token aside.
pub fn changes(world: &World) -> Vec<&'static str> {
    world.ledger.iter().copied().filter(|it| *it != "EnsureToken").collect()
}

fn restarts(world: &World) -> usize {
    world.ledger.iter().filter(|it| **it == "UpdateMachine").count()
}

#[test]
fn at_rest_nothing_is_read_and_a_restart_of_the_operator_changes_nothing() {
    let mut world = running();
    world.rotated = true;
    let before = world.runtime.status.clone();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((changes(&world), pending(&world)), (vec![], vec![]));
    assert_eq!(world.runtime.status, before);
}

#[test]
fn a_change_that_needs_a_restart_gets_one() {
    for change in [literal("NOW", "2"), literal("ADDED", "1"), secret("NOW")] {
        let mut world = running();
        world.secrets.insert("NOW".into(), "1".into());
        world.edit(|spec| {
            spec.env.retain(|env| env.name != change.name);
            spec.env.push(change.clone());
        });
        assert_eq!(run(&mut world, None), Rest::Running);
        assert_eq!(restarts(&world), 1, "{change:?}: {:?}", world.ledger);
    }
    let mut removed = running();
    removed.edit(|spec| spec.env.retain(|env| env.name != "KEY"));
    assert_eq!(run(&mut removed, None), Rest::Running);
    assert_eq!(changes(&removed), ["SetSecrets", "UpdateMachine"]);
}

#[test]
fn one_that_needs_none_leaves_the_gateway_running_and_is_told() {
    let mut world = running();
    world.edit(|spec| spec.env[1].value = Some("2".into()));
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((restarts(&world), pending(&world)), (0, vec!["LATER".to_owned()]));
    let told = |world: &World| {
        let conditions = &world.runtime.status.as_ref().unwrap().conditions;
        find(conditions, ConditionType::ConfigApplied).unwrap().message.clone()
    };
    assert!(told(&world).contains("`LATER` takes effect at the next start"), "{}", told(&world));
    let settled = world.runtime.status.clone();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.runtime.status, settled);
    world.machine.as_mut().unwrap().phase = MachinePhase::Stopped;
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((restarts(&world), pending(&world)), (1, vec![]));
}

#[test]
fn an_edit_of_the_schema_alone_restarts_nothing() {
    let mut world = running();
    world.blueprint.1.env_schema.clear();
    world.rotated = true;
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(changes(&world), [""; 0]);
}

#[test]
fn a_rotated_secret_restarts_only_if_it_has_to() {
    let mut world = running();
    rotate(&mut world, "KEY");
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(changes(&world), ["SetSecrets", "UpdateMachine"]);

    let mut world = running();
    rotate(&mut world, "LATER_SECRET");
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(changes(&world), ["SetSecrets", "MarkSecrets"]);
    assert_eq!(pending(&world), ["LATER_SECRET"]);
    let settled = world.runtime.status.clone();
    for rotated in [true, false] {
        world.rotated = rotated;
        assert_eq!(run(&mut world, None), Rest::Running);
        assert_eq!((changes(&world).len(), &world.runtime.status), (2, &settled), "rotated {rotated}");
    }
    world.machine.as_mut().unwrap().phase = MachinePhase::Stopped;
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(pending(&world), [""; 0]);
}

#[test]
fn a_rotation_that_is_taken_back_is_so_in_the_app_as_well() {
    let mut world = running();
    let before = world.app_secrets.clone();
    rotate(&mut world, "LATER_SECRET");
    run(&mut world, None);
    assert_ne!(world.app_secrets, before);
    world.secrets.insert("LATER_SECRET".into(), "old".into());
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((world.app_secrets.clone(), restarts(&world), pending(&world)), (before, 0, vec![]));
}

#[test]
fn one_that_sleeps_gets_rotated_secrets_without_being_woken() {
    for name in ["KEY", "LATER_SECRET"] {
        let mut world = asleep();
        world.ledger.clear();
        rotate(&mut world, name);
        assert_eq!(run(&mut world, None), Rest::Sleeping);
        assert_eq!(changes(&world), ["SetSecrets", "UpdateMachine"], "{name}");
        assert_eq!(world.machine.as_ref().unwrap().phase, MachinePhase::Stopped);
    }
}

#[test]
fn a_lost_token_is_made_anew_with_one_restart() {
    let mut world = running();
    world.token = None;
    world.next_token = "fedcba9876543210fedcba9876543210";
    world.rotated = true;
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(changes(&world), ["SetSecrets", "UpdateMachine"]);
    world.ledger.clear();
    world.rotated = false;
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(changes(&world), [""; 0]);
}

#[test]
fn one_fault_at_every_effect_of_a_change_of_variables_changes_nothing_in_the_end() {
    every_fault("rotate", running, |world| rotate(world, "KEY"), Rest::Running);
    every_fault("rotate for later", running, |world| rotate(world, "LATER_SECRET"), Rest::Running);
    every_fault("rotate asleep", asleep, |world| rotate(world, "KEY"), Rest::Sleeping);
    let remove = |world: &mut World| world.edit(|spec| spec.env.truncate(1));
    every_fault("remove", running, remove, Rest::Running);
    let lose = |world: &mut World| {
        world.token = None;
        world.next_token = "fedcba9876543210fedcba9876543210";
        world.rotated = true;
    };
    every_fault("lose the token", running, lose, Rest::Running);
}

#[test]
fn a_secret_that_went_is_looked_for_until_it_is_back() {
    let mut world = running();
    let value = world.secrets.remove("KEY").unwrap();
    world.rotated = true;
    let mut known = world.fresh();
    for _ in 0..3 {
        let (rest, seen) = run_for(&mut world, known, 100, None);
        assert!(
            matches!(&rest, Some(Rest::Refused(refusal, _)) if refusal.reason == "SecretNotFound"),
            "{rest:?}"
        );
        // As one at rest does.
        known = Knowledge { env: EnvFact::Unknown, token: Token::Unknown, ..seen };
        world.now += second(30);
    }
    world.secrets.insert("KEY".into(), value);
    assert_eq!(run_for(&mut world, known, 100, None).0, Some(Rest::Running));
    assert_eq!(restarts(&world), 0);
}

fn set_later(world: &mut World, value: &str) {
    world.edit(|spec| {
        spec.env.retain(|env| env.name != "LATER");
        spec.env.push(literal("LATER", value));
    });
}

#[test]
fn what_waits_for_its_next_start_goes_on_waiting_when_the_blueprint_is_edited() {
    let mut world = running();
    set_later(&mut world, "2");
    assert_eq!(run(&mut world, None), Rest::Running);
    world.edit_blueprint(|blueprint| blueprint.env_schema.clear());
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((restarts(&world), pending(&world)), (0, vec!["LATER".to_owned()]));
    set_later(&mut world, "3");
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!((restarts(&world), pending(&world)), (1, vec![]), "by the rule as it is now");
}

#[test]
fn a_literal_that_runs_goes_on_when_the_blueprint_calls_it_a_secret_and_a_new_one_is_refused() {
    let mut world = running();
    world.edit_blueprint(|blueprint| {
        blueprint.env_schema = ["NOW", "ADDED"]
            .map(|name| EnvRule {
                name: name.into(),
                type_: EnvType::Secret,
                on_change: OnChange::Restart,
                awake: Awake::NotRequired,
                description: None,
            })
            .into();
    });
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(restarts(&world), 0);
    for change in [literal("NOW", "2"), literal("ADDED", "1")] {
        let mut world = world.clone();
        world.edit(|spec| {
            spec.env.retain(|env| env.name != change.name);
            spec.env.push(change);
        });
        let rest = run(&mut world, None);
        assert!(matches!(&rest, Rest::Refused(refusal, _) if refusal.reason == "SecretLiteral"), "{rest:?}");
    }
}
