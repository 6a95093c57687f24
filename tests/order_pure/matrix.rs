//! Every sequence of up to five of the things that happen to an order, at Stripe and at PayApp, once and again and again:
//! it ends as the provider's truth has it, read once at the end, whether the operator heard of each at once or of nothing
//! before the end. Never two Runtimes, never one that runs without being paid, no charge that neither funds nor is told.
//!
//! Sequences that lead to the same state are followed once: there are 20 things that may happen, and so three million
//! sequences, and some ten thousand states.

use std::collections::HashMap;

use moorage::api::order_record::AttemptState;
use moorage::api::payment_receipt::{Provider, ReceiptType};
use moorage::api::runtime_order::{FundingPhase, PaymentMode};
use moorage::billing::{Dispute, Refunded};
use moorage::control::order::step::{Rest, Step};
use moorage::control::order::truth::Receipt;
use proptest::prelude::*;

use crate::bank::{Session, money};
use crate::oracle::{Size, reckon};
use crate::post::Mail;
use crate::world::{DAY, DEAR, Fault, PRICE, World, dear};

/// How long sequences are.
const LENGTH: usize = 5;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
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
    PriceChanged,
    PlanChanged,
    RuntimeDeleted,
    OrderDeleted,
    Duplicate,
    Forged,
    Nothing,
}

pub const EVENTS: [Event; 20] = [
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
    Event::PriceChanged,
    Event::PlanChanged,
    Event::RuntimeDeleted,
    Event::OrderDeleted,
    Event::Duplicate,
    Event::Forged,
    Event::Nothing,
];

/// Lets it happen, out there.
pub fn happen(world: &mut World, event: Event) {
    world.now += 60;
    let part = Refunded::Part(money(100, if world.bank.kind == Provider::PayApp { "KRW" } else { "USD" }));
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
        Event::RefundedPartly => world.give_back(part),
        Event::RefundedFully => world.give_back(Refunded::All),
        Event::Disputed => world.dispute(Dispute::Open),
        Event::DisputeWon => world.dispute(Dispute::Won),
        Event::DisputeLost => world.dispute(Dispute::Lost),
        Event::SubscriptionDeleted => world.end_outside(),
        Event::PriceChanged => world.change_price(PRICE / 2),
        Event::PlanChanged => world.ask_for("max", dear()),
        Event::RuntimeDeleted => world.runtime = None,
        Event::OrderDeleted => {
            if world.order.is_some() {
                world.delete_order();
            }
        }
        // Told twice, or told by somebody who knows nothing: it is read, and nothing has changed.
        Event::Duplicate => {
            world.hint();
            world.tell_again();
        }
        Event::Forged | Event::Nothing => {}
    }
}

/// When the operator hears of what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// At once.
    AtOnce,
    /// Of nothing before the end.
    AtTheEnd,
}

/// What the operator does now.
pub fn work(world: &mut World, fault: Option<(usize, Fault)>) {
    world.hint();
    if world.order.is_some() {
        world.run(fault);
    }
    world.follow();
}

/// The end: everything is handed over, and read once more by a process that remembers nothing.
pub fn end(world: &mut World) -> Option<Step> {
    world.hand_over();
    world.known = Default::default();
    let rest = world.order.is_some().then(|| world.run(None));
    world.follow();
    rest
}

/// What must hold at every moment.
pub fn check_always(world: &World) -> Result<(), String> {
    let says = |is: bool, what: &str| if is { Ok(()) } else { Err(what.to_owned()) };
    says(world.funded.len() <= 1, "two Runtimes were funded")?;
    says(world.bank.most_open <= 1, "two checkouts were open at once")?;
    let runs = world.order.is_some() && world.funds();
    let reckoned = reckon(world);
    says(!runs || reckoned.funds(world.now), "it runs and isn't paid")?;
    says(!runs || size(world) <= Some(reckoned.size), "its size isn't paid")
}

/// The larger of the sizes that are funded.
pub fn size(world: &World) -> Option<Size> {
    let record = world.claim.as_ref()?.spec.order.as_deref()?;
    let price = &record.price.plan;
    Some(if price.name == "max" && record.pays_for(price) { Size::Dearer } else { Size::Former })
}

/// What must hold at the end.
pub fn check_end(world: &World) -> Result<(), String> {
    check_always(world)?;
    let says = |is: bool, what: &dyn Fn() -> String| if is { Ok(()) } else { Err(what()) };
    every_charge_is_accounted_for(world)?;
    let record = world.record_ref();
    if world.order.is_none() {
        return Ok(());
    }
    let reckoned = reckon(world);
    let seen = record.refund_time.map(|at| at.as_second());
    let is_gone = record.runtime_gone_time.is_some();
    let expected = if is_gone { FundingPhase::Ended } else { reckoned.phase(world.now, seen) };
    says(record.phase == expected, &|| format!("it is {:?} and should be {expected:?}", record.phase))?;
    says(!is_gone || world.runtime.is_none(), &|| "it was given up, and its Runtime stands".into())?;
    let should_run = expected.funds();
    says(world.funds() == should_run && world.runtime.is_some() >= should_run, &|| {
        format!("it runs: {}; it should: {should_run}", world.funds())
    })?;
    says(!should_run || size(world) == Some(reckoned.size), &|| {
        format!("{:?} is funded, and {:?} is paid", size(world), reckoned.size)
    })?;
    let told = world.condition("Paid");
    for payment in &reckoned.for_nothing {
        says(told.contains(payment.as_str()), &|| format!("`{payment}` pays for nothing: {told}"))?;
    }
    let may_be_paid =
        matches!(expected, FundingPhase::Unpaid | FundingPhase::PastDue | FundingPhase::Suspended);
    let is_offered = dearer_is_offered(world, expected);
    says(may_be_paid || is_offered || world.bank.open_now() == 0, &|| {
        "a page is open, and nothing is to be paid".into()
    })?;
    let is_held = record.attempts.last().is_some_and(|it| it.state == AttemptState::Held);
    let is_confirming = world.bank.sessions.iter().any(|it| it.state == Session::Confirming);
    let can_be_paid = is_held || is_confirming || world.bank.open_now() == 1;
    says(!is_offered || can_be_paid, &|| "the dearer Plan can't be paid".into())?;
    let collects = matches!(expected, FundingPhase::Refunded | FundingPhase::Ended);
    says(!collects || world.bank.collecting() == 0, &|| "it is over, and collected for".into())?;
    says(world.bank.charging() <= 1, &|| "two subscriptions are collected for".into())
}

/// Whether the Plan that the Runtime asks for is to be registered at PayApp, and isn't paid.
fn dearer_is_offered(world: &World, phase: FundingPhase) -> bool {
    let record = world.record_ref();
    let is_asked = world.runtime.as_ref().is_some_and(|runtime| {
        let funded = record.funds.as_ref().and_then(|funds| funds.uid.as_ref());
        let wish = runtime.spec.plan_ref.as_ref().map(|plan| plan.name.as_str());
        wish == Some("max") && funded == runtime.metadata.uid.as_ref()
    });
    let registers = (record.provider, record.mode) == (Provider::PayApp, PaymentMode::Subscription);
    registers && is_asked && phase == FundingPhase::Paid && record.price.plan.name != "max"
}

/// Each charge has a receipt that outlives the order, with a flag if it came too late to fund anything; and nothing is open
/// or collected for an order that is gone.
pub fn every_charge_is_accounted_for(world: &World) -> Result<(), String> {
    let stone = world.claim.as_ref().and_then(|claim| claim.spec.tombstone.as_ref());
    for payment in &world.bank.payments {
        let is_of_it = |receipt: &&Receipt| {
            (receipt.spec.type_, &receipt.spec.provider_id) == (ReceiptType::Payment, &payment.id)
        };
        let receipt = world.receipts.iter().find(is_of_it);
        let is_late = stone.is_some_and(|stone| payment.paid_at > stone.release_time);
        let is_flagged = receipt.is_some_and(|receipt| !receipt.spec.flags.is_empty());
        let funds = world.record_ref().funds.as_ref().is_some_and(|funds| funds.uid.is_some());
        // A page that was paid wasn't withdrawn before, if that is told at once.
        let is_told_at_once = world.bank.kind == Provider::PayApp && world.mail == Mail::Prompt;
        if is_told_at_once && is_flagged && payment.amount.minor == DEAR {
            return Err(format!("a dearer Plan was paid, and isn't had: {payment:?}"));
        }
        if receipt.is_none() {
            return Err(format!("a charge that nobody knows of: {payment:?}"));
        }
        if is_late && !funds && !is_flagged {
            return Err(format!("a charge for nothing that nobody is told of: {payment:?}"));
        }
    }
    if world.order.is_none() && world.bank.open_now() > 0 {
        return Err("a checkout outlived its order".into());
    }
    if world.order.is_none() && world.bank.collecting() > 0 {
        return Err("it is charged on".into());
    }
    Ok(())
}

/// Follows every sequence, each state once.
fn follow(provider: Provider, mode: PaymentMode, told: Told) {
    let mut first = World::by(provider, mode);
    first.run(None);
    first.silent = true;
    first.mail = if told == Told::AtOnce { Mail::Prompt } else { Mail::Held };
    let mut level: HashMap<u64, (World, Vec<Event>)> = HashMap::from([(first.digest(), (first, Vec::new()))]);
    let (mut states, mut sequences) = (0_usize, 0_usize);
    for _ in 0..LENGTH {
        let mut next = HashMap::new();
        for (world, events) in level.into_values() {
            for event in EVENTS {
                let mut world = world.clone();
                happen(&mut world, event);
                if told == Told::AtOnce {
                    work(&mut world, None);
                }
                world.ledger.clear();
                sequences += 1;
                next.entry(world.digest()).or_insert_with(|| {
                    let events: Vec<Event> = events.iter().copied().chain([event]).collect();
                    ended(&world, &events, told);
                    (world, events)
                });
            }
        }
        states += next.len();
        level = next;
    }
    assert!(states > 2_000 && sequences > 14_000, "only {states} states by {sequences} steps");
}

fn ended(world: &World, events: &[Event], told: Told) {
    let mut last = world.clone();
    last.silent = false;
    let came = check_always(&last).and_then(|()| {
        end(&mut last);
        check_end(&last)
    });
    if let Err(why) = came {
        let (bank, record) = (&last.bank, last.record_ref());
        let at: Vec<i64> = bank.payments.iter().map(|it| it.paid_at.as_second()).collect();
        let paid = record.paid_until.map(|at| at.as_second());
        panic!(
            "{events:?} {told:?} at {}: {why}\n{:?}\n{:?}\n{:?}\n{at:?} {:?}\nuntil {paid:?}, {:?}, gone {:?}, {:?}",
            last.now,
            last.ledger,
            bank.sessions,
            bank.subscriptions,
            bank.payments,
            record.phase,
            record.runtime_gone_time,
            record.endings
        );
    }
}

#[test]
fn what_is_paid_once_at_stripe_ends_as_stripe_has_it() {
    follow(Provider::Stripe, PaymentMode::OneTime, Told::AtOnce);
}

#[test]
fn what_is_paid_once_at_stripe_ends_so_if_nothing_is_told() {
    follow(Provider::Stripe, PaymentMode::OneTime, Told::AtTheEnd);
}

#[test]
fn a_subscription_at_stripe_ends_as_stripe_has_it() {
    follow(Provider::Stripe, PaymentMode::Subscription, Told::AtOnce);
}

#[test]
fn a_subscription_at_stripe_ends_so_if_nothing_is_told() {
    follow(Provider::Stripe, PaymentMode::Subscription, Told::AtTheEnd);
}

#[test]
fn what_is_paid_once_at_payapp_ends_as_payapp_has_it() {
    follow(Provider::PayApp, PaymentMode::OneTime, Told::AtOnce);
}

#[test]
fn what_is_paid_once_at_payapp_ends_so_if_its_notices_are_late() {
    follow(Provider::PayApp, PaymentMode::OneTime, Told::AtTheEnd);
}

#[test]
fn a_registration_at_payapp_ends_as_payapp_has_it() {
    follow(Provider::PayApp, PaymentMode::Subscription, Told::AtOnce);
}

#[test]
fn a_registration_at_payapp_ends_so_if_its_notices_are_late() {
    follow(Provider::PayApp, PaymentMode::Subscription, Told::AtTheEnd);
}

fn event() -> impl Strategy<Value = (Event, bool, Option<(usize, Fault)>)> {
    let faults = prop::sample::select(vec![Fault::Before, Fault::After, Fault::Unanswered, Fault::Refused]);
    (
        prop::sample::select(EVENTS.to_vec()),
        prop::bool::ANY,
        prop::option::weighted(0.3, (0_usize..6, faults)),
    )
}

fn setting() -> impl Strategy<Value = (Provider, PaymentMode)> {
    let providers = prop::sample::select(vec![Provider::Stripe, Provider::PayApp]);
    let modes = prop::sample::select(vec![PaymentMode::OneTime, PaymentMode::Subscription]);
    (providers, modes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]
    /// Some are told and some aren't, and calls are lost, refused and cut off by crashes on the way.
    #[test]
    fn whatever_is_lost_on_the_way_it_ends_so(
        events in prop::collection::vec(event(), 0..=6),
        (provider, mode) in setting(),
    ) {
        let mut world = World::by(provider, mode);
        world.run(None);
        for (event, is_told, fault) in events {
            happen(&mut world, event);
            if is_told {
                work(&mut world, fault);
                prop_assert_eq!(check_always(&world), Ok(()), "{:?}", world.ledger);
            }
        }
        end(&mut world);
        prop_assert_eq!(check_end(&world), Ok(()), "{:?}", world.ledger);
        let (ledger, status) = (world.ledger.len(), world.order.clone());
        end(&mut world);
        prop_assert_eq!((world.ledger.len(), &world.order), (ledger, &status), "it doesn't rest");
    }

    #[test]
    fn payapp_is_never_asked_twice_for_one_attempt(
        faults in prop::collection::vec((0_usize..6, prop::sample::select(vec![Fault::Before, Fault::After, Fault::Unanswered, Fault::Deaf])), 0..4),
        pays in prop::bool::ANY,
    ) {
        let mut world = World::by(Provider::PayApp, PaymentMode::OneTime);
        for (at, fault) in faults {
            world.run(Some((at, fault)));
        }
        world.run(None);
        if pays {
            world.visit(Session::Complete);
        }
        let rest = world.run(None);
        let mut numbers: Vec<u32> = world.bank.sessions.iter().map(|it| it.number).collect();
        numbers.dedup();
        prop_assert_eq!(numbers.len(), world.bank.sessions.len(), "{:?}", world.ledger);
        prop_assert!(world.bank.most_open <= 1 && world.bank.payments.len() <= 1 && world.made <= 1);
        prop_assert_eq!(rest == Step::Rest(Rest::Fulfilled), !world.bank.payments.is_empty());
    }
}
