//! A stand-in for Stripe with a client, and an order.

use std::time::Duration;

use billing_sim::cli::Serve;
use billing_sim::clock::{Clock, RealClock};
use billing_sim::ledger::{Entry, Kind, Query};
use billing_sim::serve::Server;
use billing_sim::stripe::sessions::Visit;
use jiff::{SignedDuration, Timestamp};
use moorage::billing::stripe::{Stripe, StripeOptions};
use moorage::billing::{
    Attempt, Billing, Buyer, Interval, KnownCheckout, KnownOrder, Money, NewCheckout, OpenCheckout,
    PaymentProvider, ProviderTruth, http_client,
};
use secrecy::SecretString;
use serde_json::{Value, json};

pub const CANARY: &str = "sk_test_canary4711";

pub struct Bench {
    pub server: Server,
    pub stripe: Stripe,
}

impl Bench {
    pub async fn start() -> Self {
        let options = Serve { stripe_key: CANARY.to_owned(), ..Serve::default() };
        let server = Server::start(&options).await.unwrap();
        let stripe = client(server.url(), CANARY);
        Self { server, stripe }
    }

    pub async fn open(&self, checkout: &NewCheckout) -> OpenCheckout {
        self.stripe.open_checkout(checkout).await.unwrap()
    }

    /// Opens a checkout, and a customer does something at it.
    pub async fn visited(&self, billing: Billing, visit: Visit) -> (NewCheckout, OpenCheckout) {
        let checkout = checkout(billing);
        let opened = self.open(&checkout).await;
        self.server.sim.enter().visit(&opened.id, visit).unwrap();
        (checkout, opened)
    }

    pub async fn truth(&self, new: &NewCheckout, opened: &OpenCheckout) -> ProviderTruth {
        self.stripe.read(&known(new, opened)).await.unwrap()
    }

    pub fn fault(&self, rule: Value) -> u64 {
        self.server.sim.enter().faults.add_rule(serde_json::from_value(rule).unwrap())
    }

    pub fn days(&self, days: i64) {
        self.server.sim.enter().advance(days * 24 * 60 * 60 * 1000);
    }

    pub fn effects(&self, name: &str) -> Vec<Value> {
        let query = Query { kind: Some(Kind::Effect), ..Query::default() };
        let entries = self.server.sim.enter().ledger.query(&query);
        let named = entries.iter().filter(|entry| entry.effect == name);
        named.map(|entry| json!({"id": entry.id, "detail": entry.detail})).collect()
    }

    pub fn calls(&self) -> Vec<Entry> {
        let query = Query { kind: Some(Kind::Request), ..Query::default() };
        self.server.sim.enter().ledger.query(&query).iter().map(|entry| (**entry).clone()).collect()
    }
}

pub fn client(url: &str, key: &str) -> Stripe {
    let options =
        StripeOptions { url: url.to_owned(), deadline: Duration::from_secs(2), ..StripeOptions::default() };
    Stripe::new(http_client().unwrap(), options, &SecretString::from(key)).unwrap()
}

pub fn now() -> Timestamp {
    Timestamp::from_millisecond(RealClock.now()).unwrap()
}

pub fn checkout(billing: Billing) -> NewCheckout {
    NewCheckout {
        order: "0b6b2a70-order".to_owned(),
        attempt: Attempt { number: 1, nonce: "n0nce".to_owned() },
        idempotency_key: "order-0b6b2a70-1".to_owned(),
        price: Money::of(1900, "EUR").unwrap(),
        billing,
        title: "OpenClaw Pro & more".to_owned(),
        plan: "openclaw-pro".to_owned(),
        success_url: "https://portal.example/paid".to_owned(),
        cancel_url: "https://portal.example/back".to_owned(),
        created_at: now(),
        expires_at: now() + SignedDuration::from_hours(1),
        buyer: Buyer { email: Some("ann@example.com".to_owned()), phone: None },
    }
}

pub fn monthly() -> Billing {
    Billing::Every(Interval::Month)
}

pub fn known(new: &NewCheckout, opened: &OpenCheckout) -> KnownOrder {
    let checkout = KnownCheckout {
        attempt: new.attempt.clone(),
        created_at: new.created_at,
        opened: opened.clone(),
        price: new.price,
        billing: new.billing,
    };
    KnownOrder { checkouts: vec![checkout], ..KnownOrder::default() }
}
