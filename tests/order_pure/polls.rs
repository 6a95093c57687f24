//! How often Stripe is asked about an order of which it tells nothing.

use jiff::SignedDuration;
use moorage::api::payment_receipt::Provider;
use moorage::api::runtime_order::{FundingPhase, PaymentMode};
use moorage::billing::Refunded;
use moorage::control::order::facts::FirstReading;
use moorage::control::order::reading;
use moorage::control::order::step::{Rest, Step, Waiting};

use crate::bank::Session;
use crate::world::{DAY, World, at};

fn placed(mode: PaymentMode) -> World {
    let mut world = World::by(Provider::Stripe, mode);
    world.run(None);
    world
}

/// The pause until the next reading.
fn pause(world: &World) -> Option<SignedDuration> {
    let facts = world.facts();
    let read = facts.known.read.as_ref().expect("it was read");
    Some(read.at.duration_until(reading::next(&facts, world.record_ref())?))
}

/// Reads at each time that it is due, for so many days.
fn readings(world: &mut World, days: i64) -> usize {
    let (end, mut count) = (world.now + days * DAY, 0);
    while let Some(pause) = pause(world).filter(|pause| world.now + pause.as_secs() < end) {
        world.now += pause.as_secs();
        world.run(None);
        count += 1;
    }
    world.now = end;
    count
}

#[test]
fn a_page_is_read_briskly_at_first_and_ever_more_seldom() {
    let mut world = placed(PaymentMode::OneTime);
    assert_eq!(pause(&world), Some(SignedDuration::from_secs(10)));
    world.now += 11 * 60;
    world.run(None);
    assert_eq!(pause(&world), Some(SignedDuration::from_mins(5)));
    world.now += 3 * 3_600;
    world.run(None);
    assert_eq!(pause(&world), Some(SignedDuration::from_mins(20)));
}

/// Another process finds what is paid, and knows nothing else.
fn restarted(world: &World) -> World {
    let mut world = world.clone();
    world.known = Default::default();
    world.known.first = FirstReading::Since(at(world.now));
    world
}

#[test]
fn after_a_start_what_is_paid_is_read_one_after_the_other() {
    let mut world = placed(PaymentMode::Subscription);
    world.visit(Session::Complete);
    world.hint();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    world.now += DAY;
    world.run(None);
    let (mut turns, told) = (Vec::new(), world.status());
    for order in 0..100 {
        let mut world = restarted(&world);
        world.recorded(|record| record.uid = format!("order-{order}"));
        assert_eq!(world.run(None), Step::Wait(Waiting::Turn));
        assert_eq!((&world.status(), &world.known.read), (&told, &None), "what was said stands");
        let turn = reading::next(&world.facts(), world.record_ref()).unwrap();
        turns.push(turn.as_second() - world.now);
    }
    let quarters = turns.iter().fold([0; 4], |mut all, turn| {
        all[usize::try_from(*turn / 901).unwrap()] += 1;
        all
    });
    assert!(quarters.iter().all(|quarter| (10..=40).contains(quarter)), "{quarters:?}");
    let mut world = restarted(&world);
    world.run(None);
    world.now += 3_601;
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    assert!(world.known.read.is_some(), "its turn has come");
    world.known.read = None;
    assert_eq!(world.step(None), Step::ReadProvider, "what is forgotten after a call is read at once");
}

#[test]
fn after_a_start_what_something_may_have_happened_to_is_read_at_once() {
    let mut paid = placed(PaymentMode::Subscription);
    paid.visit(Session::Complete);
    paid.hint();
    paid.run(None);
    paid.now += DAY;
    let cases: [fn(&mut World); 5] = [
        |world| world.hint(),
        |world| world.runtime = None,
        |world| world.now += 40 * DAY,
        |world| world.delete_order(),
        |world| world.ask_for("large", crate::world::dear()),
    ];
    for (number, happens) in cases.into_iter().enumerate() {
        let mut world = paid.clone();
        happens(&mut world);
        let mut world = restarted(&world);
        assert_eq!(world.step(None), Step::ReadProvider, "{number}");
    }
    let open = placed(PaymentMode::OneTime);
    assert_eq!(restarted(&open).step(None), Step::ReadProvider, "somebody waits at the page");
}

#[test]
fn what_nothing_can_come_of_isnt_read_at_all() {
    let mut expired = placed(PaymentMode::OneTime);
    for _ in 0..9 {
        expired.now += DAY;
        expired.run(None);
    }
    assert_eq!(expired.run(None), Step::Rest(Rest::Expired));
    assert_eq!(reading::next(&expired.facts(), expired.record_ref()), None);
    let mut failed = placed(PaymentMode::OneTime);
    failed.visit(Session::Confirming);
    failed.arrive(Session::Failed);
    failed.hint();
    assert_eq!(failed.run(None), Step::Rest(Rest::Failed));
    readings(&mut failed, 15);
    assert_eq!(readings(&mut failed, 30), 0, "money that was on its way isn't waited for for ever");
    let mut ended = placed(PaymentMode::Subscription);
    ended.visit(Session::Complete);
    ended.hint();
    ended.run(None);
    let id = ended.bank.subscriptions[0].id.clone();
    ended.bank.end(&id, ended.now, false);
    ended.runtime = None;
    ended.now += 1;
    ended.hint();
    assert_eq!(ended.run(None), Step::Rest(Rest::Ended));
    assert_eq!(pause(&ended), None, "it ended by itself, and nothing is collected");
}

#[test]
fn a_refunded_or_suspended_order_is_read_now_and_then() {
    let mut refunded = placed(PaymentMode::OneTime);
    refunded.visit(Session::Complete);
    refunded.hint();
    refunded.run(None);
    let mut suspended = refunded.clone();
    refunded.give_back(Refunded::All);
    refunded.now += 1;
    refunded.hint();
    refunded.run(None);
    assert!(readings(&mut refunded, 1) <= 24);
    suspended.now += 40 * DAY;
    suspended.run(None);
    assert_eq!(suspended.record_ref().phase, FundingPhase::Suspended);
    // A page lasts 23 hours: it is read each 5 minutes for 2 of them, and each 20 minutes after that.
    let pages = 24;
    let count = readings(&mut suspended, pages * 23 / 24);
    assert!(count as i64 <= pages * (2 * 12 + 21 * 3), "{count}");
}

#[test]
fn what_expired_isnt_asked_about_again() {
    let mut world = placed(PaymentMode::OneTime);
    for offered in 2..=5 {
        world.now += DAY;
        world.run(None);
        let asked = moorage::control::order::truth::known(world.record_ref(), Vec::new());
        assert_eq!((world.bank.sessions.len(), asked.checkouts.len()), (offered, 1));
    }
}
