//! Certificates of an app's hostnames.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use crate::certificate_files::certified_key;
use crate::clock::Millis;

/// A hostname that an app serves, with the certificates for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// The hostname; may start with `*.`.
    pub hostname: String,
    /// Whether Fly is asked to issue one.
    pub acme_requested: bool,
    /// What the last look at DNS showed.
    pub validation: Validation,
    /// Why it isn't issued yet.
    pub errors: Vec<ValidationError>,
    /// The one that Fly issued.
    pub issued: Option<Issued>,
    /// When issuing, once validated, will be through.
    pub issue_at: Option<Millis>,
    /// The one that the customer brought.
    pub custom: Option<Custom>,
    /// Since when the hostname is proved to be the customer's, as far as a custom certificate needs it.
    #[serde(default)]
    pub proven_at: Option<Millis>,
    /// Until when Let's Encrypt refuses.
    pub rate_limited_until: Option<Millis>,
    /// The label of the DNS-01 challenge target.
    pub challenge: String,
    /// When something happens to it next by itself.
    #[serde(default)]
    pub due: Option<Millis>,
    /// When it was added.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
}

impl Certificate {
    /// A hostname that was just added.
    pub fn new(hostname: &str, challenge: String, now: Millis) -> Self {
        Self {
            hostname: hostname.to_owned(),
            acme_requested: false,
            validation: Validation::default(),
            errors: Vec::new(),
            issued: None,
            issue_at: None,
            custom: None,
            proven_at: None,
            rate_limited_until: None,
            challenge,
            due: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether the hostname is a wildcard.
    pub fn is_wildcard(&self) -> bool {
        self.hostname.starts_with("*.")
    }

    /// The customer's certificate, once the hostname is proved to be theirs.
    pub fn active_custom(&self) -> Option<&Custom> {
        self.custom.as_ref().filter(|_| self.proven_at.is_some())
    }

    /// Whether it waits for its DNS to be looked at again.
    pub fn is_pending(&self) -> bool {
        let unproven = self.custom.is_some() && self.proven_at.is_none();
        unproven || (self.acme_requested && self.issued.is_none())
    }

    /// Whether a certificate can be shown to visitors.
    pub fn is_active(&self) -> bool {
        self.active_custom().is_some() || self.issued.is_some()
    }
}

/// What DNS showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "this is the API's own shape, and each is an independent fact"
)]
pub struct Validation {
    /// The challenge's CNAME points to Fly.
    pub dns_configured: bool,
    /// TLS-ALPN-01 would work.
    pub alpn_configured: bool,
    /// HTTP-01 would work.
    pub http_configured: bool,
    /// The ownership TXT record is there.
    pub ownership_txt_configured: bool,
}

impl Validation {
    /// Whether visitors of the hostname come to the app.
    pub fn leads_here(self) -> bool {
        self.alpn_configured || self.http_configured
    }
}

/// Why a certificate isn't issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationError {
    /// A code such as `DNS_NOT_CONFIGURED`.
    pub code: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remediation: String,
    /// When it was found, in RFC 3339.
    pub timestamp: String,
}

/// A certificate that Fly issued. Its times are whole seconds, as in the certificate itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// When.
    pub created_at: Millis,
    /// Until when it holds.
    pub expires_at: Millis,
}

impl Issued {
    /// One that is issued now and holds so long.
    pub fn at(now: Millis, lifetime: Millis) -> Self {
        let seconds = |ms: Millis| ms.div_euclid(1_000) * 1_000;
        Self { created_at: seconds(now), expires_at: seconds(now) + seconds(lifetime) }
    }

    /// Renewed when two thirds of its life are over.
    pub fn renewal(self) -> Millis {
        self.expires_at - (self.expires_at - self.created_at) / 3
    }
}

/// A certificate that the customer brought. Printing it for debugging doesn't show the key.
#[derive(Clone, Serialize, Deserialize)]
pub struct Custom {
    /// The chain in PEM.
    pub chain: String,
    /// The key in PEM.
    pub key: String,
    /// SHA-256 of the first certificate's DER, in hexadecimal.
    #[serde(default)]
    pub fingerprint: String,
    /// When it was brought.
    pub created_at: Millis,
    /// Until when it holds.
    pub expires_at: Millis,
    /// Who issued it.
    pub issuer: String,
    /// Read once, for all handshakes.
    #[serde(skip)]
    pub loaded: OnceLock<Arc<CertifiedKey>>,
}

impl Custom {
    /// The chain and key as TLS wants them.
    pub fn certified(&self) -> io::Result<Arc<CertifiedKey>> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(Arc::clone(loaded));
        }
        let fresh = Arc::new(certified_key(&self.chain, &self.key)?);
        Ok(Arc::clone(self.loaded.get_or_init(|| fresh)))
    }
}

impl std::fmt::Debug for Custom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Custom")
            .field("fingerprint", &self.fingerprint)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_issued_has_whole_seconds_and_is_renewed_after_two_thirds() {
        let issued = Issued::at(1_234, 9_000);
        assert_eq!(issued, Issued { created_at: 1_000, expires_at: 10_000 });
        assert_eq!(issued.renewal(), 7_000);
    }
}
