//! Certificates that are ordered: by DNS and by HTTP, renewed, and with an authority that forgets.

use std::time::Duration;

use anyhow::ensure;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use testbed::{Pebble, Visit, condition_is, eventually};

use crate::domains::{Customer, Scene, acme, pebble, record, without_limits};
use crate::support::{SOON, text};

/// 90 days.
const USUAL: u64 = 90 * 24 * 3600;
/// What a customer sets for a subdomain that is proved by DNS.
const PLAIN: [&str; 2] = ["OwnershipAndRouting", "Certificate"];

async fn scene(validity: u64, bad_nonces: u8) -> (Scene, Pebble) {
    let internet = Scene::internet(&["acme.test"]).await.unwrap();
    let authority = pebble(&internet, validity, bad_nonces, json!({})).await.unwrap();
    let settings = acme(&authority, without_limits(json!({"renewalInfoSeconds": 2})));
    let scene = Scene::within(internet, &["acme.test"], settings, Vec::new()).await.unwrap();
    (scene, authority)
}

fn by_acme() -> Value {
    json!({"certificate": {"source": "ACME"}})
}

/// What visitors see now, which a browser takes that trusts the authority.
async fn shown(scene: &Scene, authority: &Pebble, host: &str) -> anyhow::Result<Visit> {
    let visit = scene.fly().visit(host).await?;
    visit.check(host, &authority.roots().await?, Timestamp::now())?;
    Ok(visit)
}

/// No text for a certificate authority is left in the platform's zone.
async fn no_text_is_left(scene: &Scene, object: &Value) {
    let value = text(&record(object, "Certificate").unwrap(), "/value").to_owned();
    eventually("no text is left", SOON, async || {
        let texts = scene.server().records(&value, "TXT").await?;
        ensure!(texts.is_empty(), "{texts:?}");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_plain_name_and_a_wildcard_are_proved_by_dns_and_renewed_when_the_authority_says() {
    proved_by_dns(5).await;
}

#[tokio::test]
async fn so_they_are_where_a_fifth_of_all_nonces_is_refused() {
    proved_by_dns(20).await;
}

async fn proved_by_dns(bad_nonces: u8) {
    let (scene, authority) = scene(USUAL, bad_nonces).await;
    let customer = scene.customer("acme").await.unwrap();
    customer.runtime("ops").await.unwrap();
    customer.declare("www", "www.acme.test", "ops", by_acme()).await.unwrap();
    customer.declare("any", "*.acme.test", "ops", by_acme()).await.unwrap();
    customer.set_listed("www", &PLAIN).await.unwrap();
    let plain = customer.wait_active("www").await.unwrap();
    let wildcard = customer.follow("any").await.unwrap();
    let first = shown(&scene, &authority, "www.acme.test").await.unwrap();
    assert_eq!(first.names, ["www.acme.test"]);
    let any = shown(&scene, &authority, "some.acme.test").await.unwrap();
    assert_eq!(any.names, ["*.acme.test"]);
    no_text_is_left(&scene, &plain).await;
    no_text_is_left(&scene, &wildcard).await;
    let copied = copy(&customer, &plain).await;
    assert_eq!(copied.type_.as_deref(), Some("kubernetes.io/tls"));
    let data = copied.data.unwrap();
    assert!(data.contains_key("tls.key"));
    let chain = String::from_utf8(data["tls.crt"].0.clone()).unwrap();
    assert!(plain["status"]["certificate"]["renewalTime"].is_string(), "{}", plain["status"]);

    let window = json!({"suggestedWindow": {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}});
    authority.suggest_renewal(&chain, &window).await.unwrap();
    eventually("another certificate at the edge", SOON, async || {
        let visit = shown(&scene, &authority, "www.acme.test").await?;
        ensure!(visit.serial != first.serial, "still the first");
        Ok(())
    })
    .await
    .unwrap();
    let renewed = customer.wait_active("www").await.unwrap();
    no_text_is_left(&scene, &renewed).await;
    let history = scene.fly().hostnames().await.unwrap();
    assert_eq!(history["www.acme.test"].uploads().len(), 2, "{:?}", history["www.acme.test"]);
    assert_eq!(history["*.acme.test"].uploads().len(), 1);
    assert!(history.values().all(|history| history.count("certificate.delete") == 0), "nothing is made anew");

    customer.delete("www").await.unwrap();
    customer.wait_gone("www").await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(scene.client().await.unwrap(), "moorage-system");
    let kept = secrets.list(&kube::api::ListParams::default()).await.unwrap();
    let left: Vec<&str> = kept.iter().filter_map(|it| it.metadata.name.as_deref()).collect();
    assert_eq!(left.iter().filter(|name| name.starts_with("moorage-domain-")).count(), 2, "{left:?}");
    assert_eq!(scene.rig.problems(&["acme"], None).await.unwrap(), [""; 0]);
}

/// The Secret that the certificate is copied into.
async fn copy(customer: &Customer<'_>, object: &Value) -> Secret {
    let name = text(object, "/status/certificate/secretName");
    let secrets: Api<Secret> = Api::namespaced(customer.tenant.client.clone(), &customer.tenant.namespace);
    secrets.get(name).await.unwrap_or_else(|error| panic!("{name}: {error}: {}", object["status"]))
}

/// The account's Secret.
async fn account(scene: &Scene) -> Secret {
    let secrets: Api<Secret> = Api::namespaced(scene.client().await.unwrap(), "moorage-system");
    secrets.get("moorage-acme-account").await.unwrap()
}

#[tokio::test]
async fn the_account_gets_another_key_and_another_account_if_the_authority_forgets_it() {
    another_account(5).await;
}

#[tokio::test]
async fn so_it_does_where_a_fifth_of_all_nonces_is_refused() {
    another_account(20).await;
}

async fn another_account(bad_nonces: u8) {
    let (scene, mut authority) = scene(USUAL, bad_nonces).await;
    let customer = scene.customer("acme").await.unwrap();
    customer.runtime("ops").await.unwrap();
    for name in ["one", "two", "three"] {
        customer.declare(name, &format!("{name}.acme.test"), "ops", by_acme()).await.unwrap();
    }
    customer.set_listed("one", &PLAIN).await.unwrap();
    customer.wait_active("one").await.unwrap();

    let first = account(&scene).await;
    let secrets: Api<Secret> = Api::namespaced(scene.client().await.unwrap(), "moorage-system");
    let wish =
        json!({"metadata": {"annotations": {"moorage.dev/new-key-requested-at": "2026-11-29T00:00:00Z"}}});
    secrets.patch("moorage-acme-account", &PatchParams::default(), &Patch::Merge(wish)).await.unwrap();
    // Wishes are looked for once a minute.
    eventually("another key", SOON * 2, async || {
        let now = account(&scene).await;
        ensure!(now.data != first.data, "still the first");
        ensure!(
            now.data.unwrap_or_default().len()
                == first.data.as_ref().map_or(0, std::collections::BTreeMap::len),
            "two keys"
        );
        Ok(())
    })
    .await
    .unwrap();
    customer.set_listed("two", &PLAIN).await.unwrap();
    customer.wait_active("two").await.unwrap();

    let second = account(&scene).await;
    authority.restart().await.unwrap();
    customer.set_listed("three", &PLAIN).await.unwrap();
    customer.wait_active("three").await.unwrap();
    assert_ne!(account(&scene).await.data, second.data, "the authority knew neither account nor key");
    for name in ["one", "two", "three"] {
        assert!(condition_is(&customer.get(name).await.unwrap(), "Ready", "True"), "{name}");
        let history = scene.fly().hostnames().await.unwrap()[&format!("{name}.acme.test")].clone();
        assert_eq!(history.uploads().len(), 1, "{name}: {history:?}");
    }
    assert_eq!(scene.rig.problems(&["acme"], None).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_certificate_of_a_minute_is_renewed_again_and_again_before_its_end() {
    renewed_again_and_again(5).await;
}

#[tokio::test]
async fn so_it_is_renewed_where_a_fifth_of_all_nonces_is_refused() {
    renewed_again_and_again(20).await;
}

async fn renewed_again_and_again(bad_nonces: u8) {
    let (scene, authority) = scene(60, bad_nonces).await;
    let customer = scene.customer("acme").await.unwrap();
    customer.runtime("ops").await.unwrap();
    customer.declare("www", "www.acme.test", "ops", by_acme()).await.unwrap();
    customer.set_listed("www", &PLAIN).await.unwrap();
    customer.wait_active("www").await.unwrap();
    let mut serials = Vec::new();
    let until = tokio::time::Instant::now() + Duration::from_mins(5);
    while serials.len() < 4 {
        assert!(tokio::time::Instant::now() < until, "{serials:?}");
        let visit = shown(&scene, &authority, "www.acme.test").await.unwrap();
        if serials.last() != Some(&visit.serial) {
            serials.push(visit.serial);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let uploads = scene.fly().hostnames().await.unwrap()["www.acme.test"].uploads().len();
    assert!((4..=5).contains(&uploads), "each is imported once: {uploads}");
    let object = customer.get("www").await.unwrap();
    assert!(condition_is(&object, "Ready", "True"), "{}", object["status"]);
}

#[tokio::test]
async fn a_name_is_proved_by_http_through_the_platforms_ingress() {
    proved_by_http(5).await;
}

#[tokio::test]
async fn so_it_is_where_a_fifth_of_all_nonces_is_refused() {
    proved_by_http(20).await;
}

async fn proved_by_http(bad_nonces: u8) {
    let internet = Scene::internet(&["acme.test"]).await.unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ingress = free.local_addr().unwrap();
    drop(free);
    let authority = pebble(&internet, USUAL, bad_nonces, json!({"httpPort": ingress.port()})).await.unwrap();
    let http01 = json!({"http01": {"addresses": [ingress.ip()], "listen": ingress}});
    let settings = acme(&authority, without_limits(http01));
    let scene = Scene::within(internet, &["acme.test"], settings, Vec::new()).await.unwrap();
    let customer = scene.customer("acme").await.unwrap();
    customer.runtime("ops").await.unwrap();
    let spec = json!({"certificate": {"source": "ACME", "challenge": "HTTP01"}});
    customer.declare("www", "www.acme.test", "ops", spec).await.unwrap();
    let object = customer.follow("www").await.unwrap();
    let target = text(&record(&object, "OwnershipAndRouting").unwrap(), "/value").to_owned();
    assert_eq!(scene.server().records(&target, "A").await.unwrap(), [ingress.ip().to_string()]);
    shown(&scene, &authority, "www.acme.test").await.unwrap();
    let asked = reqwest::get(format!("http://{ingress}/.well-known/acme-challenge/nothing")).await.unwrap();
    assert_eq!(asked.status(), 404);
    let asked = reqwest::get(format!("http://{ingress}/healthz")).await.unwrap();
    assert_eq!(asked.status(), 404, "nothing else is answered there");
    assert_eq!(scene.rig.problems(&["acme"], None).await.unwrap(), [""; 0]);
}
