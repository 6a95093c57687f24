//! What a Machine is compared by: what people declare. What a newer operator brings restarts nothing.

use crate::faults::every_fault;
use crate::world::{World, run, run_for, second};
use moorage::api::Condition;
use moorage::api::blueprint::FixedEnv;
use moorage::api::condition::{ConditionType, find};
use moorage::api::runtime::{EnvVar, Persona};
use moorage::control::rollout::tell;
use moorage::control::runtime::config_mark::{self, Standing};
use moorage::control::runtime::facts::{Knowledge, RequestKind};
use moorage::control::runtime::resolve::resolve;
use moorage::control::runtime::step::Rest;

/// Marks of the two kinds that Machines out there carry, for [`World::new`] and for [`declared`].
const EARLIER: [&str; 2] = ["dr5vc6q4dkoywbbb", "4gug2gmnn2y6wdpx"];
const PRESENT: [&str; 2] = ["2-rhfpmufcisq5kttf", "2-dfpbtlvewj6nqcyp"];

fn declared(world: &mut World) {
    world.edit(|spec| {
        spec.persona = Some(Persona { name: "Ada".into() });
        let model = EnvVar { name: "LLM_MODEL".into(), value: Some("gpt-5.5".into()), value_from: None };
        spec.env.push(model);
    });
    restart(world, "1");
}

fn restart(world: &mut World, at: &str) {
    let request = ("moorage.dev/restarted-at".to_owned(), at.to_owned());
    world.runtime.metadata.annotations = Some([request].into());
}

fn mark(world: &World) -> String {
    let facts = world.facts(Knowledge::default());
    config_mark::mark(&facts, &resolve(&facts).unwrap())
}

fn standing(world: &World, mark: &str) -> Standing {
    let facts = world.facts(Knowledge::default());
    let mut machine = world.machine.clone().unwrap();
    machine.config_hash = Some(mark.to_owned());
    config_mark::standing(&facts, &resolve(&facts).unwrap(), &machine)
}

fn running() -> World {
    let mut world = World::new();
    assert_eq!(run(&mut world, None), Rest::Running);
    world.ledger.clear();
    world.now += second(60);
    world
}

/// As an operator left it that knew the earlier kind of mark only.
fn marked_earlier() -> World {
    let mut world = running();
    world.machine.as_mut().unwrap().config_hash = Some(EARLIER[0].to_owned());
    world
}

fn told(world: &World) -> Option<&Condition> {
    find(&world.runtime.status.as_ref().unwrap().conditions, ConditionType::UpdateAvailable)
}

/// Whoever changes what these are made from restarts every Runtime that there is: they must stay as they are.
#[test]
fn the_marks_are_exactly_these() {
    let mut world = running();
    for at in 0..2 {
        assert_eq!(mark(&world), PRESENT[at]);
        assert_eq!(standing(&world, PRESENT[at]), Standing::AsDeclared);
        assert_eq!(standing(&world, EARLIER[at]), Standing::ByEarlierMark);
        assert_eq!(standing(&world, EARLIER[1 - at]), Standing::Otherwise);
        declared(&mut world);
    }
}

/// A rollout doesn't try again what failed: not even one of a newer operator.
#[test]
fn what_failed_is_known_again_by_exactly_this() {
    let mut world = running();
    world.edit_blueprint(|spec| spec.image = "other".into());
    assert_eq!(tell::update(&world.facts(Knowledge::default())).unwrap().target(), "y3emrvc5qdgl5glg");
}

#[test]
fn a_field_of_the_blueprint_that_nobody_declared_is_none_of_it() {
    let mut world = running();
    let before = mark(&world);
    world.claim.as_mut().unwrap().runtime.as_mut().unwrap().pin.spec = {
        let mut spec = world.blueprint.1.clone();
        spec.minimum_memory_mb = 1024;
        std::sync::Arc::new(spec)
    };
    assert_eq!(mark(&world), before);
}

#[test]
fn what_is_declared_is_told_apart() {
    let change = |edit: fn(&mut World)| {
        let mut world = running();
        edit(&mut world);
        mark(&world)
    };
    let changes: [fn(&mut World); 9] = [
        |world| restart(world, "1"),
        |world| world.edit(|spec| spec.persona = Some(Persona { name: "Ada".into() })),
        |world| repin(world, |spec| spec.image = "other".into()),
        |world| repin(world, |spec| spec.command.push("--verbose".into())),
        |world| repin(world, |spec| spec.port = 3001),
        |world| repin(world, |spec| spec.env.push(FixedEnv { name: "A".into(), value: "1".into() })),
        |world| repin(world, |spec| spec.health_check.grace_period_seconds = 61),
        |world| repin(world, |spec| spec.stop.timeout_seconds = 299),
        |world| repin(world, |spec| spec.gateway.trusted_proxies.push("10.0.0.0/8".into())),
    ];
    let mut marks: Vec<String> = changes.map(change).into();
    marks.push(mark(&running()));
    marks.sort();
    marks.dedup();
    assert_eq!(marks.len(), 10);
}

fn repin(world: &mut World, edit: fn(&mut moorage::api::BlueprintSpec)) {
    let mut spec = world.blueprint.1.clone();
    edit(&mut spec);
    world.claim.as_mut().unwrap().runtime.as_mut().unwrap().pin.spec = std::sync::Arc::new(spec);
}

#[test]
fn an_operator_that_brings_other_files_restarts_nothing_and_says_what_waits() {
    let mut world = running();
    world.seed = 2;
    // At its start it knows the organisation's list, and writes nothing.
    let before = world.runtime.status.clone();
    let known = world.listed();
    assert_eq!(run_for(&mut world, known, 100, None).0, Some(Rest::Running));
    assert_eq!((&world.ledger, &world.runtime.status), (&vec![], &before));
    // The sweep looks at the Machine itself.
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, [""; 0]);
    let condition = told(&world).unwrap();
    assert_eq!(condition.reason, "SeedChanged");
    assert!(condition.message.contains("version 2") && condition.message.contains("given 1"));
    let shown = world.runtime.status.clone();
    let known = world.listed();
    assert_eq!(run_for(&mut world, known, 100, None).0, Some(Rest::Running));
    assert_eq!(world.runtime.status, shown, "written twice");
    // Any update brings them along.
    restart(&mut world, "1");
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger.iter().filter(|it| **it == "UpdateMachine").count(), 1);
    assert_eq!(told(&world), None);
    world.ledger.clear();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, [""; 0]);
}

#[test]
fn a_restart_that_is_asked_for_brings_them_along_with_one_restart() {
    let mut world = running();
    world.seed = 2;
    world.request("restart", RequestKind::Restart);
    world.now += second(2);
    assert_eq!(run(&mut world, None), Rest::Running);
    let changes: Vec<_> = world.ledger.iter().copied().filter(|it| it.ends_with("Machine")).collect();
    assert_eq!(changes, ["UpdateMachine"], "{:?}", world.ledger);
    assert_eq!((told(&world), world.finished.len()), (None, 1));
    let ask = |world: &mut World| {
        world.seed = 2;
        world.request("restart", RequestKind::Restart);
        world.now += second(2);
    };
    every_fault("restart with other files", running, ask, Rest::Running);
}

#[test]
fn a_machine_with_the_earlier_mark_is_marked_anew_once_it_is_looked_at_and_never_restarted() {
    let mut world = marked_earlier();
    let known = world.listed();
    let before = world.runtime.status.clone();
    assert_eq!(run_for(&mut world, known, 100, None).0, Some(Rest::Running));
    assert_eq!((&world.ledger, &world.runtime.status), (&vec![], &before), "at its start");
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, ["MarkConfig"]);
    assert_eq!(world.runtime.status, before);
    assert_eq!(world.machine.as_ref().unwrap().config_hash.as_deref(), Some(PRESENT[0]));
    every_fault("mark anew", marked_earlier, |_| {}, Rest::Running);
}

#[test]
fn it_is_marked_anew_before_what_the_earlier_mark_knew_changes() {
    let mut world = marked_earlier();
    world.policy.plans = Some(["trial", "narrow"].map(str::to_owned).into());
    world.edit(|spec| spec.plan_ref = Some(moorage::api::NameRef::new("narrow")));
    let known = world.listed();
    assert_eq!(run_for(&mut world, known, 100, None).0, Some(Rest::Running));
    assert_eq!(world.ledger, ["MarkConfig", "RecordIdentity", "RecordIdentity"]);
}

#[test]
fn one_that_is_held_keeps_its_mark() {
    let mut world = marked_earlier();
    let hold = ("moorage.dev/paused".to_owned(), "true".to_owned());
    world.runtime.metadata.annotations = Some([hold].into());
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, [""; 0]);
}

#[test]
fn what_is_declared_otherwise_is_carried_out_whatever_the_kind_of_the_mark() {
    let mut world = marked_earlier();
    declared(&mut world);
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger.iter().filter(|it| **it == "UpdateMachine").count(), 1);
    assert_eq!(world.machine.as_ref().unwrap().config_hash.as_deref(), Some(PRESENT[1]));
}
