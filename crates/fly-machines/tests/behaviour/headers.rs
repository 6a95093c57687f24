//! What each request carries, and what an error takes from the answer.

use fly_machines::types::{CreateMachine, LeaseNonce, UpdateMachine};
use fly_machines::{ErrorClass, Outcome, TokenSource};

use crate::server::{Server, json, with_header};

#[tokio::test]
async fn requests_carry_token_agent_nonce_and_encoded_names() {
    let server = Server::start(|_| json(200, r#"{"id":"m"}"#)).await;
    let client = server.builder().user_agent("platform/2.0").build().unwrap();
    let nonce = LeaseNonce::new("n1");
    client.machines("one").with_lease(&nonce).update("m", &UpdateMachine::default()).await.unwrap();
    client.certificates("one").get("*.example.com").await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].headers["authorization"], "FlyV1 fm2_canary");
    assert_eq!(
        seen[0].headers["user-agent"],
        format!("fly-machines/{} platform/2.0", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(seen[0].headers["fly-machine-lease-nonce"], "n1");
    assert_eq!(seen[0].headers["content-type"], "application/json");
    assert_eq!(seen[0].body, r#"{"config":{"image":""}}"#);
    assert_eq!(seen[1].target, "/v1/apps/one/certificates/%2A.example.com");
    assert!(!seen[1].headers.contains_key("fly-machine-lease-nonce"));
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_never_sent() {
    let server = Server::start(|_| json(200, "{}")).await;
    let client = server.client();
    for name in ["", "..", "a/b", "a b"] {
        let error = client.machines(name).get("m").await.unwrap_err();
        assert_eq!((error.class(), error.outcome()), (ErrorClass::Invalid, Outcome::NotSent), "{name:?}");
    }
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn errors_have_the_request_id_and_a_message_that_stays_the_same() {
    let server = Server::start(|seen| {
        let id = format!("01JNRQ9VVKJ7HZFMJWJB3M3RY{}-yyz", seen.ordinal);
        let body = format!(
            r#"{{"status":"error","message":"machine ID 3d8d lease currently held by a@b.c, expires at 2022-10-20 19:59:0{} +0000 UTC"}}"#,
            seen.ordinal
        );
        with_header(json(409, &body), "fly-request-id", &id)
    })
    .await;
    let client = server.client();
    let first = client.machines("one").start("m").await.unwrap_err();
    let second = client.machines("one").start("m").await.unwrap_err();
    assert_eq!(first.class(), ErrorClass::LeaseHeld);
    assert_eq!(first.request_id(), Some("01JNRQ9VVKJ7HZFMJWJB3M3RY1-yyz"));
    assert_eq!(second.request_id(), Some("01JNRQ9VVKJ7HZFMJWJB3M3RY2-yyz"));
    assert_eq!(first.message(), second.message());
    assert_eq!(
        first.to_string(),
        "machines.start: machine ID 3d8d lease currently held by a@b.c, expires at …"
    );
    assert!(format!("{first:?}").contains("01JNRQ9VVKJ7HZFMJWJB3M3RY1-yyz"));
    assert!(!first.remedy().is_empty());
}

#[tokio::test]
async fn the_machine_that_has_the_name_can_be_adopted() {
    let text = r#"{"error":"already_exists: unique machine name violation, machine ID 3d8d9014b32d89 already exists with name \"web\""}"#;
    let server = Server::start(move |_| json(409, text)).await;
    let error = server.client().machines("one").create(&CreateMachine::default()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::NameTaken);
    assert_eq!(error.existing_machine(), Some("3d8d9014b32d89"));
}

#[tokio::test]
async fn a_rotated_token_is_picked_up_when_the_old_one_is_refused() {
    let server = Server::start(|seen| match seen.headers["authorization"].as_str() {
        "FlyV1 fm2_new" => json(200, r#"{"id":"1"}"#),
        _ => json(401, r#"{"error":"Authenticate: token validation error"}"#),
    })
    .await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "fm2_old\n").unwrap();
    let client = fly_machines::Client::builder(TokenSource::file(file.path())).base_url(&server.base);
    let client = client.build().unwrap();
    let error = client.apps().get("one").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unauthorized);
    assert_eq!(server.seen().len(), 1, "the same token isn't tried twice");
    std::fs::write(file.path(), "fm2_new\n").unwrap();
    client.apps().get("one").await.unwrap();
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let server = Server::start(|_| with_header(json(302, ""), "location", "/v1/apps/two")).await;
    let error = server.client().apps().get("one").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::BadAnswer);
    assert_eq!(server.seen().len(), 1);
}
