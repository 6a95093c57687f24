//! Whatever customers and time do, and in whatever order and however often notices come: once all have come, the
//! receipts say what PayApp's books say.

use std::collections::BTreeMap;

use billing_sim::payapp::notices::{Notice, send};
use billing_sim::payapp::requests::{Card, Customer, Standing};
use billing_sim::stripe::deliver::Delivery;
use moorage::billing::{Billing, CheckoutState, PaymentState, SubscriptionState};
use proptest::prelude::*;

use crate::payapp_bench::Bench;
use crate::stripe_bench::monthly;

#[derive(Clone, Copy, Debug)]
enum Happening {
    Visit(Customer),
    Refund(Option<i64>),
    Card(Card),
    Days(i64),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    use Happening::{Card as Uses, Days, Refund, Visit};
    let one = prop::sample::select(vec![
        Visit(Customer::Pay),
        Visit(Customer::Pay),
        Visit(Customer::Wait),
        Refund(None),
        Refund(Some(5000)),
        Uses(Card::Declined),
        Uses(Card::Good),
        Days(32),
    ]);
    prop::collection::vec(one, 1..7)
}

/// Does it if it can happen now.
fn happen(bench: &Bench, first: &str, what: Happening) {
    let mut state = bench.server.sim.enter();
    let newest = state.payapp.requests().last().map(|request| request.number.clone()).unwrap_or_default();
    let rebill = state.payapp.rebills().next().map(|rebill| rebill.number.clone()).unwrap_or_default();
    let _refused_as_in_life = match what {
        Happening::Visit(what) => state.payapp_visit(first, what),
        Happening::Refund(amount) => state.payapp_refund(&newest, amount, [9, 70]),
        Happening::Card(card) => state.set_payapp_card(&rebill, card),
        Happening::Days(days) => {
            state.advance(days * 86_400_000);
            Ok(())
        }
    };
}

/// What the books say of each payment.
fn books(bench: &Bench) -> BTreeMap<String, PaymentState> {
    let state = bench.server.sim.enter();
    let of = |standing: Standing| match standing {
        Standing::Paid => Some(PaymentState::Paid),
        Standing::PartlyRefunded => Some(PaymentState::PartlyRefunded),
        Standing::Refunded => Some(PaymentState::Refunded),
        Standing::Open | Standing::Waiting | Standing::Cancelled => None,
    };
    let requests = state.payapp.requests();
    requests.filter_map(|request| Some((request.number.clone(), of(request.standing)?))).collect()
}

/// All notices in another order, and some of them twice.
fn shuffled(mut notices: Vec<Notice>, places: &[prop::sample::Index]) -> Vec<Notice> {
    let mut sent = Vec::new();
    for place in places {
        if notices.is_empty() {
            break;
        }
        let notice = notices[place.index(notices.len())].clone();
        if sent.len() % 3 == 1 {
            sent.push(notice.clone());
        }
        let chosen = place.index(notices.len());
        notices.remove(chosen);
        sent.push(notice);
    }
    sent.extend(notices);
    sent
}

async fn live(billing: Billing, history: &[Happening], places: &[prop::sample::Index]) {
    let bench = Bench::start(billing).await;
    let opened = bench.open(billing).await;
    let first = bench.shop.expected.lock().unwrap().payment.clone().unwrap();
    bench.server.sim.enter().payapp.delivery = Delivery::Held;
    for what in history {
        happen(&bench, &first, *what);
    }
    let waiting = std::mem::take(&mut bench.server.sim.enter().payapp.waiting);
    for notice in shuffled(waiting, places) {
        assert!(send(&bench.server.sim, &notice).await, "{notice:?}");
    }
    let truth = bench.truth(billing, &opened).await;
    let told: BTreeMap<String, PaymentState> =
        truth.payments.iter().map(|payment| (payment.id.clone(), payment.state())).collect();
    assert_eq!(told, books(&bench), "{billing:?} {history:?}");
    assert_eq!(truth.checkouts[0].state == CheckoutState::Complete, !told.is_empty());
    for subscription in &truth.subscriptions {
        let is_begun = subscription.state != SubscriptionState::Incomplete;
        assert_eq!(is_begun, !told.is_empty());
        let pays = told.values().any(|state| *state != PaymentState::Refunded);
        assert_eq!(subscription.paid_until.is_some(), pays);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn once_all_notices_came_the_receipts_say_what_the_books_say(
        history in happenings(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 8),
        is_monthly in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(live(if is_monthly { monthly() } else { Billing::Once }, &history, &places));
    }
}
