//! Proofs by DNS in the real name server's zone, and by HTTP at a real port.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use moorage::domains::acme::{Cause, Challenge, Fault, Method, Proof, Stage};
use moorage::domains::dns::{self, Host, Means, Provider, Text};
use moorage::engine::clock::SystemClock;
use moorage::engine::config::BaseDomain;
use serde_json::json;
use testbed::NameServer;
use testbed::name_server::TSIG_NAME;

use crate::scene::{account, authority, finish, looking, names, prove};

const DOMAIN: &str = "example.dev";

/// Whoever keeps the records of the server's zone.
fn provider(server: &NameServer) -> Arc<dyn Provider> {
    let tsig = json!({"name": TSIG_NAME, "key": {"file": server.key_file().unwrap()}});
    let dns = json!({"rfc2136": {"server": server.address(), "tsig": tsig}});
    let domain = json!({"name": DOMAIN, "dns": dns, "certificate": {"secret": {"name": "tls"}}});
    let domain: BaseDomain = serde_json::from_value(domain).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let nowhere = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let kube = kube::Client::try_from(nowhere).unwrap();
    let means = Means { kube, namespace: "moorage-system".into(), clock: Arc::new(SystemClock) };
    dns::provider(&domain, &means).unwrap().unwrap()
}

fn texts(challenges: &[Challenge]) -> Vec<Text> {
    let text = |challenge: &Challenge| match &challenge.proof {
        Proof::Dns(text) => text.clone(),
        Proof::Http { .. } => panic!("{challenge:?}"),
    };
    challenges.iter().map(text).collect()
}

async fn publish(provider: &dyn Provider, challenges: &[Challenge]) {
    for text in texts(challenges) {
        provider.add_text(&text).await.unwrap();
    }
}

#[tokio::test]
async fn a_name_is_proved_by_a_text_in_dns() {
    let server = NameServer::start(DOMAIN).await.unwrap();
    let pebble = looking(&server, json!({})).await;
    let (provider, account) = (provider(&server), account(&authority(&pebble, json!({}))).await);
    let issued = prove(&account, &["a.example.dev"], Method::Dns, async |challenges| {
        assert_eq!(texts(&challenges)[0].name, "_acme-challenge.a.example.dev");
        publish(&*provider, &challenges).await;
    });
    let issued = issued.await.unwrap();
    assert_eq!(issued.certificate.names(), ["a.example.dev"]);
    assert!(issued.certificate.issuer.contains("Pebble Intermediate CA"), "{}", issued.certificate.issuer);
}

#[tokio::test]
async fn a_wildcard_and_its_domain_are_proved_under_one_name() {
    let server = NameServer::start(DOMAIN).await.unwrap();
    let pebble = looking(&server, json!({})).await;
    let (provider, account) = (provider(&server), account(&authority(&pebble, json!({}))).await);
    let sight = dns::Authority::new(DOMAIN, &[server.address().to_string()]);
    let both = ["*.example.dev", "example.dev"];
    let issued = prove(&account, &both, Method::Dns, async |challenges| {
        let names: Vec<&str> = challenges.iter().map(|challenge| challenge.name.as_str()).collect();
        assert!(both.iter().all(|name| names.contains(name)), "{names:?}");
        let texts = texts(&challenges);
        assert!(texts.iter().all(|text| text.name == "_acme-challenge.example.dev"));
        assert_ne!(texts[0].value, texts[1].value);
        publish(&*provider, &challenges).await;
        assert_eq!(sight.shows(&texts).await.unwrap(), dns::Sight::Everywhere);
    });
    assert!(issued.await.unwrap().certificate.covers("b.example.dev"));
}

#[tokio::test]
async fn an_order_is_taken_up_again_after_a_crash_wherever_it_stands() {
    let server = NameServer::start(DOMAIN).await.unwrap();
    let pebble = looking(&server, json!({})).await;
    let (provider, account) = (provider(&server), account(&authority(&pebble, json!({}))).await);
    let host = ["a.example.dev"];
    let mut order = account.order(&names(&host), None).await.unwrap();
    let asked = order.challenges(Method::Dns).await.unwrap();
    // Each process takes one step, and only the address is left to the next.
    let url = order.url().to_owned();
    drop(order);
    let mut order = account.resume(&url).await.unwrap();
    assert_eq!(order.challenges(Method::Dns).await.unwrap(), asked);
    publish(&*provider, &asked).await;
    order.answer(Method::Dns).await.unwrap();
    let mut order = account.resume(&url).await.unwrap();
    order.answer(Method::Dns).await.unwrap();
    assert!(order.challenges(Method::Dns).await.unwrap().is_empty());
    assert_eq!(order.requests(), 2, "the order and its authorization");
    finish(account.resume(&url).await.unwrap(), &host).await.unwrap();
    assert_eq!(account.resume(&url).await.unwrap().stage(), &Stage::Valid);
}

type Files = Arc<Mutex<BTreeMap<String, String>>>;

async fn file(State(files): State<Files>, Path(token): Path<String>) -> Result<String, StatusCode> {
    files.lock().unwrap().get(&token).cloned().ok_or(StatusCode::NOT_FOUND)
}

/// A server with the files, and its port.
async fn web(files: &Files) -> u16 {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app =
        Router::new().route("/.well-known/acme-challenge/{token}", get(file)).with_state(Arc::clone(files));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    port
}

/// The host is at this machine.
async fn is_here(provider: &dyn Provider, host: &str) {
    let host = Host { name: host.into(), owner: "prod/abc".into() };
    provider.set_addresses(&host, &[IpAddr::V4(Ipv4Addr::LOCALHOST)]).await.unwrap();
}

#[tokio::test]
async fn a_name_is_proved_by_a_file_of_its_host() {
    let (server, files) = (NameServer::start(DOMAIN).await.unwrap(), Files::default());
    let pebble = looking(&server, json!({"httpPort": web(&files).await})).await;
    let (provider, account) = (provider(&server), account(&authority(&pebble, json!({}))).await);
    is_here(&*provider, "web.example.dev").await;
    let issued = prove(&account, &["web.example.dev"], Method::Http, async |challenges| {
        assert_eq!(challenges[0].name, "web.example.dev");
        let Proof::Http { token, key_authorization } = &challenges[0].proof else { panic!("{challenges:?}") };
        files.lock().unwrap().insert(token.clone(), key_authorization.clone());
    });
    issued.await.unwrap();
    let mut order = account.order(&names(&["*.example.dev"]), None).await.unwrap();
    let refused = order.challenges(Method::Http).await.unwrap_err();
    assert_eq!(refused.cause, Cause::Refused);
    assert!(refused.to_string().contains("A wildcard is proved by DNS."), "{refused}");
    assert_eq!(order.challenges(Method::Dns).await.unwrap().len(), 1, "as it then is");
}

#[tokio::test]
async fn a_proof_that_is_not_there_is_told_with_its_host_and_the_same_each_time() {
    let (server, files) = (NameServer::start(DOMAIN).await.unwrap(), Files::default());
    let pebble = looking(&server, json!({"httpPort": web(&files).await})).await;
    let (provider, account) = (provider(&server), account(&authority(&pebble, json!({}))).await);
    is_here(&*provider, "web.example.dev").await;
    for (host, method, fault) in [
        ("web.example.dev", Method::Http, Fault::Unauthorized),
        ("nowhere.example.dev", Method::Http, Fault::Connection),
        ("bare.example.dev", Method::Dns, Fault::Unauthorized),
    ] {
        let mut told = Vec::new();
        for _ in 0..2 {
            let failed = prove(&account, &[host], method, async |_| {}).await.map(|_| ()).unwrap_err();
            assert_eq!(failed.cause, Cause::ProofFailed(fault), "{failed}");
            told.push(failed.to_string());
        }
        assert_eq!(told[0], told[1]);
        assert!(told[0].contains(host) && !told[0].contains("://"), "{}", told[0]);
    }
}
