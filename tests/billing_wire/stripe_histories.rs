//! Whatever customers, banks and time do, what is read is what Stripe's books say: each charge once, with what became
//! of it, and nothing else.

use std::collections::BTreeMap;

use billing_sim::state::State;
use billing_sim::stripe::charges::Verdict;
use billing_sim::stripe::sessions::{Settled, Visit};
use moorage::billing::{
    Billing, CheckoutState, OpenCheckout, PaymentState, ProviderTruth, Refunded, SubscriptionState,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::stripe_bench::{Bench, checkout, monthly};

#[derive(Clone, Copy, Debug)]
enum Happening {
    Visit(Visit),
    Settle(Settled),
    Refund(Option<i64>),
    Dispute,
    Verdict(Verdict),
    Card(&'static str),
    Days(i64),
    End,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    use Happening::{Card, Days, Dispute, End, Refund, Settle, Verdict as Decided, Visit as Visited};
    let one = prop::sample::select(vec![
        Visited(Visit::Pay),
        Visited(Visit::Pay),
        Visited(Visit::PayLater),
        Visited(Visit::Fail),
        Settle(Settled::Came),
        Settle(Settled::Failed),
        Refund(None),
        Refund(Some(700)),
        Dispute,
        Decided(Verdict::Won),
        Decided(Verdict::Lost),
        Card("declined"),
        Card("good"),
        Days(4),
        Days(32),
        End,
    ]);
    prop::collection::vec(one, 1..7)
}

/// Does it if it can happen now.
fn happen(state: &mut State, session: &str, what: Happening) {
    let last = |state: &State, kind: &str| {
        let all = state.all(kind);
        all.last().map(|object| object["id"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
    };
    let _refused_as_in_life = match what {
        Happening::Visit(visit) => state.visit(session, visit),
        Happening::Settle(came) => state.settle(session, came),
        Happening::Refund(amount) => {
            let payment = last(state, "payment_intent");
            state.refund(&payment, amount, &json!({})).map(drop)
        }
        Happening::Dispute => {
            let payment = last(state, "payment_intent");
            state.dispute(&payment).map(drop)
        }
        Happening::Verdict(verdict) => {
            let dispute = last(state, "dispute");
            state.settle_dispute(&dispute, verdict)
        }
        Happening::Card(card) => {
            let customer = last(state, "customer");
            state.set_card(&customer, card)
        }
        Happening::Days(days) => {
            state.advance(days * 86_400_000);
            Ok(())
        }
        Happening::End => {
            let subscription = last(state, "subscription");
            let is_alive = state.object(&subscription).is_some_and(|it| it["status"] != "canceled");
            if is_alive {
                state.end_subscription(&subscription);
            }
            Ok(())
        }
    };
}

/// What the books say: each charge with what was taken and what went back.
fn books(bench: &Bench) -> BTreeMap<String, (i64, i64)> {
    let number = |effect: &Value| effect["detail"]["amount"].as_i64().unwrap_or(0);
    let id = |effect: &Value| effect["id"].as_str().unwrap_or_default().to_owned();
    let mut books: BTreeMap<String, (i64, i64)> =
        bench.effects("charge").iter().map(|effect| (id(effect), (number(effect), 0))).collect();
    for refund in bench.effects("refund") {
        if let Some(entry) = books.get_mut(&id(&refund)) {
            entry.1 += number(&refund);
        }
    }
    books
}

fn told(truth: &ProviderTruth) -> BTreeMap<String, (i64, i64)> {
    let refunded = |refunded: Refunded, all: i64| match refunded {
        Refunded::Nothing => 0,
        Refunded::Part(part) => part.minor,
        Refunded::All => all,
    };
    truth
        .payments
        .iter()
        .map(|payment| {
            (payment.id.clone(), (payment.amount.minor, refunded(payment.refunded, payment.amount.minor)))
        })
        .collect()
}

async fn live(billing: Billing, history: &[Happening]) {
    let bench = Bench::start().await;
    let new = checkout(billing);
    let opened: OpenCheckout = bench.open(&new).await;
    for what in history {
        happen(&mut bench.server.sim.enter(), &opened.id, *what);
    }
    let truth = bench.truth(&new, &opened).await;
    assert_eq!(told(&truth), books(&bench), "{billing:?} {history:?}");
    assert_eq!(truth.payments.len(), told(&truth).len(), "each payment is told once");
    assert_eq!(bench.truth(&new, &opened).await, truth, "reading changes nothing");
    // Only what was completed can have been paid, and only what is paid counts as time.
    let was_paid = truth.checkouts[0].state == CheckoutState::Complete;
    assert_eq!(was_paid, !truth.payments.is_empty(), "{truth:?}");
    for subscription in &truth.subscriptions {
        assert_eq!(subscription.paid_until.is_some(), was_paid, "{truth:?}");
        let is_over = !bench.effects("subscription.end").is_empty();
        assert_eq!(subscription.state == SubscriptionState::Ended, is_over);
    }
    let lost = truth.payments.iter().filter(|payment| payment.state() == PaymentState::Lost).count();
    let decided = bench.effects("dispute.close").iter().filter(|it| it["detail"]["status"] == "lost").count();
    assert!(lost <= decided, "{truth:?}");
}

#[tokio::test]
async fn a_transfer_that_failed_and_came_at_the_next_try_is_paid() {
    let history = [Happening::Visit(Visit::PayLater), Happening::Settle(Settled::Failed), Happening::Days(4)];
    live(monthly(), &history).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_what_the_books_say(history in happenings(), is_monthly in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(live(if is_monthly { monthly() } else { Billing::Once }, &history));
    }
}
