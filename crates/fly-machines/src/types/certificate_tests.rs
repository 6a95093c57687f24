//! The examples of Fly's documentation of certificates, and what the live API was seen to answer beside them.

use serde_json::{Value, json};

use super::*;

fn detail(json: Value) -> CertificateDetail {
    serde_json::from_value(json).unwrap()
}

/// The records that the examples ask for.
fn requirements() -> Value {
    json!({
        "a": ["137.66.1.1"], "aaaa": ["2a09:8280:1::1"], "cname": "my-app-name.fly.dev",
        "acme_challenge": {"name": "_acme-challenge.example.com", "target": "example.com.XXXXX.flydns.net"},
        "ownership": {"name": "_fly-ownership.example.com", "app_value": "app-XXXXXXXXXX", "org_value": "org-XXXXXXXXXX"}
    })
}

fn custom(status: &str) -> Value {
    json!({"source": "custom", "status": status, "created_at": "2024-01-15T10:30:00Z",
        "expires_at": "2039-01-15T10:30:00Z", "issuer": "Cloudflare Origin Certificate", "issued": []})
}

fn fly() -> Value {
    json!({"source": "fly", "status": "active", "created_at": "2024-01-15T12:00:00Z",
        "expires_at": "2024-04-15T12:00:00Z", "issuer": null, "issued": [{"type": "ecdsa",
        "expires_at": "2024-04-15T12:00:00Z", "certificate_authority": "lets_encrypt"}]})
}

fn expiry(entry: Option<&CertificateEntry>) -> String {
    entry.and_then(|entry| entry.expires_at).map(|at| at.to_string()).unwrap_or_default()
}

#[test]
fn a_list() {
    let page: CertificatesPage = serde_json::from_value(json!({"certificates": [{
        "hostname": "example.com", "status": "active", "dns_provider": "enom", "acme_dns_configured": true,
        "acme_alpn_configured": true, "acme_http_configured": true, "ownership_txt_configured": true,
        "configured": true, "acme_requested": true, "has_custom_certificate": false, "has_fly_certificate": true,
        "created_at": "2024-01-15T10:30:00Z", "updated_at": "2024-01-15T12:00:00Z"
    }], "total_count": 1}))
    .unwrap();
    let one = &page.certificates[0];
    assert_eq!(
        (one.hostname.as_str(), &one.status, page.next_cursor.as_str()),
        ("example.com", &CertificateStatus::Active, "")
    );
    assert!(one.has_fly_certificate && !one.has_custom_certificate && one.ownership_txt_configured);
    assert_eq!(one.updated_at.unwrap().to_string(), "2024-01-15T12:00:00Z");
}

#[test]
fn an_upload_waits_for_its_proof() {
    let pending = detail(json!({"hostname": "example.com", "configured": false, "acme_requested": false,
        "status": "pending_ownership", "dns_provider": "enom", "rate_limited_until": null,
        "certificates": [custom("pending_ownership")], "validation": {"ownership_txt_configured": false},
        "dns_requirements": requirements(), "validation_errors": []}));
    assert_eq!(pending.status, CertificateStatus::PendingOwnership);
    let entry = pending.entry(&CertificateSource::Custom).unwrap();
    assert_eq!(
        (&entry.status, entry.issuer.as_str()),
        (&CertificateStatus::PendingOwnership, "Cloudflare Origin Certificate")
    );
    assert!(pending.served().is_none() && pending.active_until().is_none());
    assert_eq!(pending.dns_requirements.ownership.unwrap().name, "_fly-ownership.example.com");
}

#[test]
fn an_upload_is_served_before_flys_own() {
    let both = detail(json!({"hostname": "example.com", "configured": true, "status": "active",
        "certificates": [custom("active"), fly()]}));
    assert_eq!(expiry(both.served()), "2039-01-15T10:30:00Z");
    let fallback = detail(json!({"certificates": [custom("pending_ownership"), fly()]}));
    assert_eq!(expiry(fallback.served()), "2024-04-15T12:00:00Z");
    assert_eq!(fallback.served().unwrap().issued[0].certificate_authority, "lets_encrypt");
}

#[test]
fn a_check_tells_what_it_found() {
    let checked = detail(json!({"hostname": "example.com", "configured": true, "status": "active",
        "certificates": [fly()], "dns_requirements": requirements(), "validation_errors": [],
        "dns_records": {"a": ["137.66.1.1"], "aaaa": ["2a09:8280:1::1"], "cname": [],
            "resolved_addresses": ["137.66.1.1", "2a09:8280:1::1"], "soa": "ns1.example.com",
            "acme_challenge_cname": "example.com.XXXXX.flydns.net", "ownership_txt": "app-XXXXXXXXXX"}}));
    let records = checked.dns_records.unwrap();
    assert_eq!(
        (records.soa.as_deref(), records.ownership_txt.as_deref()),
        (Some("ns1.example.com"), Some("app-XXXXXXXXXX"))
    );
    assert_eq!(records.resolved_addresses.len(), 2);
}

/// The examples of the two deletions leave most out.
#[test]
fn what_a_deletion_leaves_may_be_told_in_part() {
    let left = detail(json!({"hostname": "example.com", "configured": true, "acme_requested": false,
        "status": "active", "certificates": [custom("active")], "validation": {"dns_configured": true},
        "dns_requirements": {"cname": null, "a": null}, "validation_errors": []}));
    assert!(left.dns_requirements.ownership.is_none() && left.dns_requirements.a.is_empty());
    assert_eq!((left.warning.as_str(), left.rate_limited_until), ("", None));
    let warned =
        detail(json!({"hostname": "example.com", "certificates": null, "warning": "no certificate is left"}));
    assert_eq!((warned.warning.as_str(), warned.served().is_none()), ("no certificate is left", true));
}

#[test]
fn errors_and_limits_are_read_with_their_times() {
    let limited =
        detail(json!({"status": "awaiting_configuration", "rate_limited_until": "2026-01-02T03:04:05Z",
        "validation_errors": [
            {"code": "RATE_LIMITED", "message": "m", "remediation": "r", "timestamp": "2026-01-01T00:00:00Z"},
            {"code": null, "message": "something", "remediation": null, "timestamp": null}
        ]}));
    assert_eq!(limited.status, CertificateStatus::AwaitingConfiguration);
    assert_eq!(limited.rate_limited_until.unwrap().to_string(), "2026-01-02T03:04:05Z");
    assert_eq!(limited.validation_errors[0].timestamp.unwrap().to_string(), "2026-01-01T00:00:00Z");
    assert_eq!(limited.validation_errors[1].code, "");
}

#[test]
fn words_of_tomorrow_are_kept() {
    let odd =
        detail(json!({"status": "resting", "certificates": [{"source": "other", "status": "resting"}]}));
    assert_eq!((odd.status.as_str(), odd.certificates[0].source.as_str()), ("resting", "other"));
    assert!(odd.served().is_none());
}
