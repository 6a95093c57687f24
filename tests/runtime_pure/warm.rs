//! A Runtime that is given an app that was made ahead: exactly one has it, and it is restarted only where it must be.

use moorage::api::blueprint::{Awake, EnvRule, EnvType, OnChange};
use moorage::api::name_claim::RuntimeIdentity;
use moorage::api::runtime::{DeletionPolicy, EnvVar, Persona, PowerState};
use moorage::api::{Runtime, RuntimeSpec};
use moorage::control::rollout::images::SeenImage;
use moorage::control::runtime::decide::decide;
use moorage::control::runtime::facts::{Facts, Knowledge, Warm, WarmStanding};
use moorage::control::runtime::step::{Effect, Rest, Step};

use crate::faults::every_fault;
use crate::hostnames::base;
use crate::world::{Fault, World, run, run_for, strike};

const HOST: &str = "acme-ops.example.dev";
/// The token of an app that was made ahead.
const TOKEN: &str = "warmwarmwarmwarmwarmwarmwarmwarm";

/// Apps that were made ahead, and who has taken each.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    apps: Vec<(RuntimeIdentity, Option<String>)>,
}

fn name(identity: &RuntimeIdentity) -> String {
    format!("warm.trial-{}", identity.identity)
}

impl Shelf {
    /// What a Runtime may have.
    pub fn offers(&self, runtime: &Runtime) -> Vec<Warm> {
        let standing = |taken: &Option<String>| match taken {
            None => Some(WarmStanding::Offered),
            Some(uid) if Some(uid) == runtime.metadata.uid.as_ref() => Some(WarmStanding::Given),
            Some(_) => None,
        };
        let offer = |(identity, taken): &(RuntimeIdentity, Option<String>)| {
            Some(Warm {
                name: name(identity),
                region: identity.region.clone().unwrap(),
                identity: identity.clone(),
                standing: standing(taken)?,
            })
        };
        self.apps.iter().filter_map(offer).collect()
    }

    /// Only one that nobody has taken is taken.
    pub fn take(&mut self, wanted: &str, uid: &str) {
        let free = self.apps.iter_mut().find(|(identity, taken)| name(identity) == wanted && taken.is_none());
        if let Some((_, taken)) = free {
            *taken = Some(uid.to_owned());
        }
    }

    /// What a slug is claimed with was taken before, by that very Runtime.
    pub fn claimed(&self, claimed: &RuntimeIdentity, uid: &str) {
        let known = self.apps.iter().find(|(identity, _)| identity.identity == claimed.identity);
        match (&claimed.from_pool, known) {
            (Some(_), Some((_, taken))) => assert_eq!(taken.as_deref(), Some(uid), "another's app"),
            (Some(_), None) => panic!("an app out of nowhere"),
            (None, known) => assert!(
                known.is_none_or(|(_, taken)| taken.as_deref() != Some(uid)),
                "a warm app under a new name"
            ),
        }
    }

    /// The token that comes with the app.
    pub fn token(&self, facts: &Facts) -> Option<&'static str> {
        let identity = facts.own_claim()?.runtime.as_ref()?;
        let unmarked = facts.known.machine.present().is_some_and(|machine| machine.owner.is_none());
        (identity.from_pool.is_some() && unmarked).then_some(TOKEN)
    }
}

/// A world in which a plain app was made ahead, and a Runtime is declared.
fn warm() -> World {
    let mut world = World::new();
    world.next_token = TOKEN;
    assert_eq!(run(&mut world, None), Rest::Running);
    world.shelf.apps.push((world.identity(), None));
    world.claim = None;
    world.token = None;
    world.next_token = "0123456789abcdef0123456789abcdef";
    world.runtime.metadata.finalizers = None;
    world.runtime.metadata.uid = Some("uid-2".into());
    world.runtime.status = None;
    world.ledger.clear();
    world.now += crate::world::second(60);
    world
}

fn with(edit: impl FnOnce(&mut RuntimeSpec)) -> World {
    let mut world = warm();
    world.edit(edit);
    world
}

fn persona(spec: &mut RuntimeSpec) {
    spec.persona = Some(Persona { name: "Ada".into() });
}

fn hosted() -> World {
    let mut world = warm();
    world.base = Some(base("old", HOST));
    world
}

/// The changes that were made to Machines.
fn on_machines(world: &World) -> Vec<&'static str> {
    world.ledger.iter().filter(|effect| effect.ends_with("Machine")).copied().collect()
}

fn runs(mut world: World) -> World {
    assert_eq!(run(&mut world, None), Rest::Running, "{:?}", world.ledger);
    world
}

#[test]
fn a_plain_runtime_has_it_as_it_is() {
    let world = runs(warm());
    assert_eq!(world.ledger, ["AddFinalizer", "TakeWarm", "ClaimSlug", "EnsureToken", "MarkOwner"]);
    let (given, made) = (world.identity(), &world.shelf.apps[0].0);
    assert_eq!(
        (&given.app, &given.volume_id, &given.machine_id),
        (&made.app, &made.volume_id, &made.machine_id)
    );
    assert_eq!(given.from_pool.as_deref(), Some("trial"));
    assert_eq!(world.token.as_deref(), Some(TOKEN));
    assert_eq!(world.machine.unwrap().owner.as_deref(), Some("acme-ops"));
}

#[test]
fn one_that_declares_more_is_restarted_once() {
    let literal = |spec: &mut RuntimeSpec| {
        spec.env.push(EnvVar { name: "LLM_MODEL".into(), value: Some("gpt".into()), value_from: None })
    };
    let mut patient = with(literal);
    patient.blueprint.1.env_schema.push(EnvRule {
        name: "LLM_MODEL".into(),
        type_: EnvType::Plain,
        on_change: OnChange::NextStart,
        awake: Awake::default(),
        description: None,
    });
    for world in [with(persona), with(literal), patient, hosted()] {
        let world = runs(world);
        assert_eq!(on_machines(&world), ["UpdateMachine"], "{:?}", world.ledger);
        assert!(!world.ledger.contains(&"MarkOwner"), "the update brings it along");
        assert_eq!(world.machine.unwrap().owner.as_deref(), Some("acme-ops"));
    }
}

#[test]
fn its_hostname_is_let_in_from_the_start() {
    let world = runs(hosted());
    assert_eq!(world.machine.as_ref().unwrap().hostname.as_deref(), Some(HOST));
    assert_eq!(world.records[HOST], ["2a09::1", "66.1.1.1"]);
}

#[test]
fn one_fault_at_every_effect_changes_nothing_in_the_end() {
    every_fault("warm", warm, |_| {}, Rest::Running);
    every_fault("warm with a persona", warm, |world| world.edit(persona), Rest::Running);
    every_fault("warm with a hostname", hosted, |_| {}, Rest::Running);
    every_fault(
        "warm, then deleted",
        || runs(warm()),
        |world| {
            world.ledger.clear();
            world.delete(DeletionPolicy::Delete);
        },
        Rest::Gone,
    );
}

#[test]
fn what_a_rival_takes_first_is_left_to_it() {
    let mut world = World::new();
    world.shelf = warm().shelf;
    world.shelf.apps[0].0.identity = "other".into();
    let known = world.fresh();
    // It has decided to take it when the rival does.
    let (_, known) = run_for(&mut world, known, 1, None);
    world.shelf.take("warm.trial-other", "uid-rival");
    assert!(run_for(&mut world, known, 500, None).0.is_some());
    assert_eq!(world.identity().from_pool, None);
    assert_eq!(on_machines(&world), ["CreateMachine"]);
    assert_eq!(world.shelf.apps[0].1.as_deref(), Some("uid-rival"));
}

#[test]
fn what_is_not_what_would_be_made_now_is_left_where_it_is() {
    type Change = fn(&mut World);
    let cases: [(&str, Change); 5] = [
        ("another region", |world| world.edit(|spec| spec.regions = vec!["ams".into()])),
        ("an edited Blueprint", |world| world.edit_blueprint(|spec| spec.port = 4000)),
        ("another size", |world| world.memory_mb = 4096),
        ("an image whose tag has moved", |world| {
            world.newest_image = Some(SeenImage { seen: world.now, digest: "sha256:new".into() })
        }),
        ("one that is to be off", |world| world.power(PowerState::Stopped)),
    ];
    for (what, change) in cases {
        let mut world = World::new();
        world.shelf = warm().shelf;
        world.shelf.apps[0].0.identity = "other".into();
        change(&mut world);
        run(&mut world, None);
        assert_eq!(world.identity().from_pool, None, "{what}");
        assert!(!world.ledger.contains(&"TakeWarm"), "{what}: {:?}", world.ledger);
    }
}

#[test]
fn what_was_taken_and_does_not_fit_any_more_is_not_used() {
    let mut world = World::new();
    world.shelf = warm().shelf;
    world.shelf.apps[0].0.identity = "other".into();
    world.shelf.take("warm.trial-other", "uid-1");
    world.edit(|spec| spec.regions = vec!["ams".into()]);
    let world = runs(world);
    assert_eq!(world.identity().from_pool, None);
}

#[test]
fn an_edit_that_pins_nothing_else_changes_no_fit() {
    let mut world = warm();
    world.edit_blueprint(|spec| spec.rollout = Some(Default::default()));
    let world = runs(world);
    assert_eq!(on_machines(&world), [""; 0]);
    assert_eq!(world.identity().pin.blueprint_generation, 2);
}

#[test]
fn a_token_that_is_lost_afterwards_is_another() {
    let mut world = runs(warm());
    world.token = None;
    world.runtime.status.as_mut().unwrap().gateway = None;
    let world = runs(world);
    assert_eq!(world.token.as_deref(), Some("0123456789abcdef0123456789abcdef"));
    assert_eq!(on_machines(&world), ["UpdateMachine"]);
}

#[test]
fn a_crash_after_each_effect_takes_no_second_app() {
    for at in 0..5 {
        let mut world = warm();
        let mut second = world.shelf.apps[0].clone();
        second.0.identity = "second".into();
        world.shelf.apps.push(second);
        // The one that stands in this world is the one to be chosen.
        world.runtime.metadata.uid = Some("uid-3".into());
        world.shelf.apps.sort_by_key(|(identity, _)| identity.identity != "second");
        assert_eq!(run(&mut world, Some((at, Fault::CrashAfter))), Rest::Running);
        let taken = world.shelf.apps.iter().filter(|(_, taken)| taken.is_some()).count();
        assert_eq!(taken, 1, "{:?}", world.ledger);
    }
}

/// One of those that want the same app. What it has decided to do it does a step later.
struct Racer {
    world: World,
    known: Knowledge,
    decided: Option<(Facts, Effect)>,
}

impl Racer {
    fn new(uid: &str) -> Self {
        let mut world = warm();
        world.runtime.metadata.uid = Some(uid.into());
        Self { world, known: Knowledge::default(), decided: None }
    }

    /// One step, as long as it has no slug.
    fn step(&mut self, shelf: &mut Shelf) {
        self.world.shelf = shelf.clone();
        if let Some((facts, effect)) = self.decided.take() {
            self.known = strike(&mut self.world, facts, &effect, None);
        } else if self.world.claim.is_none() {
            let facts = self.world.facts(self.known.clone());
            match decide(self.world.now, &facts) {
                Step::Do(effect) => self.decided = Some((facts, effect)),
                other => panic!("{other:?}"),
            }
        }
        *shelf = self.world.shelf.clone();
    }

    fn has_it(&self) -> bool {
        self.world.claim.is_some() && self.world.identity().from_pool.is_some()
    }
}

/// The pool's own side: it decides to drop what it sees kept, and does so unless somebody was faster.
#[derive(Default)]
struct Keeper {
    decided: bool,
}

impl Keeper {
    fn step(&mut self, shelf: &mut Shelf) {
        if self.decided {
            let name = name(&shelf.apps[0].0);
            shelf.take(&name, "dropped");
        }
        self.decided = !self.decided && shelf.apps[0].1.is_none();
    }
}

/// Runs to the end what none has begun yet, by turns that this number spells.
fn race(turns: usize, with_keeper: bool) {
    let mut shelf = warm().shelf;
    let (mut one, mut two, mut keeper) = (Racer::new("uid-8"), Racer::new("uid-9"), Keeper::default());
    let mut left = turns;
    for _ in 0..40 {
        match left % 3 {
            0 => one.step(&mut shelf),
            1 => two.step(&mut shelf),
            _ if with_keeper => keeper.step(&mut shelf),
            _ => {}
        }
        // Once the number is used up they take turns.
        left = if left < 3 { turns.wrapping_add(left + 1) } else { left / 3 };
    }
    for _ in 0..12 {
        one.step(&mut shelf);
        two.step(&mut shelf);
    }
    let holders = [&one, &two].into_iter().filter(|racer| racer.has_it()).count();
    let dropped = shelf.apps[0].1.as_deref() == Some("dropped");
    assert_eq!(holders + usize::from(dropped), 1, "{turns}: {:?}", shelf.apps[0].1);
    assert!(
        one.world.claim.is_some() && two.world.claim.is_some(),
        "{turns}: somebody was left with nothing"
    );
}

#[test]
fn whatever_the_order_of_their_steps_exactly_one_has_it() {
    for turns in 0..3_usize.pow(6) {
        race(turns, true);
    }
    for turns in 0..3_usize.pow(5) {
        race(turns, false);
    }
}
