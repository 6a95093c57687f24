//! Subscriptions: paid, renewed, past due, changed, over.

use billing_sim::stripe::sessions::Visit;
use billing_sim::stripe::subscriptions::AfterRetries;
use moorage::billing::{
    Attempt, ChangeSubscription, Changed, EndSubscription, Ending, ErrorClass, Interval, InvoiceState, Money,
    NewCheckout, NewPortal, OpenCheckout, PaymentProvider, ProviderTruth, Purpose, SubscriptionState,
};

use crate::stripe_bench::{Bench, checkout, known, monthly};

struct Subscribed {
    bench: Bench,
    new: NewCheckout,
    opened: OpenCheckout,
}

impl Subscribed {
    async fn start() -> Self {
        let bench = Bench::start().await;
        let (new, opened) = bench.visited(monthly(), Visit::Pay).await;
        Self { bench, new, opened }
    }

    async fn truth(&self) -> ProviderTruth {
        self.bench.truth(&self.new, &self.opened).await
    }

    async fn state(&self) -> SubscriptionState {
        self.truth().await.subscriptions[0].state
    }

    async fn card(&self, card: &str) {
        let customer = self.truth().await.customer.unwrap();
        self.bench.server.sim.enter().set_card(&customer, card).unwrap();
    }

    async fn end(&self, when: Ending) {
        let id = self.truth().await.subscriptions[0].id.clone();
        let ending = EndSubscription { id, when, idempotency_key: "end-1".to_owned() };
        self.bench.stripe.end_subscription(&ending).await.unwrap();
    }

    async fn change(&self, minor: i64) -> ChangeSubscription {
        ChangeSubscription {
            id: self.truth().await.subscriptions[0].id.clone(),
            price: Money::of(minor, "EUR").unwrap(),
            interval: Interval::Month,
            title: "OpenClaw Max".to_owned(),
            plan: "openclaw-max".to_owned(),
            idempotency_key: format!("change-{minor}"),
        }
    }
}

#[tokio::test]
async fn each_month_is_paid_and_extends_what_is_paid() {
    let it = Subscribed::start().await;
    let truth = it.truth().await;
    let subscription = &truth.subscriptions[0];
    assert_eq!(subscription.state, SubscriptionState::Active);
    assert_eq!((subscription.price, subscription.interval), (Some(it.new.price), Some(Interval::Month)));
    assert_eq!(subscription.paid_until, subscription.period_end);
    assert_eq!(truth.payments[0].purpose, Purpose::First);
    assert_eq!(truth.payments[0].period.unwrap().end, subscription.period_end.unwrap());
    assert_eq!(truth.payments[0].subscription.as_ref(), Some(&subscription.id));
    let first_end = subscription.paid_until.unwrap();

    it.bench.days(32);
    let truth = it.truth().await;
    assert_eq!(truth.payments.len(), 2);
    assert_eq!(truth.payments[1].purpose, Purpose::Renewal);
    assert_eq!(truth.payments[1].period.unwrap().start, first_end);
    assert!(truth.subscriptions[0].paid_until.unwrap() > first_end);
    assert_eq!(truth.invoices.len(), 2);
    assert!(
        truth.invoices.iter().all(|invoice| invoice.state == InvoiceState::Paid && invoice.url.is_some())
    );
    let numbers: Vec<_> = truth.invoices.iter().filter_map(|invoice| invoice.number.as_deref()).collect();
    assert_eq!(numbers, ["SIM-0002", "SIM-0001"], "the newest first");
}

#[tokio::test]
async fn a_failed_renewal_is_past_due_and_paying_brings_it_back() {
    let it = Subscribed::start().await;
    let paid_until = it.truth().await.subscriptions[0].paid_until;
    it.card("declined").await;
    it.bench.days(32);
    let truth = it.truth().await;
    assert_eq!(truth.subscriptions[0].state, SubscriptionState::PastDue);
    assert_eq!(truth.subscriptions[0].paid_until, paid_until, "nothing was paid");
    assert_eq!(truth.payments.len(), 1);
    let invoice = truth.invoices.iter().find(|invoice| invoice.state == InvoiceState::Open).unwrap();
    reqwest::Client::new().post(format!("{}/pay", invoice.url.as_ref().unwrap())).send().await.unwrap();
    let truth = it.truth().await;
    assert_eq!(truth.subscriptions[0].state, SubscriptionState::Active);
    assert!(truth.subscriptions[0].paid_until > paid_until);
}

#[tokio::test]
async fn when_no_try_is_left_it_ends_or_stays_unpaid() {
    for (after, state) in [
        (AfterRetries::Cancel, SubscriptionState::Ended),
        (AfterRetries::Unpaid, SubscriptionState::Unpaid),
        (AfterRetries::PastDue, SubscriptionState::PastDue),
    ] {
        let it = Subscribed::start().await;
        it.bench.server.sim.enter().stripe.after_retries = after;
        it.card("declined").await;
        it.bench.days(32);
        for _ in 0..3 {
            it.bench.days(8);
        }
        assert_eq!(it.state().await, state, "{after:?}");
        assert_eq!(it.bench.effects("charge").len(), 1);
    }
}

#[tokio::test]
async fn ending_at_the_periods_end_keeps_what_is_paid() {
    let it = Subscribed::start().await;
    it.end(Ending::AtPeriodEnd).await;
    let subscription = it.truth().await.subscriptions.remove(0);
    assert_eq!(subscription.state, SubscriptionState::Active);
    assert_eq!(subscription.ends_at, subscription.period_end);
    it.bench.days(32);
    assert_eq!(it.state().await, SubscriptionState::Ended);
    assert_eq!(it.bench.effects("charge").len(), 1);
    it.end(Ending::AtPeriodEnd).await;
    it.end(Ending::Now).await;
    assert_eq!(it.bench.effects("subscription.end").len(), 1);
}

#[tokio::test]
async fn ending_now_is_repeatable() {
    let it = Subscribed::start().await;
    it.end(Ending::Now).await;
    it.end(Ending::Now).await;
    assert_eq!(it.state().await, SubscriptionState::Ended);
    assert_eq!(it.bench.effects("subscription.end").len(), 1);
}

#[tokio::test]
async fn a_dearer_price_holds_once_the_difference_is_paid() {
    let it = Subscribed::start().await;
    it.card("declined").await;
    let change = it.change(3900).await;
    let error = it.bench.stripe.change_subscription(&change).await.unwrap_err();
    assert_eq!((error.class(), error.code()), (ErrorClass::Declined, Some("card_declined")));
    assert_eq!(it.truth().await.subscriptions[0].price, Some(it.new.price), "nothing has changed");

    it.card("good").await;
    // The refusal is kept for its key: another try is another key.
    assert!(it.bench.stripe.change_subscription(&change).await.unwrap_err().is_replayed());
    let again = ChangeSubscription { idempotency_key: "change-2".to_owned(), ..change };
    assert_eq!(it.bench.stripe.change_subscription(&again).await.unwrap(), Changed::Done);
    assert_eq!(it.bench.stripe.change_subscription(&again).await.unwrap(), Changed::Done);
    let truth = it.truth().await;
    assert_eq!(truth.subscriptions[0].price, Some(Money::of(3900, "EUR").unwrap()));
    let difference = truth.payments.iter().find(|payment| payment.purpose == Purpose::Change).unwrap();
    assert!((1..=2000).contains(&difference.amount.minor), "{difference:?}");
    assert_eq!(it.bench.effects("charge").len(), 2);
}

#[tokio::test]
async fn of_two_subscriptions_each_has_a_customer_and_a_card_of_its_own() {
    let it = Subscribed::start().await;
    let attempt = Attempt { number: 2, nonce: "again".to_owned() };
    let again = NewCheckout { attempt, idempotency_key: "again".to_owned(), ..checkout(monthly()) };
    let opened = it.bench.open(&again).await;
    it.bench.server.sim.enter().visit(&opened.id, Visit::Pay).unwrap();
    let mut order = known(&it.new, &it.opened);
    order.checkouts.extend(known(&again, &opened).checkouts);
    // Whichever comes first by its id, and whichever the order takes for its own.
    let truth = it.bench.stripe.read(&order).await.unwrap();
    let customers: Vec<&str> =
        truth.subscriptions.iter().map(|own| truth.customer_of(Some(&own.id)).unwrap()).collect();
    for (own, customer) in truth.subscriptions.iter().zip(&customers) {
        assert_eq!(it.bench.server.sim.enter().object(&own.id).unwrap()["customer"], **customer);
        assert!(truth.payment_method_of(Some(&own.id)).is_some());
    }
    assert_eq!(customers.len(), 2);
    assert_ne!(customers[0], customers[1]);
}

#[tokio::test]
async fn the_customers_own_page_opens() {
    let it = Subscribed::start().await;
    let customer = it.truth().await.customer.unwrap();
    let portal = NewPortal { customer, return_url: "https://portal.example/".to_owned() };
    let url = it.bench.stripe.open_portal(&portal).await.unwrap().unwrap();
    let page = reqwest::get(&url).await.unwrap();
    assert!(page.status().is_success());
}
