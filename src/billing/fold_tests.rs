use proptest::prelude::*;

use super::*;
use crate::billing::money::KRW;
use crate::billing::provider::{Attempt, OpenCheckout};
use crate::billing::truth::PaymentState;

const PRICE: Money = Money::new(19_900, KRW);

fn at(days: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + days * 86_400).unwrap()
}

fn receipt(payment: &str, event: ReceiptEvent, days: i64) -> Receipt {
    Receipt {
        payment: payment.to_owned(),
        subscription: Some("77".to_owned()),
        attempt: Some(1),
        event,
        amount: PRICE,
        at: at(days),
        period: None,
    }
}

fn order(receipts: Vec<Receipt>) -> KnownOrder {
    let opened = OpenCheckout {
        id: "77".to_owned(),
        url: Some("https://www.payapp.kr/pay".to_owned()),
        expires_at: None,
        subscription: Some("77".to_owned()),
    };
    let known = KnownCheckout {
        attempt: Attempt { number: 1, nonce: "n".to_owned() },
        created_at: at(0),
        opened,
        price: PRICE,
        billing: Billing::Every(Interval::Month),
    };
    KnownOrder { checkouts: vec![known], receipts, ..KnownOrder::default() }
}

fn state(receipts: Vec<Receipt>) -> SubscriptionState {
    fold(&order(receipts)).subscriptions[0].state
}

#[test]
fn nothing_but_a_payment_pays() {
    for event in [
        ReceiptEvent::Refunded,
        ReceiptEvent::PartlyRefunded,
        ReceiptEvent::AwaitingDeposit,
        ReceiptEvent::RequestCancelled,
        ReceiptEvent::RenewalFailed,
    ] {
        let truth = fold(&order(vec![receipt("1", event, 0)]));
        assert_eq!(truth.payments, [], "{event:?}");
        assert_ne!(truth.checkouts[0].state, CheckoutState::Complete, "{event:?}");
        assert_eq!(truth.subscriptions[0].paid_until, None, "{event:?}");
    }
}

#[test]
fn a_month_is_paid_until_the_next_and_a_failure_after_it_is_past_due() {
    let first = receipt("1", ReceiptEvent::Paid, 0);
    let failed = receipt("2", ReceiptEvent::RenewalFailed, 31);
    let later = receipt("3", ReceiptEvent::Paid, 33);
    assert_eq!(state(vec![]), SubscriptionState::Incomplete);
    assert_eq!(state(vec![first.clone()]), SubscriptionState::Active);
    assert_eq!(state(vec![failed.clone(), first.clone()]), SubscriptionState::PastDue);
    assert_eq!(state(vec![later.clone(), failed, first.clone()]), SubscriptionState::Active);
    let truth = fold(&order(vec![later, first]));
    let purposes: Vec<Purpose> = truth.payments.iter().map(|payment| payment.purpose).collect();
    assert_eq!(purposes, [Purpose::First, Purpose::Renewal]);
    assert_eq!(truth.subscriptions[0].paid_until, Some(months_after(at(0), 2)));
}

#[test]
fn only_the_registration_that_was_ended_has_ended() {
    let mut two = order(vec![receipt("1", ReceiptEvent::Paid, 0)]);
    let mut lost = two.checkouts[0].clone();
    (lost.opened.id, lost.opened.url, lost.opened.subscription) = ("66".into(), None, Some("66".into()));
    two.checkouts.insert(0, lost);
    two.ended.insert("66".into(), at(0));
    let truth = fold(&two);
    let states: Vec<_> = truth.subscriptions.iter().map(|it| (it.state, it.ends_at)).collect();
    assert_eq!(states, [(SubscriptionState::Ended, Some(at(0))), (SubscriptionState::Active, None)]);
}

#[test]
fn months_of_a_registration_follow_each_other_whenever_it_was_first_paid() {
    // It is due on the day on which it was made, and the customer first paid seventeen days later.
    let late = [receipt("1", ReceiptEvent::Paid, 17), receipt("2", ReceiptEvent::Paid, 33)];
    let truth = fold(&order(late.to_vec()));
    let periods: Vec<_> = truth.payments.iter().map(|it| it.period.unwrap()).collect();
    assert_eq!((periods[0].start, periods[0].end), (at(17), months_after(at(17), 1)));
    assert_eq!((periods[1].start, periods[1].end), (periods[0].end, months_after(at(17), 2)));
}

#[test]
fn what_is_charged_twice_for_one_day_is_for_one_month() {
    let twice = [
        receipt("1", ReceiptEvent::Paid, 0),
        receipt("2", ReceiptEvent::Paid, 33),
        receipt("3", ReceiptEvent::Paid, 34),
    ];
    let truth = fold(&order(twice.to_vec()));
    assert_eq!(truth.payments[1].period, truth.payments[2].period);
    assert_ne!(truth.payments[0].period, truth.payments[1].period);
}

#[test]
fn what_went_back_pays_for_no_time() {
    let truth =
        fold(&order(vec![receipt("1", ReceiptEvent::Paid, 0), receipt("1", ReceiptEvent::Refunded, 1)]));
    assert_eq!(truth.payments[0].state(), PaymentState::Refunded);
    assert_eq!(truth.subscriptions[0].paid_until, None);
}

#[test]
fn a_part_is_never_all_of_it() {
    let truth = fold(&order(vec![
        receipt("1", ReceiptEvent::PartlyRefunded, 1),
        receipt("1", ReceiptEvent::Paid, 0),
    ]));
    assert_eq!(truth.payments[0].state(), PaymentState::PartlyRefunded);
}

#[test]
fn an_approval_of_nothing_counts_until_it_is_taken_back() {
    let mut approved = receipt("1", ReceiptEvent::Paid, 0);
    approved.amount.minor = 0;
    let truth = fold(&order(vec![approved.clone()]));
    assert_eq!(truth.payments[0].state(), PaymentState::Paid);
    let truth = fold(&order(vec![approved, receipt("1", ReceiptEvent::Refunded, 1)]));
    assert_eq!(truth.payments[0].state(), PaymentState::Refunded);
}

fn any_receipt() -> impl Strategy<Value = Receipt> {
    let events = prop::sample::select(vec![
        ReceiptEvent::Paid,
        ReceiptEvent::Refunded,
        ReceiptEvent::PartlyRefunded,
        ReceiptEvent::AwaitingDeposit,
        ReceiptEvent::RequestCancelled,
        ReceiptEvent::RenewalFailed,
    ]);
    // One payment has one time: a notice that is told again tells the same.
    (0_i64..3, events, 0_i64..2_000).prop_map(|(payment, event, minor)| {
        let mut receipt = receipt(&payment.to_string(), event, payment * 31);
        if event == ReceiptEvent::PartlyRefunded {
            receipt.amount.minor = minor;
        }
        receipt
    })
}

proptest! {
    #[test]
    fn the_order_in_which_receipts_came_changes_nothing(
        receipts in prop::collection::vec(any_receipt(), 0..8), seed in any::<prop::sample::Index>(),
    ) {
        let expected = fold(&order(receipts.clone()));
        let mut other = receipts;
        if !other.is_empty() {
            let place = seed.index(other.len());
            other.rotate_left(place);
            other.reverse();
            other.push(other[place].clone());
        }
        prop_assert_eq!(fold(&order(other)), expected);
    }
}
