//! Answers are read up to a size and no further.

use fly_machines::ErrorClass;
use fly_machines::types::CreateMachine;

use crate::server::{Server, endless, json};

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let server = Server::start(|_| endless()).await;
    let client = server.builder().max_body(1 << 20).build().unwrap();
    let error = client.machines("one").get("m").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::BadAnswer);
    let error = client.machines("one").create(&CreateMachine::default()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Ambiguous, "it most likely happened");
}

#[tokio::test]
async fn a_refusal_without_end_is_still_a_refusal() {
    let server = Server::start(|_| {
        let mut response = endless();
        *response.status_mut() = axum::http::StatusCode::NOT_FOUND;
        response
    })
    .await;
    let error = server.client().machines("one").get("m").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::NotFound);
    assert!(error.message().len() < 400 && error.detail().len() < 2100);
}

#[tokio::test]
async fn a_long_refusal_is_cut() {
    let text = format!(r#"{{"error":"{}"}}"#, "long words ".repeat(1000));
    let server = Server::start(move |_| json(400, &text)).await;
    let error = server.client().machines("one").get("m").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Invalid);
    assert!(error.message().len() < 400, "{}", error.message().len());
}
