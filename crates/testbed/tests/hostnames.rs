//! Hostnames at the simulator, with a real name server: what Fly makes of it, what visitors are shown, and the ledger.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::hostnames::check_hostnames;
use testbed::{FlySim, FlySimOptions, NameServer, eventually, ledger};

/// The name server's zone has one name with an address, which is nobody's at Fly.
const HOST: &str = "www.example.dev";

async fn call(fly: &FlySim, method: http::Method, path: &str, body: &Value) -> Value {
    let url = format!("{}/v1/apps{path}", fly.api_url());
    let http = reqwest::Client::new();
    let answer = http.request(method, url).bearer_auth("any").json(body).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default()
}

async fn app(fly: &FlySim) {
    let post = async |path: &str, body: Value| call(fly, http::Method::POST, path, &body).await;
    post("", json!({"app_name": "a", "org_slug": "demo"})).await;
    post("/a/ip_assignments", json!({"type": "v6"})).await;
    let ports = json!([{"port": 443, "handlers": ["tls", "http"]}]);
    let services = json!([{"internal_port": 3000, "autostart": true, "ports": ports}]);
    let config =
        json!({"image": "ghcr.io/o/c:1", "services": services, "env": {"OPENCLAW_GATEWAY_TOKEN": "t"}});
    post("/a/machines", json!({"config": config})).await;
}

#[tokio::test]
async fn a_hostname_is_judged_by_real_dns_and_shown_as_it_was_issued() {
    let dns = NameServer::start("example.dev").await.unwrap();
    let options = FlySimOptions { resolver: Some(dns.address()), ..FlySimOptions::default() };
    let mut fly = FlySim::start(options).await.unwrap();
    app(&fly).await;
    let made = call(&fly, http::Method::POST, "/a/certificates/acme", &json!({"hostname": HOST})).await;
    assert_eq!(made["validation_errors"][0]["code"], "DNS_RECORD_MISMATCH", "{made}");
    let path = format!("/a/certificates/{HOST}");
    let checked = call(&fly, http::Method::POST, &format!("{path}/check"), &Value::Null).await;
    assert_eq!(checked["dns_records"]["a"], json!(["192.0.2.80"]));
    assert_eq!(checked["dns_records"]["soa"], "ns1.example.dev");
    assert!(fly.visit(HOST).await.is_err(), "no certificate, no handshake");

    // That the address is a proxy's, which leads to the app, proves nothing of its owner.
    fly.proxy(HOST, "a").await.unwrap();
    let checked = call(&fly, http::Method::POST, &format!("{path}/check"), &Value::Null).await;
    assert_eq!(
        (&checked["validation"]["http_configured"], &checked["certificates"]),
        (&json!(true), &json!([]))
    );
    let ownership = &checked["dns_requirements"]["ownership"];
    let own = json!({"name": ownership["name"], "txt": [ownership["app_value"]]});
    // The fake DNS knows what the real one doesn't.
    fly.send(http::Method::POST, "settings", &json!({"resolver": null})).await.unwrap();
    fly.send(http::Method::POST, "dns", &own).await.unwrap();
    call(&fly, http::Method::POST, &format!("{path}/check"), &Value::Null).await;
    let visit = fly.visit(HOST).await.unwrap();
    assert_eq!(visit.names, [HOST]);
    assert!(visit.status.is_some(), "the gateway answers, if only that it wants a token");
    let roots = std::fs::read_to_string(fly.edge_ca()).unwrap();
    visit.check(HOST, &roots, visit.not_before).unwrap();
    assert!(visit.check("other.example.dev", &roots, visit.not_before).is_err());
    assert!(visit.check(HOST, &roots, visit.not_after + Duration::from_secs(1)).is_err());

    fly.resolve_at(dns.address()).await.unwrap();
    fly.restart().await.unwrap();
    let again = eventually("the edge", Duration::from_secs(5), async || fly.visit(HOST).await).await.unwrap();
    assert_eq!(
        (again.serial, again.not_before, again.not_after),
        (visit.serial, visit.not_before, visit.not_after)
    );
    let history = fly.hostnames().await.unwrap().remove(HOST).unwrap();
    assert_eq!((history.issued(), history.count("certificate.check")), (1, 3));
    let changes = ledger::changes(&fly.read("ledger").await.unwrap()).unwrap();
    assert_eq!(check_hostnames(&changes, &BTreeMap::from([(HOST.into(), "a".into())])), [""; 0]);
    assert_eq!(check_hostnames(&changes, &BTreeMap::from([(HOST.into(), "b".into())])).len(), 1);
}
