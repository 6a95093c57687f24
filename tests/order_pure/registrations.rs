//! A dearer Plan at PayApp: another registration is made for it, which takes the earlier one's place once it is paid.

use moorage::api::order_record::AttemptState;
use moorage::api::payment_receipt::{Provider, ReceiptFlag, ReceiptType};
use moorage::api::runtime_order::{FundingPhase, PaymentMode};
use moorage::billing::{Refunded, SubscriptionState};
use moorage::control::order::step::{Rest, Step};

use crate::bank::{Session, month_after};
use crate::post::Mail;
use crate::world::{DAY, DEAR, Fault, PRICE, World, at, dear, plan};

const FAULTS: [Fault; 5] = [Fault::Before, Fault::After, Fault::Unanswered, Fault::Refused, Fault::Deaf];

fn bought() -> World {
    let mut world = World::by(Provider::PayApp, PaymentMode::Subscription);
    world.run(None);
    world.visit(Session::Complete);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    world
}

/// The dearer Plan is asked for, and can be paid.
fn offered() -> World {
    let mut world = bought();
    world.now += 10 * DAY;
    world.ask_for("max", dear());
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    world
}

/// It is paid, ten days after the first month began.
fn changed() -> World {
    let mut world = offered();
    world.visit(Session::Complete);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    world
}

/// The dearer Plan isn't asked for any more, and then it is again.
fn asked_anew(world: &mut World) {
    assert!(world.condition("Paid").contains("nobody knows whether"), "{}", world.condition("Paid"));
    world.ask_for("pro", plan());
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!(world.condition("Paid"), "It is paid.");
    world.ask_for("max", dear());
    world.run(None);
}

fn going(world: &World) -> Vec<SubscriptionState> {
    world.bank.subscriptions.iter().map(|it| it.state).collect()
}

fn states(world: &World) -> Vec<AttemptState> {
    world.record_ref().attempts.iter().map(|attempt| attempt.state).collect()
}

#[test]
fn a_page_is_opened_at_its_price_and_the_earlier_size_is_funded_meanwhile() {
    let world = offered();
    let record = world.record();
    assert_eq!((record.price.amount, record.change.as_ref().unwrap().price.amount), (PRICE, DEAR));
    assert_eq!(world.bank.sessions.last().map(|it| (it.amount, it.state)), Some((DEAR, Session::Open)));
    assert_eq!(states(&world), [AttemptState::Closed, AttemptState::Open]);
    assert_eq!(going(&world), [SubscriptionState::Active, SubscriptionState::Incomplete]);
    assert!(!record.pays_for(&record.change.as_ref().unwrap().price.plan) && world.funds());
    let status = world.status();
    assert_eq!(status.checkout.map(|it| it.attempt), Some(2), "the page is shown");
    assert!(world.condition("CheckoutOpen").contains("`max`"), "{}", world.condition("CheckoutOpen"));
    let told = world.condition("Paid");
    assert!(told.contains("5,800") || told.contains("5800"), "{told}");
    assert!(told.contains("`max`") && told.contains("status.checkout.url"), "{told}");
    assert!(told.contains("isn't carried over"), "{told}");
}

#[test]
fn paid_it_takes_the_place_of_the_earlier_registration_which_ends() {
    let world = changed();
    let record = world.record();
    assert_eq!((record.price.plan.name.as_str(), record.price.amount, &record.change), ("max", DEAR, &None));
    assert!(record.pays_for(&record.price.plan));
    assert_eq!(record.subscription_id.as_ref(), Some(&world.bank.subscriptions[1].id));
    assert_eq!(going(&world), [SubscriptionState::Ended, SubscriptionState::Active]);
    let paid = world.bank.payments.last().unwrap();
    assert_eq!(
        record.paid_until,
        Some(month_after(Provider::PayApp, paid.paid_at)),
        "a month from its payment"
    );
    let told = world.condition("Paid");
    assert_eq!(told, "It is paid.", "nothing is odd about it");
    assert_eq!((world.bank.open_now(), world.made, world.funded.len()), (0, 1, 1));
    // The next month is paid at its price.
    let mut next = world;
    next.now += 31 * DAY;
    next.renew(true);
    assert_eq!(next.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!(
        (next.record_ref().phase, next.condition("Paid").as_str()),
        (FundingPhase::Paid, "It is paid.")
    );
}

#[test]
fn whatever_befalls_it_one_page_is_open_and_one_is_charged() {
    for fault in FAULTS {
        for place in 0..14 {
            let mut world = bought();
            world.now += 10 * DAY;
            world.ask_for("max", dear());
            world.run(Some((place, fault)));
            world.now += 3600;
            world.run(None);
            if states(&world).last() == Some(&AttemptState::Held) {
                // Killed around the call, before anything was told.
                assert!(place < 3, "{fault:?} {place}");
                asked_anew(&mut world);
            }
            assert_eq!(world.bank.open_now(), 1, "{fault:?} {place}: {:?}", world.ledger);
            world.visit(Session::Complete);
            world.run(Some((place, fault)));
            world.now += 3600;
            assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled), "{fault:?} {place}");
            let record = world.record();
            assert_eq!((record.price.amount, &record.change), (DEAR, &None), "{fault:?} {place}");
            assert_eq!((world.bank.most_open, world.bank.open_now()), (1, 0), "{fault:?} {place}");
            assert_eq!((world.bank.payments.len(), world.bank.collecting()), (2, 1), "{fault:?} {place}");
            assert_eq!((world.made, world.funded.len()), (1, 1), "{fault:?} {place}");
        }
    }
}

#[test]
fn an_answer_that_nobody_heard_and_no_notice_told_of_is_held_and_told() {
    let mut world = bought();
    world.mute = true;
    world.ask_for("max", dear());
    let open = world.until("OpenCheckout");
    world.unanswered(&open);
    // It may be that the page is open: it isn't asked for again.
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled), "what is paid runs on");
    assert_eq!(states(&world), [AttemptState::Closed, AttemptState::Held]);
    assert!(world.condition("Paid").contains("nobody knows whether"), "{}", world.condition("Paid"));
    let asked = world.bank.sessions.len();
    world.now += 10 * DAY;
    world.known = Default::default();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!(world.bank.sessions.len(), asked);
}

#[test]
fn months_of_the_earlier_one_count_until_it_is_paid() {
    let mut world = offered();
    world.now += 22 * DAY;
    world.renew(true);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!((world.record_ref().phase, world.bank.open_now()), (FundingPhase::Paid, 1));
    assert_eq!(world.condition("Paid").matches("pays for").count(), 0, "{}", world.condition("Paid"));
    world.visit(Session::Complete);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    let paid = world.bank.payments.last().unwrap().paid_at;
    assert_eq!(world.record_ref().paid_until, Some(month_after(Provider::PayApp, paid)));
}

#[test]
fn what_the_earlier_one_takes_afterwards_is_told() {
    let mut world = changed();
    let first = world.receipts.iter().find(|it| it.spec.type_ == ReceiptType::Payment).unwrap().clone();
    let mut spec = first.spec;
    (spec.provider_id, spec.pay_time) = ("39000001".into(), Some(at(world.now + 25 * DAY)));
    let until = world.record_ref().paid_until;
    world.now += 25 * DAY + 60;
    world.store(spec);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!(world.record_ref().paid_until, until);
    let told = world.condition("Paid");
    assert!(told.contains("`39000001` pays for what was paid already; refund it"), "{told}");
}

#[test]
fn its_money_goes_back_and_the_earlier_size_runs_to_the_end_of_its_time() {
    for is_seen in [true, false] {
        let mut world = offered();
        let until = world.record_ref().paid_until;
        world.visit(Session::Complete);
        if is_seen {
            world.run(None);
        }
        world.give_back(Refunded::All);
        assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
        let record = world.record();
        assert_eq!((record.phase, record.paid_until), (FundingPhase::Paid, until), "{is_seen}");
        assert!(
            !record.pays_for(&size(&record, "max")) && record.pays_for(&size(&record, "pro")),
            "{is_seen}"
        );
        assert!(world.condition("Paid").contains("went back"), "{}", world.condition("Paid"));
        // Nobody is charged for the dearer one any more.
        assert_eq!(going(&world)[1], SubscriptionState::Ended, "{is_seen}");
        if is_seen {
            assert_eq!(world.bank.open_now(), 0, "it isn't offered again at once");
            world.now = until.unwrap().as_second() + 60;
            assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
            assert_eq!((world.record_ref().phase, world.bank.open_now()), (FundingPhase::PastDue, 1));
            world.visit(Session::Complete);
            assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
            let record = world.record();
            assert!(record.phase == FundingPhase::Paid && record.pays_for(&record.price.plan));
        }
    }
}

fn size(
    record: &moorage::api::order_record::OrderRecord,
    name: &str,
) -> moorage::api::name_claim::PinnedPlan {
    let of = if name == "max" { dear() } else { plan() };
    moorage::api::name_claim::PinnedPlan {
        name: name.into(),
        cpus: of.cpus,
        memory_mb: of.memory_mb,
        ..record.price.plan.clone()
    }
}

#[test]
fn its_page_is_withdrawn_when_it_isnt_asked_for_any_more() {
    let mut world = offered();
    world.ask_for("pro", plan());
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!((&world.record_ref().change, world.bank.open_now()), (&None, 0));
    assert_eq!(going(&world), [SubscriptionState::Active, SubscriptionState::Ended]);
    assert_eq!(world.condition("Paid"), "It is paid.");
    // Asked for anew, it has another page.
    world.ask_for("max", dear());
    world.run(None);
    assert_eq!((world.bank.open_now(), world.bank.sessions.len()), (1, 3));
}

#[test]
fn a_page_that_is_paid_while_it_is_withdrawn_is_flagged() {
    let mut world = offered();
    let until = world.record_ref().paid_until;
    world.mail = Mail::Held;
    world.visit(Session::Complete);
    world.ask_for("pro", plan());
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    world.hand_over();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    let record = world.record();
    assert_eq!((record.price.amount, record.paid_until), (PRICE, until), "it pays for nothing");
    let paid = world.receipts.iter().rfind(|it| it.spec.type_ == ReceiptType::Payment).unwrap();
    assert_eq!((paid.spec.amount, &paid.spec.flags), (DEAR, &vec![ReceiptFlag::FundsNothing]));
    let told = world.condition("Paid");
    assert!(told.contains(&paid.spec.provider_id) && told.contains("refund it"), "{told}");
    assert_eq!(going(&world), [SubscriptionState::Active, SubscriptionState::Ended]);
}

#[test]
fn what_is_paid_is_in_place_even_if_it_isnt_asked_for_any_more() {
    let mut world = offered();
    world.visit(Session::Complete);
    world.ask_for("pro", plan());
    world.run(None);
    assert_eq!((world.record_ref().price.amount, world.bank.collecting()), (DEAR, 1));
}

#[test]
fn another_price_is_another_page() {
    let mut world = offered();
    world.ask_for("max", moorage::api::PlanSpec { amount: 3 * PRICE, ..dear() });
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    let open: Vec<i64> =
        world.bank.sessions.iter().filter(|it| it.state == Session::Open).map(|it| it.amount).collect();
    assert_eq!((open, world.bank.most_open), (vec![3 * PRICE], 1));
    world.visit(Session::Complete);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!(world.record_ref().price.amount, 3 * PRICE);
}

#[test]
fn a_third_plan_makes_nothing_of_the_first_odd() {
    let mut world = changed();
    world.now += 5 * DAY;
    world.ask_for("ultra", moorage::api::PlanSpec { amount: 3 * PRICE, ..dear() });
    world.run(None);
    world.visit(Session::Complete);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!((world.record_ref().price.amount, world.bank.collecting()), (3 * PRICE, 1));
    assert_eq!(world.condition("Paid"), "It is paid.");
}

#[test]
fn a_month_that_fails_meanwhile_withdraws_its_page() {
    let mut world = offered();
    world.now += 22 * DAY;
    world.renew(false);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!(world.record_ref().phase, FundingPhase::PastDue);
    let open: Vec<i64> =
        world.bank.sessions.iter().filter(|it| it.state == Session::Open).map(|it| it.amount).collect();
    assert_eq!((open, world.bank.most_open, &world.record_ref().change), (vec![PRICE], 1, &None));
    // Paid again, the dearer one can be had.
    world.visit(Session::Complete);
    world.run(None);
    let last = world.bank.sessions.last().unwrap();
    assert_eq!((last.amount, last.state), (DEAR, Session::Open));
}

#[test]
fn nothing_of_it_outlives_its_order_or_its_runtime() {
    for fault in FAULTS {
        for place in 0..10 {
            let mut world = offered();
            world.delete_order();
            world.run(Some((place, fault)));
            if world.order.is_some() {
                world.now += 3600;
                assert_eq!(world.run(None), Step::Rest(Rest::Gone), "{fault:?} {place}");
            }
            assert_eq!((world.bank.open_now(), world.bank.collecting()), (0, 0), "{fault:?} {place}");
            let mut world = offered();
            world.runtime = None;
            world.run(Some((place, fault)));
            world.now += 3600;
            assert_eq!(world.run(None), Step::Rest(Rest::Ended), "{fault:?} {place}");
            assert_eq!((world.bank.open_now(), world.bank.collecting()), (0, 0), "{fault:?} {place}");
            assert_eq!(world.record_ref().change, None, "{fault:?} {place}");
        }
    }
}

#[test]
fn what_is_paid_after_its_order_was_deleted_is_flagged() {
    let mut world = offered();
    world.mail = Mail::Held;
    world.visit(Session::Complete);
    world.delete_order();
    assert_eq!(world.run(None), Step::Rest(Rest::Gone));
    world.hand_over();
    let paid = world.receipts.iter().rfind(|it| it.spec.type_ == ReceiptType::Payment).unwrap();
    assert_eq!((paid.spec.amount, &paid.spec.flags), (DEAR, &vec![ReceiptFlag::FundsNothing]));
}
