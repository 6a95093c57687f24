//! What is done about an order.

use std::sync::Arc;

use moorage::api::condition::ConditionType;
use moorage::api::payment_receipt::{Provider, ReceiptFlag};
use moorage::api::refs::NameRef;
use moorage::api::runtime_order::{FundingPhase, PaymentMode, StepName, StepState};
use moorage::api::state::OrderState;
use moorage::api::{name_claim::Confirm, reason};
use moorage::control::order::facts::Remains;
use moorage::control::order::funding;
use moorage::control::order::step::{Rest, Step, Waiting};
use moorage::control::policy::Suspension;
use moorage::control::runtime::facts::Refusal;

use crate::world::{DAY, Fault, PRICE, World, payment, refund, runtime};

fn world() -> World {
    World::new(PaymentMode::Subscription)
}

fn paid() -> World {
    let mut world = world();
    world.run(None);
    world.receipts.push(payment("1", world.now));
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    world
}

fn reason_of(step: &Step) -> &'static str {
    match step {
        Step::Rest(Rest::Refused(refusal, _) | Rest::Awaiting(refusal)) => refusal.reason,
        other => panic!("{other:?}"),
    }
}

fn state(world: &World) -> OrderState {
    world.order.as_ref().unwrap().status.as_ref().unwrap().state.unwrap()
}

fn step_states(world: &World) -> Vec<StepState> {
    let status = world.order.as_ref().unwrap().status.as_ref().unwrap();
    status.steps.iter().map(|step| step.state).collect()
}

#[test]
fn nothing_is_made_before_it_is_paid() {
    let mut world = world();
    let rest = world.run(None);
    assert_eq!(reason_of(&rest), reason::AWAITING_PAYMENT);
    assert_eq!(world.ledger, ["AddFinalizer", "Claim"]);
    assert_eq!(state(&world), OrderState::PendingPayment);
    use StepState::{Completed, Pending, Running};
    assert_eq!(step_states(&world), [Completed, Completed, Running, Pending, Pending, Pending]);
}

#[test]
fn money_that_is_not_what_was_asked_for_pays_for_nothing_and_is_told() {
    let mut world = world();
    world.run(None);
    let mut odd = payment("31000001", world.now);
    odd.spec.provider = Provider::PayApp;
    odd.spec.flags = vec![ReceiptFlag::AmountMismatch];
    world.receipts.push(odd);
    assert_eq!(reason_of(&world.run(None)), reason::AWAITING_PAYMENT);
    assert_eq!(state(&world), OrderState::PendingPayment);
    let told = world.condition("Paid");
    assert!(told.contains("`31000001` isn't what was asked for"), "{told}");
}

#[test]
fn a_payment_makes_one_runtime_and_says_so_first_on_the_claim() {
    let world = paid();
    assert_eq!(world.ledger, ["AddFinalizer", "Claim", "RecordStanding", "CreateRuntime", "RecordRuntime"]);
    assert_eq!((state(&world), world.made), (OrderState::Running, 1));
    use StepState::{Completed, Pending};
    assert_eq!(step_states(&world), [Completed, Completed, Completed, Completed, Pending, Pending]);
}

#[test]
fn one_crash_at_any_effect_changes_nothing_in_the_end() {
    for at in 0..6 {
        for fault in [Fault::Before, Fault::After] {
            let mut world = world();
            world.receipts.push(payment("1", world.now));
            assert_eq!(world.run(Some((at, fault))), Step::Rest(Rest::Fulfilled), "{at} {fault:?}");
            assert_eq!((world.made, world.funds()), (1, true), "{at} {fault:?}");
        }
    }
}

#[test]
fn a_plan_that_changes_after_the_checkout_began_changes_no_price() {
    let mut world = world();
    world.run(None);
    world.plan.as_mut().unwrap().amount = 1;
    world.receipts.push(payment("1", world.now));
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    let mut cheap = payment("2", world.now);
    cheap.spec.amount = 1;
    let mut world = self::world();
    world.run(None);
    world.plan.as_mut().unwrap().amount = 1;
    world.receipts.push(cheap);
    assert_eq!(reason_of(&world.run(None)), reason::AWAITING_PAYMENT);
    assert_eq!(world.made, 0);
}

#[test]
fn what_couldnt_be_had_isnt_to_be_paid() {
    let mut full = world();
    full.slugs = 10;
    assert_eq!(reason_of(&full.run(None)), reason::RUNTIME_LIMIT_REACHED);
    let mut alone = world();
    alone.workspace = None;
    assert_eq!(reason_of(&alone.run(None)), reason::AWAITING_WORKSPACE);
    let status = alone.order.as_ref().unwrap().status.clone().unwrap();
    let step = status.steps.iter().find(|step| step.name == StepName::Workspace).unwrap();
    assert!(step.message.starts_with("SelectWorkspace"), "{}", step.message);
    let mut none = world();
    none.plan = None;
    assert_eq!(reason_of(&none.run(None)), reason::PLAN_NOT_FOUND);
    let mut elsewhere = world();
    elsewhere.order_mut().spec.payment.provider = Provider::Stripe;
    elsewhere.providers.clear();
    assert_eq!(reason_of(&elsewhere.run(None)), reason::PROVIDER_NOT_CONFIGURED);
    assert!(elsewhere.claim.is_none());
    let mut free = world();
    free.plan.as_mut().unwrap().requires_order = false;
    assert_eq!(reason_of(&free.run(None)), reason::PLAN_NEEDS_NO_ORDER);
    let mut suspended = world();
    suspended.suspension = Suspension::Suspended;
    assert_eq!(reason_of(&suspended.run(None)), reason::AWAITING_RESUME);
    let mut refused = world();
    refused.obstacle = Some(Refusal::new(reason::NAME_TAKEN, "The slug `x` is taken. Choose another."));
    assert_eq!(reason_of(&refused.run(None)), reason::NAME_TAKEN);
    let told = refused.condition("Ready");
    assert!(told.contains("is taken") && told.contains("place another"), "{told}");
}

#[test]
fn a_member_that_is_named_and_not_bound_is_no_account() {
    let mut world = world();
    let workspace = Arc::make_mut(world.workspace.as_mut().unwrap());
    workspace.status.as_mut().unwrap().conditions.retain(|it| it.type_ != ConditionType::MembersBound);
    world.run(None);
    let step = world.status().steps.into_iter().find(|step| step.name == StepName::Account).unwrap();
    assert_ne!(step.state, StepState::Completed, "{}", step.message);
}

#[test]
fn a_deleted_runtime_is_never_made_again() {
    let mut world = paid();
    world.runtime = None;
    assert_eq!(world.run(None), Step::Rest(Rest::Ended));
    assert_eq!((state(&world), world.made, world.funds()), (OrderState::Ended, 1, false));
    world.receipts.push(payment("2", world.now));
    assert_eq!(world.run(None), Step::Rest(Rest::Ended));
    world.runtime = Some(runtime("another"));
    assert_eq!(world.run(None), Step::Rest(Rest::Ended));
    assert!(!world.funds());
}

#[test]
fn one_of_the_name_that_was_made_again_isnt_funded() {
    let mut world = paid();
    world.runtime = Some(runtime("another"));
    assert_eq!(world.run(None), Step::Rest(Rest::Ended));
    assert!(!world.funds());
}

#[test]
fn the_same_runtime_after_a_restore_is_funded_on() {
    let mut world = paid();
    world.runtime = Some(runtime("restored"));
    world.funded_by = Some("order-1".into());
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert!(world.funds());
}

#[test]
fn unpaid_it_is_stopped_kept_and_then_deleted_and_paying_brings_it_back() {
    let mut world = paid();
    world.now += 32 * DAY;
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!((state(&world), world.funds()), (OrderState::PastDue, true));
    world.now += 4 * DAY;
    assert_eq!(world.run(None), Step::Rest(Rest::Suspended));
    assert_eq!((state(&world), world.funds()), (OrderState::Suspended, false));
    let status = world.order.as_ref().unwrap().status.clone().unwrap();
    assert!(status.subscription.unwrap().delete_time.is_some());
    let mut back = world.clone();
    back.receipts.push(payment("2", back.now));
    assert_eq!(back.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!((state(&back), back.funds(), back.made), (OrderState::Running, true, 1));
    world.now += 31 * DAY;
    assert_eq!(world.run(None), Step::Rest(Rest::Ended));
    assert!(world.runtime.is_none());
    assert_eq!(world.ledger.last(), Some(&"DeleteRuntime"));
}

#[test]
fn a_refund_stops_it_at_once() {
    let mut world = paid();
    world.receipts.push(refund("r", "1", PRICE, world.now + 5));
    assert_eq!(world.run(None), Step::Rest(Rest::Refunded));
    assert_eq!((state(&world), world.funds()), (OrderState::Refunded, false));
    assert!(world.runtime.is_some());
}

#[test]
fn a_deleted_order_keeps_what_was_paid_recorded() {
    let mut world = paid();
    world.delete_order();
    assert_eq!(world.run(None), Step::Rest(Rest::Gone));
    assert_eq!(world.ledger[5..], ["Release", "RemoveFinalizer"]);
    assert!(world.funds(), "what was paid is funded to its end");
    assert!(world.runtime.is_some());
}

#[test]
fn another_orders_runtime_isnt_funded_twice() {
    let mut world = world();
    world.runtime = Some(runtime("theirs"));
    world.rival = Some("theirs".into());
    assert_eq!(reason_of(&world.run(None)), reason::RUNTIME_FUNDED);
    world.receipts.push(payment("1", world.now));
    assert_eq!(reason_of(&world.run(None)), reason::RUNTIME_FUNDED);
    assert!(!world.funds());
}

#[test]
fn one_that_was_given_up_gives_way_to_one_for_another_plan_once_that_is_paid() {
    let mut first = paid();
    first.delete_order();
    first.run(None);
    let first = first.claim.unwrap();
    let with = |phase| {
        let mut world = paid();
        world.recorded(|order| {
            (order.uid, order.phase) = ("order-2".into(), phase);
            order.price.plan.name = "max".into();
        });
        world.claimed(|claim| claim.name = "order-2".into());
        let mut claim = std::sync::Arc::unwrap_or_clone(world.claim.unwrap());
        claim.metadata.name = Some("order.order-2".into());
        std::sync::Arc::new(claim)
    };
    let best = |phase| {
        let second = with(phase);
        let best = funding::best([first.clone(), second]).unwrap();
        funding::record(&best).unwrap().price.plan.name.clone()
    };
    for (phase, has, is_kept, gives_way) in [
        (FundingPhase::Unpaid, "pro", false, true),
        (FundingPhase::Paid, "max", true, true),
        (FundingPhase::PastDue, "max", true, true),
        (FundingPhase::Suspended, "pro", true, true),
        (FundingPhase::Refunded, "pro", true, true),
        (FundingPhase::Ended, "pro", false, false),
    ] {
        let second = with(phase);
        assert_eq!((best(phase).as_str(), funding::keeps(&second)), (has, is_kept), "{phase:?}");
        let ours = funding::record(&second);
        assert_eq!(funding::gives_way(&first, ours, "max"), gives_way, "{phase:?}");
        assert!(!funding::gives_way(&first, ours, "pro"), "the same would be paid twice");
        assert!(!funding::gives_way(&second, None, "pro"), "one that stands gives way to nobody");
    }
}

#[test]
fn a_declared_runtime_is_funded_if_it_is_there_and_of_the_plan() {
    let declared = |mut world: World| {
        let spec = &mut world.order_mut().spec;
        (spec.runtime, spec.runtime_ref) = (None, Some(NameRef::new("ops")));
        world
    };
    let mut none = declared(world());
    assert_eq!(reason_of(&none.run(None)), reason::RUNTIME_NOT_FOUND);
    let mut other = declared(world());
    let mut of_another_plan = runtime("theirs");
    std::sync::Arc::make_mut(&mut of_another_plan).spec.plan_ref = Some(NameRef::new("basic"));
    other.runtime = Some(of_another_plan);
    assert_eq!(reason_of(&other.run(None)), reason::PLAN_DIFFERS);
    let mut there = declared(world());
    there.runtime = Some(runtime("theirs"));
    assert_eq!(reason_of(&there.run(None)), reason::AWAITING_PAYMENT);
    there.receipts.push(payment("1", there.now));
    assert_eq!(there.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!((there.made, there.funds()), (0, true));
}

#[test]
fn an_earlier_order_of_the_name_needs_the_platforms_word() {
    let mut world = paid();
    world.order_mut().metadata.uid = Some("order-2".into());
    assert_eq!(reason_of(&world.run(None)), reason::IDENTITY_CHANGED);
    world.claimed(|claim| {
        claim.confirm = Some(Confirm {
            uid: "order-2".into(),
            action: moorage::api::name_claim::ConfirmAction::Takeover,
        });
    });
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    let record = world.claim.as_ref().unwrap().spec.order.clone().unwrap();
    assert_eq!((record.uid.as_str(), record.phase), ("order-1", FundingPhase::Paid));
}

#[test]
fn a_paused_order_begins_nothing_and_stops_funding_all_the_same() {
    let pause = |world: &mut World| {
        let held = [("moorage.dev/paused".to_owned(), "true".to_owned())].into();
        world.order_mut().metadata.annotations = Some(held);
    };
    let mut new = world();
    pause(&mut new);
    new.receipts.push(payment("1", new.now));
    assert_eq!(reason_of(&new.run(None)), reason::AWAITING_UNPAUSE);
    assert_eq!(new.ledger, ["AddFinalizer"]);
    let mut standing = paid();
    pause(&mut standing);
    standing.receipts.push(refund("2", "1", PRICE, standing.now));
    standing.run(None);
    assert!(!standing.funds(), "{:?}", standing.ledger);
    let mut late = paid();
    pause(&mut late);
    late.now += 40 * DAY;
    late.run(None);
    assert!(!late.funds(), "{:?}", late.ledger);
}

#[test]
fn a_pause_keeps_no_data_for_nothing() {
    let mut world = paid();
    let held = [("moorage.dev/paused".to_owned(), "true".to_owned())].into();
    world.order_mut().metadata.annotations = Some(held);
    world.now += 100 * DAY;
    world.run(None);
    assert_eq!((world.runtime.is_none(), world.ledger.last()), (true, Some(&"DeleteRuntime")));
}

#[test]
fn a_runtime_that_is_stopped_as_asked_isnt_said_to_serve() {
    let mut world = paid();
    world.stop();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!(state(&world), OrderState::Paid);
    let told = [world.condition("Ready"), world.condition("Fulfilled")];
    assert!(told.iter().all(|told| told.contains("stopped") && !told.contains("serves")), "{told:?}");
    assert_eq!(step_states(&world)[3], StepState::Pending);
}

#[test]
fn after_a_restore_an_order_and_its_runtime_are_confirmed_in_any_order() {
    let restored = |mut world: World| {
        world.known = Default::default();
        world.order_mut().metadata.uid = Some("order-2".into());
        world.remains = Remains::Claim;
        world
    };
    let confirm = |world: &mut World| {
        world.claimed(|claim| {
            claim.confirm = Some(Confirm {
                uid: "order-2".into(),
                action: moorage::api::name_claim::ConfirmAction::Takeover,
            });
        });
    };
    // The order first: its Runtime isn't declared again yet, and then isn't confirmed yet.
    let mut first = restored(paid());
    first.runtime = None;
    confirm(&mut first);
    assert_eq!(first.run(None), Step::Wait(Waiting::RuntimeBack));
    first.runtime = Some(runtime("restored"));
    assert_eq!(reason_of(&first.run(None)), reason::IDENTITY_CHANGED);
    first.funded_by = Some("order-1".into());
    // The Runtime first.
    let mut second = restored(paid());
    second.runtime = Some(runtime("restored"));
    second.funded_by = Some("order-1".into());
    assert_eq!(reason_of(&second.run(None)), reason::IDENTITY_CHANGED);
    confirm(&mut second);
    for mut world in [first, second] {
        assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
        assert_eq!((world.funds(), world.made), (true, 1));
        let record = world.record_ref();
        assert_eq!((record.runtime_gone_time, record.endings.len()), (None, 0));
    }
}

#[test]
fn what_isnt_paid_any_more_waits_for_its_runtime_after_a_restore_too() {
    let mut world = paid();
    world.now += 40 * DAY;
    world.run(None);
    world.runtime = None;
    world.remains = Remains::Claim;
    assert_eq!(world.run(None), Step::Rest(Rest::Suspended));
    world.remains = Remains::Nothing;
    assert_eq!(world.run(None), Step::Rest(Rest::Ended));
}

#[test]
fn a_namespace_has_so_many_orders_that_arent_paid_and_no_more() {
    let mut world = world();
    world.open_orders = 3;
    assert_eq!(reason_of(&world.run(None)), reason::TOO_MANY_ORDERS);
    assert!(world.claim.is_none(), "nothing is recorded of it");
    world.open_orders = 2;
    assert_eq!(reason_of(&world.run(None)), reason::AWAITING_PAYMENT);
    // Those that were begun go on.
    world.open_orders = 10;
    world.receipts.push(payment("1", world.now));
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
}

#[test]
fn a_step_doesnt_wait_for_what_is_done() {
    let message = |world: &World| {
        let steps = world.status().steps;
        steps.into_iter().find(|step| step.name == StepName::Codex).unwrap().message
    };
    let mut waits = world();
    waits.run(None);
    assert!(message(&waits).starts_with("Waits for the Runtime to serve"), "{}", message(&waits));
    assert!(message(&paid()).starts_with("The Runtime serves."), "{}", message(&paid()));
}
