//! Waits end at the API's time and not at the client's.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fly_machines::types::{Exec, MachineState, WaitFor, WaitOutcome};
use fly_machines::{CallRecord, ErrorClass};

use crate::server::{Server, builder, json};

#[tokio::test]
async fn not_in_time_is_no_error() {
    let text =
        r#"{"error":"deadline_exceeded: machine failed to reach desired state, started, currently created"}"#;
    let server = Server::start(move |_| json(408, text)).await;
    let wait =
        WaitFor::state(MachineState::Started).or(MachineState::Stopped).timeout(Duration::from_secs(90));
    let outcome = server.client().machines("one").wait("m", &wait).await.unwrap();
    assert!(matches!(outcome, WaitOutcome::NotYet));
    let expected = "/v1/apps/one/machines/m/wait?timeout=60&state=started&state=stopped";
    assert_eq!(server.seen()[0].target, expected, "the API takes 60 s at most");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn gone_is_what_was_waited_for_or_an_error() {
    let server = Server::start(|_| json(404, r#"{"error":"not_found: machine not found"}"#)).await;
    let client = server.client();
    let gone = client.machines("one").wait("m", &WaitFor::state(MachineState::Destroyed)).await.unwrap();
    assert!(matches!(gone, WaitOutcome::Reached(waited) if waited.state == MachineState::Destroyed));
    let error = client.machines("one").wait("m", &WaitFor::state(MachineState::Started)).await.unwrap_err();
    assert!(error.is_not_found());
}

#[tokio::test]
async fn a_wait_outlasts_the_deadline_of_other_reads() {
    let (base, _task) =
        slow(Duration::from_millis(500), r#"{"ok":true,"state":"started","version":"01A"}"#).await;
    let client = builder(&base).read_deadline(Duration::from_millis(50)).build().unwrap();
    let wait = WaitFor::state(MachineState::Started).timeout(Duration::from_secs(1));
    let outcome = client.machines("one").wait("m", &wait).await.unwrap();
    assert!(matches!(outcome, WaitOutcome::Reached(waited) if waited.version == "01A"));
    let error = client.machines("one").get("m").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unavailable);
}

#[tokio::test]
async fn a_command_that_failed_is_an_answer() {
    let server = Server::start(|_| json(200, r#"{"exit_code":3,"stderr":"no"}"#)).await;
    let answer = server.client().machines("one").exec("m", &Exec::new(["false"])).await.unwrap();
    assert!(!answer.succeeded() && answer.exit_code == 3 && answer.stderr == "no");
    assert_eq!(server.seen()[0].body, r#"{"command":["false"],"timeout":25}"#);
}

#[tokio::test]
async fn the_observer_sees_each_call_once() {
    let server = Server::start(|seen| match seen.ordinal {
        1 => json(502, ""),
        2 => json(200, r#"{"id":"m"}"#),
        _ => json(404, ""),
    })
    .await;
    let records: Arc<Mutex<Vec<CallRecord>>> = Arc::default();
    let log = records.clone();
    let client = server.builder().observer(move |call: &CallRecord| log.lock().unwrap().push(*call));
    let client = client.build().unwrap();
    client.machines("one").get("m").await.unwrap();
    client.machines("one").get("m").await.unwrap_err();
    let records = records.lock().unwrap();
    let told: Vec<_> =
        records.iter().map(|call| (call.operation, call.outcome, call.status, call.attempts)).collect();
    assert_eq!(told, [("machines.get", "ok", Some(200), 2), ("machines.get", "not_found", Some(404), 1)]);
}

/// A server that answers each request after a while.
async fn slow(delay: Duration, answer: &'static str) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(move || async move {
        tokio::time::sleep(delay).await;
        json(200, answer)
    });
    (base, tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }))
}
