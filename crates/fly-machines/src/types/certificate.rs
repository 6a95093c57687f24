//! Certificates of custom hostnames.

use std::fmt;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

use super::wire::{nullable, time};

open_enum! {
    /// Where a certificate comes from.
    CertificateSource {
        /// Fly has it issued.
        Fly = "fly",
        /// It was uploaded.
        Custom = "custom",
    }
}

open_enum! {
    /// Where a hostname or one of its certificates stands.
    CertificateStatus {
        /// In use.
        Active = "active",
        /// The hostname's ownership isn't proved.
        PendingOwnership = "pending_ownership",
        /// The certificate authority hasn't validated it.
        PendingValidation = "pending_validation",
        /// DNS or the app isn't set up.
        AwaitingConfiguration = "awaiting_configuration",
    }
}

/// A hostname in a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the API's independent flags, as it sends them")]
pub struct CertificateSummary {
    /// The hostname.
    #[serde(default, deserialize_with = "nullable")]
    pub hostname: String,
    /// Where it stands.
    #[serde(default)]
    pub status: CertificateStatus,
    /// Whether DNS leads here, which doesn't mean that a certificate was issued.
    #[serde(default, deserialize_with = "nullable")]
    pub configured: bool,
    /// Whether Fly is asked to have one issued.
    #[serde(default, deserialize_with = "nullable")]
    pub acme_requested: bool,
    /// Whose name servers the hostname has, as Fly guesses.
    #[serde(default, deserialize_with = "nullable")]
    pub dns_provider: String,
    /// The `_acme-challenge` CNAME was found.
    #[serde(default, deserialize_with = "nullable")]
    pub acme_dns_configured: bool,
    /// TLS-ALPN would work.
    #[serde(default, deserialize_with = "nullable")]
    pub acme_alpn_configured: bool,
    /// HTTP would work.
    #[serde(default, deserialize_with = "nullable")]
    pub acme_http_configured: bool,
    /// The `_fly-ownership` TXT record was found.
    #[serde(default, deserialize_with = "nullable")]
    pub ownership_txt_configured: bool,
    /// Whether an uploaded one is there.
    #[serde(default, deserialize_with = "nullable")]
    pub has_custom_certificate: bool,
    /// Whether one of Fly's is there.
    #[serde(default, deserialize_with = "nullable")]
    pub has_fly_certificate: bool,
    /// When the hostname was added.
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<Timestamp>,
}

#[derive(Deserialize)]
pub(crate) struct CertificatesPage {
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) certificates: Vec<CertificateSummary>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) next_cursor: String,
}

/// A hostname, its certificates and what is still to be done.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CertificateDetail {
    /// The hostname.
    #[serde(default, deserialize_with = "nullable")]
    pub hostname: String,
    /// Where it stands.
    #[serde(default)]
    pub status: CertificateStatus,
    /// Whether DNS leads here. It doesn't mean issued: see [`CertificateDetail::active_until`].
    #[serde(default, deserialize_with = "nullable")]
    pub configured: bool,
    /// Whether Fly is asked to have one issued.
    #[serde(default, deserialize_with = "nullable")]
    pub acme_requested: bool,
    /// Whose name servers the hostname has, as Fly guesses.
    #[serde(default, deserialize_with = "nullable")]
    pub dns_provider: String,
    /// Until when the certificate authority takes no more requests.
    #[serde(default, deserialize_with = "time")]
    pub rate_limited_until: Option<Timestamp>,
    /// The certificates.
    #[serde(default, deserialize_with = "nullable")]
    pub certificates: Vec<CertificateEntry>,
    /// Which proofs were found.
    #[serde(default, deserialize_with = "nullable")]
    pub validation: CertificateValidation,
    /// The records to set.
    #[serde(default, deserialize_with = "nullable")]
    pub dns_requirements: DnsRequirements,
    /// What is wrong.
    #[serde(default, deserialize_with = "nullable")]
    pub validation_errors: Vec<CertificateValidationError>,
    /// The records found; only a check tells.
    #[serde(default)]
    pub dns_records: Option<Box<DnsRecords>>,
    /// What the removal of an uploaded one warns of; empty if of nothing.
    #[serde(default, deserialize_with = "nullable")]
    pub warning: String,
}

impl CertificateDetail {
    /// When the last of the active certificates expires; `None` if none is active.
    pub fn active_until(&self) -> Option<Timestamp> {
        let active = self.certificates.iter().filter(|entry| entry.status == CertificateStatus::Active);
        active.filter_map(|entry| entry.expires_at).max()
    }

    /// The certificate from this source, active or not.
    pub fn entry(&self, source: &CertificateSource) -> Option<&CertificateEntry> {
        self.certificates.iter().find(|entry| entry.source == *source)
    }

    /// The certificate that visitors are shown: an uploaded one before Fly's, even if it has expired.
    pub fn served(&self) -> Option<&CertificateEntry> {
        let active = |source| self.entry(source).filter(|entry| entry.status == CertificateStatus::Active);
        active(&CertificateSource::Custom).or_else(|| active(&CertificateSource::Fly))
    }
}

/// One certificate of a hostname.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CertificateEntry {
    /// Where it comes from.
    #[serde(default)]
    pub source: CertificateSource,
    /// Where it stands.
    #[serde(default)]
    pub status: CertificateStatus,
    /// When it was made.
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
    /// When it expires.
    #[serde(default, deserialize_with = "time")]
    pub expires_at: Option<Timestamp>,
    /// Who signed an uploaded one.
    #[serde(default, deserialize_with = "nullable")]
    pub issuer: String,
    /// What was issued, one for each kind of key.
    #[serde(default, deserialize_with = "nullable")]
    pub issued: Vec<IssuedCertificate>,
}

/// A certificate as it was issued.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct IssuedCertificate {
    /// `rsa` or `ecdsa`.
    #[serde(rename = "type", default, deserialize_with = "nullable")]
    pub kind: String,
    /// When it expires.
    #[serde(default, deserialize_with = "time")]
    pub expires_at: Option<Timestamp>,
    /// Who signed it.
    #[serde(default, deserialize_with = "nullable")]
    pub certificate_authority: String,
}

/// Which proofs were found.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the API's independent flags, as it sends them")]
pub struct CertificateValidation {
    /// The `_acme-challenge` CNAME.
    #[serde(default, deserialize_with = "nullable")]
    pub dns_configured: bool,
    /// TLS-ALPN.
    #[serde(default, deserialize_with = "nullable")]
    pub alpn_configured: bool,
    /// HTTP.
    #[serde(default, deserialize_with = "nullable")]
    pub http_configured: bool,
    /// The `_fly-ownership` TXT record.
    #[serde(default, deserialize_with = "nullable")]
    pub ownership_txt_configured: bool,
}

/// The records that a hostname's owner has to set.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct DnsRequirements {
    /// IPv4 addresses.
    #[serde(default, deserialize_with = "nullable")]
    pub a: Vec<String>,
    /// IPv6 addresses.
    #[serde(default, deserialize_with = "nullable")]
    pub aaaa: Vec<String>,
    /// The name for a CNAME.
    #[serde(default, deserialize_with = "nullable")]
    pub cname: String,
    /// The CNAME for DNS validation.
    #[serde(default)]
    pub acme_challenge: Option<AcmeChallenge>,
    /// The TXT record that proves ownership.
    #[serde(default)]
    pub ownership: Option<Ownership>,
}

/// The CNAME for DNS validation.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AcmeChallenge {
    /// The record's name.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Its value.
    #[serde(default, deserialize_with = "nullable")]
    pub target: String,
}

/// The TXT record that proves ownership; either value does.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Ownership {
    /// The record's name.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// The value for this app.
    #[serde(default, deserialize_with = "nullable")]
    pub app_value: String,
    /// The value for all apps of the organisation.
    #[serde(default, deserialize_with = "nullable")]
    pub org_value: String,
}

/// What is wrong with a hostname.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CertificateValidationError {
    /// Such as `DNS_NOT_CONFIGURED`; may be empty.
    #[serde(default, deserialize_with = "nullable")]
    pub code: String,
    /// The cause.
    #[serde(default, deserialize_with = "nullable")]
    pub message: String,
    /// The remedy.
    #[serde(default, deserialize_with = "nullable")]
    pub remediation: String,
    /// When it was found.
    #[serde(default, deserialize_with = "time")]
    pub timestamp: Option<Timestamp>,
}

/// The records that a check found.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct DnsRecords {
    /// IPv4 addresses.
    #[serde(default, deserialize_with = "nullable")]
    pub a: Vec<String>,
    /// IPv6 addresses.
    #[serde(default, deserialize_with = "nullable")]
    pub aaaa: Vec<String>,
    /// CNAME targets.
    #[serde(default, deserialize_with = "nullable")]
    pub cname: Vec<String>,
    /// The addresses in the end.
    #[serde(default, deserialize_with = "nullable")]
    pub resolved_addresses: Vec<String>,
    /// The zone's first name server.
    #[serde(default)]
    pub soa: Option<String>,
    /// The `_acme-challenge` CNAME.
    #[serde(default)]
    pub acme_challenge_cname: Option<String>,
    /// The `_fly-ownership` TXT record.
    #[serde(default)]
    pub ownership_txt: Option<String>,
}

/// A certificate to upload.
#[derive(Clone)]
pub struct CustomCertificate {
    /// The hostname that it is for.
    pub hostname: String,
    /// The certificate and its chain, PEM.
    pub fullchain: String,
    /// Its private key, PEM.
    pub private_key: SecretString,
}

impl Serialize for CustomCertificate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_struct("CustomCertificate", 3)?;
        body.serialize_field("hostname", &self.hostname)?;
        body.serialize_field("fullchain", &self.fullchain)?;
        body.serialize_field("private_key", self.private_key.expose_secret())?;
        body.end()
    }
}

impl fmt::Debug for CustomCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomCertificate").field("hostname", &self.hostname).finish_non_exhaustive()
    }
}
