//! Tokens and secret values appear in no error, no printed value and no record.

use std::collections::BTreeMap;

use fly_machines::types::CustomCertificate;
use secrecy::SecretString;

use crate::server::{Server, json};

#[tokio::test]
async fn secrets_are_sent_and_never_shown() {
    let server = Server::start(|seen| {
        // An API that repeats what it was sent, token included.
        let echo = format!("bad request with {} and {}", seen.headers["authorization"], seen.body);
        json(400, &serde_json::json!({ "error": echo }).to_string())
    })
    .await;
    let client = server.client();
    let shown = format!("{client:?} {:?}", server.builder());
    assert!(!shown.contains("canary"), "{shown}");
    let error = client.apps().get("one").await.unwrap_err();
    let shown = format!("{error} {error:?} {}", error.detail());
    assert!(!shown.contains("canary"), "{shown}");
}

#[tokio::test]
async fn values_reach_the_api_as_they_are() {
    let server = Server::start(|_| json(200, r#"{"version":4}"#)).await;
    let client = server.client();
    let values: BTreeMap<_, _> =
        [("KEY".to_owned(), Some(SecretString::from("v\"1"))), ("OLD".to_owned(), None)].into();
    assert_eq!(client.secrets("one").update(&values).await.unwrap().version, 4);
    assert_eq!(client.secrets("one").set("KEY", &SecretString::from("v2")).await.unwrap().version, 4);
    let certificate = CustomCertificate {
        hostname: "example.com".into(),
        fullchain: "chain".into(),
        private_key: SecretString::from("canary"),
    };
    assert!(!format!("{certificate:?} {values:?}").contains("canary"));
    client.certificates("one").import(&certificate).await.unwrap();
    let bodies: Vec<_> = server.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies[0], r#"{"values":{"KEY":"v\"1","OLD":null}}"#);
    assert_eq!(bodies[1], r#"{"value":"v2"}"#);
    assert_eq!(bodies[2], r#"{"hostname":"example.com","fullchain":"chain","private_key":"canary"}"#);
}
