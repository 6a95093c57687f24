//! Who may call what.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::Fly;

async fn two_orgs() -> Fly {
    let mut fly = Fly::start(&["--org", "acme,other", "--token", "one", "--token", "other=two"]).await;
    "FlyV1 one".clone_into(&mut fly.token);
    fly.post("/v1/apps", json!({ "name": "a", "org_slug": "acme" })).await.expect(201);
    fly
}

async fn as_token(fly: &Fly, token: &str, method: &str, path: &str, body: Value) -> crate::support::Reply {
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    fly.try_call(method, path, &[("authorization", token)], body).await.unwrap()
}

#[tokio::test]
async fn a_token_is_needed_and_must_be_known() {
    let fly = two_orgs().await;
    for token in ["", "Bearer", "Bearer ", "Bearer three"] {
        let reply = as_token(&fly, token, "GET", "/v1/apps/a", Value::Null).await.expect(401);
        assert_eq!(reply.json(), json!({ "error": "Authenticate: token validation error" }), "{token}");
    }
    as_token(&fly, "Bearer one", "GET", "/v1/apps/a", Value::Null).await.expect(200);
    as_token(&fly, "FlyV1 fm2_x,one", "GET", "/v1/apps/a", Value::Null).await.expect(200);
    as_token(&fly, "", "GET", "/v1/platform/regions", Value::Null).await.expect(200);
}

#[tokio::test]
async fn another_organisations_things_are_forbidden_and_its_names_taken() {
    let fly = two_orgs().await;
    let two = "Bearer two";
    for (method, path) in [
        ("GET", "/v1/apps/a"),
        ("DELETE", "/v1/apps/a"),
        ("GET", "/v1/orgs/acme/machines"),
        ("GET", "/v1/apps?org_slug=acme"),
    ] {
        let reply = as_token(&fly, two, method, path, Value::Null).await.expect(403);
        assert_eq!(reply.json(), json!({ "error": "unauthorized" }), "{path}");
    }
    as_token(&fly, two, "POST", "/v1/apps", json!({ "name": "b", "org_slug": "acme" })).await.expect(403);
    as_token(&fly, two, "POST", "/v1/apps", json!({ "name": "a", "org_slug": "other" })).await.expect(422);
    as_token(&fly, two, "GET", "/v1/apps/none", Value::Null).await.expect(404);
    let current = as_token(&fly, two, "GET", "/v1/tokens/current", Value::Null).await.expect(200);
    assert_eq!(current.json()["tokens"][0]["org_slug"], "other");
}

#[tokio::test]
async fn a_deploy_token_is_for_one_app() {
    let fly = two_orgs().await;
    fly.post("/v1/apps", json!({ "name": "b", "org_slug": "acme" })).await.expect(201);
    let made = fly.post("/v1/apps/a/deploy_token", json!({ "expiry": "24h" })).await.expect(200).json();
    let token = made["token"].as_str().unwrap();
    as_token(&fly, token, "GET", "/v1/apps/a", Value::Null).await.expect(200);
    as_token(&fly, token, "GET", "/v1/apps/b", Value::Null).await.expect(403);
    as_token(&fly, token, "GET", "/v1/orgs/acme/machines", Value::Null).await.expect(403);
}

#[tokio::test]
async fn an_idempotency_key_makes_a_repeated_creation_harmless() {
    let fly = two_orgs().await;
    let body = |name: &str| json!({ "name": name, "org_slug": "acme", "idempotency_key": "k1" });
    let first = fly.post("/v1/apps", body("c")).await.expect(201).id();
    assert_eq!(fly.post("/v1/apps", body("c")).await.expect(201).id(), first);
    fly.post("/v1/apps", body("d")).await.expect(400);
}
