//! Certificates as the API answers them.

use serde_json::{Value, json};

use super::address::AddressKind;
use super::app::App;
use super::certificate::Certificate;
use crate::clock::rfc3339;
use crate::world::certificates::proofs;

/// The overall status.
fn status(certificate: &Certificate) -> &'static str {
    let mismatch = |code: &Option<String>| code.as_deref() == Some("DNS_RECORD_MISMATCH");
    let elsewhere = certificate.errors.iter().any(|error| mismatch(&error.code));
    match () {
        () if certificate.is_active() => "active",
        () if certificate.custom.is_some() => "pending_ownership",
        () if !certificate.acme_requested => "awaiting_configuration",
        () if elsewhere && !certificate.validation.ownership_txt_configured => "pending_ownership",
        () => "pending_validation",
    }
}

/// Whether validation would succeed, which doesn't mean that anything was issued.
fn configured(certificate: &Certificate) -> bool {
    let v = certificate.validation;
    v.dns_configured || v.leads_here() || certificate.active_custom().is_some()
}

/// An entry of a list.
pub fn summary(certificate: &Certificate) -> Value {
    let v = certificate.validation;
    json!({
        "hostname": certificate.hostname,
        "status": status(certificate),
        "dns_provider": "sim",
        "acme_dns_configured": v.dns_configured,
        "acme_alpn_configured": v.alpn_configured,
        "acme_http_configured": v.http_configured,
        "ownership_txt_configured": v.ownership_txt_configured,
        "configured": configured(certificate),
        "acme_requested": certificate.acme_requested,
        "has_custom_certificate": certificate.custom.is_some(),
        "has_fly_certificate": certificate.issued.is_some(),
        "created_at": rfc3339(certificate.created_at),
        "updated_at": rfc3339(certificate.updated_at),
    })
}

/// All of it.
pub fn detail(app: &App, certificate: &Certificate) -> Value {
    json!({
        "hostname": certificate.hostname,
        "configured": configured(certificate),
        "acme_requested": certificate.acme_requested,
        "status": status(certificate),
        "dns_provider": "sim",
        "rate_limited_until": certificate.rate_limited_until.map(rfc3339),
        "certificates": entries(certificate),
        "validation": certificate.validation,
        "dns_requirements": requirements(app, certificate),
        "validation_errors": certificate.errors,
    })
}

/// The custom one first, which is the one that is served.
fn entries(certificate: &Certificate) -> Vec<Value> {
    let proven = certificate.proven_at.is_some();
    let own = certificate.custom.as_ref().map(|custom| {
        json!({
            "source": "custom",
            "status": if proven { "active" } else { "pending_ownership" },
            "created_at": rfc3339(custom.created_at),
            "expires_at": rfc3339(custom.expires_at),
            "issuer": custom.issuer,
            "issued": [],
        })
    });
    let fly = certificate.issued.map(|issued| {
        let expires_at = rfc3339(issued.expires_at);
        let kind = |kind: &str| {
            json!({ "type": kind, "expires_at": expires_at, "certificate_authority": "lets_encrypt" })
        };
        json!({
            "source": "fly",
            "status": "active",
            "created_at": rfc3339(issued.created_at),
            "expires_at": expires_at,
            "issuer": null,
            "issued": [kind("ecdsa"), kind("rsa")],
        })
    });
    own.into_iter().chain(fly).collect()
}

fn requirements(app: &App, certificate: &Certificate) -> Value {
    let proofs = proofs(app, certificate);
    let of = |kinds: &[AddressKind]| -> Vec<&str> {
        app.addresses.iter().filter(|a| kinds.contains(&a.kind)).map(|a| a.ip.as_str()).collect()
    };
    json!({
        "a": of(&[AddressKind::V4, AddressKind::SharedV4]),
        "aaaa": of(&[AddressKind::V6]),
        "cname": app.default_hostname(),
        "acme_challenge": { "name": proofs.challenge.0, "target": proofs.challenge.1 },
        "ownership": {
            "name": proofs.ownership,
            "app_value": proofs.app_value,
            "org_value": proofs.org_value,
        },
    })
}
