//! Everything that may befall a Runtime in its life, in any order: edits, rollouts, restores, changes behind our back,
//! lost and full hosts, migrations, lost volumes, suspensions, and faults. Each journey ends where a fresh creation of
//! what is declared ends, or in `VolumeLost`; no volume is left over, and what was last written is still somewhere.

use jiff::SignedDuration;
use moorage::api::runtime::{DeletionPolicy, HostLossPolicy, Recovery};
use moorage::control::policy::Suspension;
use moorage::control::rollout::pick::Permit;
use moorage::control::runtime::facts::{Compared, Host, Knowledge, Known, MachinePhase, RequestKind};
use moorage::control::runtime::step::Rest;
use proptest::prelude::*;

use crate::paths::{
    Drift, Edit, apply, created, drift, edit, faults, forget_secrets, mended, projection, roomy,
};
use crate::world::{Fault, World, run_for, second};

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    Edit(Edit),
    Drift(Drift),
    /// Some steps are taken, with a fault at one of the effects.
    Steps(usize, Option<(usize, Fault)>),
    Time(i64),
    /// The customer writes, if the gateway runs.
    Write,
    /// Fly makes its snapshot of the day.
    Backup,
    /// Somebody asks for the newest snapshot.
    Restore,
    /// The Blueprint's image changes, and the rollout lets the Runtime begin.
    RollOut(&'static str),
    /// What is done about a lost host.
    Recovery(HostLossPolicy),
    LoseHost,
    FindHost,
    FillHost,
    /// Fly copies and restores nothing for now, or for good.
    FullRegion,
    NoCopies,
    Room,
    /// Fly moves the Machine to another host.
    Migrate,
    /// Somebody destroys the volume with its Machine.
    LoseVolume,
    Suspend,
    Resume,
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
        6 => (1_usize..60, proptest::option::of((0_usize..6, faults())))
            .prop_map(|(steps, fault)| Event::Steps(steps, fault)),
        2 => prop_oneof![1_i64..120, 600_i64..90_000].prop_map(Event::Time),
        2 => Just(Event::Write),
        2 => Just(Event::Backup),
        2 => Just(Event::Restore),
        2 => prop_oneof![Just("a"), Just("b"), Just("crashes"), Just("hangs")].prop_map(Event::RollOut),
        1 => prop_oneof![Just(HostLossPolicy::Wait), Just(HostLossPolicy::Restore)].prop_map(Event::Recovery),
        5 => prop_oneof![
            Just(Event::LoseHost), Just(Event::FindHost), Just(Event::FillHost), Just(Event::FullRegion),
            Just(Event::NoCopies), Just(Event::Room), Just(Event::Migrate), Just(Event::LoseVolume),
            Just(Event::Suspend), Just(Event::Resume),
        ],
    ]
}

/// A world on its way, with what the operator knows, and what was last written.
struct Journey {
    world: World,
    known: Knowledge,
    page: u32,
    /// Whether somebody destroyed what was last written.
    lost: bool,
}

impl Journey {
    fn new() -> Self {
        Self { world: roomy(), known: Knowledge::default(), page: 0, lost: false }
    }

    fn volume(&self) -> Option<String> {
        let identity = self.world.claim.as_ref()?.runtime.as_ref()?;
        let mounted = self.world.machine.as_ref().and_then(|machine| machine.volume.clone());
        mounted.or_else(|| identity.volume_id.clone())
    }

    fn runs(&self) -> bool {
        self.world.machine.as_ref().is_some_and(|machine| machine.phase == MachinePhase::Started)
    }

    fn happen(&mut self, event: &Event) {
        let stands = self.world.stands();
        let world = &mut self.world;
        match event {
            Event::Edit(edit) => {
                self.known.compared =
                    matches!(edit, Edit::Rotate(_)).then_some(Compared::Never).or(self.known.compared);
                apply(world, edit);
            }
            Event::Drift(change) => drift(world, &mut self.known, *change),
            Event::Time(seconds) => world.now += second(*seconds),
            Event::Steps(steps, fault) => drop(self.steps(*steps, *fault)),
            Event::Write => self.write(),
            Event::Backup if stands => drop(self.world.backup()),
            Event::Restore => {
                let task = format!("back{}", world.requests.len() + world.finished.len());
                world.request(&task, RequestKind::Restore { snapshot: None });
            }
            Event::RollOut(image) => {
                world.edit_blueprint(|spec| spec.image = format!("openclaw:{image}"));
                world.permit = Permit::Granted;
            }
            Event::Recovery(policy) => world.edit(|spec| {
                spec.recovery = Some(Recovery { on_host_loss: *policy, after_minutes: 10 });
            }),
            Event::LoseHost if stands => self.lose_host(),
            Event::FindHost => self.find_host(),
            Event::FillHost if stands => world.fill_host(),
            Event::FullRegion => world.moves.full_region = true,
            Event::NoCopies => world.moves.no_copies = true,
            Event::Room => self.room(),
            Event::Migrate if stands => self.migrate(),
            Event::LoseVolume if stands => self.lose_volume(),
            Event::Suspend => world.policy.suspension = Suspension::Suspended,
            Event::Resume => world.policy.suspension = Suspension::Active,
            _ => {}
        }
    }

    fn steps(&mut self, steps: usize, fault: Option<(usize, Fault)>) -> Option<Rest> {
        let known = std::mem::take(&mut self.known);
        let (rest, after) = run_for(&mut self.world, known, steps, fault);
        self.known = after;
        if rest.is_some() {
            forget_secrets(&mut self.known);
        }
        rest
    }

    /// What an image that doesn't work makes of the volume isn't the customer's.
    fn write(&mut self) {
        let broken = self.world.broken.contains_key(&self.world.image);
        if self.runs() && !broken && self.volume().is_some() {
            self.page += 1;
            self.lost = false;
            self.world.write(&format!("page {}", self.page));
        }
    }

    fn lose_host(&mut self) {
        self.world.lose_host();
        self.known.machine = Known::Unknown;
    }

    fn find_host(&mut self) {
        self.world.find_host();
        if let Known::Present(machine) = &mut self.known.machine {
            machine.host = Host::Reachable;
        }
    }

    fn room(&mut self) {
        let moves = &mut self.world.moves;
        (moves.full, moves.full_region, moves.no_copies) = (None, false, false);
    }

    fn migrate(&mut self) {
        self.world.migrate();
        self.known.machine = Known::Unknown;
    }

    fn lose_volume(&mut self) {
        self.world.lose_volume();
        self.lost = true;
        (self.known.machine, self.known.volume) = (Known::Unknown, Known::Unknown);
    }

    /// Nothing more happens to it, what can be mended is, and everything is looked at again.
    fn ends(&mut self) -> Option<Rest> {
        self.room();
        self.world.find_host();
        self.world.policy.suspension = Suspension::Active;
        mended(&mut self.world);
        let mut asked = false;
        let mut rest = None;
        for _ in 0..60 {
            self.known = self.world.fresh();
            rest = self.steps(3_000, None);
            match &rest {
                Some(Rest::Refused(refusal, _)) if refusal.reason == "VolumeLost" => {
                    if asked || !self.world.has_snapshots() {
                        break;
                    }
                    self.happen(&Event::Restore);
                    asked = true;
                }
                // A size for which there was no room is tried again a day later.
                Some(Rest::Refused(refusal, _)) if refusal.reason == "Capacity" => {
                    self.world.now += SignedDuration::from_hours(25);
                }
                Some(Rest::Refused(_, again)) => self.world.now += *again,
                // Requests come, whatever was waited for as long as it slept.
                Some(Rest::Sleeping) => self.world.wake(),
                _ => break,
            }
        }
        rest
    }

    /// Whether what was last written is somewhere that a Restore, or a person at Fly, finds.
    fn keeps_the_last_page(&self) -> bool {
        self.lost || self.page == 0 || self.world.is_kept_somewhere(&format!("page {}", self.page))
    }
}

fn journey(events: &[Event]) -> Journey {
    let mut journey = Journey::new();
    for event in events {
        journey.happen(event);
    }
    journey
}

#[test]
fn a_volume_that_fly_moved_right_before_its_machine_was_destroyed_is_told_of() {
    use Event::{Drift as Drifts, Migrate, RollOut, Steps};
    let mut journey =
        journey(&[Steps(7, None), RollOut("a"), Steps(12, None), Migrate, Drifts(Drift::Destroyed)]);
    assert_eq!(journey.ends(), Some(Rest::Running));
    let lost = journey.world.unrecorded();
    assert_eq!(lost.len(), 1, "{:?}", journey.world.ledger);
    let words = journey.world.told_in_turn();
    assert!(words.contains(&lost[0]), "{lost:?} isn't in {words:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_journey_ends_as_a_fresh_creation_does_with_what_was_last_written(
        events in prop::collection::vec(event(), 0..24)
    ) {
        let mut journey = journey(&events);
        let rest = journey.ends();
        let told = format!("{rest:?} after {:?}", journey.world.ledger);
        prop_assert!(journey.keeps_the_last_page(), "{}", told);
        let displaced = journey.world.displaced();
        if matches!(&rest, Some(Rest::Refused(refusal, _)) if refusal.reason == "VolumeLost") {
            let standing = displaced + journey.world.unrecorded().len();
            prop_assert!(journey.world.usable_volumes() <= standing, "{}", told);
            return Ok(());
        }
        let mut fresh = Journey { world: created(&journey.world), ..Journey::new() };
        let wanted = fresh.ends();
        let stalled = |rest: &Option<Rest>| match rest {
            Some(Rest::Refused(refusal, _)) => Some(refusal.reason),
            _ => None,
        };
        prop_assert_eq!(stalled(&rest), stalled(&wanted), "{}", &told);
        prop_assert_eq!(projection(&journey.world), projection(&fresh.world), "{}", &told);
        // Of a volume that Fly moved and whose Machine was destroyed before anybody looked no trace is left in time. It
        // is told of.
        // The first volume of one whose Machine Fly won't make isn't recorded yet, and is its own.
        let recorded = journey.world.claim.as_ref().and_then(|claim| claim.runtime.as_ref());
        let has_volume = recorded.is_some_and(|identity| identity.volume_id.is_some());
        let moved = has_volume && events.iter().any(|event| matches!(event, Event::Migrate));
        let lost = if moved { journey.world.unrecorded() } else { Vec::new() };
        prop_assert_eq!(journey.world.usable_volumes(), 1 + displaced + lost.len(), "{}", &told);
        if !lost.is_empty() && matches!(rest, Some(Rest::Running | Rest::Stopped | Rest::Sleeping)) {
            let words = journey.world.told_in_turn();
            prop_assert!(lost.iter().all(|id| words.contains(id)), "{:?} isn't in {:?}: {}", lost, words, &told);
        }
    }

    #[test]
    fn wherever_it_is_deleted_what_was_last_written_is_kept_as_the_policy_says(
        events in prop::collection::vec(event(), 0..16),
        policy in prop_oneof![Just(DeletionPolicy::Delete), Just(DeletionPolicy::Snapshot), Just(DeletionPolicy::Retain)],
        fault in proptest::option::of((0_usize..10, faults())),
    ) {
        let mut journey = journey(&events);
        journey.room();
        journey.world.find_host();
        // Without a base domain nobody is there to take a name back.
        if journey.world.base.is_none() {
            apply(&mut journey.world, &Edit::Hostname(Some("ops.example.dev")));
        }
        journey.world.delete(policy);
        journey.known = journey.world.fresh();
        let mut rest = journey.steps(3_000, fault);
        for _ in 0..10 {
            if rest == Some(Rest::Gone) { break; }
            journey.world.now += second(700);
            rest = journey.steps(3_000, None);
        }
        // What Fly moved right before somebody destroyed its Machine is nobody's, and stays.
        if matches!(&rest, Some(Rest::Refused(refusal, _)) if refusal.reason == "UnknownVolume") {
            prop_assert_ne!(journey.world.unrecorded(), [""; 0]);
            return Ok(());
        }
        prop_assert_eq!(rest, Some(Rest::Gone), "after {:?}", journey.world.ledger);
        match policy {
            DeletionPolicy::Delete => prop_assert!(!journey.world.app && journey.world.usable_volumes() == 0),
            DeletionPolicy::Snapshot => {
                prop_assert_eq!(journey.world.usable_volumes(), 0);
                prop_assert!(journey.keeps_the_last_page(), "after {:?}", journey.world.ledger);
            }
            DeletionPolicy::Retain => {
                prop_assert!(journey.keeps_the_last_page(), "after {:?}", journey.world.ledger);
                prop_assert!(!journey.runs());
            }
        }
    }
}
