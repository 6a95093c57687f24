//! What isn't paid any more is paid again: at the same order, once, for as long as its data is kept.

use moorage::api::payment_receipt::Provider;
use moorage::api::runtime_order::PaymentMode;
use moorage::api::state::OrderState;
use moorage::billing::SubscriptionState;
use moorage::control::order::step::{Rest, Step};

use crate::bank::Session;
use crate::world::{DAY, World, payment};

fn bought(provider: Provider, mode: PaymentMode) -> World {
    let mut world = World::by(provider, mode);
    world.run(None);
    world.visit(Session::Complete);
    world.hint();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    world
}

fn state(world: &World) -> OrderState {
    world.status().state.unwrap()
}

#[test]
fn what_was_paid_once_is_paid_again_in_its_grace_and_while_it_is_stopped() {
    for provider in [Provider::Stripe, Provider::PayApp] {
        for days in [32, 40] {
            let mut world = bought(provider, PaymentMode::OneTime);
            assert_eq!(world.bank.open_now(), 0);
            world.now += days * DAY;
            world.run(None);
            let due = if days < 34 { OrderState::PastDue } else { OrderState::Suspended };
            assert_eq!((state(&world), world.bank.open_now()), (due, 1), "{provider:?} {days}");
            assert!(world.status().checkout.is_some(), "its page is told");
            assert!(world.condition("CheckoutOpen").contains("It can be paid"));
            world.visit(Session::Complete);
            world.hint();
            assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
            assert_eq!((state(&world), world.made, world.bank.open_now()), (OrderState::Running, 1, 0));
            assert!(world.record().paid_until.unwrap().as_second() > world.now + 27 * DAY);
            assert!(!world.condition("Paid").contains("already"), "{}", world.condition("Paid"));
        }
    }
}

#[test]
fn it_can_be_paid_for_as_long_as_its_data_is_kept_and_no_longer() {
    let mut world = bought(Provider::Stripe, PaymentMode::OneTime);
    world.now += 31 * DAY;
    for _ in 0..33 {
        world.run(None);
        assert_eq!(world.bank.open_now(), 1, "{:?}", state(&world));
        world.now += DAY;
    }
    world.now += DAY;
    world.run(None);
    assert_eq!((state(&world), world.bank.open_now()), (OrderState::Ended, 0));
    assert!(world.record().attempts.len() <= 8 && world.bank.most_open == 1);
}

#[test]
fn a_year_of_payments_keeps_eight_attempts() {
    let mut world = bought(Provider::Stripe, PaymentMode::OneTime);
    for month in 0..12 {
        world.now += 32 * DAY;
        world.run(None);
        world.visit(Session::Complete);
        world.hint();
        assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled), "{month}");
        assert!(world.record().attempts.len() <= 8);
    }
    assert_eq!((world.receipts.len(), world.bank.most_open, world.made), (13, 1, 1));
}

#[test]
fn a_subscription_that_was_cancelled_is_followed_by_another() {
    let mut world = bought(Provider::Stripe, PaymentMode::Subscription);
    let first = world.bank.subscriptions[0].id.clone();
    world.bank.end(&first, world.now, false);
    world.now += 10 * DAY;
    world.hint();
    world.run(None);
    assert_eq!((state(&world), world.bank.open_now()), (OrderState::Running, 0), "what is paid runs on");
    world.now += 22 * DAY;
    world.run(None);
    assert_eq!((state(&world), world.bank.open_now()), (OrderState::PastDue, 1));
    world.visit(Session::Complete);
    world.hint();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    let record = world.record();
    assert_ne!(record.subscription_id, Some(first), "the new one is the order's own");
    assert_eq!(record.subscription_id.as_ref(), Some(&world.bank.subscriptions[1].id));
    assert_eq!(world.bank.subscriptions[1].state, SubscriptionState::Active);
    world.now += 31 * DAY;
    world.renew(true);
    world.hint();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled), "it is renewed");
}

#[test]
fn while_the_provider_collects_nobody_is_asked_a_second_time() {
    let mut world = bought(Provider::Stripe, PaymentMode::Subscription);
    world.now += 31 * DAY;
    world.renew(false);
    for (days, due) in [(0, OrderState::PastDue), (5, OrderState::Suspended)] {
        world.now += days * DAY;
        world.hint();
        world.run(None);
        assert_eq!((state(&world), world.bank.open_now()), (due, 0), "its invoice is paid, not another page");
    }
}

#[test]
fn what_is_paid_once_by_hand_is_paid_again_by_hand() {
    let mut world = World::new(PaymentMode::OneTime);
    world.run(None);
    world.receipts.push(payment("1", world.now));
    world.run(None);
    for (days, due) in [(32, OrderState::PastDue), (40, OrderState::Suspended)] {
        let mut world = world.clone();
        world.now += days * DAY;
        world.run(None);
        assert_eq!(state(&world), due);
        world.receipts.push(payment("2", world.now));
        assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
        assert_eq!((state(&world), world.made), (OrderState::Running, 1));
    }
}
