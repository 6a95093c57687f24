//! A payment of which no notice came: the platform approves it under the provider's own number, and from then on that
//! number is one payment, whatever the provider tells of it later.

use moorage::api::payment_receipt::Provider;
use moorage::api::reason;
use moorage::api::runtime_order::{FundingPhase, PaymentMode};
use moorage::billing::{Refunded, SubscriptionState};
use moorage::control::order::step::{Rest, Step};

use crate::bank::Session;
use crate::post::Mail;
use crate::world::{DAY, Fault, World, payment};

/// A page that was paid, while no notice comes.
fn missed(mode: PaymentMode) -> World {
    let mut world = World::by(Provider::PayApp, mode);
    world.run(None);
    world.mail = Mail::Held;
    world.now += 60;
    world.visit(Session::Complete);
    world
}

/// The platform approves the last payment by the number that PayApp gave it.
fn approve(world: &mut World) {
    let last = world.bank.payments.last().unwrap().clone();
    world.now += 60;
    let mut receipt = payment(&last.id, world.now);
    receipt.spec.currency = "KRW".into();
    receipt.spec.subscription_id = last.subscription;
    world.receipts.push(receipt);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
}

#[test]
fn what_is_approved_is_the_payment_that_a_late_notice_tells_of() {
    for mode in [PaymentMode::OneTime, PaymentMode::Subscription] {
        let mut world = missed(mode);
        approve(&mut world);
        world.hand_over();
        assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled), "{mode:?}");
        let told = world.condition("Paid");
        assert!(!told.contains("refund"), "{mode:?}: {told}");
    }
}

#[test]
fn what_is_approved_under_a_reference_of_the_platform_is_made_though_its_page_cannot_be_closed() {
    let mut world = missed(PaymentMode::OneTime);
    world.now += 60;
    let mut receipt = payment("invoice-117", world.now);
    receipt.spec.currency = "KRW".into();
    world.receipts.push(receipt);
    for _ in 0..3 {
        world.run(None);
        world.now += DAY;
    }
    assert!(world.funds() && world.made == 1, "{:?}", world.ledger);
    assert!(world.record_ref().funds.as_ref().is_some_and(|funds| funds.uid.is_some()));
    // Its notice comes after all: that money was paid twice over.
    world.hand_over();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert!(world.condition("Paid").contains("refund"), "{}", world.condition("Paid"));
}

#[test]
fn what_was_approved_and_went_back_at_payapp_funds_nothing_any_more() {
    for mode in [PaymentMode::OneTime, PaymentMode::Subscription] {
        for is_late in [true, false] {
            let mut world = missed(mode);
            approve(&mut world);
            if !is_late {
                world.post.clear();
            }
            world.give_back(Refunded::All);
            world.hand_over();
            assert_eq!(world.run(None), Step::Rest(Rest::Refunded), "{mode:?} {is_late}");
            assert!(!world.funds(), "{mode:?} {is_late}");
        }
    }
}

#[test]
fn a_part_of_it_that_goes_back_is_told() {
    let mut world = missed(PaymentMode::OneTime);
    approve(&mut world);
    world.post.clear();
    world.give_back(Refunded::Part(crate::bank::money(100, "KRW")));
    world.hand_over();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert!(world.condition("Paid").contains("`31000001` was refunded in part"));
}

#[test]
fn a_registration_whose_first_month_is_approved_goes_on() {
    let mut world = missed(PaymentMode::Subscription);
    approve(&mut world);
    assert_eq!(world.bank.subscriptions[0].state, SubscriptionState::Active, "it isn't withdrawn");
    world.mail = Mail::Prompt;
    world.now += 31 * DAY;
    world.renew(true);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!(world.record_ref().phase, FundingPhase::Paid);
    assert!(!world.condition("Paid").contains("refund"), "{}", world.condition("Paid"));
}

#[test]
fn a_month_that_is_approved_a_few_days_late_leaves_the_next_as_it_is() {
    let mut world = World::by(Provider::PayApp, PaymentMode::Subscription);
    world.run(None);
    world.visit(Session::Complete);
    world.run(None);
    world.mail = Mail::Held;
    world.now += 31 * DAY;
    world.renew(true);
    world.now += 2 * DAY;
    world.run(None);
    approve(&mut world);
    world.mail = Mail::Prompt;
    world.post.clear();
    world.now = world.bank.subscriptions[0].paid_until.unwrap().as_second() + 60;
    world.renew(true);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert!(!world.condition("Paid").contains("refund"), "{}", world.condition("Paid"));
}

#[test]
fn what_was_paid_at_a_page_that_nobody_knew_of_is_approved_and_goes_back() {
    let mut world = World { mute: true, ..World::by(Provider::PayApp, PaymentMode::OneTime) };
    let held = world.run(Some((3, Fault::Unanswered)));
    assert!(matches!(held, Step::Rest(Rest::Refused(why, _)) if why.reason == reason::CHECKOUT_UNKNOWN));
    world.visit(Session::Complete);
    world.run(None);
    assert!(world.condition("Paid").contains("approve it by hand"), "{}", world.condition("Paid"));
    approve(&mut world);
    assert!(!world.condition("Paid").contains("refund"), "{}", world.condition("Paid"));
    world.give_back(Refunded::All);
    assert_eq!(world.run(None), Step::Rest(Rest::Refunded));
}

#[test]
fn what_is_approved_at_stripe_under_its_own_id_is_one_payment() {
    let mut world = World::by(Provider::Stripe, PaymentMode::OneTime);
    world.run(None);
    world.visit(Session::Complete);
    let id = world.bank.payments[0].id.clone();
    let until = |world: &mut World| {
        world.now += 60;
        world.hint();
        assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
        assert!(!world.condition("Paid").contains("refund"), "{}", world.condition("Paid"));
        world.record_ref().paid_until
    };
    let before = until(&mut world);
    let receipt = payment(&id, world.now);
    world.receipts.push(receipt);
    assert_eq!(until(&mut world), before);
    // What is of another amount counts once it is approved.
    world.bank.payments[0].amount.minor -= 100;
    assert_eq!(until(&mut world), before);
    world.give_back(Refunded::All);
    world.now += 60;
    world.hint();
    assert_eq!(world.run(None), Step::Rest(Rest::Refunded));
}
