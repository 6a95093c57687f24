//! Events as the stand-in sends them: they are Stripe's, and say where to look.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use billing_sim::clock::{Clock, RealClock};
use billing_sim::stripe::deliver::{self, Delivery};
use billing_sim::stripe::sessions::Visit;
use bytes::Bytes;
use jiff::Timestamp;
use moorage::billing::stripe::Mode;
use moorage::billing::stripe::webhook::{Hint, Rejection, Verifier};
use secrecy::SecretString;
use tokio::net::TcpListener;

use crate::stripe_bench::{Bench, monthly};

struct Endpoint {
    verifier: Verifier,
    seen: Mutex<Vec<Result<Hint, Rejection>>>,
}

async fn take(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let now = Timestamp::from_millisecond(RealClock.now()).unwrap();
    let seen = endpoint.verifier.verify(header, &body, now);
    let status = if seen.is_ok() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    endpoint.seen.lock().unwrap().push(seen);
    status
}

async fn endpoint(bench: &Bench, secret: &str) -> Arc<Endpoint> {
    let verifier = Verifier::new(&[SecretString::from(secret)], Mode::Test);
    let endpoint = Arc::new(Endpoint { verifier, seen: Mutex::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/stripe", listener.local_addr().unwrap());
    let router = Router::new().route("/stripe", post(take)).with_state(Arc::clone(&endpoint));
    tokio::spawn(async move { axum::serve(listener, router).await });
    bench.server.sim.enter().stripe.webhook = Some(url);
    endpoint
}

#[tokio::test]
async fn each_event_names_its_order_or_an_id_that_the_order_knows() {
    let bench = Bench::start().await;
    let endpoint = endpoint(&bench, "whsec_sim").await;
    let (new, opened) = bench.visited(monthly(), Visit::Pay).await;
    let mut kinds = BTreeSet::new();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        kinds = endpoint.seen.lock().unwrap().iter().flatten().map(|hint| hint.kind.clone()).collect();
        if kinds.contains("checkout.session.completed") {
            break;
        }
    }
    assert!(kinds.contains("invoice.paid") && kinds.contains("customer.subscription.created"), "{kinds:?}");
    let truth = bench.truth(&new, &opened).await;
    let known = [&opened.id, &truth.subscriptions[0].id, &truth.payments[0].id];
    for hint in endpoint.seen.lock().unwrap().iter() {
        let hint = hint.as_ref().unwrap();
        let found = hint.order.as_ref() == Some(&new.order) || hint.ids.iter().any(|id| known.contains(&id));
        assert!(found, "{hint:?}");
    }
}

#[tokio::test]
async fn held_events_come_late_twice_or_never_and_forged_ones_are_refused() {
    let bench = Bench::start().await;
    let endpoint = endpoint(&bench, "whsec_sim").await;
    bench.server.sim.enter().stripe.delivery = Delivery::Held;
    bench.visited(monthly(), Visit::Pay).await;
    let waiting = bench.server.sim.enter().waiting().to_vec();
    assert!(waiting.len() >= 4);
    let (first, last) = (&waiting[0], &waiting[waiting.len() - 1]);
    for id in [last, first, first] {
        assert_eq!(deliver::send(&bench.server.sim, id).await, Some(200));
    }
    let events: Vec<String> =
        endpoint.seen.lock().unwrap().iter().flatten().map(|hint| hint.event.clone()).collect();
    assert_eq!(events, [last.clone(), first.clone(), first.clone()]);
    bench.server.sim.enter().stripe.secrets = vec!["whsec_other".to_owned()];
    assert_eq!(deliver::send(&bench.server.sim, first).await, Some(400));
    assert_eq!(endpoint.seen.lock().unwrap().last(), Some(&Err(Rejection::Forged)));
    bench.server.sim.enter().stripe.secrets = vec!["whsec_new".to_owned(), "whsec_sim".to_owned()];
    assert_eq!(deliver::send(&bench.server.sim, first).await, Some(200));
}
