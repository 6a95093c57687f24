//! Certificates against the fake DNS.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Fly;

const HOST: &str = "ai.example.com";

async fn requested() -> (Fly, String, String) {
    let fly = Fly::manual(&[]).await;
    fly.settings(json!({ "delays": { "issue": [10_000, 10_000] } })).await;
    let app = fly.app("a").await;
    let made =
        fly.post(&format!("{app}/certificates/acme"), json!({ "hostname": HOST })).await.expect(201).json();
    assert_eq!((&made["status"], &made["configured"]), (&json!("pending_validation"), &json!(false)));
    (fly, app.clone(), format!("{app}/certificates/{HOST}"))
}

async fn codes(fly: &Fly, certificate: &str) -> Vec<String> {
    let checked = fly.post(&format!("{certificate}/check"), Value::Null).await.expect(200).json();
    let errors = checked["validation_errors"].as_array().unwrap().clone();
    errors.iter().map(|error| error["code"].as_str().unwrap().to_owned()).collect()
}

async fn serve_tls(fly: &Fly, app: &str) {
    let services =
        json!([{ "internal_port": 3000, "ports": [{ "port": 443, "handlers": ["tls", "http"] }] }]);
    fly.machine(app, json!({ "config": { "services": services } })).await;
}

#[tokio::test]
async fn each_thing_that_is_missing_has_its_code() {
    let (fly, app, certificate) = requested().await;
    assert_eq!(codes(&fly, &certificate).await, ["NO_ALLOCATED_IPS", "DNS_NOT_CONFIGURED"]);
    let v4 =
        fly.post(&format!("{app}/ip_assignments"), json!({ "type": "shared_v4" })).await.expect(200).json();
    assert_eq!(codes(&fly, &certificate).await, ["TLS_HANDLER_MISSING", "DNS_NOT_CONFIGURED"]);
    serve_tls(&fly, &app).await;
    fly.post("/_sim/dns", json!({ "name": HOST, "a": ["192.0.2.1"] })).await.expect(204);
    assert_eq!(codes(&fly, &certificate).await, ["DNS_RECORD_MISMATCH"]);
    assert_eq!(fly.get(&certificate).await.json()["status"], "pending_ownership");
    fly.post("/_sim/dns", json!({ "name": HOST, "a": [v4["ip"]] })).await.expect(204);
    assert_eq!(codes(&fly, &certificate).await, ["IPV6_NOT_ALLOCATED"]);
    let v6 = fly.post(&format!("{app}/ip_assignments"), json!({ "type": "v6" })).await.expect(200).json();
    assert_eq!(codes(&fly, &certificate).await, ["HTTP_IPV6_REQUIRED"]);
    let caa = json!({ "name": HOST, "aaaa": [v6["ip"]], "caa": ["0 issue \"other.example\""] });
    fly.post("/_sim/dns", caa).await.expect(204);
    assert_eq!(codes(&fly, &certificate).await, ["CAA_RECORD_INVALID"]);
    fly.post("/_sim/dns", json!({ "name": HOST, "aaaa": [v6["ip"]] })).await.expect(204);
    let limit =
        json!({ "environment": { "kind": "certificate_rate_limit", "hostname": HOST, "ms": 3_600_000 } });
    fly.fault(limit).await;
    assert_eq!(codes(&fly, &certificate).await, ["RATE_LIMITED"]);
    assert!(fly.get(&certificate).await.json()["rate_limited_until"].is_string());
    fly.no_faults().await;
    assert_eq!(codes(&fly, &certificate).await, [""; 0]);
}

#[tokio::test]
async fn proven_is_not_yet_issued() {
    let (fly, app, certificate) = requested().await;
    fly.post(&format!("{app}/ip_assignments"), json!({ "type": "v6" })).await.expect(200);
    serve_tls(&fly, &app).await;
    fly.post("/_sim/dns", json!({ "name": HOST, "cname": ["a.fly.dev"] })).await.expect(204);
    assert_eq!(codes(&fly, &certificate).await, [""; 0]);
    let shown = fly.get(&certificate).await.json();
    assert_eq!((&shown["configured"], &shown["certificates"]), (&json!(true), &json!([])));
    fly.advance(Duration::from_secs(10)).await;
    let shown = fly.get(&certificate).await.json();
    assert_eq!((&shown["status"], &shown["certificates"][0]["status"]), (&json!("active"), &json!("active")));
    assert_eq!(shown["certificates"][0]["issued"][0]["certificate_authority"], "lets_encrypt");
    let first = shown["certificates"][0]["expires_at"].clone();
    fly.advance(Duration::from_hours(24 * 61)).await;
    let later = fly.get(&certificate).await.json()["certificates"][0]["expires_at"].clone();
    assert_ne!(first, later, "it is renewed");
}

#[tokio::test]
async fn each_of_the_three_proofs_is_enough() {
    for proof in ["aaaa", "challenge", "ownership"] {
        let (fly, app, certificate) = requested().await;
        let v6 = fly.post(&format!("{app}/ip_assignments"), json!({ "type": "v6" })).await.expect(200).json();
        serve_tls(&fly, &app).await;
        let needs = fly.get(&certificate).await.json()["dns_requirements"].clone();
        let record = match proof {
            "aaaa" => json!({ "name": HOST, "aaaa": [v6["ip"]] }),
            "challenge" => {
                json!({ "name": needs["acme_challenge"]["name"], "cname": [needs["acme_challenge"]["target"]] })
            }
            _ => {
                // It proves whose the hostname is, not that visitors come here.
                let value = format!("other;{}", needs["ownership"]["app_value"].as_str().unwrap());
                fly.dns(needs["ownership"]["name"].as_str().unwrap(), json!({ "txt": [value] })).await;
                assert_eq!(codes(&fly, &certificate).await, ["DNS_NOT_CONFIGURED"]);
                let four = json!({ "type": "shared_v4" });
                let four = fly.post(&format!("{app}/ip_assignments"), four).await.expect(200).json();
                json!({ "name": HOST, "a": [four["ip"]] })
            }
        };
        fly.post("/_sim/dns", record).await.expect(204);
        // Without a call, Fly looks again by itself.
        fly.advance(Duration::from_mins(2)).await;
        assert_eq!(fly.get(&certificate).await.json()["status"], "active", "{proof}");
    }
}

#[tokio::test]
async fn a_hostname_is_added_once_and_a_wildcard_needs_the_challenge() {
    let (fly, app, certificate) = requested().await;
    let again = fly.post(&format!("{app}/certificates/acme"), json!({ "hostname": HOST })).await.expect(422);
    assert_eq!(again.error(), "Hostname already exists on app");
    fly.post(&format!("{app}/certificates/acme"), json!({ "hostname": "*.example.org" })).await.expect(201);
    let wildcard = format!("{app}/certificates/%2A.example.org");
    fly.post("/_sim/dns", json!({ "name": "*.example.org", "cname": ["a.fly.dev"] })).await.expect(204);
    assert!(codes(&fly, &wildcard).await.contains(&"DNS_NOT_CONFIGURED".to_owned()));
    let listed = fly.get(&format!("{app}/certificates?limit=1")).await.expect(200).json();
    assert_eq!((&listed["total_count"], &listed["next_cursor"]), (&json!(2), &json!("*.example.org")));
    let rest = fly.get(&format!("{app}/certificates?limit=1&cursor=*.example.org")).await.expect(200).json();
    assert_eq!(rest["certificates"][0]["hostname"], HOST);
    fly.delete(&certificate).await.expect(204);
    fly.get(&certificate).await.expect(404);
}
