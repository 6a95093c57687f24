//! Orders at PayApp, which can't be asked: what it refuses isn't done, and what was lost on the way is found out by its
//! notices or held.

use moorage::api::order_record::AttemptState;
use moorage::api::payment_receipt::{Provider, ReceiptFlag, ReceiptType};
use moorage::api::reason;
use moorage::api::runtime_order::PaymentMode;
use moorage::billing::SubscriptionState;
use moorage::control::order::step::{Rest, Step, Waiting};

use crate::bank::{Session, Sight};
use crate::post::Mail;
use crate::world::{DAY, Fault, World};

fn placed(mode: PaymentMode) -> World {
    World::by(Provider::PayApp, mode)
}

fn bought(mode: PaymentMode) -> World {
    let mut world = placed(mode);
    world.run(None);
    world.visit(Session::Complete);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    world
}

/// The pause after a failure is over.
fn retried(world: &mut World) -> Step {
    world.now += 3_600;
    world.run(None)
}

fn states(world: &World) -> Vec<AttemptState> {
    world.record_ref().attempts.iter().map(|attempt| attempt.state).collect()
}

#[test]
fn of_two_registrations_each_ends_by_itself() {
    let mut world = placed(PaymentMode::Subscription);
    // The answer to the first is lost: it is withdrawn by the number that was told, and a second is paid.
    world.run(Some((3, Fault::Unanswered)));
    world.visit(Session::Complete);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!(states(&world), [AttemptState::Expired, AttemptState::Closed]);
    let going = |world: &World| world.bank.subscriptions.iter().map(|it| it.state).collect::<Vec<_>>();
    assert_eq!(going(&world), [SubscriptionState::Ended, SubscriptionState::Active]);
    let mut gone = world.clone();
    gone.runtime = None;
    assert_eq!(gone.run(None), Step::Rest(Rest::Ended));
    world.delete_order();
    assert_eq!(world.run(None), Step::Rest(Rest::Gone));
    for world in [world, gone] {
        assert_eq!(going(&world), [SubscriptionState::Ended; 2], "nobody is charged on");
        assert_eq!(world.record_ref().endings.len(), 2);
    }
}

#[test]
fn a_refused_end_is_told_and_tried_again_and_the_order_isnt_given_up() {
    let mut world = bought(PaymentMode::Subscription);
    // Every call is refused, as with a wrong key.
    world.bank.sight = Sight::Foreign;
    world.delete_order();
    assert!(matches!(world.run(None), Step::Wait(Waiting::Retry(_))));
    assert!(world.condition("Ready").contains("PayApp"), "{}", world.condition("Ready"));
    assert_eq!((world.claim.as_ref().unwrap().spec.tombstone.is_some(), world.bank.collecting()), (false, 1));
    // Another process makes no end of it either.
    world.known = Default::default();
    assert!(matches!(retried(&mut world), Step::Wait(Waiting::Retry(_))));
    assert_eq!(world.record_ref().endings[0].done_time, None);
    world.bank.sight = Sight::Whole;
    assert_eq!(retried(&mut world), Step::Rest(Rest::Gone));
    assert_eq!(world.bank.collecting(), 0);
}

#[test]
fn an_end_whose_answer_was_lost_isnt_taken_for_a_refusal() {
    for fault in [Fault::Unanswered, Fault::After] {
        for at in 0..4 {
            let mut world = bought(PaymentMode::Subscription);
            world.delete_order();
            world.run(Some((at, fault)));
            if world.order.is_some() {
                assert_eq!(world.run(None), Step::Rest(Rest::Gone), "{fault:?} {at}");
            }
            assert_eq!(world.bank.collecting(), 0, "{fault:?} {at}");
        }
    }
}

#[test]
fn a_page_that_is_paid_while_it_is_closed_is_told() {
    let mut world = placed(PaymentMode::OneTime);
    world.run(None);
    world.mail = Mail::Held;
    world.visit(Session::Complete);
    world.delete_order();
    assert!(matches!(world.run(None), Step::Wait(Waiting::Retry(_))), "what isn't withdrawn may be paid");
    world.hand_over();
    assert_eq!(retried(&mut world), Step::Rest(Rest::Gone));
    let stone = world.claim.as_ref().unwrap().spec.tombstone.clone().unwrap();
    assert!(stone.message.contains("Give the money back"), "{}", stone.message);
}

#[test]
fn money_that_comes_after_the_order_was_given_up_is_flagged() {
    let mut world = placed(PaymentMode::OneTime);
    world.run(None);
    world.visit(Session::Confirming);
    world.delete_order();
    assert_eq!(world.run(None), Step::Rest(Rest::Gone));
    world.arrive(Session::Complete);
    let paid = world.receipts.iter().find(|it| it.spec.type_ == ReceiptType::Payment).unwrap();
    assert_eq!(paid.spec.flags, [ReceiptFlag::FundsNothing]);
}

#[test]
fn our_word_that_payapp_never_heard_jams_nothing() {
    for mode in [PaymentMode::OneTime, PaymentMode::Subscription] {
        let mut world = placed(mode);
        let Step::Rest(Rest::Awaiting(waits)) = world.run(Some((3, Fault::Deaf))) else { panic!("{mode:?}") };
        assert_eq!(waits.reason, reason::AWAITING_PAYMENT, "{mode:?}");
        assert_eq!(states(&world), [AttemptState::Expired, AttemptState::Open], "{mode:?}");
        assert_eq!((world.bank.most_open, world.bank.open_now()), (1, 1));
        world.visit(Session::Complete);
        assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled), "{mode:?}");
    }
}

#[test]
fn a_month_that_is_charged_twice_is_told() {
    let mut world = bought(PaymentMode::Subscription);
    world.now += 31 * DAY;
    world.renew(true);
    world.run(None);
    let until = world.record_ref().paid_until;
    // The same is charged again under another number.
    let again = world.receipts.iter().rfind(|it| it.spec.type_ == ReceiptType::Payment).unwrap().clone();
    let mut spec = again.spec;
    (spec.provider_id, spec.pay_time) = ("39000001".into(), Some(crate::world::at(world.now + 60)));
    world.store(spec);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!(world.record_ref().paid_until, until, "it pays for nothing");
    let told = world.condition("Paid");
    assert!(told.contains("`39000001` pays for what was paid already"), "{told}");
}

#[test]
fn a_failed_month_is_paid_by_another_registration_and_the_old_one_ends_first() {
    let mut world = bought(PaymentMode::Subscription);
    world.now += 31 * DAY;
    world.renew(false);
    world.run(None);
    assert_eq!(world.bank.open_now(), 1);
    assert_eq!(world.bank.subscriptions[0].state, SubscriptionState::Ended, "it collects nothing meanwhile");
    world.visit(Session::Complete);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!(world.record_ref().subscription_id.as_ref(), Some(&world.bank.subscriptions[1].id));
    assert_eq!((world.bank.collecting(), world.made), (1, 1));
}

#[test]
fn a_registration_that_is_told_of_by_its_request_alone_is_withdrawn_and_paid_at_another_page() {
    let mut world = placed(PaymentMode::Subscription);
    world.bare = true;
    let Step::Rest(Rest::Awaiting(waits)) = world.run(Some((3, Fault::Unanswered))) else { panic!() };
    assert_eq!(waits.reason, reason::AWAITING_PAYMENT);
    assert_eq!(states(&world), [AttemptState::Expired, AttemptState::Open]);
    world.visit(Session::Complete);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!(world.bank.most_open, 1);
}

#[test]
fn a_registration_whose_numbers_nobody_was_told_is_learned_once_it_is_paid() {
    let mut world = placed(PaymentMode::Subscription);
    (world.bare, world.mute) = (true, true);
    let Step::Rest(Rest::Refused(why, _)) = world.run(Some((3, Fault::Unanswered))) else { panic!() };
    assert_eq!(why.reason, reason::CHECKOUT_UNKNOWN);
    world.visit(Session::Complete);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    let registration = world.bank.subscriptions[0].id.clone();
    assert_eq!(world.record_ref().subscription_id.as_ref(), Some(&registration));
    world.now += 31 * DAY;
    world.renew(true);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert!(world.receipts.iter().all(|it| it.spec.flags.is_empty()));
    world.delete_order();
    assert_eq!(world.run(None), Step::Rest(Rest::Gone));
    assert_eq!(world.bank.collecting(), 0, "it is ended by its number");
}
