//! Certificates that customers bring, in the API and at the edge.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Fly;
use crate::support::tls::certificate;

const HOST: &str = "ai.example.com";

async fn upload(fly: &Fly, app: &str, hostname: &str, (chain, key): &(String, String)) -> Value {
    let body = json!({ "hostname": hostname, "fullchain": chain, "private_key": key });
    fly.post(&format!("{app}/certificates/custom"), body).await.expect(201).json()
}

async fn serving() -> (Fly, String, String) {
    let fly = Fly::manual(&["--edge-listen", "127.0.0.1:0"]).await;
    let (app, six, _) = fly.serving("a").await;
    (fly, app, six)
}

fn entry(detail: &Value) -> (&str, &str) {
    let text = |field: &str| detail["certificates"][0][field].as_str().unwrap_or_default();
    (text("source"), text("status"))
}

#[tokio::test]
async fn one_is_not_shown_before_the_hostname_is_proved() {
    let (fly, app, six) = serving().await;
    let made = upload(&fly, &app, HOST, &certificate(&[HOST], 2099)).await;
    assert_eq!(
        (&made["status"], entry(&made)),
        (&json!("pending_ownership"), ("custom", "pending_ownership"))
    );
    assert_eq!((&made["configured"], &made["acme_requested"]), (&json!(false), &json!(false)));
    assert!(fly.shown(HOST).await.is_err());
    // What a certificate of Fly's own would do with says nothing of the hostname's owner.
    let challenge = &made["dns_requirements"]["acme_challenge"];
    fly.dns(challenge["name"].as_str().unwrap(), json!({ "cname": [challenge["target"]] })).await;
    assert_eq!(entry(&fly.check(&app, HOST).await).1, "pending_ownership");
    fly.dns(HOST, json!({ "aaaa": [six] })).await;
    // Without a call, Fly looks again by itself.
    fly.advance(Duration::from_mins(2)).await;
    let shown = fly.get(&format!("{app}/certificates/{HOST}")).await.json();
    assert_eq!((&shown["status"], entry(&shown)), (&json!("active"), ("custom", "active")));
    assert_eq!(fly.shown(HOST).await.unwrap().names, [HOST]);
}

#[tokio::test]
async fn one_that_is_active_says_nothing_of_where_visitors_go() {
    let (fly, app, six) = serving().await;
    let made = upload(&fly, &app, HOST, &certificate(&[HOST], 2099)).await;
    let ownership = &made["dns_requirements"]["ownership"];
    fly.dns(ownership["name"].as_str().unwrap(), json!({ "txt": [ownership["app_value"]] })).await;
    fly.dns(HOST, json!({ "a": ["203.0.113.9"] })).await;
    let flags = |detail: &Value| {
        let told = &detail["validation"];
        [&told["ownership_txt_configured"], &told["alpn_configured"], &told["http_configured"]]
            .map(|flag| flag.as_bool().unwrap())
    };
    let elsewhere = fly.check(&app, HOST).await;
    assert_eq!((entry(&elsewhere).1, &elsewhere["configured"]), ("active", &json!(true)));
    assert_eq!(flags(&elsewhere), [true, false, false]);
    fly.dns(HOST, json!({ "a": [], "aaaa": [six] })).await;
    assert_eq!(flags(&fly.check(&app, HOST).await), [true, true, true]);
}

#[tokio::test]
async fn a_wildcard_is_proved_by_the_ownership_record_alone() {
    let (fly, app, six) = serving().await;
    let pair = certificate(&["*.example.com"], 2099);
    let made = upload(&fly, &app, "*.example.com", &pair).await;
    fly.dns("*.example.com", json!({ "aaaa": [six] })).await;
    let checked = fly.check(&app, "*.example.com").await;
    assert_eq!(entry(&checked).1, "pending_ownership");
    assert_eq!(checked["validation_errors"][0]["code"], "DNS_NOT_CONFIGURED");
    let ownership = &made["dns_requirements"]["ownership"];
    assert_eq!(ownership["name"], "_fly-ownership.example.com");
    fly.dns("_fly-ownership.example.com", json!({ "txt": [ownership["org_value"]] })).await;
    let checked = fly.check(&app, "*.example.com").await;
    assert_eq!((entry(&checked).1, &checked["validation_errors"]), ("active", &json!([])));
    assert_eq!(checked["dns_records"]["ownership_txt"], ownership["org_value"]);
    // It serves the names under it, and no others.
    assert_eq!(fly.shown("x.example.com").await.unwrap().names, ["*.example.com"]);
    for other in ["example.com", "x.y.example.com", "x.example.org"] {
        assert!(fly.shown(other).await.is_err(), "{other}");
    }
    // An exact name wins.
    fly.dns("x.example.com", json!({ "aaaa": [six] })).await;
    upload(&fly, &app, "x.example.com", &certificate(&["x.example.com"], 2099)).await;
    assert_eq!(fly.shown("x.example.com").await.unwrap().names, ["x.example.com"]);
    assert_eq!(fly.shown("y.example.com").await.unwrap().names, ["*.example.com"]);
}

#[tokio::test]
async fn one_is_shown_before_flys_even_when_it_has_expired() {
    let (fly, app, six) = serving().await;
    fly.dns(HOST, json!({ "aaaa": [six] })).await;
    fly.post(&format!("{app}/certificates/acme"), json!({ "hostname": HOST })).await.expect(201);
    let fly_own = fly.shown(HOST).await.unwrap();
    let now = jiff::Timestamp::from_millisecond(fly.sim.enter().now).unwrap();
    let next_year = i32::from(now.to_zoned(jiff::tz::TimeZone::UTC).year()) + 1;
    let pair = certificate(&[HOST], next_year);
    let detail = upload(&fly, &app, HOST, &pair).await;
    let sources: Vec<&str> = detail["certificates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["source"].as_str().unwrap())
        .collect();
    assert_eq!(sources, ["custom", "fly"]);
    let custom = fly.shown(HOST).await.unwrap();
    assert_ne!(custom, fly_own);
    fly.advance(Duration::from_hours(24 * 400)).await;
    let now = fly.sim.enter().now;
    assert!(custom.not_after < now);
    assert_eq!(fly.shown(HOST).await.unwrap(), custom, "expired as it is");
    let refused = json!({ "hostname": HOST, "fullchain": pair.0, "private_key": pair.1 });
    fly.post(&format!("{app}/certificates/custom"), refused).await.expect(422);
    let path = format!("{app}/certificates/{HOST}/custom");
    let removed = fly.delete(&path).await.expect(200).json();
    assert_eq!((&removed["warning"], &removed["status"]), (&Value::Null, &json!("active")));
    let fallback = fly.shown(HOST).await.unwrap();
    assert!(fallback.not_after > now, "Fly has renewed its own meanwhile");
    assert_ne!(fallback.serial, fly_own.serial);
}

#[tokio::test]
async fn the_last_one_is_removed_with_a_warning_and_the_hostname_stays() {
    let (fly, app, six) = serving().await;
    fly.dns(HOST, json!({ "aaaa": [six] })).await;
    upload(&fly, &app, HOST, &certificate(&[HOST], 2099)).await;
    assert!(fly.shown(HOST).await.is_ok());
    let removed = fly.delete(&format!("{app}/certificates/{HOST}/custom")).await.expect(200).json();
    assert!(!removed["warning"].as_str().unwrap().is_empty());
    assert_eq!(
        (&removed["status"], &removed["certificates"]),
        (&json!("awaiting_configuration"), &json!([]))
    );
    assert!(fly.shown(HOST).await.is_err());
    fly.get(&format!("{app}/certificates/{HOST}")).await.expect(200);
}

#[tokio::test]
async fn a_new_upload_takes_the_old_ones_place_at_once() {
    let (fly, app, six) = serving().await;
    fly.dns(HOST, json!({ "aaaa": [six] })).await;
    upload(&fly, &app, HOST, &certificate(&[HOST, "other.example.com"], 2098)).await;
    let first = fly.shown(HOST).await.unwrap();
    let detail = upload(&fly, &app, HOST, &certificate(&[HOST], 2099)).await;
    assert_eq!(detail["certificates"].as_array().unwrap().len(), 1);
    let second = fly.shown(HOST).await.unwrap();
    assert_ne!(first.fingerprint, second.fingerprint);
    let entries = fly.ledger("kind=effect&app=a").await;
    let uploads: Vec<&Value> = entries.iter().filter(|one| one["effect"] == "certificate.upload").collect();
    assert_eq!(uploads.len(), 2);
    assert_eq!(uploads[1]["detail"]["fingerprint"], second.fingerprint);
    assert!(!json!(entries).to_string().contains("PRIVATE KEY"));
}

#[tokio::test]
async fn flys_own_is_asked_for_beside_one_that_was_brought() {
    let (fly, app, six) = serving().await;
    fly.dns(HOST, json!({ "aaaa": [six] })).await;
    upload(&fly, &app, HOST, &certificate(&[HOST], 2099)).await;
    let both = fly.post(&format!("{app}/certificates/acme"), json!({ "hostname": HOST })).await.expect(201);
    assert_eq!(both.json()["acme_requested"], true);
    let again = fly.post(&format!("{app}/certificates/acme"), json!({ "hostname": HOST })).await.expect(422);
    assert_eq!(again.error(), "Hostname already exists on app");
    let effects = fly.effects("a").await;
    let added = effects.iter().filter(|effect| *effect == "certificate.add").count();
    assert_eq!((added, effects.contains(&"certificate.acme_add".to_owned())), (1, true));
}
