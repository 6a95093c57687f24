//! Hostnames with certificates from both sources, from the first proof to the last deletion.

use fly_machines::types::{CertificateDetail, CertificateSource, CertificateStatus, CustomCertificate};
use fly_machines::{Client, ErrorClass};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::simulator::{Simulator, app_with_machine};

const WILDCARD: &str = "*.example.com";

/// A certificate for this name until the first of January of a year.
fn certificate(hostname: &str, name: &str, year: i32) -> CustomCertificate {
    let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    CustomCertificate {
        hostname: hostname.to_owned(),
        fullchain: params.self_signed(&key).unwrap().pem(),
        private_key: SecretString::from(key.serialize_pem()),
    }
}

async fn set_dns(simulator: &Simulator, name: &str, mut records: Value) {
    records["name"] = name.into();
    simulator.control(reqwest::Method::POST, "dns", &records).await;
}

async fn scene() -> (Simulator, Client) {
    let simulator = Simulator::start().await;
    let client = simulator.client();
    app_with_machine(&client, "one").await;
    (simulator, client)
}

fn standing(detail: &CertificateDetail) -> (CertificateStatus, Option<CertificateSource>) {
    (detail.status.clone(), detail.served().map(|entry| entry.source.clone()))
}

#[tokio::test]
async fn an_uploaded_wildcard_lives_from_its_proof_to_its_removal() {
    let (simulator, client) = scene().await;
    let certificates = client.certificates("one");
    let made = certificates.import(&certificate(WILDCARD, WILDCARD, 2099)).await.unwrap();
    assert_eq!(standing(&made), (CertificateStatus::PendingOwnership, None));
    let ownership = made.dns_requirements.ownership.unwrap();
    set_dns(&simulator, &ownership.name, json!({"txt": [ownership.app_value]})).await;
    let checked = certificates.check(WILDCARD).await.unwrap();
    assert_eq!(standing(&checked), (CertificateStatus::Active, Some(CertificateSource::Custom)));
    assert_eq!(checked.dns_records.unwrap().ownership_txt, Some(ownership.app_value));
    let listed = certificates.list().await.unwrap();
    assert!(
        listed[0].has_custom_certificate
            && listed[0].ownership_txt_configured
            && listed[0].created_at.is_some()
    );
    let left = certificates.delete_custom(WILDCARD).await.unwrap();
    assert!(!left.warning.is_empty() && left.certificates.is_empty());
    assert_eq!(certificates.get(WILDCARD).await.unwrap().hostname, WILDCARD);
    certificates.delete(WILDCARD).await.unwrap();
    assert!(certificates.delete(WILDCARD).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn each_refusal_has_its_class() {
    let (_simulator, client) = scene().await;
    let certificates = client.certificates("one");
    let class = |result: fly_machines::Result<CertificateDetail>| result.unwrap_err().class();
    let expired = certificate("ai.example.com", "ai.example.com", 2001);
    assert_eq!(class(certificates.import(&expired).await), ErrorClass::Invalid);
    let foreign = certificate("ai.example.com", "other.example.com", 2099);
    assert_eq!(class(certificates.import(&foreign).await), ErrorClass::Invalid);
    let mut mixed = certificate("ai.example.com", "ai.example.com", 2099);
    mixed.private_key = foreign.private_key.clone();
    let error = certificates.import(&mixed).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Invalid);
    assert!(!format!("{error:?} {error}").contains("PRIVATE KEY"));
    assert_eq!(class(certificates.request("no_hostname").await), ErrorClass::Invalid);
    for answer in [
        certificates.get("ai.example.com").await,
        certificates.check("ai.example.com").await,
        certificates.delete_acme("ai.example.com").await,
        certificates.delete_custom("ai.example.com").await,
        client.certificates("nobody").get("ai.example.com").await,
    ] {
        assert_eq!(class(answer), ErrorClass::NotFound);
    }
}

#[tokio::test]
async fn what_keeps_a_certificate_from_being_issued_is_told() {
    let (simulator, client) = scene().await;
    let certificates = client.certificates("one");
    let made = certificates.request("ai.example.com").await.unwrap();
    let error = &made.validation_errors[0];
    assert!(!error.code.is_empty() && !error.remediation.is_empty() && error.timestamp.is_some());
    let limit = json!({"environment": {"kind": "certificate_rate_limit", "ms": 3_600_000}});
    simulator.control(reqwest::Method::POST, "faults", &limit).await;
    let limited = certificates.check("ai.example.com").await.unwrap();
    assert!(limited.rate_limited_until.is_some());
    assert!(limited.validation_errors.iter().any(|error| error.code == "RATE_LIMITED"));
}
