//! Never sent, refused, or sent with an unknown end: what is told, and what is repeated.

use std::time::Duration;

use fly_machines::types::{CreateMachine, CreateVolume};
use fly_machines::{ErrorClass, Outcome};

use crate::server::{Server, builder, dropping, json};

#[tokio::test]
async fn a_create_that_ends_in_the_dark_is_ambiguous_and_sent_once() {
    for status in [408, 500, 502, 503, 504] {
        let server = Server::start(move |_| json(status, "<html>upstream</html>")).await;
        let error = server.client().machines("one").create(&CreateMachine::default()).await.unwrap_err();
        assert_eq!((error.class(), error.outcome()), (ErrorClass::Ambiguous, Outcome::Unknown), "{status}");
        assert_eq!(error.status(), Some(status));
        assert!(!error.message().contains("html"), "{}", error.message());
        assert_eq!(server.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_create_whose_connection_drops_is_ambiguous_and_sent_once() {
    let (base, requests) = dropping(1, "{}").await;
    let client = builder(&base).build().unwrap();
    let error = client.volumes("one").create(&CreateVolume::new("data", "fra", 1)).await.unwrap_err();
    assert_eq!((error.class(), error.outcome()), (ErrorClass::Ambiguous, Outcome::Unknown));
    assert_eq!(*requests.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_create_that_is_not_answered_in_time_is_ambiguous() {
    let (base, _requests) = silent().await;
    let client = builder(&base).write_deadline(Duration::from_millis(100)).build().unwrap();
    let error = client.machines("one").create(&CreateMachine::default()).await.unwrap_err();
    assert_eq!((error.class(), error.outcome()), (ErrorClass::Ambiguous, Outcome::Unknown));
    assert_eq!(error.to_string(), "machines.create: no answer within the deadline");
}

#[tokio::test]
async fn a_create_whose_answer_makes_no_sense_is_ambiguous() {
    let server = Server::start(|_| json(200, r#"{"id":{"secret":"canary"}}"#)).await;
    let error = server.client().machines("one").create(&CreateMachine::default()).await.unwrap_err();
    assert_eq!((error.class(), error.outcome()), (ErrorClass::Ambiguous, Outcome::Unknown));
    assert!(!format!("{error} {error:?}").contains("canary"));
    let error = server.client().machines("one").get("m").await.unwrap_err();
    assert_eq!((error.class(), error.outcome()), (ErrorClass::BadAnswer, Outcome::Refused));
}

#[tokio::test]
async fn reads_are_repeated_a_little() {
    let server = Server::start(|seen| match seen.ordinal {
        1 => json(502, ""),
        2 => json(503, "busy"),
        _ => json(200, r#"{"id":"m"}"#),
    })
    .await;
    assert_eq!(server.client().machines("one").get("m").await.unwrap().id, "m");
    let (base, requests) = dropping(1, r#"{"id":"m"}"#).await;
    builder(&base).build().unwrap().machines("one").get("m").await.unwrap();
    assert_eq!(*requests.lock().unwrap(), 2);
    let server = Server::start(|_| json(500, "")).await;
    let error = server.client().machines("one").get("m").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unavailable);
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn what_never_left_is_told_from_what_did() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = builder(&base).build().unwrap();
    let error = client.machines("one").create(&CreateMachine::default()).await.unwrap_err();
    assert_eq!((error.class(), error.outcome()), (ErrorClass::Unreachable, Outcome::NotSent));
    let error = client.machines("one").get("m").await.unwrap_err();
    assert_eq!((error.class(), error.outcome()), (ErrorClass::Unreachable, Outcome::NotSent));
}

#[tokio::test]
async fn a_refusal_is_final_and_sent_once() {
    let text = r#"{"error":"could not find a candidate host","status":"insufficient_capacity"}"#;
    let server = Server::start(move |_| json(422, text)).await;
    let error = server.client().machines("one").create(&CreateMachine::default()).await.unwrap_err();
    assert_eq!(error.class().as_str(), "capacity_region");
    assert_eq!(error.outcome(), Outcome::Refused);
    assert_eq!(server.seen().len(), 1);
}

/// A server that takes connections and says nothing.
pub(crate) async fn silent() -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    (base, task)
}
