//! Explores every order of an order's steps, two faults and three events at its provider, exhaustively: whatever happens,
//! the invariants hold at each state, and every path comes to rest where it should.

use std::hash::{Hash, Hasher};

use moorage::api::Runtime;
use moorage::api::payment_receipt::Provider;
use moorage::api::runtime_order::PaymentMode;
use moorage::control::order::decide::decide;
use moorage::control::order::step::{Rest, Step};
use stateright::{Checker, Model, Property};

use crate::matrix::{Event as Out, every_charge_is_accounted_for, happen, size};
use crate::oracle::reckon;
use crate::world::{Fault, World, at};

/// An order in its world, and what may still happen to it.
#[derive(Clone, Debug)]
struct Situation {
    world: World,
    faults_left: u8,
    events_left: u8,
    at_rest: Option<Rest>,
    /// What tells it from others.
    digest: u64,
}

impl Situation {
    fn new(mut world: World, faults_left: u8, events_left: u8, at_rest: Option<Rest>) -> Self {
        // What was done and shown doesn't tell situations apart.
        world.ledger.clear();
        let mut hasher = std::hash::DefaultHasher::new();
        (world.digest(), faults_left, events_left, format!("{at_rest:?}")).hash(&mut hasher);
        Self { world, faults_left, events_left, at_rest, digest: hasher.finish() }
    }
}

impl PartialEq for Situation {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Hash for Situation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

/// What happens out there.
const OUT: [Out; 14] = [
    Out::Paid,
    Out::Unpaid,
    Out::AsyncOK,
    Out::AsyncFailed,
    Out::Expired,
    Out::InvoicePaid,
    Out::InvoiceFailed,
    Out::RefundedPartly,
    Out::RefundedFully,
    Out::Disputed,
    Out::SubscriptionDeleted,
    Out::PlanChanged,
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

impl Small {
    fn faults(&self) -> &'static [Fault] {
        const ALL: [Fault; 5] = [Fault::Before, Fault::After, Fault::Unanswered, Fault::Refused, Fault::Deaf];
        // Only PayApp listens to what we say of its notices.
        if self.provider == Provider::PayApp { &ALL } else { &ALL[..4] }
    }
}

impl Model for Small {
    type State = Situation;
    type Action = Event;

    fn init_states(&self) -> Vec<Situation> {
        let mut world = World::by(self.provider, self.mode);
        world.silent = true;
        vec![Situation::new(world, 2, 3, None)]
    }

    fn actions(&self, situation: &Situation, actions: &mut Vec<Event>) {
        if situation.world.order.is_none() {
            return;
        }
        let step = decide(at(situation.world.now), &situation.world.facts());
        if situation.at_rest.is_none() {
            actions.push(Event::Step);
            if let (Step::Do(_), 1..) = (&step, situation.faults_left) {
                actions.extend(self.faults().iter().map(|fault| Event::Strike(*fault)));
            }
        }
        // Nothing could tell the difference elsewhere.
        let telling = matches!(step, Step::Do(_)) || situation.at_rest.is_some();
        if situation.events_left > 0 && telling && situation.world.claim.is_some() {
            actions.extend(OUT.map(Event::Out));
        }
    }

    fn next_state(&self, situation: &Situation, event: Event) -> Option<Situation> {
        let mut world = situation.world.clone();
        let fault = match event {
            Event::Out(out) => {
                happen(&mut world, out);
                world.hint();
                return Some(Situation::new(world, situation.faults_left, situation.events_left - 1, None));
            }
            Event::Strike(fault) => Some(fault),
            Event::Step => None,
        };
        let step = world.step(fault);
        let rest = match step {
            Step::Rest(rest) => Some(rest),
            _ => situation.at_rest.clone(),
        };
        world.follow();
        let faults_left = situation.faults_left - u8::from(fault.is_some());
        Some(Situation::new(world, faults_left, situation.events_left, rest))
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
            Property::always("what rests has the size that is paid at PayApp", |_, it: &Situation| {
                let world = &it.world;
                let is_payapps = world.bank.kind == Provider::PayApp && it.at_rest == Some(Rest::Fulfilled);
                !is_payapps || size(world) == Some(reckon(world).size)
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

/// It funds while it is paid, unless its Runtime was deleted; or asked for another Plan before it was known as the one that
/// the order funds, of which it is told.
fn is_right(world: &World) -> bool {
    let Some(claim) = &world.claim else { return true };
    let order = claim.spec.order.as_ref().unwrap();
    let gone = order.runtime_gone_time.is_some();
    let plan = |runtime: &Runtime| runtime.spec.plan_ref.as_ref().map(|plan| plan.name.clone());
    let asked = world.runtime.as_deref().and_then(plan);
    let is_known = order.funds.as_ref().is_some_and(|funds| funds.uid.is_some());
    if !is_known && asked.is_some_and(|plan| plan != order.price.plan.name) {
        return !world.funds();
    }
    world.funds() == (reckon(world).funds(world.now) && !gone) || claim.spec.tombstone.is_some()
}

fn explore(provider: Provider, mode: PaymentMode, least: usize) {
    let checked = Small { provider, mode }.checker().threads(2).spawn_bfs().join();
    checked.assert_properties();
    assert!(checked.unique_state_count() > least, "only {} states", checked.unique_state_count());
}

#[test]
fn every_order_of_steps_at_stripe_ends_well() {
    explore(Provider::Stripe, PaymentMode::OneTime, 20_000);
}

#[test]
fn every_order_of_steps_of_a_subscription_ends_well() {
    explore(Provider::Stripe, PaymentMode::Subscription, 20_000);
}

#[test]
fn every_order_of_steps_at_payapp_ends_well() {
    explore(Provider::PayApp, PaymentMode::OneTime, 20_000);
}

#[test]
fn every_order_of_steps_of_a_registration_ends_well() {
    explore(Provider::PayApp, PaymentMode::Subscription, 20_000);
}
