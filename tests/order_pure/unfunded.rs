//! Charges that fund nothing at Stripe, and say so.

use moorage::api::payment_receipt::{Provider, ReceiptFlag};
use moorage::api::runtime_order::PaymentMode;
use moorage::billing::{Payment, Period};
use moorage::control::order::step::{Rest, Step};

use crate::bank::Session;
use crate::world::{DAY, PRICE, World, at};

fn placed() -> World {
    World::by(Provider::Stripe, PaymentMode::Subscription)
}

fn bought() -> World {
    let mut world = placed();
    world.run(None);
    world.visit(Session::Complete);
    world.hint();
    assert_eq!(world.run(None), Step::Rest(Rest::Fulfilled));
    world
}

#[test]
fn an_invoice_of_another_sum_than_the_price_funds_nothing_and_is_told() {
    let mut world = placed();
    world.run(None);
    world.bank.asks = Some(100);
    world.visit(Session::Complete);
    world.hint();
    let step = world.run(None);
    assert!(matches!(step, Step::Rest(Rest::Awaiting(_))), "{step:?}");
    assert!(!world.funds());
    assert_eq!(world.receipts[0].spec.flags, [ReceiptFlag::AmountMismatch]);
    assert_eq!(world.made, 0);
}

#[test]
fn what_is_first_seen_when_its_runtime_has_gone_is_flagged_whenever_it_was_charged() {
    let mut world = bought();
    world.now += 31 * DAY;
    world.runtime = None;
    assert_eq!(world.run(None), Step::Rest(Rest::Ended));
    let gone = world.record_ref().runtime_gone_time.unwrap();
    let first = world.bank.payments[0].clone();
    let start = first.period.unwrap().end;
    let next = Period { start, end: at(start.as_second() + 30 * DAY) };
    let paid_at = at(gone.as_second() - 3_600);
    world.bank.payments.push(Payment { id: "pi_late".into(), paid_at, period: Some(next), ..first });
    world.now += 3 * DAY;
    world.hint();
    world.run(None);
    let late = world.receipts.iter().find(|it| it.spec.provider_id == "pi_late").unwrap();
    assert_eq!((late.spec.amount, &late.spec.flags[..]), (PRICE, &[ReceiptFlag::FundsNothing][..]));
}
