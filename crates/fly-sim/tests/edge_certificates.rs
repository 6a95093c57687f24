//! Which names the edge answers for in the TLS handshake.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod edge_support;

use std::sync::Arc;

use edge_support::{OneMachine, edge, machine, mirror};
use fly_sim::edge::{Authority, certified_key};
use http::StatusCode;

#[tokio::test]
async fn apps_are_served_with_a_certificate_of_the_own_authority() {
    let setup = edge(OneMachine::at(machine(mirror).await)).await;
    for hostname in ["acme.fly.dev", "beta.fly.dev"] {
        let (head, _) = setup.get(hostname, "/").await;
        assert_eq!(head.status, StatusCode::OK);
    }
    let asked = setup.routes.asked.lock().unwrap();
    assert_eq!(
        asked.iter().map(|request| &*request.hostname).collect::<Vec<_>>(),
        ["acme.fly.dev", "beta.fly.dev"]
    );
}

#[tokio::test]
async fn an_unknown_name_fails_in_the_handshake() {
    let setup = edge(OneMachine::at(machine(mirror).await)).await;
    let error = setup.tls("stranger.example.org").await.unwrap_err();
    assert!(error.to_string().contains("AccessDenied"), "{error}");
    assert!(setup.routes.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_custom_certificate_is_used_as_it_is() {
    let issued = rcgen::generate_simple_self_signed(vec!["ai.example.com".to_owned()]).unwrap();
    let key = certified_key(&issued.cert.pem(), &issued.signing_key.serialize_pem()).unwrap();
    let mut routes = OneMachine::at(machine(mirror).await);
    routes.custom = Some(Arc::new(key));
    let setup = edge(routes).await;
    // The client trusts the edge's authority only, and this certificate isn't its.
    let error = setup.tls("ai.example.com").await.unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let one = rcgen::generate_simple_self_signed(vec!["a.example.com".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["b.example.com".to_owned()]).unwrap();
    assert!(certified_key(&one.cert.pem(), &other.signing_key.serialize_pem()).is_err());
    assert!(certified_key("no pem", "no pem").is_err());
}

#[tokio::test]
async fn the_authority_is_kept_over_a_restart() {
    let state = tempfile::tempdir().unwrap();
    let first = Authority::in_folder(state.path()).unwrap();
    let pem = std::fs::read_to_string(first.certificate_path()).unwrap();
    drop(first);
    let again = Authority::in_folder(state.path()).unwrap();
    assert_eq!(std::fs::read_to_string(again.certificate_path()).unwrap(), pem);
    let routes = Arc::new(OneMachine::at(machine(mirror).await));
    let edge = fly_sim::edge::Edge::start(fly_sim::edge::EdgeOptions::default(), again, routes.clone())
        .await
        .unwrap();
    let setup = edge_support::Setup { edge, routes, state };
    let (head, _) = setup.get("acme.fly.dev", "/").await;
    assert_eq!(head.status, StatusCode::OK, "what it signs after a restart still fits ca.pem");
}
