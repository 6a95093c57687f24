//! What receipts come to.

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use moorage::api::order_record::OrderRecord;
use moorage::api::payment_receipt::{Period, Provider};
use moorage::api::plan::Interval;
use moorage::api::runtime_order::{FundingPhase, PaymentMode};
use moorage::control::order::account::{Account, OddityKind};
use moorage::control::order::truth::{Receipt, truth};
use proptest::prelude::*;

use crate::world::{DAY, PRICE, World, at, patience, payment, refund};

fn record(mode: PaymentMode) -> OrderRecord {
    let mut world = World::new(mode);
    world.run(None);
    world.record()
}

/// What the receipts of an order that is approved by hand come to.
fn account(order: &OrderRecord, receipts: &[Receipt]) -> Account {
    moorage::control::order::account::account(order, &truth(order, receipts, None).unwrap())
}

fn day(year: i16, month: i8, day: i8) -> Timestamp {
    date(year, month, day).to_zoned(TimeZone::UTC).unwrap().timestamp()
}

fn paid_on(id: &str, on: Timestamp) -> Receipt {
    payment(id, on.as_second())
}

#[test]
fn a_month_ends_on_its_day_and_the_days_of_a_run_dont_drift() {
    let order = record(PaymentMode::Subscription);
    let first = paid_on("1", day(2026, 1, 31));
    let second = paid_on("2", day(2026, 2, 27));
    let third = paid_on("3", day(2026, 3, 20));
    let until = |receipts: &[Receipt]| account(&order, receipts).paid_until.unwrap();
    assert_eq!(until(std::slice::from_ref(&first)), day(2026, 2, 28));
    assert_eq!(until(&[first.clone(), second.clone()]), day(2026, 3, 31));
    assert_eq!(until(&[first, second, third]), day(2026, 4, 30));
}

#[test]
fn a_month_at_payapp_ends_on_its_day_in_seoul() {
    let mut order = record(PaymentMode::OneTime);
    // Half past midnight on the 31st of January in Seoul.
    let paid = [paid_on("1", "2026-01-30T15:30:00Z".parse().unwrap())];
    assert_eq!(account(&order, &paid).paid_until, Some("2026-02-28T15:30:00Z".parse().unwrap()));
    order.provider = Provider::PayApp;
    assert_eq!(account(&order, &paid).paid_until, Some("2026-02-27T15:30:00Z".parse().unwrap()));
    order.price.interval = Interval::Year;
    assert_eq!(account(&order, &paid).paid_until, Some("2027-01-30T15:30:00Z".parse().unwrap()));
}

#[test]
fn a_gap_begins_a_new_run() {
    let order = record(PaymentMode::Subscription);
    let receipts = [paid_on("1", day(2026, 1, 31)), paid_on("2", day(2026, 3, 10))];
    assert_eq!(account(&order, &receipts).paid_until.unwrap(), day(2026, 4, 10));
}

#[test]
fn a_wrong_amount_or_currency_pays_for_nothing_and_is_told() {
    let order = record(PaymentMode::Subscription);
    let mut less = payment("1", 5);
    less.spec.amount = PRICE - 1;
    let mut other = payment("2", 6);
    other.spec.currency = "EUR".into();
    let account = account(&order, &[less, other]);
    assert_eq!(account.paid_until, None);
    assert_eq!(
        account.oddities.iter().map(|it| it.kind).collect::<Vec<_>>(),
        [OddityKind::AmountMismatch; 2]
    );
}

#[test]
fn one_payment_counts_once_however_often_it_is_recorded() {
    let order = record(PaymentMode::Subscription);
    let once = account(&order, &[payment("1", 5)]);
    assert_eq!(account(&order, &[payment("1", 5), payment("1", 9)]), once);
}

#[test]
fn a_second_payment_of_what_is_paid_once_is_told_and_pays_for_nothing() {
    let order = record(PaymentMode::OneTime);
    let once = account(&order, &[payment("1", 5)]);
    let twice = account(&order, &[payment("1", 5), payment("2", 9)]);
    assert_eq!(twice.paid_until, once.paid_until);
    assert_eq!(twice.oddities[0].kind, OddityKind::Duplicate);
}

#[test]
fn a_period_that_was_paid_already_is_a_duplicate() {
    let order = record(PaymentMode::Subscription);
    let with = |id: &str, created: i64| {
        let mut receipt = payment(id, created);
        receipt.spec.period = Some(Period { start: at(0), end: at(30 * DAY) });
        receipt
    };
    let account = account(&order, &[with("1", 5), with("2", 9)]);
    assert_eq!(account.paid_until, Some(at(30 * DAY)));
    assert_eq!(account.oddities[0].kind, OddityKind::Duplicate);
}

#[test]
fn a_full_refund_takes_the_time_back_and_a_part_of_it_is_only_told() {
    let order = record(PaymentMode::Subscription);
    let full = account(&order, &[payment("1", 5), refund("r", "1", PRICE, 9)]);
    assert_eq!((full.paid_until, full.returned.as_deref()), (None, Some("1")));
    let part = account(&order, &[payment("1", 5), refund("r", "1", 100, 9)]);
    assert!(part.paid_until.is_some());
    assert_eq!(part.oddities[0].kind, OddityKind::PartialRefund);
    let parts = [payment("1", 5), refund("r", "1", 100, 9), refund("s", "1", PRICE - 100, 10)];
    assert_eq!(account(&order, &parts).paid_until, None);
    let twice = [payment("1", 5), refund("r", "1", PRICE / 2, 9), refund("r", "1", PRICE / 2, 10)];
    assert!(account(&order, &twice).paid_until.is_some(), "one refund counts once");
}

#[test]
fn another_orders_receipts_are_none_of_ours() {
    let order = record(PaymentMode::Subscription);
    let mut other = payment("1", 5);
    other.spec.order_uid = "order-2".into();
    assert_eq!(account(&order, &[other]).paid_until, None);
}

#[test]
fn paid_then_grace_then_kept_then_over_each_at_its_time() {
    let order = record(PaymentMode::Subscription);
    let account = account(&order, &[payment("1", 0)]);
    let until = account.paid_until.unwrap().as_second();
    let phase = |second: i64| account.standing(at(second), &order, patience()).phase;
    assert_eq!(phase(until - 1), FundingPhase::Paid);
    assert_eq!(phase(until), FundingPhase::PastDue);
    assert_eq!(phase(until + 3 * DAY), FundingPhase::Suspended);
    assert_eq!(phase(until + 33 * DAY - 1), FundingPhase::Suspended);
    assert_eq!(phase(until + 33 * DAY), FundingPhase::Ended);
    let standing = account.standing(at(until), &order, patience());
    assert_eq!(standing.next, Some(at(until + 3 * DAY)));
    assert_eq!((standing.suspend_at, standing.delete_at), (standing.next, Some(at(until + 33 * DAY))));
}

proptest! {
    #[test]
    fn the_order_of_receipts_doesnt_matter(
        receipts in prop::collection::vec((0_i64..400, 0_u8..6, prop::bool::ANY, prop::bool::ANY), 0..12),
        seed in prop::num::u64::ANY,
    ) {
        let order = record(PaymentMode::Subscription);
        let mut all: Vec<Receipt> = receipts
            .iter()
            .map(|(when, id, is_refund, is_full)| {
                let (created, amount) = (when * DAY, if *is_full { PRICE } else { 100 });
                let mut receipt = if *is_refund {
                    refund(&format!("r{id}{when}"), &id.to_string(), amount, created)
                } else {
                    payment(&id.to_string(), created)
                };
                receipt.spec.amount = amount;
                // No two objects have one name.
                receipt.name.push_str(&format!("-{amount}"));
                receipt
            })
            .collect();
        let straight = account(&order, &all);
        let turn = usize::try_from(seed % 13).unwrap() % all.len().max(1);
        all.rotate_left(turn);
        all.reverse();
        prop_assert_eq!(account(&order, &all), straight);
    }
}
