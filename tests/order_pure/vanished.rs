//! Orders whose finalizer was taken off, so that they vanish without a word: nobody is charged on for nothing.

use std::sync::Arc;

use moorage::api::order_record::AttemptState;
use moorage::api::payment_receipt::{Provider, ReceiptFlag, ReceiptType};
use moorage::api::runtime_order::{FundingPhase, PaymentMode};
use moorage::billing::SubscriptionState;
use moorage::control::order::facts::Remains;
use moorage::control::order::step::{Rest, Step};
use moorage::control::order::vanished::{Due, stand_in, suspected};

use crate::bank::Session;
use crate::world::{DAY, World, at};

const MODES: [PaymentMode; 2] = [PaymentMode::OneTime, PaymentMode::Subscription];

fn placed(provider: Provider, mode: PaymentMode) -> World {
    let mut world = World::by(provider, mode);
    world.run(None);
    assert_eq!(world.bank.open_now(), 1);
    world
}

fn bought(provider: Provider) -> World {
    let mut world = placed(provider, PaymentMode::Subscription);
    world.visit(Session::Complete);
    world.hint();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    world
}

/// The order vanishes, and another process finds its claim.
fn vanish(world: &mut World) {
    (world.order, world.known) = (None, Default::default());
}

fn due(world: &World) -> Option<Due> {
    suspected(&world.claim.as_ref().unwrap().spec, world.record_ref(), world.remains)
}

/// What the operator does about it once it is proved that it has gone.
fn attend(world: &mut World) {
    match due(world) {
        Some(Due::GiveUp) => {
            let spec = world.claim.as_ref().unwrap().spec.clone();
            world.order = Some(Arc::new(stand_in(&spec, world.record_ref(), at(world.now))));
            assert_eq!(world.run(None), Step::Rest(Rest::Gone));
        }
        Some(Due::RecordGone) => {
            let now = at(world.now);
            world.recorded(|order| order.runtime_gone_time = Some(now));
            world.follow();
            world.follow();
        }
        None => world.follow(),
    }
}

fn words(world: &World) -> String {
    world.claim.as_ref().unwrap().spec.tombstone.clone().map(|it| it.message).unwrap_or_default()
}

#[test]
fn nobody_can_pay_what_vanished_and_it_isnt_open_for_ever() {
    for (provider, mode) in
        [Provider::Stripe, Provider::PayApp].into_iter().flat_map(|it| MODES.map(|mode| (it, mode)))
    {
        let mut world = placed(provider, mode);
        assert!(world.record_ref().is_open());
        vanish(&mut world);
        assert_eq!(due(&world), Some(Due::GiveUp));
        attend(&mut world);
        assert_eq!((world.bank.open_now(), world.bank.collecting()), (0, 0), "{provider:?} {mode:?}");
        assert!(world.record_ref().attempts.iter().all(|it| it.state == AttemptState::Expired));
        assert!(words(&world).starts_with("The order was deleted "), "{}", words(&world));
        assert!(world.claim.as_ref().unwrap().spec.funds_nothing());
        assert_eq!(due(&world), None, "once is enough");
    }
}

#[test]
fn what_was_paid_and_made_no_runtime_is_told() {
    let mut world = placed(Provider::Stripe, PaymentMode::Subscription);
    world.visit(Session::Complete);
    vanish(&mut world);
    attend(&mut world);
    assert!(words(&world).contains("Give the money back"), "{}", words(&world));
    assert!(world.bank.subscriptions.iter().all(|it| it.ends_at.is_some()), "it isn't renewed");
    assert_eq!((world.made, world.receipts.len()), (0, 1));
}

#[test]
fn money_on_its_way_is_flagged_when_it_comes() {
    let mut world = placed(Provider::Stripe, PaymentMode::OneTime);
    world.visit(Session::Confirming);
    vanish(&mut world);
    attend(&mut world);
    assert!(words(&world).contains("on its way"), "{}", words(&world));
    world.arrive(Session::Complete);
    world.follow();
    let paid = world.receipts.iter().find(|it| it.spec.type_ == ReceiptType::Payment).unwrap();
    assert_eq!(paid.spec.flags, [ReceiptFlag::FundsNothing]);
}

#[test]
fn it_isnt_renewed_once_its_runtime_has_gone_too() {
    for provider in [Provider::Stripe, Provider::PayApp] {
        let mut world = bought(provider);
        vanish(&mut world);
        world.remains = Remains::Claim;
        attend(&mut world);
        assert_eq!((due(&world), world.bank.collecting()), (None, 1), "its Runtime is funded to the end");
        (world.runtime, world.remains) = (None, Remains::Nothing);
        assert_eq!(due(&world), Some(Due::RecordGone));
        attend(&mut world);
        assert_eq!(world.record_ref().phase, FundingPhase::Ended);
        assert!(world.claim.as_ref().unwrap().spec.funds_nothing(), "what comes all the same is flagged");
        if provider == Provider::Stripe {
            let own = &world.bank.subscriptions[0];
            assert_eq!(own.state, SubscriptionState::Active, "what is paid is used up");
            assert!(own.ends_at.is_some());
            world.now += 40 * DAY;
            world.follow();
            assert_eq!((world.bank.collecting(), world.receipts.len()), (0, 1));
        }
    }
}

#[test]
fn another_order_of_its_name_may_take_it_over_by_the_platforms_word() {
    let mut world = placed(Provider::Stripe, PaymentMode::OneTime);
    vanish(&mut world);
    world.claimed(|claim| {
        claim.confirm = Some(moorage::api::name_claim::Confirm {
            uid: "order-2".into(),
            action: moorage::api::name_claim::ConfirmAction::Takeover,
        });
    });
    assert_eq!(due(&world), None);
}
