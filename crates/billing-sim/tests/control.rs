//! The control side over HTTP, as programs in any language use it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test may fail loudly"
)]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use billing_sim::cli::Serve;
use billing_sim::serve::Server;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Heard = Arc<Mutex<Vec<(Option<String>, String)>>>;

struct Bench {
    server: Server,
    http: reqwest::Client,
    heard: Heard,
    shop: String,
}

impl Bench {
    async fn start() -> Self {
        let server = Server::start(&Serve::default()).await.unwrap();
        let heard = Heard::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shop = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(hear)).with_state(Arc::clone(&heard));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let redirects = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder().redirect(redirects).build().unwrap();
        Self { server, http, heard, shop }
    }

    async fn control(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/_sim/{path}", self.server.url());
        let answer = self.http.post(url).json(&body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path} {body}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn shows(&self, path: &str) -> Value {
        let url = format!("{}/_sim/{path}", self.server.url());
        self.http.get(url).send().await.unwrap().json().await.unwrap()
    }

    async fn session(&self) -> String {
        let form = "mode=subscription&success_url=http%3A%2F%2Fx&client_reference_id=o1&metadata[order]=o1\
            &line_items[0][quantity]=1&line_items[0][price_data][currency]=eur&line_items[0][price_data][unit_amount]=900\
            &line_items[0][price_data][product_data][name]=Pro&line_items[0][price_data][recurring][interval]=month";
        let request = self.http.post(format!("{}/v1/checkout/sessions", self.server.url()));
        let request =
            request.bearer_auth("sk_test_sim").header("content-type", "application/x-www-form-urlencoded");
        let answer: Value = request.body(form).send().await.unwrap().json().await.unwrap();
        answer["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    async fn request(&self) -> String {
        let body = format!(
            "cmd=payrequest&userid=simshop&linkkey=sim-linkkey&goodname=Pro&price=19900&recvphone=01000000000&feedbackurl={}&var1=o1&var2=1-n&checkretry=y",
            self.shop
        );
        let url = format!("{}/oapi/apiLoad.html", self.server.url());
        let answer = self.http.post(url).body(body).send().await.unwrap().text().await.unwrap();
        let number = answer.split('&').find_map(|pair| pair.strip_prefix("mul_no="));
        number.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    fn heard(&self) -> Vec<(Option<String>, String)> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

async fn hear(State(heard): State<Heard>, headers: HeaderMap, body: Bytes) -> &'static str {
    let signature = headers.get("stripe-signature").map(|value| value.to_str().unwrap().to_owned());
    heard.lock().unwrap().push((signature, String::from_utf8(body.to_vec()).unwrap()));
    "SUCCESS"
}

#[tokio::test]
async fn held_events_are_sent_when_they_are_asked_for() {
    let bench = Bench::start().await;
    bench.control("settings", json!({"webhook": bench.shop, "events": "held"})).await;
    let session = bench.session().await;
    bench.control("act", json!({"do": "visit", "session": session, "how": "pay"})).await;
    let waiting = bench.shows("stripe/events").await["waiting"].clone();
    let ids: Vec<&str> =
        waiting.as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert!(ids.len() >= 4, "{waiting}");
    assert_eq!(bench.heard().len(), 0);
    let sent = bench.control("stripe/events/send", json!([ids[1], ids[0], ids[0]])).await;
    assert_eq!(sent["statuses"], json!([200, 200, 200]));
    let heard = bench.heard();
    assert!(heard[0].1.contains(ids[1]) && heard[1].1 == heard[2].1);
    assert_eq!(bench.shows("stripe/events").await["waiting"].as_array().unwrap().len(), ids.len() - 2);

    let forgery = json!({"body": {"id": "evt_x"}, "secret": "whsec_guess", "age": 1000});
    assert_eq!(bench.control("stripe/events/forge", forgery).await["status"], 200);
    assert!(bench.heard()[0].1.contains("evt_x"));
    bench.control("settings", json!({"secrets": ["whsec_new", "whsec_sim"]})).await;
    bench.control("stripe/events/send", json!([ids[0]])).await;
    assert_eq!(bench.heard()[0].0.as_ref().unwrap().matches("v1=").count(), 2);
}

#[tokio::test]
async fn time_cards_refunds_and_disputes_are_turned_from_outside() {
    let bench = Bench::start().await;
    bench.control("settings", json!({"afterRetries": "unpaid"})).await;
    let session = bench.session().await;
    bench.control("act", json!({"do": "visit", "session": session, "how": "pay"})).await;
    let customer = bench.shows("stripe/customer").await["data"][0]["id"].as_str().unwrap().to_owned();
    bench.control(&format!("card/{customer}/declined"), json!({})).await;
    for _ in 0..5 {
        bench.control("clock", json!({"advanceMs": 32_i64 * 86_400_000})).await;
    }
    assert_eq!(bench.shows("stripe/subscription").await["data"][0]["status"], "unpaid");
    let payment = bench.shows("stripe/payment_intent").await["data"][0]["id"].clone();
    bench.control("act", json!({"do": "refund", "payment": payment, "amount": 100})).await;
    let dispute = bench.control("act", json!({"do": "dispute", "payment": payment})).await["id"].clone();
    bench.control("act", json!({"do": "close_dispute", "dispute": dispute, "how": "lost"})).await;
    assert_eq!(bench.shows("stripe/dispute").await["data"][0]["status"], "lost");
    let subscription = bench.shows("stripe/subscription").await["data"][0]["id"].clone();
    bench.control("act", json!({"do": "end_subscription", "subscription": subscription})).await;
    let entries = bench.shows("ledger?kind=effect").await["entries"].clone();
    let effects: Vec<&str> =
        entries.as_array().unwrap().iter().map(|entry| entry["effect"].as_str().unwrap()).collect();
    assert_eq!(
        effects,
        [
            "session.create",
            "subscription.create",
            "charge",
            "refund",
            "dispute.open",
            "dispute.close",
            "subscription.end"
        ]
    );
}

#[tokio::test]
async fn payapps_notices_are_held_sent_forged_and_lost() {
    let bench = Bench::start().await;
    let request = bench.request().await;
    assert!(bench.heard()[0].1.contains("pay_state=1"), "it is told while the call is answered");
    bench.control("settings", json!({"notices": "held"})).await;
    bench.control("act", json!({"do": "pay_app", "request": request, "how": "pay"})).await;
    bench.control("act", json!({"do": "pay_app_refund", "request": request})).await;
    let waiting = bench.shows("payapp/notices").await["waiting"].clone();
    assert_eq!((&waiting[0]["pay_state"], &waiting[1]["pay_state"]), (&json!("4"), &json!("9")));
    assert_eq!(
        bench.control("payapp/notices/send", json!([1, 0, 0])).await["taken"],
        json!([true, true, true])
    );
    assert_eq!(bench.heard().len(), 3);
    let forgery = json!({"request": request, "payState": 4, "fields": {"linkkey": "guess"}});
    bench.control("payapp/notices/forge", forgery).await;
    assert!(bench.heard()[0].1.contains("linkkey=guess"));
    bench.control("payapp/notices/drop", json!({})).await;
    assert_eq!(bench.shows("payapp/notices").await["waiting"], json!([]));
    assert_eq!(bench.shows("payapp").await["requests"][0]["standing"], "refunded");
}

#[tokio::test]
async fn rules_on_calls_are_those_of_the_stand_in_for_fly() {
    let bench = Bench::start().await;
    let rule = json!({"match": {"route": "/v1/checkout/sessions", "ordinal": 1}, "action": {"kind": "status", "status": 429}});
    let id = bench.control("faults", rule).await["id"].clone();
    let url = format!("{}/v1/checkout/sessions", bench.server.url());
    let status = bench.http.get(url).bearer_auth("sk_test_sim").send().await.unwrap().status();
    assert_eq!(status, 429);
    assert_eq!(bench.control(&format!("faults/{id}/release"), json!({})).await["released"], 0);
    let calls = bench.shows("ledger?kind=request").await["entries"].clone();
    assert_eq!(calls[0]["call"]["fault"]["action"], "status");
}
