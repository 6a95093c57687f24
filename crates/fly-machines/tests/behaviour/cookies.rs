//! Reads after a creation go to the backend that made it.

use fly_machines::types::CreateApp;

use crate::server::{Server, json, with_header};

#[tokio::test]
async fn the_affinity_cookie_of_an_app_returns_with_its_calls_and_no_others() {
    let server = Server::start(|seen| match seen.method.as_str() {
        "POST" => with_header(
            json(201, r#"{"id":"1"}"#),
            "set-cookie",
            "fly_flaps_affinity=abc; Path=/v1/apps/one; HttpOnly; Secure",
        ),
        _ => json(200, r#"{"name":"one"}"#),
    })
    .await;
    let client = server.client();
    client.apps().create(&CreateApp::new("one", "acme")).await.unwrap();
    client.apps().get("one").await.unwrap();
    client.machines("one").get("m").await.unwrap();
    client.apps().get("two").await.unwrap();
    let cookies: Vec<_> = server.seen().into_iter().map(|seen| seen.headers.get("cookie").cloned()).collect();
    let sticky = Some("fly_flaps_affinity=abc".to_owned());
    assert_eq!(cookies, [None, sticky.clone(), sticky, None]);
}
