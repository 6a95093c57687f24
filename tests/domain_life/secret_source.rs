//! Certificates that somebody else keeps in a Secret.

use std::time::{Duration, SystemTime};

use anyhow::ensure;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use testbed::{condition_is, eventually};

use crate::domains::{Customer, Scene};
use crate::support::{SOON, condition, reason, text};

const DAY: Duration = Duration::from_hours(24);

/// A certificate and its key, PEM.
struct Pair {
    chain: String,
    key: String,
}

/// A certificate for these names, good for so long from now on.
fn pair(names: &[&str], lasts: Duration) -> Pair {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = (SystemTime::now() - DAY).into();
    params.not_after = (SystemTime::now() + lasts).into();
    Pair { chain: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

async fn store(customer: &Customer<'_>, name: &str, chain: &str, key: &str) {
    let more = json!({"type": "kubernetes.io/tls", "data": {
        "tls.crt": BASE64_STANDARD.encode(chain), "tls.key": BASE64_STANDARD.encode(key),
    }});
    customer.tenant.apply("v1", "Secret", name, more).await.unwrap();
}

fn from_secret(name: &str) -> Value {
    json!({"certificate": {"source": "Secret", "secretRef": {"name": name}}})
}

async fn serial(scene: &Scene, host: &str) -> anyhow::Result<String> {
    Ok(scene.fly().visit(host).await?.serial)
}

#[tokio::test]
async fn it_is_checked_imported_and_followed() {
    let scene = Scene::start(&["acme.test"], json!({})).await.unwrap();
    let customer = scene.customer("acme").await.unwrap();
    customer.runtime("ops").await.unwrap();
    customer.declare("www", "www.acme.test", "ops", from_secret("own")).await.unwrap();
    customer.set_listed("www", &["OwnershipAndRouting"]).await.unwrap();
    customer.wait_reason("www", "Ready", "SecretNotFound").await.unwrap();

    let (good, other) = (pair(&["www.acme.test"], DAY * 30), pair(&["www.acme.test"], DAY * 30));
    let foreign = pair(&["www.other.test"], DAY * 30);
    let unfit = [
        (&other.chain, &good.key, "key"),
        (&foreign.chain, &foreign.key, "www"),
        (&"not PEM at all".to_owned(), &good.key, "PEM"),
        (&"-----BEGIN CERTIFICATE-----\n".repeat(20_000), &good.key, "large"),
    ];
    for (chain, key, word) in unfit {
        store(&customer, "own", chain, key).await;
        let told = |object: &Value| text(&condition(object, "Ready"), "/message").to_owned();
        let stalled = customer
            .wait("www", word, |object| reason(object) == "CertificateInvalid" && told(object).contains(word))
            .await
            .unwrap();
        let told = told(&stalled);
        assert!(told.contains("`own`"), "{told}");
        assert!(!told.contains("BEGIN") && told.len() < 600, "{told}");
    }
    let expired = pair(&["www.acme.test"], Duration::ZERO);
    store(&customer, "own", &expired.chain, &expired.key).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(scene.fly().visit("www.acme.test").await.is_err(), "nothing was imported");

    store(&customer, "own", &good.chain, &good.key).await;
    let active = customer.wait_active("www").await.unwrap();
    assert_eq!(text(&active, "/status/certificate/secretName"), "own");
    let first = serial(&scene, "www.acme.test").await.unwrap();

    // Somebody renews it; a look at Secrets is taken without a watch on them.
    let renewed = pair(&["www.acme.test"], DAY * 60);
    store(&customer, "own", &renewed.chain, &renewed.key).await;
    eventually("the renewed certificate", SOON * 3, async || {
        ensure!(serial(&scene, "www.acme.test").await? != first, "still the first");
        Ok(())
    })
    .await
    .unwrap();
    let history = scene.fly().hostnames().await.unwrap()["www.acme.test"].clone();
    assert_eq!(history.uploads().len(), 2);

    // One that is unfit takes nothing out of service.
    store(&customer, "own", &other.chain, &good.key).await;
    customer.wait_reason("www", "CertificateIssued", "CertificateInvalid").await.unwrap();
    let second = serial(&scene, "www.acme.test").await.unwrap();
    assert_ne!(second, first);
    assert!(condition_is(&customer.get("www").await.unwrap(), "CertificateIssued", "True"));
    assert_eq!(scene.rig.problems(&["acme"], None).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn one_that_expires_is_taken_out_of_service() {
    let scene = Scene::start(&["acme.test"], json!({})).await.unwrap();
    let customer = scene.customer("acme").await.unwrap();
    customer.runtime("ops").await.unwrap();
    let short = pair(&["www.acme.test"], Duration::from_secs(25));
    store(&customer, "own", &short.chain, &short.key).await;
    customer.declare("www", "www.acme.test", "ops", from_secret("own")).await.unwrap();
    customer.set_listed("www", &["OwnershipAndRouting"]).await.unwrap();
    customer.wait_active("www").await.unwrap();
    let over = customer.wait_reason("www", "Ready", "CertificateExpired").await.unwrap();
    assert!(condition_is(&over, "CertificateIssued", "False"), "{}", over["status"]);
    eventually("nothing is shown any more", SOON, async || {
        ensure!(scene.fly().visit("www.acme.test").await.is_err());
        Ok(())
    })
    .await
    .unwrap();
    let history = scene.fly().hostnames().await.unwrap()["www.acme.test"].clone();
    assert_eq!(history.count("certificate.custom_delete"), 1, "{history:?}");
    assert_eq!(history.count("certificate.delete"), 0, "the hostname itself stays");
}
