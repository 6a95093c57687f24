//! How an order is paid at a provider: one checkout at a time, one charge, one Runtime, whatever is lost on the way.

use jiff::SignedDuration;
use moorage::api::name_claim::{Confirm, ConfirmAction};
use moorage::api::order_record::{AttemptState, EndingTime, MAX_ATTEMPTS};
use moorage::api::payment_receipt::Provider;
use moorage::api::runtime_order::{FundingPhase, PaymentMode};
use moorage::api::state::OrderState;
use moorage::api::{annotation, reason};
use moorage::billing::{Dispute, Refunded, SubscriptionState};
use moorage::control::order::decide::decide;
use moorage::control::order::portal;
use moorage::control::order::step::{Effect, Rest, Step};
use moorage::control::policy::Suspension;
use moorage::control::runtime::facts::Refusal;

use crate::bank::{Recurs, Session, Sight};
use crate::world::{DAY, Fault, PRICE, World, at, payment, runtime};

const FAULTS: [Fault; 4] = [Fault::Before, Fault::After, Fault::Unanswered, Fault::Refused];

fn stripe(mode: PaymentMode) -> World {
    World::by(Provider::Stripe, mode)
}

fn paid(mode: PaymentMode) -> World {
    let mut world = stripe(mode);
    world.run(None);
    world.visit(Session::Complete);
    world.hint();
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
    world.status().state.unwrap()
}

fn later(world: &mut World, days: i64) {
    world.now += days * DAY;
}

#[test]
fn an_attempt_is_recorded_opened_and_recorded_again() {
    let mut world = stripe(PaymentMode::OneTime);
    assert_eq!(reason_of(&world.run(None)), reason::AWAITING_PAYMENT);
    assert_eq!(world.ledger, ["AddFinalizer", "Claim", "RecordAttempt", "OpenCheckout", "RecordCheckout"]);
    let checkout = world.status().checkout.unwrap();
    assert_eq!((checkout.url.as_str(), checkout.attempt), ("https://pay.example/cs_1", 1));
    assert!(checkout.expire_time.is_some());
    assert_eq!(state(&world), OrderState::PendingPayment);
}

#[test]
fn a_page_is_closed_once_what_it_buys_cant_be_had() {
    let taken: fn(&mut World) = |world| {
        world.obstacle = Some(Refusal::new(reason::NAME_TAKEN, "The slug `x` is taken. Choose another."));
    };
    let suspended: fn(&mut World) = |world| world.suspension = Suspension::Suspended;
    for (happens, why) in [(taken, reason::NAME_TAKEN), (suspended, reason::AWAITING_RESUME)] {
        let mut world = stripe(PaymentMode::OneTime);
        world.run(None);
        happens(&mut world);
        assert_eq!(reason_of(&world.run(None)), why);
        assert_eq!(world.bank.open_now(), 0, "{why}");
        (world.obstacle, world.suspension) = (None, Suspension::Active);
        assert_eq!(reason_of(&world.run(None)), reason::AWAITING_PAYMENT);
        assert_eq!(world.bank.open_now(), 1, "{why}");
    }
}

#[test]
fn a_payment_is_seen_when_it_is_told_and_when_it_isnt() {
    for told in [true, false] {
        let mut world = stripe(PaymentMode::OneTime);
        world.run(None);
        world.visit(Session::Complete);
        if told {
            world.hint();
        } else {
            world.now += 10;
        }
        assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled), "{told}");
        assert_eq!((state(&world), world.made, world.funds()), (OrderState::Running, 1, true));
        assert_eq!(world.status().checkout, None, "there is nothing to pay any more");
        assert_eq!(world.receipts.len(), 1, "it has its receipt");
    }
}

#[test]
fn whatever_befalls_any_effect_one_checkout_is_open_and_one_runtime_is_made() {
    for mode in [PaymentMode::OneTime, PaymentMode::Subscription] {
        for fault in FAULTS {
            for at in 0..6 {
                let mut world = stripe(mode);
                world.run(Some((at, fault)));
                world.run(None);
                world.visit(Session::Complete);
                world.hint();
                for after in 0..8 {
                    let mut world = world.clone();
                    world.run(Some((after, fault)));
                    assert_eq!(
                        world.run(None),
                        Step::Rest(Rest::Fulfilled),
                        "{mode:?} {at} {fault:?} {after}"
                    );
                    assert_eq!((world.made, world.funds()), (1, true), "{mode:?} {at} {fault:?} {after}");
                    assert!(world.bank.most_open <= 1, "{mode:?} {at} {fault:?} {after}");
                    assert_eq!((world.bank.payments.len(), world.receipts.len()), (1, 1));
                }
            }
        }
    }
}

#[test]
fn a_lost_checkout_is_found_again_however_late() {
    let mut world = stripe(PaymentMode::OneTime);
    // The process dies with the reply; another takes over much later.
    let step = world.until("OpenCheckout");
    world.unanswered(&step);
    world.known = Default::default();
    world.now += 30 * 60;
    world.run(None);
    assert_eq!((world.bank.sessions.len(), world.bank.open_now()), (1, 1));
    assert_eq!(world.record().attempts[0].checkout_id.as_deref(), Some("cs_1"));
}

#[test]
fn one_that_was_never_made_is_given_up_for_another() {
    let mut world = stripe(PaymentMode::OneTime);
    world.until("OpenCheckout");
    world.known = Default::default();
    world.now += 30 * 60;
    world.run(None);
    let record = world.record();
    assert_eq!(
        record.attempts.iter().map(|it| it.state).collect::<Vec<_>>(),
        [AttemptState::Expired, AttemptState::Open]
    );
    assert_eq!(world.bank.sessions.len(), 1);
}

#[test]
fn what_isnt_paid_in_time_is_offered_again_and_then_no_more() {
    let mut world = stripe(PaymentMode::OneTime);
    for offered in 1..=MAX_ATTEMPTS {
        world.run(None);
        assert_eq!((world.bank.sessions.len(), world.bank.open_now()), (offered, 1));
        assert_eq!(state(&world), OrderState::PendingPayment);
        later(&mut world, 1);
    }
    assert_eq!(world.run(None), Step::Rest(Rest::Expired));
    assert_eq!((state(&world), world.bank.open_now()), (OrderState::Expired, 0));
    world.receipts.push(payment("by-hand", world.now));
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled), "the platform may still approve it");
}

#[test]
fn money_that_takes_days_is_waited_for_and_may_not_come() {
    let mut world = stripe(PaymentMode::OneTime);
    world.run(None);
    world.visit(Session::Confirming);
    later(&mut world, 2);
    assert_eq!(reason_of(&world.run(None)), reason::AWAITING_PAYMENT);
    assert_eq!((world.bank.sessions.len(), world.status().checkout), (1, None), "nobody is asked twice");
    let mut failed = world.clone();
    failed.arrive(Session::Failed);
    failed.hint();
    assert_eq!(failed.run(None), Step::Rest(Rest::Failed));
    assert_eq!((state(&failed), failed.made), (OrderState::PaymentFailed, 0));
    world.arrive(Session::Complete);
    world.hint();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
}

#[test]
fn what_cant_be_had_any_more_cant_be_paid_any_more() {
    let mut world = stripe(PaymentMode::OneTime);
    world.run(None);
    world.slugs = 10;
    assert_eq!(reason_of(&world.run(None)), reason::RUNTIME_LIMIT_REACHED);
    assert_eq!(world.bank.open_now(), 0);
    world.slugs = 0;
    assert_eq!(reason_of(&world.run(None)), reason::AWAITING_PAYMENT);
    assert_eq!((world.bank.sessions.len(), world.bank.open_now()), (2, 1));
}

#[test]
fn an_approval_by_hand_closes_the_page() {
    let mut world = stripe(PaymentMode::OneTime);
    world.run(None);
    world.receipts.push(payment("by-hand", world.now));
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!((world.made, world.bank.open_now()), (1, 0));
}

#[test]
fn a_subscription_is_known_renewed_past_due_and_comes_back() {
    let mut world = paid(PaymentMode::Subscription);
    let record = world.record();
    assert_eq!(record.subscription_id.as_deref(), Some("sub_cs_1"));
    assert_eq!(record.customer_id.as_deref(), Some("cus_1"));
    let status = world.status().subscription.unwrap();
    assert_eq!(status.payment_method.unwrap().last4.as_deref(), Some("4242"));
    assert_eq!(status.invoices.len(), 1);
    later(&mut world, 32);
    world.renew(true);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!((state(&world), world.record().phase), (OrderState::Running, FundingPhase::Paid));
    assert!(world.record().paid_until > record.paid_until);
    later(&mut world, 28);
    world.renew(false);
    world.run(None);
    assert_eq!((state(&world), world.funds()), (OrderState::PastDue, true));
    later(&mut world, 4);
    assert_eq!(world.run(None), Step::Rest(Rest::Suspended));
    world.renew(true);
    world.hint();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!((state(&world), world.made), (OrderState::Running, 1));
}

#[test]
fn while_the_next_interval_is_being_collected_nobody_is_told_that_it_is_due() {
    let mut world = paid(PaymentMode::Subscription);
    let until = world.record().paid_until.unwrap();
    world.now = until.as_second() + 60;
    // The provider has begun the next period, and its invoice rests for an hour.
    world.bank.subscriptions[0].period_end = Some(until + SignedDuration::from_hours(24 * 30));
    world.run(None);
    assert_eq!((state(&world), world.record().phase), (OrderState::Running, FundingPhase::Paid));
    world.now += 7 * 3600;
    world.run(None);
    assert_eq!(state(&world), OrderState::PastDue);
}

#[test]
fn nothing_gets_worse_while_nobody_can_be_asked() {
    let mut world = paid(PaymentMode::Subscription);
    later(&mut world, 60);
    let step = decide(at(world.now), &world.facts());
    assert_eq!(step, Step::ReadProvider, "what is recorded stands until it was read");
    world.known = Default::default();
    assert_eq!(decide(at(world.now), &world.facts()), Step::ReadProvider);
    assert!(world.funds());
}

#[test]
fn a_refund_or_a_lost_dispute_stops_it_and_nothing_further_is_collected() {
    for lost in [true, false] {
        let mut world = paid(PaymentMode::Subscription);
        if lost {
            world.bank.dispute(Dispute::Open);
            world.now += 1;
            world.hint();
            assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled), "it runs while it is disputed");
            assert!(world.condition("Paid").contains("bank"), "{}", world.condition("Paid"));
            world.bank.dispute(Dispute::Lost);
        } else {
            world.give_back(Refunded::All);
        }
        world.now += 1;
        world.hint();
        assert_eq!(world.run(None), Step::Rest(Rest::Refunded), "{lost}");
        assert_eq!((state(&world), world.funds()), (OrderState::Refunded, false));
        assert_eq!(world.bank.subscriptions[0].state, SubscriptionState::Ended);
        assert_eq!(world.receipts.len(), 2, "what went back has a receipt too");
    }
}

#[test]
fn a_deleted_runtime_ends_the_subscription_when_what_is_paid_is_used_up() {
    let mut world = paid(PaymentMode::Subscription);
    world.runtime = None;
    assert_eq!(world.run(None), Step::Rest(Rest::Ended));
    assert!(world.bank.subscriptions[0].ends_at.is_some());
    let ending = world.record().endings.pop().unwrap();
    assert_eq!((ending.when, ending.done_time.is_some()), (EndingTime::AtPeriodEnd, true));
    let calls = world.ledger.len();
    later(&mut world, 1);
    assert_eq!(world.run(None), Step::Rest(Rest::Ended));
    assert_eq!(world.ledger.len(), calls, "it rests");
}

#[test]
fn a_deleted_order_closes_its_page_or_ends_its_subscription_first() {
    let mut open = stripe(PaymentMode::OneTime);
    open.run(None);
    open.delete_order();
    assert_eq!(open.run(None), Step::Rest(Rest::Gone));
    assert_eq!(open.ledger[5..], ["CloseCheckout", "RecordAttemptState", "Release", "RemoveFinalizer"]);
    assert_eq!(open.bank.open_now(), 0);
    let mut world = paid(PaymentMode::Subscription);
    world.delete_order();
    assert_eq!(world.run(None), Step::Rest(Rest::Gone));
    assert!(world.bank.subscriptions[0].ends_at.is_some());
    assert!(world.funds(), "what was paid is funded to its end");
}

#[test]
fn whatever_befalls_a_deletion_nobody_can_pay_or_is_charged_afterwards() {
    for mode in [PaymentMode::OneTime, PaymentMode::Subscription] {
        for begun in 0..6 {
            for fault in FAULTS {
                for at in 0..6 {
                    let mut world = stripe(mode);
                    world.run(Some((begun, Fault::After)));
                    if begun % 2 == 0 {
                        world.visit(Session::Complete);
                    }
                    world.delete_order();
                    world.run(Some((at, fault)));
                    if world.order.is_some() {
                        world.run(None);
                    }
                    assert!(world.order.is_none(), "{mode:?} {begun} {fault:?} {at}");
                    assert_eq!(world.bank.open_now(), 0, "{mode:?} {begun} {fault:?} {at}");
                    let charged = |it: &moorage::billing::Subscription| {
                        it.state != SubscriptionState::Ended && it.ends_at.is_none()
                    };
                    assert!(!world.bank.subscriptions.iter().any(charged), "{mode:?} {begun} {fault:?} {at}");
                    assert_eq!(world.receipts.len(), world.bank.payments.len());
                }
            }
        }
    }
}

#[test]
fn an_unknown_outcome_at_payapp_is_held_and_never_repeated() {
    for fault in [Fault::After, Fault::Unanswered] {
        // Nothing is told while it is asked, which isn't how PayApp is known.
        let mut world = World { mute: true, ..World::by(Provider::PayApp, PaymentMode::OneTime) };
        let held = world.run(Some((3, fault)));
        assert_eq!(reason_of(&held), reason::CHECKOUT_UNKNOWN, "{fault:?}");
        assert_eq!(world.bank.sessions.len(), 1);
        later(&mut world, 3);
        assert_eq!(reason_of(&world.run(None)), reason::CHECKOUT_UNKNOWN);
        assert_eq!(world.bank.sessions.len(), 1, "never again");
        // The notice comes late, and tells the number: it is withdrawn, and another is made.
        let mut told = world.clone();
        told.recorded(|order| order.attempts[0].checkout_id = Some("31000001".into()));
        assert_eq!(reason_of(&told.run(None)), reason::AWAITING_PAYMENT);
        assert_eq!((told.bank.open_now(), told.bank.most_open), (1, 1));
        // Or the platform approves what was paid.
        let mut by_hand = payment("by-hand", world.now);
        by_hand.spec.currency = "KRW".into();
        world.receipts.push(by_hand);
        assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    }
}

#[test]
fn a_crash_before_payapp_is_asked_is_held_too_since_nobody_knows() {
    let mut world = World::by(Provider::PayApp, PaymentMode::OneTime);
    assert_eq!(reason_of(&world.run(Some((2, Fault::After)))), reason::CHECKOUT_UNKNOWN);
    assert_eq!(world.bank.sessions.len(), 0);
    let mut refused = World::by(Provider::PayApp, PaymentMode::OneTime);
    assert_eq!(reason_of(&refused.run(Some((3, Fault::Refused)))), reason::AWAITING_PAYMENT);
    assert_eq!(refused.bank.sessions.len(), 1, "what was refused may be asked for again");
}

#[test]
fn payapps_notices_pay_and_give_back() {
    let mut world = World::by(Provider::PayApp, PaymentMode::OneTime);
    world.run(None);
    world.visit(Session::Complete);
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert_eq!((world.made, world.funds()), (1, true));
    world.give_back(Refunded::All);
    assert_eq!(world.run(None), Step::Rest(Rest::Refunded));
    assert!(!world.funds());
}

#[test]
fn two_paid_checkouts_fund_one_runtime_and_the_second_is_told_and_ended() {
    let mut world = paid(PaymentMode::Subscription);
    // Somebody paid a second session of the order, by what went wrong outside of it.
    world.bank.open(1, "another", PRICE, None, Recurs::Yes);
    world.now += 60;
    world.visit(Session::Complete);
    world.hint();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert!(
        world.condition("Paid").contains("`pi_2` pays for what was paid already"),
        "{}",
        world.condition("Paid")
    );
    assert_eq!(world.bank.subscriptions[1].state, SubscriptionState::Ended);
    assert_eq!(world.bank.subscriptions[0].state, SubscriptionState::Active);
}

#[test]
fn a_foreign_runtime_of_the_name_takes_no_payment() {
    let mut world = stripe(PaymentMode::OneTime);
    world.runtime = Some(runtime("theirs"));
    world.rival = Some("theirs".into());
    assert_eq!(reason_of(&world.run(None)), reason::RUNTIME_FUNDED);
    assert!(world.bank.sessions.is_empty());
}

#[test]
fn effects_say_what_they_are() {
    let mut world = stripe(PaymentMode::OneTime);
    let Effect::OpenCheckout(number) = world.until("OpenCheckout") else { panic!("another effect") };
    assert_eq!(number, 1);
}

#[test]
fn the_customers_own_page_is_opened_on_request_and_its_link_goes_again() {
    let mut world = paid(PaymentMode::Subscription);
    let ask = |world: &mut World, at: i64| {
        let asked = (annotation::PORTAL_REQUESTED_AT.to_owned(), crate::world::at(at).to_string());
        world.order_mut().metadata.annotations = Some([asked].into());
    };
    let link = |world: &World| world.status().subscription.unwrap().portal.and_then(|portal| portal.url);
    world.now += DAY;
    let now = world.now;
    ask(&mut world, now);
    world.run(None);
    assert_eq!(link(&world).as_deref(), Some("https://portal.example/cus_1"));
    let calls = world.ledger.len();
    world.run(None);
    assert_eq!(world.ledger.len(), calls, "once a request");
    for second in 1..=5 {
        ask(&mut world, now + second);
        world.run(None);
    }
    assert_eq!(world.ledger.len(), calls, "one a minute");
    assert_eq!(link(&world), None, "what was asked for later waits");
    assert_eq!(portal::turn(at(world.now), &world.facts()), Some(at(now + 60)));
    world.now += 60;
    world.run(None);
    assert_eq!(world.ledger.len(), calls + 1);
    assert!(link(&world).is_some());
    world.now += 15 * 60;
    world.run(None);
    assert_eq!(link(&world), None);
    ask(&mut world, now - DAY);
    world.run(None);
    assert_eq!(
        world.ledger.iter().filter(|effect| **effect == "OpenPortal").count(),
        2,
        "an old one asks for nothing"
    );
    let mut app = World::by(Provider::PayApp, PaymentMode::OneTime);
    app.run(None);
    app.visit(Session::Complete);
    let now = app.now;
    ask(&mut app, now);
    app.run(None);
    let told = app.status().subscription.unwrap().portal.unwrap();
    assert!(told.url.is_none() && told.message.is_some());
}

#[test]
fn an_order_that_comes_back_from_a_backup_opens_no_other_page_and_charges_nothing() {
    for is_paid in [true, false] {
        let mut world = stripe(PaymentMode::Subscription);
        world.run(None);
        if is_paid {
            world.visit(Session::Complete);
            world.hint();
            world.run(None);
        }
        // Another cluster, other UIDs, nothing remembered.
        world.known = Default::default();
        world.order_mut().metadata.uid = Some("order-2".into());
        assert_eq!(reason_of(&world.run(None)), reason::IDENTITY_CHANGED);
        world.claimed(|claim| {
            claim.confirm = Some(Confirm { uid: "order-2".into(), action: ConfirmAction::Takeover });
        });
        world.run(None);
        assert_eq!((world.bank.sessions.len(), world.bank.payments.len()), (1, usize::from(is_paid)));
        assert_eq!(world.made, usize::from(is_paid), "no second Runtime");
    }
}

#[test]
fn a_renewal_that_went_back_stops_it_at_once_and_an_old_one_doesnt() {
    let mut world = paid(PaymentMode::Subscription);
    later(&mut world, 31);
    world.renew(true);
    world.run(None);
    let mut current = world.clone();
    current.give_back(Refunded::All);
    current.now += 1;
    current.hint();
    assert_eq!(current.run(None), Step::Rest(Rest::Refunded), "its first interval is over");
    assert_eq!((state(&current), current.funds()), (OrderState::Refunded, false));
    assert_eq!(current.bank.subscriptions[0].state, SubscriptionState::Ended);
    // The bank decides about the first interval when the second is paid.
    world.bank.payments[0].dispute = Some(Dispute::Lost);
    world.now += 1;
    world.hint();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert!(world.condition("Paid").contains("`pi_1` went back"), "{}", world.condition("Paid"));
}

#[test]
fn a_payment_for_a_time_that_is_paid_by_hand_is_told() {
    let mut world = stripe(PaymentMode::Subscription);
    world.run(None);
    let mut by_hand = payment("by-hand", world.now);
    by_hand.spec.pay_time = Some(at(world.now));
    world.receipts.push(by_hand);
    // The customer pays a minute later, before the page is closed.
    world.now += 60;
    world.visit(Session::Complete);
    world.hint();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert!(
        world.condition("Paid").contains("`pi_1` pays for what was paid already"),
        "{}",
        world.condition("Paid")
    );
}

#[test]
fn a_key_of_another_account_or_an_empty_list_unpays_nothing_and_is_told() {
    for mode in [PaymentMode::OneTime, PaymentMode::Subscription] {
        for sight in [Sight::Foreign, Sight::Empty] {
            let mut world = paid(mode);
            world.bank.sight = sight;
            for _ in 0..40 {
                world.now += DAY / 2;
                world.hint();
                world.run(None);
            }
            assert!(world.funds(), "{mode:?} {sight:?}: what is recorded stands");
            assert_eq!((world.bank.sessions.len(), world.runtime.is_some()), (1, true), "{mode:?} {sight:?}");
            assert_eq!(state(&world), OrderState::Running);
            let told = world.condition("Paid");
            assert!(told.contains("It can't be looked up now") && told.contains("account"), "{told}");
            world.bank.sight = Sight::Whole;
            world.now += 3_600;
            world.hint();
            assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
            assert!(!world.condition("Paid").contains("looked up"), "{}", world.condition("Paid"));
        }
    }
}

#[test]
fn a_page_that_isnt_found_is_followed_by_no_other() {
    let mut world = stripe(PaymentMode::OneTime);
    world.run(None);
    world.bank.sight = Sight::Foreign;
    for _ in 0..4 {
        world.now += 600;
        world.hint();
        world.run(None);
    }
    assert_eq!((world.bank.sessions.len(), world.bank.open_now()), (1, 1));
    assert!(world.condition("Ready").contains("account"), "{}", world.condition("Ready"));
}

#[test]
fn a_page_of_which_nothing_is_known_is_looked_for_before_the_order_goes() {
    // Its answer is lost, the next is refused, and then the order is deleted.
    let mut world = stripe(PaymentMode::OneTime);
    let open = world.until("OpenCheckout");
    world.unanswered(&open);
    world.refused(&open);
    world.delete_order();
    assert_eq!(world.run(None), Step::Rest(Rest::Gone));
    assert_eq!((world.bank.sessions.len(), world.bank.open_now()), (1, 0), "{:?}", world.ledger);
}
