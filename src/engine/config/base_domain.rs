//! The domain under which every Runtime gets a hostname of its own: its records and its certificate.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Stands for a Runtime's slug in the template.
pub const SLUG: &str = "{slug}";
/// Stands for the domain's name in the template.
pub const DOMAIN: &str = "{baseDomain}";

/// The domain under which every Runtime gets a hostname of its own.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BaseDomain {
    /// Its name, such as `example.dev`.
    pub name: String,
    /// A Runtime's hostname: one label, with `{slug}` in it, below `{baseDomain}`.
    #[serde(default = "default_hostname")]
    pub hostname: String,
    /// Who keeps the records.
    pub dns: DnsProvider,
    /// Authoritative servers, as address and port, that are asked whether a record shows. Found by DNS if empty.
    #[serde(default)]
    pub name_servers: Vec<String>,
    /// Where the wildcard certificate comes from.
    pub certificate: CertificateSource,
}

/// Who keeps the records. One of these.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DnsProvider {
    /// A server that takes dynamic updates.
    Rfc2136(Rfc2136),
    /// Cloudflare.
    Cloudflare(Cloudflare),
    /// external-dns, by `DNSEndpoint` objects in the operator's namespace.
    DnsEndpoint(DnsEndpoint),
    /// Nobody: a wildcard record stands already.
    None,
}

/// A server that takes dynamic updates (RFC 2136), signed with TSIG.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rfc2136 {
    /// Its address and port.
    pub server: String,
    /// The zone that holds the records; the base domain itself if left out.
    #[serde(default)]
    pub zone: Option<String>,
    /// The key with which updates are signed.
    pub tsig: Tsig,
}

/// A TSIG key.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tsig {
    /// Its name, as the server knows it.
    pub name: String,
    /// Its algorithm.
    #[serde(default)]
    pub algorithm: TsigAlgorithm,
    /// The key itself, in base64.
    pub key: SecretSource,
}

/// Algorithm of a TSIG key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TsigAlgorithm {
    /// hmac-sha256.
    #[default]
    HmacSha256,
    /// hmac-sha384.
    HmacSha384,
    /// hmac-sha512.
    HmacSha512,
}

/// A zone at Cloudflare.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cloudflare {
    /// Id of the zone.
    #[serde(rename = "zoneID")]
    pub zone_id: String,
    /// An API token that may edit the zone's records.
    pub token: SecretSource,
    /// Base of Cloudflare's API.
    #[serde(rename = "apiURL", default = "default_cloudflare")]
    pub api_url: String,
}

/// external-dns, with its `crd` source.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsEndpoint {
    /// Labels for the objects, should external-dns filter by them.
    #[serde(default)]
    pub labels: std::collections::BTreeMap<String, String>,
}

/// Where a secret value is. One of these.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SecretSource {
    /// A file, read each time that the value is needed.
    File(PathBuf),
    /// A key of a Secret in the operator's namespace.
    SecretRef(SecretKey),
}

/// A key of a Secret in the operator's namespace.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKey {
    /// Name of the Secret.
    pub name: String,
    /// The key in it.
    pub key: String,
}

/// Where the wildcard certificate comes from. One of these.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CertificateSource {
    /// Ordered by ACME, proved through the same DNS.
    Acme(Acme),
    /// A `kubernetes.io/tls` Secret that somebody else keeps, such as cert-manager.
    Secret(CertificateSecret),
}

/// A certificate authority that speaks ACME.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Acme {
    /// Its directory.
    #[serde(rename = "directoryURL", default = "default_directory")]
    pub directory_url: String,
    /// PEM file with the authority of the directory's own certificate, if it is a private one.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// E-mail address for what the authority has to tell.
    #[serde(default)]
    pub contact: Option<String>,
    /// The authority's profile to order by.
    #[serde(default)]
    pub profile: Option<String>,
    /// External account binding, where the authority asks for it.
    #[serde(default)]
    pub external_account: Option<ExternalAccount>,
}

/// External account binding.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalAccount {
    /// Id of the key.
    #[serde(rename = "keyID")]
    pub key_id: String,
    /// The key itself, in base64url.
    pub key: SecretSource,
}

/// A `kubernetes.io/tls` Secret.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificateSecret {
    /// Its namespace; the operator's own if left out.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl BaseDomain {
    /// The hostname for a slug; `None` if it would be longer than DNS allows.
    pub fn hostname(&self, slug: &str) -> Option<String> {
        let host = self.hostname.replace(SLUG, slug).replace(DOMAIN, &self.name);
        is_hostname(&host).then_some(host)
    }

    /// The name that the certificate has to cover.
    pub fn wildcard(&self) -> String {
        format!("*.{}", self.name)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let value = |field, problem| Err(ConfigError::Value { field, problem });
        if !is_hostname(&self.name) || !self.name.contains('.') {
            return value("baseDomain.name", "must be a domain in lower case, such as `example.dev`");
        }
        let label = self.hostname.strip_suffix(&format!(".{DOMAIN}")).unwrap_or_default();
        if label.matches(SLUG).count() != 1 || !is_one_label(&label.replace(SLUG, "a")) {
            return value(
                "baseDomain.hostname",
                "must be one label with `{slug}` in it, followed by `.{baseDomain}`: the certificate covers no more",
            );
        }
        if !self.name_servers.iter().all(|server| server.parse::<SocketAddr>().is_ok()) {
            return value("baseDomain.nameServers", "must be IP addresses with a port, such as 192.0.2.1:53");
        }
        self.check_dns()
    }

    fn check_dns(&self) -> Result<(), ConfigError> {
        let value = |field, problem| Err(ConfigError::Value { field, problem });
        match (&self.dns, &self.certificate) {
            (DnsProvider::None, CertificateSource::Acme(_)) => value(
                "baseDomain.certificate",
                "can't be ordered by ACME without a DNS provider to prove the domain with; name one, or a Secret",
            ),
            (DnsProvider::Rfc2136(server), _) if server.server.parse::<SocketAddr>().is_err() => value(
                "baseDomain.dns.rfc2136.server",
                "must be an IP address and a port, such as 192.0.2.1:53",
            ),
            (DnsProvider::Rfc2136(server), _) if !self.is_within(server.zone.as_deref()) => {
                value("baseDomain.dns.rfc2136.zone", "must be the base domain or a domain above it")
            }
            (DnsProvider::Cloudflare(zone), _) if zone.zone_id.is_empty() => value(
                "baseDomain.dns.cloudflare.zoneID",
                "must be the id of the zone, from its overview page",
            ),
            _ => Ok(()),
        }
    }

    fn is_within(&self, zone: Option<&str>) -> bool {
        zone.is_none_or(|zone| self.name == zone || self.name.ends_with(&format!(".{zone}")))
    }
}

pub(super) fn is_hostname(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_one_label)
}

fn is_one_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn default_hostname() -> String {
    format!("{SLUG}.{DOMAIN}")
}

fn default_cloudflare() -> String {
    "https://api.cloudflare.com/client/v4".into()
}

fn default_directory() -> String {
    "https://acme-v02.api.letsencrypt.org/directory".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(hostname: &str) -> BaseDomain {
        BaseDomain {
            name: "example.dev".into(),
            hostname: hostname.into(),
            dns: DnsProvider::None,
            name_servers: Vec::new(),
            certificate: CertificateSource::Secret(CertificateSecret { namespace: None, name: "tls".into() }),
        }
    }

    #[test]
    fn a_hostname_is_one_label_below_the_domain() {
        let plain = domain("{slug}.{baseDomain}");
        assert_eq!(plain.hostname("acme-ops").unwrap(), "acme-ops.example.dev");
        let dressed = domain("agent-{slug}.{baseDomain}");
        assert_eq!(dressed.hostname("a").unwrap(), "agent-a.example.dev");
        assert_eq!(dressed.hostname(&"a".repeat(60)), None, "longer than a label may be");
        for right in [&plain, &dressed] {
            right.check().unwrap();
        }
    }

    #[test]
    fn a_template_that_the_certificate_does_not_cover_is_refused() {
        for wrong in [
            "{slug}",
            "{slug}.example.dev",
            "{baseDomain}",
            "agents.{baseDomain}",
            "{slug}.agents.{baseDomain}",
            "{slug}-{slug}.{baseDomain}",
            "-{slug}.{baseDomain}",
            "A{slug}.{baseDomain}",
        ] {
            let error = domain(wrong).check().unwrap_err().to_string();
            assert!(error.contains("baseDomain.hostname"), "{wrong}: {error}");
        }
    }

    #[test]
    fn what_can_not_work_together_is_refused() {
        let mut acme = domain("{slug}.{baseDomain}");
        acme.certificate = CertificateSource::Acme(Acme {
            directory_url: default_directory(),
            ca_file: None,
            contact: None,
            profile: None,
            external_account: None,
        });
        assert!(acme.check().unwrap_err().to_string().contains("without a DNS provider"));
        let mut upper = domain("{slug}.{baseDomain}");
        upper.name = "Example.dev".into();
        assert!(upper.check().unwrap_err().to_string().contains("baseDomain.name"));
        upper.name = "dev".into();
        assert!(upper.check().is_err(), "a single label is nobody's domain");
    }
}
