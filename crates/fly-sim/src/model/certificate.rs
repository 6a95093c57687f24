//! Certificates of an app's hostnames.

use serde::{Deserialize, Serialize};

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
    /// Until when Let's Encrypt refuses.
    pub rate_limited_until: Option<Millis>,
    /// The label of the DNS-01 challenge target.
    pub challenge: String,
    /// When it was added.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
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
    /// Whether one of the proofs is there.
    pub fn proven(self) -> bool {
        self.dns_configured || self.alpn_configured || self.ownership_txt_configured
    }
}

/// Why a certificate isn't issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationError {
    /// A code such as `DNS_NOT_CONFIGURED`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remediation: String,
    /// When it was found, in RFC 3339.
    pub timestamp: String,
}

/// A certificate that Fly issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// When.
    pub created_at: Millis,
    /// Until when it holds.
    pub expires_at: Millis,
}

/// A certificate that the customer brought. Printing it for debugging doesn't show the key.
#[derive(Clone, Serialize, Deserialize)]
pub struct Custom {
    /// The chain in PEM.
    pub chain: String,
    /// The key in PEM.
    pub key: String,
    /// When it was brought.
    pub created_at: Millis,
    /// Until when it holds.
    pub expires_at: Millis,
    /// Who issued it.
    pub issuer: String,
}

impl std::fmt::Debug for Custom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Custom").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
