//! A dearer Plan: the Runtime asks for it, the difference is paid once, and only then it is funded.

use moorage::api::PlanSpec;
use moorage::api::name_claim::PinnedPlan;
use moorage::api::payment_receipt::Provider;
use moorage::api::refs::NameRef;
use moorage::api::runtime_order::PaymentMode;
use moorage::api::{order_record::OrderRecord, reason};
use moorage::billing::Purpose;
use moorage::control::order::step::{Rest, Step};

use crate::bank::{Card, Session};
use crate::world::{DAY, Fault, PRICE, World, dear, plan};

fn size(record: &OrderRecord, plan: &PlanSpec, name: &str) -> PinnedPlan {
    PinnedPlan { name: name.into(), cpus: plan.cpus, memory_mb: plan.memory_mb, ..record.price.plan.clone() }
}

fn paid(mode: PaymentMode) -> World {
    let mut world = World::by(Provider::Stripe, mode);
    world.run(None);
    world.visit(Session::Complete);
    world.hint();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    world
}

/// The Runtime asks for a Plan of this name.
fn ask(world: &mut World, name: &str, plan: PlanSpec) {
    world.runtime_mut().spec.plan_ref = Some(NameRef::new(name));
    world.wish = Some((name.into(), plan));
}

fn differences(world: &World) -> usize {
    world.bank.payments.iter().filter(|it| it.purpose == Purpose::Change).count()
}

#[test]
fn it_is_paid_first_and_the_earlier_size_is_funded_meanwhile() {
    let mut world = paid(PaymentMode::Subscription);
    ask(&mut world, "max", dear());
    let before = world.record();
    assert!(!before.pays_for(&size(&before, &dear(), "max")), "not before it is paid");
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    let record = world.record();
    assert_eq!((record.price.plan.name.as_str(), record.price.amount), ("max", 2 * PRICE));
    assert!(record.pays_for(&size(&before, &dear(), "max")) && record.pays_for(&before.price.plan));
    assert_eq!((differences(&world), world.record().change), (1, None));
    assert_eq!(record.paid_until, before.paid_until, "the difference pays for no time of its own");
    assert!(!world.condition("Paid").contains("amount"), "{}", world.condition("Paid"));
}

#[test]
fn whatever_befalls_the_change_the_difference_is_taken_once() {
    for fault in [Fault::Before, Fault::After, Fault::Unanswered, Fault::Refused] {
        for at in 0..5 {
            let mut world = paid(PaymentMode::Subscription);
            ask(&mut world, "max", dear());
            world.run(Some((at, fault)));
            assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled), "{fault:?} {at}");
            assert_eq!((differences(&world), world.record().price.amount), (1, 2 * PRICE), "{fault:?} {at}");
        }
    }
}

#[test]
fn a_declined_difference_is_told_and_tried_again_after_a_day() {
    let mut world = paid(PaymentMode::Subscription);
    world.bank.card = Card::Declined;
    ask(&mut world, "max", dear());
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert!(world.condition("Paid").contains("declined"), "{}", world.condition("Paid"));
    assert_eq!((world.record().price.amount, differences(&world)), (PRICE, 0));
    let calls = world.ledger.len();
    world.bank.card = Card::Good;
    world.now += DAY / 2;
    world.run(None);
    assert_eq!(world.ledger.len(), calls, "not at once");
    world.now += DAY;
    world.run(None);
    assert_eq!((world.record().price.amount, differences(&world)), (2 * PRICE, 1));
}

#[test]
fn what_isnt_asked_for_any_more_is_forgotten() {
    let mut world = paid(PaymentMode::Subscription);
    world.bank.card = Card::Declined;
    ask(&mut world, "max", dear());
    world.run(None);
    ask(&mut world, "pro", plan());
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!(world.record().change, None);
    assert!(!world.condition("Paid").contains("declined"));
}

#[test]
fn a_cheaper_plan_or_one_that_is_paid_otherwise_is_another_order() {
    let cheap = PlanSpec { amount: PRICE / 2, ..plan() };
    let smaller = PlanSpec { memory_mb: 1024, ..dear() };
    let euros = PlanSpec { currency: "EUR".into(), ..dear() };
    for (mode, wanted) in [
        (PaymentMode::Subscription, cheap),
        (PaymentMode::Subscription, smaller),
        (PaymentMode::Subscription, euros),
        (PaymentMode::OneTime, dear()),
    ] {
        let mut world = paid(mode);
        ask(&mut world, "other", wanted);
        let Step::Rest(Rest::Refused(refusal, _)) = world.run(None) else { panic!("not refused") };
        assert_eq!(refusal.reason, reason::PLAN_DIFFERS);
        assert_eq!((differences(&world), world.record().price.amount), (0, PRICE));
        assert!(world.funds(), "what was paid runs on");
    }
}

#[test]
fn a_change_that_isnt_wanted_any_more_is_never_asked_for() {
    let mut world = paid(PaymentMode::Subscription);
    ask(&mut world, "max", dear());
    let recorded = world.until("RecordChange");
    world.take_place(&recorded);
    ask(&mut world, "pro", plan());
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!((differences(&world), world.record().price.amount), (0, PRICE));
    assert_eq!(world.record().change, None);
}

#[test]
fn a_change_whose_reply_was_lost_is_in_place_even_if_it_isnt_wanted_any_more() {
    let mut world = paid(PaymentMode::Subscription);
    ask(&mut world, "max", dear());
    let change = world.until("ChangeSubscription");
    world.unanswered(&change);
    ask(&mut world, "pro", plan());
    world.run(None);
    assert_eq!(
        (differences(&world), world.record().price.amount),
        (1, 2 * PRICE),
        "what was paid is recorded"
    );
}

#[test]
fn a_change_of_a_subscription_that_has_ended_is_given_up() {
    let mut world = paid(PaymentMode::Subscription);
    ask(&mut world, "max", dear());
    let recorded = world.until("RecordChange");
    world.take_place(&recorded);
    let id = world.bank.subscriptions[0].id.clone();
    world.bank.end(&id, world.now, false);
    world.now += 1;
    world.hint();
    world.run(None);
    assert_eq!((differences(&world), world.record().change), (0, None));
    assert!(!world.ledger.contains(&"ChangeSubscription"), "{:?}", world.ledger);
}

#[test]
fn a_difference_that_went_back_is_told() {
    for lost in [true, false] {
        let mut world = paid(PaymentMode::Subscription);
        let before = world.record();
        ask(&mut world, "max", dear());
        world.run(None);
        assert_eq!(differences(&world), 1);
        if lost {
            world.bank.dispute(moorage::billing::Dispute::Open);
            world.bank.dispute(moorage::billing::Dispute::Lost);
        } else {
            world.give_back(moorage::billing::Refunded::All);
        }
        world.now += 1;
        world.hint();
        assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled), "what is paid runs on");
        let told = world.condition("Paid");
        assert!(told.contains("`pi_2`") && told.contains("the earlier size runs"), "{told}");
        let record = world.record();
        assert!(!record.pays_for(&record.price.plan) && record.pays_for(&before.price.plan));
        // Asking for the earlier one again is no other order.
        let mut back = world.clone();
        ask(&mut back, "pro", plan());
        assert_eq!(back.run(None), Step::Rest(Rest::Fulfilled));
        // With the whole price the dearer one is paid.
        world.now += 31 * DAY;
        world.renew(true);
        world.hint();
        assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
        let record = world.record();
        assert!(record.pays_for(&record.price.plan), "{}", world.condition("Paid"));
        assert!(!world.condition("Paid").contains("the earlier size"), "{}", world.condition("Paid"));
    }
}
