//! Hostnames looked up at a real DNS server.

use std::time::Duration;

use hickory_proto::rr::RData;
use hickory_proto::rr::rdata::{CAA, CNAME, SOA, TXT};
use serde_json::{Value, json};

use crate::support::Fly;
use crate::support::dns::{Mood, NameServer, absolute};

const HOST: &str = "ai.example.com";

fn address(text: &str) -> RData {
    match text.parse().unwrap() {
        std::net::IpAddr::V4(address) => RData::A(address.into()),
        std::net::IpAddr::V6(address) => RData::AAAA(address.into()),
    }
}

fn cname(target: &str) -> RData {
    RData::CNAME(CNAME(absolute(target)))
}

fn codes(detail: &Value) -> Vec<&str> {
    let errors = detail["validation_errors"].as_array().unwrap();
    errors.iter().map(|error| error["code"].as_str().unwrap()).collect()
}

struct Scene {
    fly: Fly,
    dns: NameServer,
    app: String,
    six: String,
    four: String,
}

impl Scene {
    async fn new() -> Self {
        let dns = NameServer::start().await;
        let fly = Fly::start(&["--resolver", &dns.address.to_string()]).await;
        let (app, six, four) = fly.serving("a").await;
        Self { fly, dns, app, six, four }
    }

    async fn requested(&self) -> Value {
        let body = json!({ "hostname": HOST });
        self.fly.post(&format!("{}/certificates/acme", self.app), body).await.expect(201).json()
    }

    async fn check(&self) -> Value {
        self.fly.check(&self.app, HOST).await
    }
}

#[tokio::test]
async fn addresses_at_the_end_of_a_chain_prove_a_hostname() {
    let scene = Scene::new().await;
    let made = scene.requested().await;
    assert_eq!(codes(&made), ["DNS_NOT_CONFIGURED"]);
    let (dns, soa) = (&scene.dns, absolute("ns1.example.com"));
    dns.add("example.com", RData::SOA(SOA::new(soa, absolute("admin.example.com"), 1, 1, 1, 1, 1)));
    dns.add(HOST, cname("0123456789ab.dom.platform.example"));
    dns.add("0123456789ab.dom.platform.example", address(&scene.six));
    dns.add("0123456789ab.dom.platform.example", address(&scene.four));
    let checked = scene.check().await;
    assert_eq!((codes(&checked), scene.fly.status(&scene.app, HOST).await), (vec![], json!("active")));
    let records = &checked["dns_records"];
    assert_eq!(records["cname"], json!(["0123456789ab.dom.platform.example"]));
    assert_eq!((&records["a"], &records["aaaa"]), (&json!([scene.four]), &json!([scene.six])));
    assert_eq!(records["resolved_addresses"], json!([scene.four, scene.six]));
}

#[tokio::test]
async fn fly_answers_for_the_names_of_its_apps_itself() {
    let scene = Scene::new().await;
    scene.requested().await;
    scene.dns.add(HOST, cname("a.fly.dev"));
    let checked = scene.check().await;
    assert_eq!((codes(&checked), &checked["dns_records"]["aaaa"]), (vec![], &json!([scene.six])));
    assert_eq!(scene.dns.asked("a.fly.dev"), 0);
}

#[tokio::test]
async fn challenge_and_ownership_are_found() {
    let scene = Scene::new().await;
    let needs = scene.requested().await["dns_requirements"].clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let challenge = &needs["acme_challenge"];
    scene.dns.add(&text(&challenge["name"]), cname(&text(&challenge["target"])));
    let own = text(&needs["ownership"]["app_value"]);
    scene.dns.add(&text(&needs["ownership"]["name"]), RData::TXT(TXT::new(vec![format!("other; {own}")])));
    let checked = scene.check().await;
    let flags = &checked["validation"];
    assert_eq!((&flags["dns_configured"], &flags["ownership_txt_configured"]), (&json!(true), &json!(true)));
    assert_eq!(checked["dns_records"]["acme_challenge_cname"], challenge["target"]);
    assert_eq!(checked["dns_records"]["ownership_txt"], format!("other; {own}"));
    assert_eq!(scene.fly.status(&scene.app, HOST).await, "active");
}

#[tokio::test]
async fn the_nearest_caa_counts() {
    let scene = Scene::new().await;
    scene.dns.add(HOST, address(&scene.six));
    let named = |name: &str| hickory_proto::rr::Name::from_ascii(name).unwrap();
    let issue = |name: &str| RData::CAA(CAA::new_issue(false, Some(named(name)), Vec::new()));
    scene.dns.add("com", issue("letsencrypt.org"));
    scene.dns.add("example.com", issue("other.example"));
    assert_eq!(codes(&scene.requested().await), ["CAA_RECORD_INVALID"]);
    scene.dns.add(HOST, issue("letsencrypt.org"));
    assert_eq!(codes(&scene.check().await), [""; 0]);
}

#[tokio::test]
async fn right_and_wrong_addresses_together_are_told_apart() {
    let scene = Scene::new().await;
    scene.requested().await;
    scene.dns.add(HOST, address(&scene.four));
    scene.dns.add(HOST, address("2001:db8::1"));
    assert_eq!(codes(&scene.check().await), ["DNS_RECORD_PARTIAL_MATCH"]);
    scene.dns.remove(HOST);
    scene.dns.add(HOST, address("192.0.2.1"));
    assert_eq!(codes(&scene.check().await), ["DNS_RECORD_MISMATCH"]);
    scene.dns.remove(HOST);
    scene.dns.add(HOST, cname("nowhere.example.org"));
    assert_eq!(codes(&scene.check().await), ["DNS_RECORD_MISMATCH"]);
}

#[tokio::test]
async fn a_server_that_does_not_answer_well_is_told_from_one_without_records() {
    let scene = Scene::new().await;
    scene.dns.add(HOST, address(&scene.six));
    scene.dns.set_mood(Mood::Failing);
    assert_eq!(codes(&scene.requested().await), ["DNS_VALIDATION_FAILED"]);
    scene.dns.set_mood(Mood::Silent);
    assert_eq!(codes(&scene.check().await), ["DNS_TIMEOUT"]);
    scene.dns.set_mood(Mood::CutShort);
    assert_eq!(codes(&scene.check().await), [""; 0], "TCP has it whole");
}

#[tokio::test]
async fn a_delegation_is_followed() {
    let scene = Scene::new().await;
    scene.dns.add(HOST, address(&scene.six));
    scene.dns.set_mood(Mood::Delegating);
    assert_eq!(codes(&scene.requested().await), [""; 0]);
    assert!(scene.dns.asked(HOST) > 3, "two addresses, CAA, and one of them again");
}

#[tokio::test]
async fn fly_looks_again_by_itself_and_the_server_can_be_changed() {
    let scene = Scene::new().await;
    scene.fly.settings(json!({ "certificateRecheckMs": 100, "resolver": null })).await;
    scene.requested().await;
    assert_eq!(scene.dns.asked(HOST), 0, "the fake DNS has no server");
    scene.dns.add(HOST, address(&scene.six));
    scene.fly.settings(json!({ "resolver": scene.dns.address })).await;
    let path = format!("{}/certificates/{HOST}", scene.app);
    for _ in 0..100 {
        if scene.fly.get(&path).await.json()["status"] == "active" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{}", scene.fly.get(&path).await.text);
}
