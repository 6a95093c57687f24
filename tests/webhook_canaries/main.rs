//! The keys of payment providers are nowhere but in their files: not in status, events, logs at their most talkative,
//! metrics or answers, whatever is sent, and even if a file is broken.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "test code"
)]

#[path = "../runtime_support/mod.rs"]
mod runtime_support;
#[path = "../webhook_support/mod.rs"]
mod webhook_support;

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use runtime_support::start;
use serde_json::json;
use testbed::survey::leaks;
use testbed::{BillingSim, BillingSimOptions, Identity, Payments, Rig, eventually, platform};
use webhook_support::{completed, paid, record_order, registered, signature};

const ORDER: &str = "00000000-0000-4000-8000-00000000aaaa";
const STRIPE_ORDER: &str = "00000000-0000-4000-8000-00000000bbbb";

fn keys() -> BillingSimOptions {
    BillingSimOptions {
        stripe_key: "sk_test_canaryOfTheKey3f1".to_owned(),
        stripe_secret: "whsec_canaryOfTheSecret8c2".to_owned(),
        payapp_userid: "shop".to_owned(),
        payapp_linkkey: "canaryOfTheLinkkey5d7".to_owned(),
        payapp_linkval: "canaryOfTheLinkval1e9".to_owned(),
        ..BillingSimOptions::default()
    }
}

/// Whoever takes webhooks, as somebody outside sees it.
struct Outside {
    http: reqwest::Client,
    address: String,
    answers: Vec<String>,
}

impl Outside {
    fn new(payments: &Payments) -> Self {
        let (http, address) = (reqwest::Client::new(), payments.address().to_owned());
        Self { http, address, answers: Vec::new() }
    }

    async fn notice(&mut self, body: String) -> u16 {
        let url = format!("http://{}/webhooks/payapp", self.address);
        let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(body)).await
    }

    async fn event(&mut self, secret: &str, body: String) -> u16 {
        let url = format!("http://{}/webhooks/stripe", self.address);
        let request = self.http.post(url).header("content-type", "application/json");
        let request = request.header("stripe-signature", signature(secret, &body));
        self.send(request.body(body)).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> u16 {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        self.answers.push(format!("{:?} {}", answer.headers().clone(), answer.text().await.unwrap()));
        status
    }
}

async fn nowhere(rig: &Rig, outside: &Outside) {
    let client = rig.client().await.unwrap();
    let keys = keys();
    for canary in [keys.stripe_key, keys.stripe_secret, keys.payapp_linkkey, keys.payapp_linkval] {
        let places = leaks(&canary, &client, &rig.fly, &rig.operator).await.unwrap();
        assert_eq!(places, [""; 0], "{canary}");
        assert!(!outside.answers.concat().contains(&canary), "{canary} in an answer");
    }
}

#[tokio::test]
async fn keys_stay_where_they_are() {
    let keys = keys();
    let sim = BillingSim::start(&keys).await.unwrap();
    let payments = Payments::new(&keys).unwrap();
    let billing = payments.config(sim.stripe_url(), sim.payapp_url());
    let mut rig = start(vec![("/billing", billing), ("/logging/level", json!("trace"))]).await.unwrap();
    let operator = Identity::service_account(platform::NAMESPACE, platform::SERVICE_ACCOUNT);
    let operator = rig.cluster.client(&operator).await.unwrap();
    record_order(&operator, ORDER, registered()).await.unwrap();
    record_order(&operator, STRIPE_ORDER, json!({"provider": "Stripe"})).await.unwrap();
    let mut outside = Outside::new(&payments);

    // What the providers send, and what others do who know a part.
    let (linkkey, linkval) = (keys.payapp_linkkey.as_str(), keys.payapp_linkval.as_str());
    assert_eq!(outside.notice(paid(ORDER, "1001", linkkey, linkval)).await, 200);
    assert_eq!(outside.notice(paid(linkkey, linkval, linkkey, linkval)).await, 400, "keys where ids belong");
    assert_eq!(outside.notice(paid(ORDER, "1002", linkkey, "guessed")).await, 400);
    assert_eq!(outside.notice(format!("{0}={0}&{0}={0}", linkval)).await, 400);
    assert_eq!(outside.event(&keys.stripe_secret, completed(STRIPE_ORDER, "1")).await, 200);
    assert_eq!(outside.event("whsec_guessed", completed(STRIPE_ORDER, &keys.stripe_secret)).await, 400);
    assert_eq!(outside.event(&keys.stripe_secret, keys.stripe_secret.clone()).await, 400);
    nowhere(&rig, &outside).await;

    // A file that can't be a key leaves the one that was; at a start there is none, and the reason is told.
    for key in ["stripe-key", "stripe-webhook-secret", "payapp-linkkey", "payapp-linkval"] {
        let held = fs::read_to_string(payments.key(key)).unwrap();
        fs::write(payments.key(key), format!("{held}\n{held}")).unwrap();
    }
    rig.operator.kill().unwrap();
    rig.operator.restart().unwrap();
    rig.operator.wait_ready(Duration::from_secs(30)).await.unwrap();
    assert_eq!(outside.notice(paid(ORDER, "1003", linkkey, linkval)).await, 503);
    assert_eq!(outside.event(&keys.stripe_secret, completed(STRIPE_ORDER, "2")).await, 503);
    assert!(rig.operator.log().contains("holds no key"), "why they can't be taken is said");
    nowhere(&rig, &outside).await;

    // Mended files need no restart.
    for (name, key) in [
        ("stripe-key", &keys.stripe_key),
        ("stripe-webhook-secret", &keys.stripe_secret),
        ("payapp-linkkey", &keys.payapp_linkkey),
        ("payapp-linkval", &keys.payapp_linkval),
    ] {
        fs::write(payments.key(name), key).unwrap();
    }
    eventually("a notice to be taken", Duration::from_secs(10), async || {
        let mut outside = Outside::new(&payments);
        let status = outside.notice(paid(ORDER, "1003", linkkey, linkval)).await;
        ensure!(status == 200, "{status}");
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(outside.event(&keys.stripe_secret, completed(STRIPE_ORDER, "2")).await, 200);
    nowhere(&rig, &outside).await;
}
