//! Customers' own hostnames: the gateway lets browsers in by those in service, and by no other.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use moorage::api::runtime::DeletionPolicy;
use moorage::control::runtime::desired;
use moorage::control::runtime::facts::Knowledge;
use moorage::control::runtime::names::{Name, Service};
use moorage::control::runtime::resolve::resolve;
use moorage::control::runtime::step::Rest;

use crate::sleep::asleep;
use crate::world::{World, run};

pub fn name(host: &str, service: Service) -> Name {
    Name { host: host.into(), key: format!("host.{host}"), service }
}

/// A world in which two names lead to the app once it stands.
pub fn named() -> World {
    let mut world = World::new();
    world.names = vec![name("ai.acme.com", Service::Serving), name("ops.acme.com", Service::Pending)];
    world
}

fn running() -> World {
    let mut world = World::new();
    assert_eq!(run(&mut world, None), Rest::Running);
    world.ledger.clear();
    world
}

/// What was done to the Machine.
fn changes(world: &World) -> Vec<&'static str> {
    world.ledger.iter().copied().filter(|effect| effect.ends_with("Machine")).collect()
}

/// What the gateway's settings say to who reads them on the Machine.
fn settings(world: &World) -> String {
    let facts = world.facts(Knowledge::default());
    let resolved = resolve(&facts).unwrap();
    let config = desired::machine_config(&facts, &resolved, &world.identity()).unwrap();
    let file = config.files.iter().find(|file| file.guest_path.ends_with("settings.json")).unwrap();
    let bytes = BASE64_STANDARD.decode(file.raw_value.as_deref().unwrap()).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_name_in_service_is_let_in_after_one_restart_and_one_that_has_left_is_not() {
    let mut world = running();
    let before = world.machine.as_ref().unwrap().names.clone();
    assert_eq!(before, None, "nothing is marked for what nobody uses");
    world.names = vec![name("ai.acme.com", Service::Serving)];
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(changes(&world), ["UpdateMachine"]);
    assert!(settings(&world).contains("https://ai.acme.com"), "{}", settings(&world));

    world.ledger.clear();
    world.names.clear();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(changes(&world), ["UpdateMachine"]);
    assert_eq!(world.machine.as_ref().unwrap().names, None);
}

#[test]
fn names_that_come_together_cost_one_restart() {
    let mut world = running();
    world.names = (0..20).map(|at| name(&format!("n{at}.acme.com"), Service::Serving)).collect();
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(changes(&world), ["UpdateMachine"]);
}

#[test]
fn a_name_that_is_being_set_up_and_a_wildcard_restart_nothing() {
    let mut world = running();
    world.names = vec![name("ai.acme.com", Service::Pending), name("*.acme.com", Service::Serving)];
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(changes(&world), [""; 0]);
    assert!(!settings(&world).contains("acme.com"));
}

#[test]
fn a_name_in_service_wakes_nobody() {
    let mut world = asleep();
    world.names = vec![name("ai.acme.com", Service::Serving)];
    assert_eq!(run(&mut world, None), Rest::Sleeping);
    assert_eq!(changes(&world), ["UpdateMachine"]);
}

#[test]
fn no_name_leads_to_what_is_being_deleted() {
    for policy in [DeletionPolicy::Delete, DeletionPolicy::Snapshot, DeletionPolicy::Retain] {
        let mut world = named();
        assert_eq!(run(&mut world, None), Rest::Running);
        world.ledger.clear();
        world.delete(policy);
        assert_eq!(run(&mut world, None), Rest::Gone);
        assert!(world.names.is_empty());
        let at = |effect: &str| world.ledger.iter().position(|done| *done == effect);
        let last_name = world.ledger.iter().rposition(|done| *done == "VacateName").unwrap();
        for later in ["StopMachine", "DestroyMachine", "ReleaseAddress", "DeleteApp"] {
            assert!(at(later).is_none_or(|at| at > last_name), "{policy:?}: {:?}", world.ledger);
        }
    }
}
