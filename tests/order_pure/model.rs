//! Explores every order of an order's steps, two faults and three events at its provider, exhaustively: whatever happens,
//! the invariants hold at each state, and every path comes to rest where it should.

use std::hash::{Hash, Hasher};

use moorage::api::payment_receipt::Provider;
use moorage::api::runtime_order::PaymentMode;
use moorage::billing::Refunded;
use moorage::control::order::decide::decide;
use moorage::control::order::step::{Rest, Step};
use stateright::{Checker, Model, Property};

use crate::bank::Session;
use crate::matrix::{every_charge_is_accounted_for, is_paid};
use crate::world::{Fault, World, at, goes_on};

/// An order in its world, and what may still happen to it.
#[derive(Clone, Debug)]
struct Situation {
    world: World,
    faults_left: u8,
    events_left: u8,
    at_rest: Option<Rest>,
}

impl Situation {
    /// What tells two situations apart. How it came about doesn't, and what is shown of it neither.
    fn key(&self) -> String {
        let world = &self.world;
        let order = world
            .order
            .as_ref()
            .map(|order| (order.metadata.deletion_timestamp.is_some(), order.metadata.finalizers.is_some()));
        let runtime = world.runtime.as_ref().map(|runtime| {
            (runtime.metadata.uid.clone(), runtime.status.as_ref().map(|status| status.state))
        });
        let claim = world.claim.as_ref().map(|claim| &claim.spec);
        let receipts: Vec<&str> = world.receipts.iter().map(|receipt| receipt.name.as_str()).collect();
        let known = &world.known;
        let read = known.read.as_ref().map(|read| (&read.notice, &read.truth));
        let memory = (read, &known.call, known.runtime_missing_at.is_some());
        format!(
            "{:?}",
            (
                (order, runtime, claim, receipts, memory),
                (&world.bank, &world.funded, world.made, world.now),
                (self.faults_left, self.events_left, &self.at_rest),
            )
        )
    }

    fn happen(&mut self, event: Out) {
        let world = &mut self.world;
        self.events_left -= 1;
        self.at_rest = None;
        world.now += 1;
        match event {
            Out::Pays => world.visit(Session::Complete),
            Out::PaysLater => world.visit(Session::Confirming),
            Out::Arrives => world.arrive(Session::Complete),
            Out::Fails => world.arrive(Session::Failed),
            Out::GoesBack => world.give_back(Refunded::All),
            Out::RuntimeDeleted => world.runtime = None,
            Out::OrderDeleted => world.delete_order(),
        }
        world.hint();
    }
}

impl PartialEq for Situation {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Hash for Situation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// What happens out there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Out {
    Pays,
    PaysLater,
    Arrives,
    Fails,
    GoesBack,
    RuntimeDeleted,
    OrderDeleted,
}

const OUT: [Out; 7] = [
    Out::Pays,
    Out::PaysLater,
    Out::Arrives,
    Out::Fails,
    Out::GoesBack,
    Out::RuntimeDeleted,
    Out::OrderDeleted,
];

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Step,
    Strike(Fault),
    Out(Out),
}

struct Small {
    provider: Provider,
    mode: PaymentMode,
}

impl Model for Small {
    type State = Situation;
    type Action = Event;

    fn init_states(&self) -> Vec<Situation> {
        let world = World::by(self.provider, self.mode);
        vec![Situation { world, faults_left: 2, events_left: 3, at_rest: None }]
    }

    fn actions(&self, situation: &Situation, actions: &mut Vec<Event>) {
        if situation.world.order.is_none() {
            return;
        }
        let step = decide(at(situation.world.now), &situation.world.facts());
        if situation.at_rest.is_none() {
            actions.push(Event::Step);
            if let (Step::Do(_), 1..) = (&step, situation.faults_left) {
                let all = [Fault::Before, Fault::After, Fault::Unanswered, Fault::Refused];
                actions.extend(all.map(Event::Strike));
            }
        }
        // Nothing could tell the difference elsewhere.
        let telling = matches!(step, Step::Do(_)) || situation.at_rest.is_some();
        if situation.events_left > 0 && telling && situation.world.claim.is_some() {
            actions.extend(OUT.map(Event::Out));
        }
    }

    fn next_state(&self, situation: &Situation, event: Event) -> Option<Situation> {
        let mut next = situation.clone();
        let fault = match event {
            Event::Out(out) => {
                next.happen(out);
                return Some(next);
            }
            Event::Strike(fault) => Some(fault),
            Event::Step => None,
        };
        next.faults_left -= u8::from(fault.is_some());
        let step = next.world.step(fault);
        if let (Step::Rest(rest), false) = (&step, goes_on(&step)) {
            next.at_rest = Some(rest.clone());
        }
        // What was done and shown doesn't tell situations apart.
        next.world.ledger.clear();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            // One that was deleted before it was funded may be made once more.
            Property::always("one Runtime is funded, one checkout is open", |_, it: &Situation| {
                it.world.funded.len() <= 1 && it.world.bank.most_open <= 1
            }),
            Property::always("what rests is funded exactly while it is paid", |_, it: &Situation| {
                it.at_rest.is_none() || is_right(&it.world)
            }),
            Property::always("no charge is lost", |_, it: &Situation| {
                let over = it.at_rest.is_some() || it.world.order.is_none();
                !over || it.world.claim.is_none() || every_charge_is_accounted_for(&it.world).is_ok()
            }),
            Property::eventually("it comes to rest", |_, it: &Situation| {
                it.at_rest.is_some() || it.world.order.is_none()
            }),
        ]
    }
}

/// It funds while it is paid, unless its Runtime was deleted.
fn is_right(world: &World) -> bool {
    let Some(claim) = &world.claim else { return true };
    let gone = claim.spec.order.as_ref().is_some_and(|order| order.runtime_gone_time.is_some());
    world.funds() == (is_paid(world) && !gone) || claim.spec.tombstone.is_some()
}

fn explore(provider: Provider, mode: PaymentMode, least: usize) {
    let checked = Small { provider, mode }.checker().threads(2).spawn_bfs().join();
    checked.assert_properties();
    assert!(checked.unique_state_count() > least, "only {} states", checked.unique_state_count());
}

#[test]
fn every_order_of_steps_at_stripe_ends_well() {
    explore(Provider::Stripe, PaymentMode::OneTime, 5_000);
}

#[test]
fn every_order_of_steps_of_a_subscription_ends_well() {
    explore(Provider::Stripe, PaymentMode::Subscription, 5_000);
}
