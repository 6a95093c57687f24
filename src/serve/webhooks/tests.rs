//! The endpoint against a stand-in for the API server, which can be down.

mod api_server;
mod payapp;
mod slow;
mod stripe;

use std::io::Write as _;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tower::Service as _;

use super::*;
use crate::engine::clock::SystemClock;
use api_server::ApiServer;

const SECRET: &str = "whsec_canary";
const LINKKEY: &str = "canary-linkkey";
const LINKVAL: &str = "canary-linkval";

/// An endpoint with both providers, and what it writes to.
struct Bench {
    router: Router,
    api: ApiServer,
    index: Index,
    metrics: Metrics,
    _keys: Vec<NamedTempFile>,
}

impl Bench {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let api = ApiServer::start().await;
        let keys: Vec<NamedTempFile> = ["sk_test_canary", SECRET, LINKKEY, LINKVAL].map(key).into();
        let path = |at: usize| keys[at].path();
        let billing = json!({
            "returnURL": "https://portal.example", "publicURL": "https://hooks.example",
            "stripe": {"secretKeyFile": path(0), "webhookSecretFiles": [path(1)]},
            "payapp": {"userID": "shop", "shopName": "Acme", "linkKeyFile": path(2), "linkValueFile": path(3)},
        });
        let billing: Billing = serde_json::from_value(billing).unwrap();
        let metrics = Metrics::new();
        let client = api.client();
        let hooks = Webhooks::new(&billing, &client, &client, Arc::new(SystemClock), metrics.clone());
        let index = hooks.index.clone();
        Self { router: router(hooks), api, index, metrics, _keys: keys }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = self.router.clone().call(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    fn count(&self, provider: &str, outcome: &str) -> u64 {
        let series = format!(r#"moorage_webhooks_total{{provider="{provider}",outcome="{outcome}"}} "#);
        let text = self.metrics.render().unwrap();
        text.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).unwrap_or_default()
    }
}

fn key(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "{text}").unwrap();
    file
}

fn post(path: &str, content_type: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(Method::POST).uri(path).header("content-type", content_type);
    request.body(body.into()).unwrap()
}

/// The claim of an order, whose attempt is being opened; `more` is merged into what is recorded.
fn claim(order: &str, more: &Value) -> Value {
    let spec = serde_json::to_value(plan::tests::claim(more)).unwrap();
    let mut claim = json!({
        "apiVersion": "moorage.dev/v1alpha1", "kind": "NameClaim",
        "metadata": {"name": format!("order.{order}")}, "spec": spec,
    });
    claim["spec"]["order"]["uid"] = json!(order);
    claim
}

#[tokio::test]
async fn what_no_provider_sends_is_refused_before_it_is_read() {
    let bench = Bench::new().await;
    let large = vec![b'a'; 300 * 1024];
    for path in [STRIPE_PATH, PAYAPP_PATH] {
        let own = if path == STRIPE_PATH { "application/json" } else { "application/x-www-form-urlencoded" };
        let mut get = post(path, own, "");
        *get.method_mut() = Method::GET;
        assert_eq!(bench.send(get).await.0, StatusCode::BAD_REQUEST);
        assert_eq!(bench.send(post(path, "text/html", "x")).await.0, StatusCode::BAD_REQUEST);
        let told = bench.send(post(path, own, large.clone())).await;
        assert_eq!(told.0, StatusCode::PAYLOAD_TOO_LARGE);
        let mut sized = post(path, own, "x");
        sized.headers_mut().insert("content-length", "999999999".parse().unwrap());
        assert_eq!(bench.send(sized).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    }
    assert_eq!(bench.send(post("/healthz", "text/plain", "")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(bench.api.calls(), 0);
    assert_eq!((bench.count("stripe", "refused"), bench.count("payapp", "too_large")), (2, 2));
}
