//! Each request that the client makes, held against Stripe's published description by Stripe's own mock, and each
//! answer of the stand-in against what the mock answers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use billing_sim::stripe::sessions::{Settled, Visit};
use bytes::Bytes;
use moorage::billing::stripe::Stripe;
use moorage::billing::{
    Billing, ChangeSubscription, EndSubscription, Ending, Extent, Interval, KnownOrder, LostCheckout, Money,
    NewCheckout, NewPortal, NewRefund, PaymentProvider,
};
use serde_json::Value;
use testbed::StripeMock;
use tokio::net::TcpListener;

use crate::stripe_bench::{Bench, CANARY, checkout, client, known, monthly, now};

/// Sends each request to the mock and then to the stand-in, whose answer is given.
struct Tee {
    http: reqwest::Client,
    mock: String,
    sim: String,
    refused: Mutex<Vec<String>>,
    routes: Mutex<BTreeSet<String>>,
    strange: Mutex<BTreeSet<String>>,
}

impl Tee {
    async fn start(mock: &StripeMock, bench: &Bench) -> (Arc<Self>, Stripe) {
        let tee = Arc::new(Self {
            http: reqwest::Client::new(),
            mock: mock.url(),
            sim: bench.server.url().to_owned(),
            refused: Mutex::default(),
            routes: Mutex::default(),
            strange: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(Arc::clone(&tee));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (tee, client(&url, CANARY))
    }

    async fn send(
        &self,
        base: &str,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> (StatusCode, Bytes) {
        let mut request = self.http.request(method.clone(), format!("{base}{uri}"));
        for name in ["authorization", "content-type", "idempotency-key", "stripe-version"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = request.body(body.clone()).send().await.unwrap();
        (answer.status(), answer.bytes().await.unwrap())
    }

    /// What the stand-in answers has no field that Stripe's objects don't have.
    fn compare(&self, mock: &Bytes, sim: &Bytes) {
        let parse = |bytes: &Bytes| serde_json::from_slice::<Value>(bytes).unwrap();
        let (mock, sim) = (parse(mock), parse(sim));
        let one = |value: &Value| value["data"].get(0).unwrap_or(value).clone();
        let (mock, sim) = (one(&mock), one(&sim));
        let Some(fields) = sim.as_object() else { return };
        let strange = fields.keys().filter(|name| mock.get(*name).is_none());
        let kind = sim["object"].as_str().unwrap_or_default();
        self.strange.lock().unwrap().extend(strange.map(|name| format!("{kind}.{name}")));
    }
}

async fn pass(
    State(tee): State<Arc<Tee>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let (status, judged) = tee.send(&tee.mock, &method, &uri, &headers, &body).await;
    let route: Vec<&str> = uri
        .path()
        .split('/')
        .map(|part| if part.contains('_') && part != "billing_portal" { "{id}" } else { part })
        .collect();
    tee.routes.lock().unwrap().insert(format!("{method} {}", route.join("/")));
    if !status.is_success() {
        let form = String::from_utf8_lossy(&body).into_owned();
        tee.refused
            .lock()
            .unwrap()
            .push(format!("{method} {uri} {form}: {status} {}", String::from_utf8_lossy(&judged)));
    }
    let (answered, answer) = tee.send(&tee.sim, &method, &uri, &headers, &body).await;
    if status.is_success() && answered.is_success() {
        tee.compare(&judged, &answer);
    }
    Response::builder()
        .status(answered)
        .header("content-type", "application/json")
        .body(Body::from(answer))
        .unwrap()
}

async fn pay_once(bench: &Bench, stripe: &Stripe) {
    let new = checkout(Billing::Once);
    let opened = stripe.open_checkout(&new).await.unwrap();
    let lost = LostCheckout { order: new.order.clone(), attempt: new.attempt.clone(), since: now() };
    assert_eq!(stripe.find_checkout(&lost).await.unwrap().unwrap().id, opened.id);
    bench.server.sim.enter().visit(&opened.id, Visit::Pay).unwrap();
    let payment = stripe.read(&known(&new, &opened)).await.unwrap().payments.remove(0);
    for (extent, key) in [(Extent::Part, "refund-1"), (Extent::Full, "refund-2")] {
        let refund = NewRefund {
            payment: payment.id.clone(),
            amount: Money::of(500, "EUR").unwrap(),
            extent,
            paid_at: payment.paid_at,
            asked_at: now(),
            reason: "asked for".to_owned(),
            idempotency_key: key.to_owned(),
        };
        stripe.refund(&refund).await.unwrap();
    }
    bench.server.sim.enter().dispute(&payment.id).unwrap();
    stripe.read(&known(&new, &opened)).await.unwrap();
    let slow = NewCheckout { idempotency_key: "slow".to_owned(), ..checkout(Billing::Once) };
    let opened = stripe.open_checkout(&slow).await.unwrap();
    bench.server.sim.enter().visit(&opened.id, Visit::PayLater).unwrap();
    bench.server.sim.enter().settle(&opened.id, Settled::Came).unwrap();
    stripe.read(&known(&slow, &opened)).await.unwrap();
    let other = NewCheckout { idempotency_key: "another".to_owned(), ..checkout(Billing::Once) };
    let opened = stripe.open_checkout(&other).await.unwrap();
    stripe.close_checkout(&opened).await.unwrap();
}

async fn subscribe(bench: &Bench, stripe: &Stripe) {
    let new = NewCheckout { idempotency_key: "monthly".to_owned(), ..checkout(monthly()) };
    let opened = stripe.open_checkout(&new).await.unwrap();
    bench.server.sim.enter().visit(&opened.id, Visit::Pay).unwrap();
    let truth = stripe.read(&known(&new, &opened)).await.unwrap();
    let id = truth.subscriptions[0].id.clone();
    let change = ChangeSubscription {
        id: id.clone(),
        price: Money::of(3900, "EUR").unwrap(),
        interval: Interval::Year,
        title: "OpenClaw Max".to_owned(),
        plan: "openclaw-max".to_owned(),
        idempotency_key: "change".to_owned(),
    };
    stripe.change_subscription(&change).await.unwrap();
    let portal =
        NewPortal { customer: truth.customer.unwrap(), return_url: "https://portal.example/".to_owned() };
    stripe.open_portal(&portal).await.unwrap();
    for (when, key) in [(Ending::AtPeriodEnd, "end-1"), (Ending::Now, "end-2")] {
        let ending = EndSubscription { id: id.clone(), when, idempotency_key: key.to_owned() };
        stripe.end_subscription(&ending).await.unwrap();
    }
}

#[tokio::test]
async fn stripes_own_mock_accepts_every_request_and_knows_every_field() {
    let (mock, bench) = (StripeMock::start().await.unwrap(), Bench::start().await);
    let (tee, stripe) = Tee::start(&mock, &bench).await;
    pay_once(&bench, &stripe).await;
    subscribe(&bench, &stripe).await;
    assert_eq!(*tee.refused.lock().unwrap(), Vec::<String>::new());
    let routes = tee.routes.lock().unwrap().iter().cloned().collect::<Vec<_>>().join("\n");
    assert_eq!(routes, EVERY_CALL.trim(), "each call of the client is made here");
    assert_eq!(*tee.strange.lock().unwrap(), BTreeSet::new());
}

#[tokio::test]
async fn the_published_examples_can_be_read() {
    let (mock, _installs_tls) = (StripeMock::start().await.unwrap(), Bench::start().await);
    let stripe = client(&mock.url(), CANARY);
    let order = KnownOrder { subscription: Some("sub_1".to_owned()), ..KnownOrder::default() };
    let truth = stripe.read(&order).await.unwrap();
    assert_eq!((truth.subscriptions.len(), truth.invoices.len()), (1, 1));
    assert_eq!(truth.subscriptions[0].interval, Some(Interval::Month));
    let method = truth.subscriptions[0].payment_method.clone();
    assert_eq!(method.unwrap().last4.as_deref(), Some("4242"));
    assert!(stripe.open_checkout(&checkout(monthly())).await.unwrap().id.starts_with("cs_"));
}

const EVERY_CALL: &str = "
DELETE /v1/subscriptions/{id}
GET /v1/charges
GET /v1/charges/{id}
GET /v1/checkout/sessions
GET /v1/checkout/sessions/{id}
GET /v1/disputes
GET /v1/invoices
GET /v1/subscriptions/{id}
POST /v1/billing_portal/sessions
POST /v1/checkout/sessions
POST /v1/checkout/sessions/{id}/expire
POST /v1/products
POST /v1/refunds
POST /v1/subscriptions/{id}
";
