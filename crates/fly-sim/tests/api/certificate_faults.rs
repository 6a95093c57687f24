//! What goes wrong with certificates on purpose.

use std::time::Duration;

use fly_sim::world::certificates::codes::Code;
use serde_json::{Value, json};

use crate::support::Fly;

const HOST: &str = "ai.example.com";

/// A hostname whose DNS is in place, not yet added.
async fn ready() -> (Fly, String) {
    let fly = Fly::manual(&["--edge-listen", "127.0.0.1:0"]).await;
    let (app, six, _) = fly.serving("a").await;
    fly.dns(HOST, json!({ "aaaa": [six] })).await;
    (fly, app)
}

async fn request(fly: &Fly, app: &str) -> Value {
    fly.post(&format!("{app}/certificates/acme"), json!({ "hostname": HOST })).await.expect(201).json()
}

async fn status(fly: &Fly, app: &str) -> Value {
    fly.status(app, HOST).await
}

#[tokio::test]
async fn each_code_can_be_had_with_its_words() {
    let (fly, app) = ready().await;
    for code in Code::ALL {
        let problem = json!({ "kind": "certificate_problem", "hostname": HOST, "code": code.as_str() });
        fly.fault(json!({ "environment": problem })).await;
        let detail =
            if code == Code::ALL[0] { request(&fly, &app).await } else { fly.check(&app, HOST).await };
        let error = &detail["validation_errors"][0];
        assert_eq!((&error["code"], &error["message"]), (&json!(code.as_str()), &json!(code.message())));
        assert!(error["remediation"].is_string() && error["timestamp"].is_string());
        assert_eq!(fly.get(&format!("{app}/certificates/{HOST}")).await.json()["certificates"], json!([]));
        fly.no_faults().await;
    }
    let unnamed = json!({ "kind": "certificate_problem", "message": "Something else" });
    fly.fault(json!({ "environment": unnamed })).await;
    let error = fly.check(&app, HOST).await["validation_errors"][0].clone();
    assert_eq!((&error["code"], &error["message"]), (&Value::Null, &json!("Something else")));
    fly.no_faults().await;
    fly.advance(Duration::from_mins(2)).await;
    assert_eq!(status(&fly, &app).await, "active");
}

#[tokio::test]
async fn issuing_takes_long_or_never_ends() {
    let (fly, app) = ready().await;
    let never = fly.fault(json!({ "environment": { "kind": "certificate_issue", "hostname": HOST } })).await;
    let made = request(&fly, &app).await;
    assert_eq!((&made["configured"], &made["validation_errors"]), (&json!(true), &json!([])));
    fly.advance(Duration::from_hours(48)).await;
    assert_eq!(status(&fly, &app).await, "pending_validation");
    assert!(fly.shown(HOST).await.is_err());
    fly.delete(&format!("/_sim/faults/{never}")).await.expect(204);
    let slow = json!({ "kind": "certificate_issue", "ms": 600_000 });
    fly.fault(json!({ "environment": slow })).await;
    fly.check(&app, HOST).await;
    fly.advance(Duration::from_mins(9)).await;
    assert_eq!(status(&fly, &app).await, "pending_validation");
    fly.advance(Duration::from_mins(2)).await;
    assert_eq!(status(&fly, &app).await, "active");
    assert!(fly.shown(HOST).await.is_ok());
}

#[tokio::test]
async fn a_limit_ends_when_it_said_that_it_would() {
    let (fly, app) = ready().await;
    let limit = json!({ "kind": "certificate_rate_limit", "hostname": HOST, "ms": 3_600_000 });
    let limit = fly.fault(json!({ "environment": limit })).await;
    let until = request(&fly, &app).await["rate_limited_until"].clone();
    fly.advance(Duration::from_mins(30)).await;
    let later = fly.check(&app, HOST).await;
    assert_eq!((&later["rate_limited_until"], &later["status"]), (&until, &json!("pending_validation")));
    assert_eq!(later["validation_errors"][0]["code"], "RATE_LIMITED");
    fly.delete(&format!("/_sim/faults/{limit}")).await.expect(204);
    fly.advance(Duration::from_mins(2)).await;
    assert_eq!(status(&fly, &app).await, "active");
}

#[tokio::test]
async fn a_hostname_that_is_made_anew_again_and_again_reaches_lets_encrypts_limit() {
    let (fly, app) = ready().await;
    for _ in 0..5 {
        assert_eq!(request(&fly, &app).await["rate_limited_until"], Value::Null);
        assert_eq!(status(&fly, &app).await, "active");
        fly.delete(&format!("{app}/certificates/{HOST}")).await.expect(204);
    }
    let made = request(&fly, &app).await;
    assert_eq!(made["validation_errors"][0]["code"], "RATE_LIMITED");
    assert!(made["rate_limited_until"].is_string());
    fly.advance(Duration::from_hours(24 * 8)).await;
    assert_eq!(status(&fly, &app).await, "active");
}

#[tokio::test]
async fn certificates_disappear() {
    let (fly, app) = ready().await;
    request(&fly, &app).await;
    let gone = json!({ "kind": "certificate_delete", "app": "a", "hostname": HOST, "only": "fly" });
    fly.fault(json!({ "event": gone })).await;
    assert_eq!(status(&fly, &app).await, "awaiting_configuration");
    assert!(fly.shown(HOST).await.is_err());
    let gone = json!({ "kind": "certificate_delete", "app": "a", "hostname": HOST });
    fly.fault(json!({ "event": gone })).await;
    fly.get(&format!("{app}/certificates/{HOST}")).await.expect(404);
    let entries = fly.ledger("kind=effect&app=a").await;
    let last = entries.last().unwrap();
    assert_eq!((&last["effect"], &last["request"]), (&json!("certificate.delete"), &Value::Null));
}

#[tokio::test]
async fn every_call_can_lose_its_reply_and_have_done_its_work() {
    let (fly, app) = ready().await;
    let root = format!("{app}/certificates");
    let (chain, key) = crate::support::tls::certificate(&[HOST], 2099);
    let custom = json!({ "hostname": HOST, "fullchain": chain, "private_key": key });
    let one = format!("{root}/{HOST}");
    for (method, path, body, effect) in [
        ("POST", format!("{root}/acme"), json!({ "hostname": HOST }), "certificate.add"),
        ("POST", format!("{root}/custom"), custom, "certificate.upload"),
        ("POST", format!("{one}/check"), Value::Null, "certificate.check"),
        ("DELETE", format!("{one}/acme"), Value::Null, "certificate.acme_delete"),
        ("DELETE", format!("{one}/custom"), Value::Null, "certificate.custom_delete"),
        ("DELETE", one.clone(), Value::Null, "certificate.delete"),
    ] {
        let lost = json!({ "match": { "method": method, "app": "a", "count": 1 }, "action": { "kind": "drop_reply" } });
        fly.fault(lost).await;
        let body = if body.is_null() { bytes::Bytes::new() } else { body.to_string().into() };
        fly.try_call(method, &path, &[], body).await.unwrap_err();
        fly.no_faults().await;
        let done = fly.effects("a").await.iter().filter(|one| *one == effect).count();
        assert_eq!(done, 1, "{effect}");
    }
    assert_eq!(fly.effects("a").await.iter().filter(|one| *one == "certificate.issued").count(), 1);
}
