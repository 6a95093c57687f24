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
use runtime_support::{Tenant, start};
use serde_json::json;
use testbed::survey::leaks;
use testbed::{BillingSim, BillingSimOptions, Identity, Payments, Rig, apply, eventually, platform};
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

/// A Plan that PayApp can take payments for.
const WON: &str = r"
apiVersion: moorage.dev/v1alpha1
kind: Plan
metadata: {name: sold}
spec:
  {displayName: Sold, cpuKind: Shared, cpus: 2, memoryMB: 2048, volumeGB: 3, amount: 19900, currency: KRW,
   interval: Month}
";

/// An order whose page PayApp refuses to open, in words that repeat what it was sent.
async fn refused(rig: &Rig, sim: &BillingSim) {
    let keys = keys();
    let body = format!(
        "state=0&errno=70010&errorMessage=invalid+key+{}+({})",
        keys.payapp_linkkey, keys.payapp_linkval
    );
    let matching = json!({"method": "POST", "route": "/oapi/apiLoad.html"});
    let action = json!({"kind": "status", "status": 200, "when": "before", "body": body});
    sim.send("faults", &json!({"match": matching, "action": action})).await.unwrap();
    apply(&rig.client().await.unwrap(), WON).await.unwrap();
    let tenant = Tenant::new(&rig.cluster, &rig.fly, "canary").await.unwrap();
    let of = |kind: &'static str, name: &'static str, spec: serde_json::Value| {
        let tenant = &tenant;
        async move { tenant.apply("moorage.dev/v1alpha1", kind, name, json!({"spec": spec})).await.unwrap() }
    };
    let member = json!({"kind": "User", "name": "ada-canary", "role": "Owner"});
    of("Workspace", "acme", json!({"displayName": "Acme", "subdomain": "canary", "members": [member]})).await;
    let runtime = json!({"name": "ops", "slug": tenant.slug("ops")});
    let payment = json!({"provider": "PayApp"});
    of("RuntimeOrder", "ops", json!({"planRef": {"name": "sold"}, "runtime": runtime, "payment": payment}))
        .await;
    let orders = tenant.api("moorage.dev/v1alpha1", "RuntimeOrder").await.unwrap();
    eventually("what PayApp said is told", Duration::from_secs(60), async || {
        let order = serde_json::to_value(orders.get("ops").await?)?;
        let told = order["status"]["conditions"].to_string();
        ensure!(told.contains("invalid key [redacted] ([redacted])"), "{told}");
        Ok(())
    })
    .await
    .unwrap();
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
    refused(&rig, &sim).await;
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
