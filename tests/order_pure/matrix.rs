//! Whatever happens at the provider, in whatever order, and whatever the operator is told of it: it ends as if what the
//! provider says were read once at the end. Never two Runtimes, never one that runs without being paid, and no charge
//! that neither funds nor is told.

use moorage::api::order_record::AttemptState;
use moorage::api::payment_receipt::Provider;
use moorage::api::runtime_order::PaymentMode;
use moorage::billing::{Dispute, Refunded, SubscriptionState};
use moorage::control::order::account::account;
use moorage::control::order::step::{Rest, Step};
use proptest::prelude::*;

use crate::bank::{Session, money};
use crate::world::{DAY, Fault, PRICE, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Paid,
    Unpaid,
    AsyncOK,
    AsyncFailed,
    Expired,
    InvoicePaid,
    InvoiceFailed,
    RefundedPartly,
    RefundedFully,
    Disputed,
    DisputeWon,
    DisputeLost,
    SubscriptionDeleted,
    PlanChanged,
    RuntimeDeleted,
    OrderDeleted,
    Duplicate,
    Forged,
    Nothing,
}

const EVENTS: [Event; 19] = [
    Event::Paid,
    Event::Unpaid,
    Event::AsyncOK,
    Event::AsyncFailed,
    Event::Expired,
    Event::InvoicePaid,
    Event::InvoiceFailed,
    Event::RefundedPartly,
    Event::RefundedFully,
    Event::Disputed,
    Event::DisputeWon,
    Event::DisputeLost,
    Event::SubscriptionDeleted,
    Event::PlanChanged,
    Event::RuntimeDeleted,
    Event::OrderDeleted,
    Event::Duplicate,
    Event::Forged,
    Event::Nothing,
];

/// Lets it happen, out there.
fn happen(world: &mut World, event: Event) {
    world.now += 60;
    match event {
        Event::Paid => world.visit(Session::Complete),
        Event::Unpaid => world.visit(Session::Confirming),
        Event::AsyncOK => world.arrive(Session::Complete),
        Event::AsyncFailed => world.arrive(Session::Failed),
        Event::Expired => world.now += DAY,
        Event::InvoicePaid => {
            world.now += 31 * DAY;
            world.renew(true);
        }
        Event::InvoiceFailed => {
            world.now += 31 * DAY;
            world.renew(false);
        }
        Event::RefundedPartly => world.give_back(Refunded::Part(money(100, "USD"))),
        Event::RefundedFully => world.give_back(Refunded::All),
        Event::Disputed => world.bank.dispute(Dispute::Open),
        Event::DisputeWon => world.bank.dispute(Dispute::Won),
        Event::DisputeLost => world.bank.dispute(Dispute::Lost),
        Event::SubscriptionDeleted => {
            if let Some(id) = world.bank.subscriptions.first().map(|it| it.id.clone()) {
                world.bank.end(&id, world.now, false);
            }
        }
        Event::PlanChanged => {
            if let Some(it) = world.bank.subscriptions.first_mut() {
                it.price = Some(money(PRICE / 2, "USD"));
            }
        }
        Event::RuntimeDeleted => world.runtime = None,
        Event::OrderDeleted => {
            if world.order.is_some() {
                world.delete_order();
            }
        }
        // Told twice, or told by somebody who knows nothing: it is read, and nothing has changed.
        Event::Duplicate => world.hint(),
        Event::Forged | Event::Nothing => {}
    }
}

/// Whether the operator hears of an event at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Yes,
    No,
}

/// What the operator does now.
fn work(world: &mut World, told: Told, fault: Option<(usize, Fault)>) {
    if told == Told::Yes {
        world.hint();
    }
    if world.order.is_some() {
        world.run(fault);
    }
}

/// The end: everything is read once more.
fn end(world: &mut World) -> Option<Step> {
    world.known = Default::default();
    world.order.is_some().then(|| world.run(None))
}

/// Whether it is paid by what the provider says, worked out anew; in its grace too.
pub fn is_paid(world: &World) -> bool {
    let record = world.record();
    let known: Vec<u32> = record
        .attempts
        .iter()
        .filter(|attempt| attempt.checkout_id.is_some())
        .map(|attempt| attempt.number)
        .collect();
    let truth = world.bank.truth(&known);
    account(&record, &truth).paid_until.is_some_and(|until| world.now < until.as_second() + 3 * DAY)
}

fn check(world: &World) -> Result<(), TestCaseError> {
    prop_assert!(world.made <= 1, "two Runtimes: {:?}", world.ledger);
    prop_assert!(world.bank.most_open <= 1, "two checkouts at once: {:?}", world.ledger);
    if world.funds() && world.order.is_some() {
        prop_assert!(is_paid(world), "it runs and isn't paid: {:?}", world.ledger);
    }
    Ok(())
}

/// Each charge that is ours to keep funds something, or its order says what is wrong with it, or it has a receipt that
/// outlives the order.
pub fn every_charge_is_accounted_for(world: &World) -> Result<(), TestCaseError> {
    for payment in &world.bank.payments {
        let stored = world.receipts.iter().any(|receipt| receipt.spec.provider_id == payment.id);
        let told = world.claim.as_ref().and_then(|claim| claim.spec.tombstone.as_ref());
        let told = told.is_some_and(|stone| stone.message.contains("Give the money back"));
        prop_assert!(stored || told, "a charge that nobody knows of: {payment:?} {:?}", world.ledger);
    }
    if world.order.is_none() {
        prop_assert_eq!(world.bank.open_now(), 0, "a checkout outlived its order: {:?}", &world.ledger);
        let collects = |it: &moorage::billing::Subscription| {
            it.state != SubscriptionState::Ended && it.ends_at.is_none()
        };
        prop_assert!(!world.bank.subscriptions.iter().any(collects), "it is charged on: {:?}", world.ledger);
    }
    Ok(())
}

fn fault() -> impl Strategy<Value = Option<(usize, Fault)>> {
    let fault = prop::sample::select(vec![Fault::Before, Fault::After, Fault::Unanswered, Fault::Refused]);
    prop_oneof![3 => Just(None), 2 => (0_usize..6, fault).prop_map(Some)]
}

fn event() -> impl Strategy<Value = (Event, Told, Option<(usize, Fault)>)> {
    let told = prop_oneof![Just(Told::Yes), Just(Told::No)];
    (prop::sample::select(EVENTS.to_vec()), told, fault())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn nothing_runs_unpaid_and_no_charge_is_lost(
        events in prop::collection::vec(event(), 0..=5),
        once in prop::bool::ANY,
    ) {
        let mode = if once { PaymentMode::OneTime } else { PaymentMode::Subscription };
        let mut world = World::by(Provider::Stripe, mode);
        world.run(None);
        for (event, told, fault) in events {
            happen(&mut world, event);
            work(&mut world, told, fault);
            if fault.is_none() && told == Told::Yes {
                check(&world)?;
            }
        }
        end(&mut world);
        check(&world)?;
        every_charge_is_accounted_for(&world)?;
        let (ledger, status) = (world.ledger.len(), world.order.clone());
        end(&mut world);
        prop_assert_eq!((world.ledger.len(), &world.order), (ledger, &status), "it doesn't rest");
    }

    #[test]
    fn it_ends_as_if_all_had_been_read_once(
        events in prop::collection::vec(event(), 0..=5),
        once in prop::bool::ANY,
    ) {
        let mode = if once { PaymentMode::OneTime } else { PaymentMode::Subscription };
        // What happens to objects, and time that passes, is the operator's to answer while it lasts.
        let out_there = |event: &Event| {
            !matches!(event, Event::RuntimeDeleted | Event::OrderDeleted | Event::Expired
                | Event::InvoicePaid | Event::InvoiceFailed)
        };
        let mut step_by_step = World::by(Provider::Stripe, mode);
        step_by_step.run(None);
        let mut at_once = step_by_step.clone();
        for (event, told, fault) in events.into_iter().filter(|(event, ..)| out_there(event)) {
            happen(&mut at_once, event);
            happen(&mut step_by_step, event);
            // An order that ends something for good at the provider has changed what is true there.
            let settled = step_by_step.record().ending.is_some();
            if !settled {
                work(&mut step_by_step, told, fault);
            }
        }
        end(&mut step_by_step);
        end(&mut at_once);
        prop_assert_eq!(step_by_step.funds(), at_once.funds(), "{:?} {:?}", step_by_step.ledger, at_once.ledger);
        prop_assert_eq!(step_by_step.record().phase, at_once.record().phase);
        let state = |world: &World| world.status().state;
        if step_by_step.made == at_once.made {
            prop_assert_eq!(state(&step_by_step), state(&at_once));
        }
    }

    #[test]
    fn payapp_is_never_asked_twice_for_one_attempt(
        faults in prop::collection::vec((0_usize..6, prop::sample::select(vec![Fault::Before, Fault::After, Fault::Unanswered])), 0..4),
        pays in prop::bool::ANY,
    ) {
        let mut world = World::by(Provider::PayApp, PaymentMode::OneTime);
        for (at, fault) in faults {
            world.run(Some((at, fault)));
        }
        world.run(None);
        if pays && world.record().attempts.iter().any(|it| it.state == AttemptState::Open) {
            world.visit(Session::Complete);
        }
        let rest = world.run(None);
        prop_assert!(world.bank.sessions.len() <= 1, "{:?}", world.ledger);
        prop_assert!(world.made <= 1);
        prop_assert_eq!(rest == Step::Rest(Rest::Fulfilled), !world.bank.payments.is_empty());
    }
}
