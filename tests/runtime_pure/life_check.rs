//! Explores the life of a Runtime that runs: every edit, everything that somebody does to its Machine, and everything
//! that may befall it at Fly, at every point at which it makes a difference, with a fault. Each path ends in the state
//! that a fresh creation of the final declaration has, or says that its volume or its host is lost; with the customer's
//! file, and with no volume too many or too few.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

use moorage::api::NameRef;
use moorage::api::runtime::{HostLossPolicy, Persona, PowerState, Recovery, Sleep, SleepMode};
use moorage::control::policy::Suspension;
use moorage::control::rollout::pick::Permit;
use moorage::control::runtime::decide::decide;
use moorage::control::runtime::facts::{Knowledge, Known, MachinePhase, RequestKind, Source};
use moorage::control::runtime::step::{Rest, Step};
use stateright::{Checker, Model, Property};

use crate::hostnames::base;
use crate::paths::{Drift, drift, projection, roomy};
use crate::world::{self, Broken, Fault, World, run, run_for, second};

const NEW: &str = "ghcr.io/openclaw/openclaw:2026.10.1";
const FILE: &str = "the customer's file";

/// A Runtime in its world, and what may still happen to it.
#[derive(Clone, Debug)]
struct Life {
    world: World,
    known: Knowledge,
    /// Events that may still come: edits, things done to the Machine, faults, and other fates.
    left: [u8; 4],
    /// Whether it rests, and if so what is wrong with the end.
    end: Option<Option<String>>,
    /// What tells it from others, in short.
    mark: u64,
}

impl Life {
    /// Marked as what it has become.
    fn marked(mut self) -> Self {
        let knowledge = world::knowledge_key(&self.known, self.world.now);
        let mut hasher = DefaultHasher::new();
        (self.world.key(), knowledge, self.left, &self.end).hash(&mut hasher);
        self.mark = hasher.finish();
        self
    }
}

impl PartialEq for Life {
    fn eq(&self, other: &Self) -> bool {
        self.mark == other.mark
    }
}

impl Hash for Life {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.mark.hash(state);
    }
}

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Step,
    Strike(Fault),
    Edit(Edit),
    Drift(Drift),
    Fate(Fate),
}

/// What befalls it, beside what is done to its Machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Its host doesn't answer any more, and what is to be done then is declared.
    LoseHost,
    /// It answers again.
    FindHost,
    /// Its host has no room for a start or another size.
    FillHost,
    /// Fly moves it to another host.
    Migrate,
    /// Somebody destroys its volume with its Machine.
    LoseVolume,
    Suspend,
    Resume,
    /// The Blueprint's image changes, and the rollout lets it begin.
    RollOut,
    BadRollOut,
    /// Somebody asks for the newest snapshot.
    Restore,
}

const FATES: [Fate; 10] = [
    Fate::LoseHost,
    Fate::FindHost,
    Fate::FillHost,
    Fate::Migrate,
    Fate::LoseVolume,
    Fate::Suspend,
    Fate::Resume,
    Fate::RollOut,
    Fate::BadRollOut,
    Fate::Restore,
];

fn befall(world: &mut World, known: &mut Knowledge, fate: Fate) {
    match fate {
        Fate::LoseHost => {
            world.lose_host();
            known.machine = Known::Unknown;
        }
        Fate::FindHost => {
            world.find_host();
            known.machine = Known::Unknown;
        }
        Fate::FillHost => world.fill_host(),
        Fate::Migrate => {
            world.migrate();
            known.machine = Known::Unknown;
        }
        Fate::LoseVolume => {
            world.lose_volume();
            (known.machine, known.volume) = (Known::Unknown, Known::Unknown);
        }
        Fate::Suspend => world.policy.suspension = Suspension::Suspended,
        Fate::Resume => world.policy.suspension = Suspension::Active,
        Fate::RollOut | Fate::BadRollOut => {
            world.broken = match fate {
                Fate::BadRollOut => [(NEW.to_owned(), Broken::Crashes)].into(),
                _ => BTreeMap::new(),
            };
            world.edit_blueprint(|spec| spec.image = NEW.into());
            world.permit = Permit::Granted;
        }
        Fate::Restore => world.request("back", RequestKind::Restore { snapshot: None }),
    }
}

/// Whether it can't happen, or would change nothing.
fn is_out_of_place(world: &World, fate: Fate) -> bool {
    let stands = world.stands();
    match fate {
        Fate::LoseHost | Fate::FillHost | Fate::LoseVolume => !stands,
        Fate::Migrate => !stands || world.machine.is_none(),
        Fate::FindHost => world.moves.lost.is_none(),
        Fate::Suspend => world.policy.suspension == Suspension::Suspended,
        Fate::Resume => world.policy.suspension == Suspension::Active,
        Fate::RollOut | Fate::BadRollOut => world.blueprint.1.image == NEW,
        Fate::Restore => {
            world.requests.iter().any(|request| request.task == "back") || world.is_answered("back")
        }
    }
}

/// What people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    Power(PowerState),
    Plan(&'static str),
    Sleep(SleepMode),
    Persona,
    Hostname,
    NoHostname,
    /// The Blueprint's image changes, and somebody asks for the upgrade.
    Upgrade,
    /// The same, with an image that ends by itself.
    BadUpgrade,
}

const EDITS: [Edit; 11] = [
    Edit::Power(PowerState::Stopped),
    Edit::Power(PowerState::Running),
    Edit::Plan("pro"),
    Edit::Plan("narrow"),
    Edit::Sleep(SleepMode::Stop),
    Edit::Sleep(SleepMode::Never),
    Edit::Persona,
    Edit::Hostname,
    Edit::NoHostname,
    Edit::Upgrade,
    Edit::BadUpgrade,
];

fn edit(world: &mut World, edit: Edit) {
    match edit {
        Edit::Power(state) => world.power(state),
        Edit::Plan(name) => world.edit(|spec| spec.plan_ref = Some(NameRef::new(name))),
        Edit::Sleep(mode) => world.edit(|spec| spec.sleep = Some(Sleep { mode })),
        Edit::Persona => world.edit(|spec| spec.persona = Some(Persona { name: "Ada".into() })),
        Edit::Hostname => world.base = Some(base("new", "other.example.dev")),
        Edit::NoHostname => world.base = None,
        Edit::Upgrade | Edit::BadUpgrade => {
            world.broken = match edit {
                Edit::BadUpgrade => [(NEW.to_owned(), Broken::Crashes)].into(),
                _ => BTreeMap::new(),
            };
            world.edit_blueprint(|spec| spec.image = NEW.into());
            let task = format!("up{}", world.requests.len() + world.finished.len());
            world.request(&task, RequestKind::Upgrade);
        }
    }
}

/// Whether an edit would change nothing.
fn is_idle(world: &World, edit: Edit) -> bool {
    let spec = &world.runtime.spec;
    match edit {
        Edit::Power(state) => spec.power_state == state,
        Edit::Plan(name) => spec.plan_ref.as_ref().is_some_and(|plan| plan.name == name),
        Edit::Sleep(mode) => spec.sleep.as_ref().map_or(SleepMode::Never, |sleep| sleep.mode) == mode,
        Edit::Persona => spec.persona.is_some(),
        Edit::Hostname => {
            world.base.as_ref().is_some_and(|base| base.host.as_deref() != Some("acme-ops.example.dev"))
        }
        Edit::NoHostname => world.base.is_none(),
        Edit::Upgrade | Edit::BadUpgrade => !world.requests.is_empty() || world.blueprint.1.image == NEW,
    }
}

struct Lives {
    begin: Life,
}

impl Lives {
    fn new(left: [u8; 4]) -> Self {
        let mut world = roomy();
        world.base = Some(base("old", "acme-ops.example.dev"));
        world.runtime.spec.recovery =
            Some(Recovery { on_host_loss: HostLossPolicy::Restore, after_minutes: 10 });
        run(&mut world, None);
        world.write(FILE);
        world.backup();
        world.now += second(60);
        world.ledger.clear();
        world.moves.machines = 1;
        let known = Knowledge::default();
        let begin = Life { world, known, left, end: Some(None), mark: 0 };
        Self { begin: begin.marked() }
    }
}

impl Model for Lives {
    type State = Life;
    type Action = Event;

    fn init_states(&self) -> Vec<Life> {
        vec![self.begin.clone()]
    }

    fn actions(&self, life: &Life, actions: &mut Vec<Event>) {
        let [edits, drifts, faults, fates] = life.left;
        let step = decide(life.world.now, &life.world.facts(life.known.clone()));
        if life.end.is_none() {
            actions.push(Event::Step);
            if matches!(step, Step::Do(_)) && faults > 0 {
                let all = [Fault::CrashBefore, Fault::CrashAfter, Fault::LostReply, Fault::LostRequest];
                actions.extend(all.map(Event::Strike));
            }
        }
        // Right before an effect, or at rest: elsewhere nothing could tell the difference.
        if life.end.is_none() && !matches!(step, Step::Do(_)) {
            return;
        }
        if edits > 0 {
            actions.extend(EDITS.into_iter().filter(|edit| !is_idle(&life.world, *edit)).map(Event::Edit));
        }
        if drifts > 0 {
            actions
                .extend([Drift::Stopped, Drift::Destroyed, Drift::Resized, Drift::Edited].map(Event::Drift));
        }
        if fates > 0 {
            let may_be = |fate: &Fate| !is_out_of_place(&life.world, *fate);
            actions.extend(FATES.into_iter().filter(may_be).map(Event::Fate));
        }
    }

    fn next_state(&self, life: &Life, event: Event) -> Option<Life> {
        let mut next = life.clone();
        next.end = None;
        match event {
            Event::Step => take(&mut next, None),
            Event::Strike(fault) => {
                next.left[2] -= 1;
                take(&mut next, Some(fault));
            }
            Event::Edit(what) => {
                next.left[0] -= 1;
                edit(&mut next.world, what);
            }
            Event::Drift(what) => {
                next.left[1] -= 1;
                drift(&mut next.world, &mut next.known, what);
            }
            Event::Fate(what) => {
                next.left[3] -= 1;
                befall(&mut next.world, &mut next.known, what);
            }
        }
        Some(next.marked())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing twice, nothing removed without intent", |_, life: &Life| {
                life.world.violations().is_empty()
            }),
            Property::always("it rests as a fresh creation does", |_, life: &Life| {
                life.end.as_ref().is_none_or(Option::is_none)
            }),
            Property::eventually("it comes to rest", |_, life: &Life| life.end.is_some()),
        ]
    }
}

/// One step of the operator, with a fault if one is given. What rests is judged.
fn take(life: &mut Life, fault: Option<Fault>) {
    let begun = life.world.attempts;
    let known = std::mem::take(&mut life.known);
    let (rest, known) = run_for(&mut life.world, known, 1, fault.map(|fault| (0, fault)));
    debug_assert!(life.world.attempts <= begun + 1);
    life.known = known;
    // The slow sweep reads the Machine of one that rests on what the organisation's list shows.
    let listed = life.known.machine.present().is_some_and(|machine| machine.source == Source::List);
    if rest.is_some() && listed {
        life.known.machine = Known::Unknown;
        return;
    }
    // A host that is lost is waited for, and then left.
    if let Some(Rest::Refused(refusal, again)) = &rest
        && matches!(refusal.reason, "HostUnreachable")
        && life.world.identity().displaced.is_empty()
        && life.world.moves.lost.is_some()
    {
        life.world.now += *again.max(&second(600));
        return;
    }
    if let Some(rest) = &rest {
        life.end = Some(problem(&life.world, rest));
        life.known.token = Default::default();
        life.known.env = Default::default();
        life.known.secrets = None;
    }
}

/// What is wrong with a world at rest.
fn problem(world: &World, rest: &Rest) -> Option<String> {
    if matches!(rest, Rest::Refused(refusal, _) if refusal.reason == "VolumeLost") {
        let left = world.usable_volumes() - world.displaced();
        return (left > 0 || !world.is_kept_somewhere(FILE)).then(|| format!("{left} volumes are left"));
    }
    let (here, wanted) = (projection(world), fresh(world));
    // What is suspended is off, and waits with everything else.
    let suspended = world.policy.suspension == Suspension::Suspended;
    if suspended && world.machine.as_ref().is_some_and(|machine| machine.phase != MachinePhase::Stopped) {
        return Some("it isn't stopped".into());
    }
    if here != wanted && !suspended {
        return Some(format!("{here}\nisn't\n{wanted}\nafter {:?}", world.ledger));
    }
    let displaced = world.displaced();
    if world.usable_volumes() != 1 + displaced {
        return Some(format!("{} volumes and {displaced} displaced", world.usable_volumes()));
    }
    let waits = !world.requests.is_empty() && !suspended;
    (!world.is_kept_somewhere(FILE) || world.content() != FILE || waits)
        .then(|| format!("{} is left", world.content()))
}

/// The end of a fresh creation of what `world` declares, with the image that it is pinned to.
fn fresh(world: &World) -> String {
    static KNOWN: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let pinned = world.identity().pin.spec;
    let key = format!("{:?}", (&world.runtime.spec, &world.base, &pinned.image));
    if let Some(end) = KNOWN.lock().unwrap().get(&key) {
        return end.clone();
    }
    let mut fresh = roomy();
    fresh.runtime.spec = world.runtime.spec.clone();
    fresh.base.clone_from(&world.base);
    fresh.blueprint.1 = (*pinned).clone();
    run(&mut fresh, None);
    let end = projection(&fresh);
    KNOWN.lock().unwrap().insert(key, end.clone());
    end
}

/// How many situations there are with so many edits, things done to the Machine, faults, and other fates.
fn explore(left: [u8; 4]) -> usize {
    let checked = Lives::new(left).checker().threads(2).spawn_bfs().join();
    checked.assert_properties();
    checked.unique_state_count()
}

#[test]
fn every_two_edits_with_a_fault_anywhere() {
    let situations = explore([2, 0, 1, 0]);
    assert!(situations > 5_000, "only {situations}");
}

#[test]
fn every_change_behind_our_back_while_an_edit_is_under_way_with_a_fault() {
    let situations = explore([1, 1, 1, 0]);
    assert!(situations > 2_000, "only {situations}");
}

#[test]
fn every_change_behind_our_back_between_two_edits() {
    let situations = explore([2, 1, 0, 0]);
    assert!(situations > 5_000, "only {situations}");
}

#[test]
fn every_two_fates_with_two_faults() {
    let situations = explore([0, 0, 2, 2]);
    assert!(situations > 2_000, "only {situations}");
}

#[test]
fn every_fate_while_an_edit_is_under_way_with_a_fault() {
    let situations = explore([1, 0, 1, 1]);
    assert!(situations > 5_000, "only {situations}");
}

#[test]
fn every_three_fates() {
    let situations = explore([0, 0, 0, 3]);
    assert!(situations > 2_000, "only {situations}");
}
