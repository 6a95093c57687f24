//! What somebody else makes in a Runtime's app, or takes away from it: put right if it was ours, else explained.

use std::collections::BTreeSet;

use crate::faults::{every_fault, running};
use crate::hostnames::hosted;
use crate::world::{World, run, run_for, second};
use moorage::api::condition::{Condition, ConditionType, find};
use moorage::control::runtime::facts::{Facts, Knowledge, Survey};
use moorage::control::runtime::step::Rest;
use moorage::control::runtime::survey::{Digests, Found, Standing, knows_volume};

/// What somebody else made in the app, or took away from it.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// Machines that they made.
    pub machines: BTreeSet<String>,
    /// Volumes that they made.
    pub volumes: BTreeSet<String>,
    /// How many IPv6 addresses they took away.
    pub taken: u32,
    /// Whether the app has its secrets.
    pub secrets: Standing,
    /// Whether somebody else has set the value of one.
    pub tampered: bool,
    /// Whether the gateway was started with that value.
    pub infected: bool,
    /// Whether the slow round comes by right after each start of the operator.
    pub turns: bool,
}

impl World {
    /// The app's IPv6 address: no two are the same.
    pub fn v6_address(&self) -> String {
        format!("2a09::{}", self.around.taken + 1)
    }

    pub fn look_around(&self, facts: &mut Facts) {
        use moorage::control::runtime::step::Look;
        self.look(Look::Addresses, facts);
        let before = facts.known.survey.found().map(|found| found.digests.clone()).unwrap_or_default();
        let digests = facts.known.machine.present().map(|machine| {
            let shown = format!("digests-{}", self.secrets_set.0);
            Digests::seen(machine.digests.as_deref(), &before, shown, self.secrets_set.1)
        });
        let identity = self.identity();
        let unknown = |id: &&String| !knows_volume(&identity, id);
        let given = identity.hostname.as_ref().filter(|record| record.certificate.is_some());
        let gone = given.is_some_and(|record| !self.certificates.contains_key(&record.name));
        facts.known.survey = Survey::of(Found {
            machines: self.around.machines.iter().cloned().collect(),
            volumes: self.around.volumes.iter().chain(&self.unrecorded()).filter(unknown).cloned().collect(),
            addresses: Vec::new(),
            secrets: self.around.secrets,
            digests: digests.unwrap_or_default(),
            certificate: if gone { Standing::Changed } else { Standing::AsMade },
        });
    }

    /// The Runtime's turn in the slow round.
    fn turn(&mut self) -> Knowledge {
        let known = Knowledge { survey: Survey::Due, ..self.fresh() };
        let (rest, known) = run_for(self, known, 2_000, None);
        assert_eq!(rest, Some(Rest::Running), "{:?}", self.ledger);
        known
    }

    /// What the slow round has told of others' things, once it has come by.
    pub fn told_in_turn(&mut self) -> String {
        let known = Knowledge { survey: Survey::Due, ..self.fresh() };
        run_for(self, known, 2_000, None);
        self.told().map_or_else(String::new, |condition| condition.message.to_string())
    }

    fn told(&self) -> Option<&Condition> {
        find(&self.runtime.status.as_ref().unwrap().conditions, ConditionType::UnknownResources)
    }
}

fn take_address(world: &mut World) {
    world.v6 = 0;
    world.around.taken += 1;
}

#[test]
fn an_address_that_was_taken_away_is_replaced_and_the_gateway_told() {
    let mut world = marked();
    take_address(&mut world);
    world.turn();
    assert_eq!(world.ledger, ["AllocateAddress", "EnsureToken", "UpdateMachine"]);
    let machine = world.machine.clone().unwrap();
    assert!(machine.addresses.contains(&"2a09::2".to_owned()), "{:?}", machine.addresses);
    assert!(world.runtime.status.as_ref().unwrap().external.as_ref().unwrap().addresses == machine.addresses);
    world.ledger.clear();
    world.turn();
    assert_eq!(world.ledger, [""; 0]);
}

#[test]
fn secrets_that_were_taken_away_are_set_again_without_a_restart() {
    let mut world = marked();
    world.around.secrets = Standing::Changed;
    world.turn();
    assert_eq!(world.ledger, ["EnsureToken", "SetSecrets", "MarkDigests"]);
    world.ledger.clear();
    world.turn();
    assert_eq!(world.ledger, [""; 0]);
}

/// Somebody sets another value at Fly.
fn tamper(world: &mut World) {
    world.now += second(5);
    world.secrets_set = (world.secrets_set.0 + 1, Some(world.now));
    world.around.tampered = true;
    world.now += second(5);
}

/// One whose turn has come before.
fn marked() -> World {
    let mut world = running();
    world.turn();
    assert_eq!(world.ledger, ["MarkDigests"], "once, without a restart");
    world.ledger.clear();
    world.turn();
    assert_eq!(world.ledger, [""; 0]);
    world
}

#[test]
fn a_value_that_was_changed_by_hand_is_set_again_without_a_restart_if_no_gateway_has_it() {
    let mut world = marked();
    tamper(&mut world);
    world.turn();
    assert_eq!(world.ledger, ["EnsureToken", "SetSecrets", "MarkDigests"]);
    assert!(!world.around.tampered);
    world.ledger.clear();
    world.turn();
    assert_eq!(world.ledger, [""; 0]);
}

#[test]
fn a_gateway_that_was_started_with_it_is_restarted_once() {
    let mut world = marked();
    tamper(&mut world);
    world.wake();
    assert!(world.around.infected);
    world.turn();
    assert_eq!(world.ledger, ["EnsureToken", "SetSecrets", "UpdateMachine", "MarkDigests"]);
    assert!(!world.around.tampered && !world.around.infected);
    world.ledger.clear();
    world.turn();
    assert_eq!(world.ledger, [""; 0]);
}

#[test]
fn another_turn_in_between_forgets_nothing() {
    let mut world = marked();
    tamper(&mut world);
    world.wake();
    // As far as the values are set again; then the list tells of something in the app.
    let mut known = Knowledge { survey: Survey::Due, ..world.fresh() };
    while world.around.tampered {
        known = run_for(&mut world, known, 1, None).1;
    }
    known.survey.ask();
    assert_eq!(run_for(&mut world, known, 500, None).0, Some(Rest::Running));
    assert!(!world.around.infected && world.ledger.contains(&"UpdateMachine"), "{:?}", world.ledger);
}

#[test]
fn what_we_set_ourselves_is_no_change_by_hand() {
    let mut world = marked();
    world.token = None;
    world.next_token = "fedcba9876543210fedcba9876543210";
    world.rotated = true;
    assert_eq!(run(&mut world, None), Rest::Running);
    assert_eq!(world.ledger, ["EnsureToken", "SetSecrets", "UpdateMachine"]);
    world.rotated = false;
    world.ledger.clear();
    world.turn();
    assert_eq!(world.ledger, ["MarkDigests"]);
    // An update for another reason keeps the mark.
    world.edit(|spec| spec.persona = Some(moorage::api::runtime::Persona { name: "Ada".into() }));
    assert_eq!(run(&mut world, None), Rest::Running);
    world.ledger.clear();
    world.turn();
    assert_eq!(world.ledger, [""; 0]);
}

#[test]
fn a_certificate_that_has_gone_is_imported_again_at_once() {
    let mut world = hosted();
    assert_eq!(run(&mut world, None), Rest::Running);
    world.turn();
    world.ledger.clear();
    let standing = std::mem::take(&mut world.certificates);
    world.turn();
    assert_eq!(world.ledger, ["ImportCertificate"]);
    assert_eq!(world.certificates, standing);
    world.ledger.clear();
    world.turn();
    assert_eq!(world.ledger, [""; 0]);
}

#[test]
fn what_nobody_here_made_is_told_left_alone_and_forgotten_once_it_is_gone() {
    let mut world = marked();
    world.around.machines.insert("3d8d".into());
    world.around.volumes.insert("vol_theirs".into());
    let known = world.turn();
    assert_eq!(world.ledger, [""; 0]);
    let told = world.told().unwrap();
    assert_eq!(told.reason, "UnknownMachine");
    for words in ["a Machine (3d8d)", "a volume (vol_theirs)", "fly machine destroy 3d8d", "requests"] {
        assert!(told.message.contains(words), "{}", told.message);
    }
    // Nothing is written anew while nothing changes, nor by an operator that has just started and hasn't looked.
    let shown = world.runtime.status.clone();
    world.turn();
    assert_eq!(world.runtime.status, shown);
    world.now += second(1);
    let (rest, _) = run_for(&mut world, Knowledge { survey: Survey::Unknown, ..known }, 500, None);
    assert_eq!((rest, &world.runtime.status), (Some(Rest::Running), &shown));
    world.around.machines.clear();
    world.turn();
    assert_eq!(world.told().unwrap().reason, "UnknownVolume");
    world.around.volumes.clear();
    world.turn();
    assert!(world.told().is_none());
    assert_eq!(world.ledger, [""; 0]);
}

#[test]
fn what_the_claim_knows_is_no_stranger() {
    let mut world = marked();
    let own = world.identity();
    world.around.volumes.extend(own.volume_id);
    world.around.machines.extend(own.machine_id);
    world.turn();
    assert!(world.told().is_none());
}

#[test]
fn one_fault_at_every_effect_of_putting_it_right_changes_nothing_in_the_end() {
    // The round comes by again: a start of the operator alone doesn't look.
    type Change = fn(&mut World);
    let secrets: Change = |world| world.around.secrets = Standing::Changed;
    let changes = [("an address", take_address as Change), ("secrets", secrets), ("a value", tamper)];
    for (name, change) in changes {
        let change = |world: &mut World| {
            change(world);
            world.around.turns = true;
        };
        every_fault(name, marked, change, Rest::Running);
    }
}
