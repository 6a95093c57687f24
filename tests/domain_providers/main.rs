//! Records through each provider: against a real name server, a stand-in for Cloudflare that checks what it is sent,
//! and a real API server for external-dns' objects.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::pedantic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "test code"
)]

mod cloudflare;
mod updates;

use std::sync::Arc;

use moorage::domains::dns::{Host, Means, Provider, Text, provider};
use moorage::engine::clock::SystemClock;
use moorage::engine::config::BaseDomain;
use serde_json::{Value, json};

pub const HOST: &str = "acme-ops.example.dev";

/// A provider as it is configured.
pub fn configured(dns: Value) -> Arc<dyn Provider> {
    let domain = json!({"name": "example.dev", "dns": dns, "certificate": {"secret": {"name": "tls"}}});
    let domain: BaseDomain = serde_json::from_value(domain).unwrap();
    provider(&domain, &means()).unwrap().unwrap()
}

pub fn means() -> Means {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let nowhere = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let kube = kube::Client::try_from(nowhere).unwrap();
    Means { kube, namespace: "moorage-system".into(), clock: Arc::new(SystemClock) }
}

pub fn host(owner: &str) -> Host {
    Host { name: HOST.into(), owner: owner.into() }
}

pub fn text(value: &str) -> Text {
    Text { name: "_acme-challenge.example.dev".into(), value: value.into() }
}
