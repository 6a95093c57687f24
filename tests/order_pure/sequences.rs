//! Whatever happens, in whatever order: one Runtime at most, funded exactly while it is paid, and the same end as if
//! all of it had been read once.

use moorage::api::runtime_order::PaymentMode;
use proptest::prelude::*;

use crate::world::{DAY, Fault, PRICE, World, payment, refund};

#[derive(Clone, Copy, Debug)]
enum Event {
    Pay(u8),
    PayAgain(u8),
    PayWrong(u8),
    RefundAll(u8),
    RefundPart(u8),
    DaysPass(u8),
    DeleteRuntime,
    Crash(u8, bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_u8..4).prop_map(Event::Pay),
        1 => (0_u8..4).prop_map(Event::PayAgain),
        1 => (0_u8..4).prop_map(Event::PayWrong),
        1 => (0_u8..4).prop_map(Event::RefundAll),
        1 => (0_u8..4).prop_map(Event::RefundPart),
        4 => (1_u8..40).prop_map(Event::DaysPass),
        1 => Just(Event::DeleteRuntime),
        3 => (0_u8..4, prop::bool::ANY).prop_map(|(at, after)| Event::Crash(at, after)),
    ]
}

/// Lets it happen; whether a decision is to follow now.
fn happen(world: &mut World, event: Event) -> Option<(usize, Fault)> {
    let now = world.now;
    match event {
        Event::Pay(id) => world.receipts.push(payment(&id.to_string(), now)),
        Event::PayAgain(id) => world.receipts.push(payment(&id.to_string(), now + 1)),
        Event::PayWrong(id) => {
            let mut wrong = payment(&format!("wrong-{id}"), now);
            wrong.spec.amount = PRICE - 1;
            world.receipts.push(wrong);
        }
        Event::RefundAll(id) => {
            world.receipts.push(refund(&format!("all-{id}"), &id.to_string(), PRICE, now))
        }
        Event::RefundPart(id) => world.receipts.push(refund(&format!("part-{id}"), &id.to_string(), 1, now)),
        Event::DaysPass(days) => world.now += i64::from(days) * DAY,
        Event::DeleteRuntime => world.runtime = None,
        Event::Crash(at, true) => return Some((at.into(), Fault::After)),
        Event::Crash(at, false) => return Some((at.into(), Fault::Before)),
    }
    None
}

/// Whether it is paid, or in its grace, worked out anew from what was paid.
fn is_paid(world: &World) -> bool {
    let order = world.claim.as_ref().unwrap().spec.order.clone().unwrap();
    let truth = moorage::control::order::truth::truth(&order, &world.receipts, None).unwrap();
    let account = moorage::control::order::account::account(&order, &truth);
    // What went back for the time that it is now leaves no grace.
    let grace = if account.returned.is_some() { 0 } else { 3 * DAY };
    account.paid_until.is_some_and(|until| world.now < until.as_second() + grace)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn one_runtime_at_most_and_funded_exactly_while_paid(
        events in prop::collection::vec(event(), 0..12),
        once in prop::bool::ANY,
    ) {
        let mode = if once { PaymentMode::OneTime } else { PaymentMode::Subscription };
        let mut world = World::new(mode);
        world.run(None);
        let mut deleted = false;
        for event in events {
            let stood = world.runtime.is_some();
            let recorded = world.funds();
            deleted |= matches!(event, Event::DeleteRuntime) && stood && recorded;
            let fault = happen(&mut world, event);
            world.run(fault);
            world.run(None);
            prop_assert!(world.made <= 1, "{:?}", world.ledger);
            if world.funds() {
                prop_assert!(is_paid(&world), "funded and not paid: {:?}", world.ledger);
            }
            if is_paid(&world) && world.runtime.is_some() && !deleted {
                prop_assert!(world.funds(), "paid and not funded: {:?}", world.ledger);
            }
        }
        let (ledger, status) = (world.ledger.len(), world.order.clone());
        world.run(None);
        prop_assert_eq!((world.ledger.len(), &world.order), (ledger, &status), "it doesn't rest");
    }

    #[test]
    fn the_end_is_the_same_as_if_all_had_been_read_once(events in prop::collection::vec(event(), 0..6)) {
        let mut step_by_step = World::new(PaymentMode::Subscription);
        step_by_step.run(None);
        let mut at_once = step_by_step.clone();
        let mut waits = false;
        for event in events {
            // Time that passes while nothing is read may end what a reader in between would have ended too.
            if matches!(event, Event::DeleteRuntime | Event::DaysPass(_)) {
                continue;
            }
            waits |= matches!(event, Event::Crash(..));
            let fault = happen(&mut step_by_step, event);
            step_by_step.run(fault);
            happen(&mut at_once, event);
        }
        step_by_step.run(None);
        at_once.run(None);
        prop_assert_eq!(step_by_step.funds(), at_once.funds(), "{}", waits);
        let state = |world: &World| world.order.as_ref().unwrap().status.as_ref().unwrap().state;
        if step_by_step.made == at_once.made {
            prop_assert_eq!(state(&step_by_step), state(&at_once));
        }
    }
}
