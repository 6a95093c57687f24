//! Hostnames of apps: proxies, several apps with the same one, what the edge shows, and what is remembered.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Fly;

const HOST: &str = "ai.example.com";

async fn request(fly: &Fly, app: &str, hostname: &str) -> Value {
    fly.post(&format!("{app}/certificates/acme"), json!({ "hostname": hostname })).await.expect(201).json()
}

fn code(detail: &Value) -> &str {
    detail["validation_errors"][0]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn what_fly_issues_is_shown_with_its_name_and_times_and_is_renewed() {
    let fly = Fly::manual(&["--edge-listen", "127.0.0.1:0"]).await;
    fly.settings(json!({ "certificateLifetimeMs": 9 * 3_600_000 })).await;
    let (app, six, _) = fly.serving("a").await;
    assert!(fly.shown(HOST).await.is_err());
    fly.dns(HOST, json!({ "aaaa": [six] })).await;
    request(&fly, &app, HOST).await;
    let mut serials = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let entry = fly.get(&format!("{app}/certificates/{HOST}")).await.json()["certificates"][0].clone();
        let shown = fly.shown(HOST).await.unwrap();
        let told = |field: &str| fly_sim::clock::parse_rfc3339(entry[field].as_str().unwrap()).unwrap();
        assert_eq!((shown.not_before, shown.not_after), (told("created_at"), told("expires_at")));
        assert_eq!(shown.names, [HOST]);
        assert_eq!(fly.shown(HOST).await.unwrap(), shown, "the same at each handshake");
        serials.insert(shown.serial);
        fly.advance(Duration::from_hours(6)).await;
    }
    assert_eq!(serials.len(), 3, "renewed after two thirds of its life, each time");
    // The proof is gone: it isn't renewed, and Fly shows what it has.
    fly.dns(HOST, json!({})).await;
    fly.advance(Duration::from_hours(30)).await;
    assert!(fly.shown(HOST).await.unwrap().not_after < fly.sim.enter().now);
    let shown = fly.get(&format!("{app}/certificates/{HOST}")).await.json();
    assert_eq!(code(&shown), "DNS_NOT_CONFIGURED");
}

#[tokio::test]
async fn a_wildcard_of_flys_own_needs_the_challenge_and_serves_the_names_under_it() {
    let fly = Fly::start(&["--edge-listen", "127.0.0.1:0"]).await;
    let (app, _, _) = fly.serving("a").await;
    let made = request(&fly, &app, "*.example.com").await;
    let needs = &made["dns_requirements"];
    // The ownership record proves nothing to Let's Encrypt.
    fly.dns("_fly-ownership.example.com", json!({ "txt": [needs["ownership"]["app_value"]] })).await;
    assert_eq!(code(&fly.check(&app, "*.example.com").await), "DNS_NOT_CONFIGURED");
    fly.dns("_acme-challenge.example.com", json!({ "cname": ["elsewhere.flydns.net"] })).await;
    assert_eq!(code(&fly.check(&app, "*.example.com").await), "DNS_RECORD_MISMATCH");
    fly.dns("_acme-challenge.example.com", json!({ "cname": [needs["acme_challenge"]["target"]] })).await;
    fly.check(&app, "*.example.com").await;
    assert_eq!(fly.status(&app, "*.example.com").await, "active");
    assert_eq!(fly.shown("x.example.com").await.unwrap().names, ["*.example.com"]);
    assert!(fly.shown("example.com").await.is_err());
}

#[tokio::test]
async fn behind_a_proxy_the_ownership_record_is_needed() {
    let fly = Fly::start(&[]).await;
    let (app, _, _) = fly.serving("a").await;
    let needs = request(&fly, &app, HOST).await["dns_requirements"].clone();
    fly.dns(HOST, json!({ "a": ["104.16.0.1"], "aaaa": ["2606:4700::1"] })).await;
    let checked = fly.check(&app, HOST).await;
    assert_eq!(
        (code(&checked), &checked["validation"]["http_configured"]),
        ("DNS_RECORD_MISMATCH", &json!(false))
    );
    fly.post("/_sim/dns/proxied", json!({ "hostname": HOST, "app": "other" })).await.expect(204);
    assert_eq!(code(&fly.check(&app, HOST).await), "HTTP_HOSTNAME_MISMATCH");
    fly.post("/_sim/dns/proxied", json!({ "hostname": HOST, "app": "a" })).await.expect(204);
    let checked = fly.check(&app, HOST).await;
    assert_eq!((&checked["status"], &checked["certificates"]), (&json!("pending_ownership"), &json!([])));
    let flags = &checked["validation"];
    assert_eq!((&flags["http_configured"], &flags["alpn_configured"]), (&json!(true), &json!(false)));
    let ownership = &needs["ownership"];
    fly.dns(ownership["name"].as_str().unwrap(), json!({ "txt": [ownership["app_value"]] })).await;
    fly.check(&app, HOST).await;
    assert_eq!(fly.status(&app, HOST).await, "active");
    assert_eq!(fly.get("/_sim/dns/proxied").await.json(), json!({ HOST: "a" }));
    fly.post("/_sim/dns/proxied", json!({ "hostname": HOST, "app": "" })).await.expect(204);
    assert_eq!(fly.get("/_sim/dns/proxied").await.json(), json!({}));
}

#[tokio::test]
async fn of_several_apps_with_a_hostname_the_one_that_it_leads_to_serves_it() {
    let fly = Fly::start(&["--edge-listen", "127.0.0.1:0"]).await;
    let (one, one_six, _) = fly.serving("one").await;
    let (two, two_six, _) = fly.serving("two").await;
    request(&fly, &one, HOST).await;
    request(&fly, &two, HOST).await;
    let of = |fly: &Fly| fly.sim.enter().app_of_host(HOST).map(str::to_owned);
    assert_eq!(of(&fly).as_deref(), Some("one"), "who was first, as long as nothing is proved");
    fly.dns(HOST, json!({ "aaaa": [two_six] })).await;
    assert_eq!(code(&fly.check(&one, HOST).await), "DNS_RECORD_MISMATCH");
    fly.check(&two, HOST).await;
    assert_eq!(of(&fly).as_deref(), Some("two"));
    assert!(fly.shown(HOST).await.is_ok());
    // It moves to the other app.
    fly.dns(HOST, json!({ "aaaa": [one_six] })).await;
    for app in [&one, &two] {
        fly.check(app, HOST).await;
    }
    assert_eq!(of(&fly).as_deref(), Some("one"));
    // A hostname goes with its app, and only with its own.
    fly.delete("/v1/apps/one?force=true").await.expect(202);
    assert_eq!(of(&fly).as_deref(), Some("two"));
    assert!(fly.effects("one").await.contains(&"certificate.delete".to_owned()));
    fly.delete(&format!("{two}/certificates/{HOST}")).await.expect(204);
    assert_eq!(of(&fly), None);
    assert!(fly.shown(HOST).await.is_err());
}

#[tokio::test]
async fn services_that_contradict_each_other_are_found() {
    let fly = Fly::start(&[]).await;
    let (app, six, _) = fly.serving("a").await;
    fly.dns(HOST, json!({ "aaaa": [six] })).await;
    let services = json!([{ "internal_port": 4000, "ports": [{ "port": 443, "handlers": ["tls"] }] }]);
    fly.machine(&app, json!({ "name": "other", "config": { "services": services } })).await;
    assert_eq!(code(&request(&fly, &app, HOST).await), "CONFLICTING_PORT_443_SERVICES");
}

#[tokio::test]
async fn the_edge_holds_up_with_hundreds_of_hostnames() {
    let fly = Fly::start(&["--edge-listen", "127.0.0.1:0"]).await;
    let (app, six, _) = fly.serving("a").await;
    let hosts: Vec<String> = (0..300).map(|n| format!("h{n}.example.com")).collect();
    for host in &hosts {
        fly.dns(host, json!({ "aaaa": [six] })).await;
        request(&fly, &app, host).await;
    }
    let began = std::time::Instant::now();
    for _ in 0..2 {
        let shown = futures::future::join_all(hosts.iter().map(|host| fly.shown(host))).await;
        for (host, shown) in hosts.iter().zip(shown) {
            assert_eq!(shown.unwrap().names, [host.as_str()]);
        }
    }
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--edge-listen", "127.0.0.1:0", "--state-dir", folder.path().to_str().unwrap()];
    let fly = Fly::start(&options).await;
    let (app, six, _) = fly.serving("a").await;
    fly.dns(HOST, json!({ "aaaa": [six] })).await;
    request(&fly, &app, HOST).await;
    let pair = crate::support::tls::certificate(&["own.example.com"], 2099);
    let body = json!({ "hostname": "own.example.com", "fullchain": pair.0, "private_key": pair.1 });
    fly.post(&format!("{app}/certificates/custom"), body).await.expect(201);
    fly.post("/_sim/dns/proxied", json!({ "hostname": "p.example.com", "app": "a" })).await.expect(204);
    let shown = fly.shown(HOST).await.unwrap();
    fly.stop().await;
    let fly = Fly::start(&options).await;
    let again = fly.shown(HOST).await.unwrap();
    assert_eq!((again.serial, again.not_after), (shown.serial, shown.not_after));
    assert_eq!(fly.get("/_sim/dns/proxied").await.json(), json!({ "p.example.com": "a" }));
    // What was pending goes on by itself.
    fly.settings(json!({ "certificateRecheckMs": 50 })).await;
    fly.dns("own.example.com", json!({ "aaaa": [six] })).await;
    fly.check(&app, "own.example.com").await;
    assert_eq!(fly.shown("own.example.com").await.unwrap().names, ["own.example.com"]);
}
