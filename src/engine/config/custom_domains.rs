//! The domains that customers bring: how their records are looked at.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::base_domain::{Acme, is_hostname};
use crate::domains::budget::Limits;

/// Hostnames of customers'.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CustomDomains {
    /// How customers' records are looked at.
    pub dns: DnsSettings,
    /// The certificate authority for CustomDomains with source ACME. Left out, none are ordered.
    pub acme: Option<AcmeSettings>,
    /// Zones in which customers can't bring hostnames, beside the base domain and fly.dev.
    pub refused_zones: Vec<String>,
    /// Most CustomDomains in one namespace.
    pub per_namespace: u16,
    /// Seconds between two looks at the records of a hostname in service, at least 1.
    #[schemars(range(min = 1))]
    pub recheck_seconds: u32,
    /// Seconds for which a hostname serves on after the record that shows whose it is has gone.
    pub grace_seconds: u32,
    /// Seconds for which another customer's record has to stand, and the holder's to be missing, before a hostname changes
    /// hands.
    pub contest_seconds: u32,
    /// Seconds that issuing a certificate may take before it reads `error`.
    pub deadline_seconds: u32,
}

/// The certificate authority for customers' hostnames.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcmeSettings {
    /// The authority, and the account there.
    pub authority: Acme,
    /// Names by which CAA records know the authority; those that it names itself if empty.
    #[serde(default)]
    pub caa_identities: Vec<String>,
    /// An ingress that sends `/.well-known/acme-challenge/` here. Left out, there is no HTTP01.
    #[serde(default)]
    pub http01: Option<Http01>,
    /// Seconds between two questions about the renewal of a certificate; as the authority asks for if left out.
    #[serde(default)]
    pub renewal_info_seconds: Option<u32>,
    /// Orders that are placed at most.
    #[serde(default)]
    pub limits: Limits,
}

/// An ingress through which challenges are answered.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Http01 {
    /// Its public addresses: what customers' hostnames lead to.
    pub addresses: Vec<String>,
    /// Address at which challenges are answered.
    #[serde(default = "default_http01")]
    pub listen: String,
}

impl Default for CustomDomains {
    fn default() -> Self {
        Self {
            dns: DnsSettings::default(),
            acme: None,
            refused_zones: Vec::new(),
            per_namespace: 100,
            recheck_seconds: 24 * 3600,
            grace_seconds: 72 * 3600,
            contest_seconds: 600,
            deadline_seconds: 1800,
        }
    }
}

impl CustomDomains {
    /// The ingress through which challenges are answered, if there is one.
    pub fn http01(&self) -> Option<&Http01> {
        self.acme.as_ref()?.http01.as_ref()
    }

    /// Refuses what can't be used.
    ///
    /// # Errors
    /// Says which field is wrong, and what would be right.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.dns.check()?;
        let value = |field, problem| Err(ConfigError::Value { field, problem });
        if !self.refused_zones.iter().all(|zone| is_hostname(zone)) {
            return value(
                "customDomains.refusedZones",
                "must be domains in lower case, such as `example.dev`",
            );
        }
        if self.recheck_seconds == 0 {
            return value(
                "customDomains.recheckSeconds",
                "must be at least 1: it is the pause between two looks at a hostname in service",
            );
        }
        let Some(http01) = self.http01() else { return Ok(()) };
        if http01.addresses.is_empty() || !http01.addresses.iter().all(|one| one.parse::<IpAddr>().is_ok()) {
            return value("customDomains.acme.http01.addresses", "must be IP addresses, at least one");
        }
        if http01.listen.parse::<SocketAddr>().is_err() {
            return value(
                "customDomains.acme.http01.listen",
                "must be an IP address and a port, such as 0.0.0.0:8082",
            );
        }
        Ok(())
    }
}

/// How records of strangers are looked at.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DnsSettings {
    /// Resolvers, as address and port, by which authoritative servers are found. Those of the system if empty.
    pub resolvers: Vec<String>,
    /// Port of authoritative servers.
    pub port: u16,
    /// Networks, such as 10.1.0.0/16, in which authoritative servers are asked though they aren't of the public
    /// Internet. Customers name these servers: what is let in here, they can have asked.
    pub allowed_networks: Vec<String>,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self { resolvers: Vec::new(), port: 53, allowed_networks: Vec::new() }
    }
}

impl DnsSettings {
    /// Refuses what can't be used.
    ///
    /// # Errors
    /// Says which field is wrong, and what would be right.
    pub fn check(&self) -> Result<(), ConfigError> {
        let value = |field, problem| Err(ConfigError::Value { field, problem });
        if !self.resolvers.iter().all(|one| one.parse::<SocketAddr>().is_ok_and(|one| one.port() != 0)) {
            return value(
                "customDomains.dns.resolvers",
                "must be IP addresses with a port, such as 192.0.2.1:53",
            );
        }
        if self.port == 0 {
            return value("customDomains.dns.port", "must be a port, such as 53");
        }
        if !self.allowed_networks.iter().all(|one| one.parse::<IpNet>().is_ok_and(|net| net.trunc() == net)) {
            return value(
                "customDomains.dns.allowedNetworks",
                "must be networks with their length and no bits beyond it, such as 10.1.0.0/16",
            );
        }
        Ok(())
    }
}

fn default_http01() -> String {
    "127.0.0.1:8082".into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(settings: Value) -> DnsSettings {
        serde_json::from_value(settings).unwrap()
    }

    #[test]
    fn nothing_has_to_be_set() {
        let settings = read(json!({}));
        settings.check().unwrap();
        assert_eq!((settings.port, settings.resolvers.len(), settings.allowed_networks.len()), (53, 0, 0));
        assert!(serde_json::from_value::<DnsSettings>(json!({"resolver": []})).is_err(), "a typing error");
    }

    #[test]
    fn looks_at_hostnames_in_service_are_some_time_apart() {
        let check =
            |seconds: u32| CustomDomains { recheck_seconds: seconds, ..CustomDomains::default() }.check();
        check(1).unwrap();
        let refused = check(0).unwrap_err().to_string();
        assert!(refused.contains("`customDomains.recheckSeconds` must be at least 1"), "{refused}");
    }

    #[test]
    fn what_can_not_be_used_is_refused() {
        read(json!({"resolvers": ["192.0.2.1:53", "[2001:db8::1]:53"], "port": 5353})).check().unwrap();
        read(json!({"allowedNetworks": ["10.1.0.0/16", "127.0.0.0/8", "fd00::/8", "10.0.0.1/32"]}))
            .check()
            .unwrap();
        for (wrong, field) in [
            (json!({"resolvers": ["192.0.2.1"]}), "resolvers"),
            (json!({"resolvers": ["dns.example:53"]}), "resolvers"),
            (json!({"resolvers": ["192.0.2.1:0"]}), "resolvers"),
            (json!({"port": 0}), "port"),
            (json!({"allowedNetworks": ["10.1.0.0"]}), "allowedNetworks"),
            (json!({"allowedNetworks": ["10.1.2.3/16"]}), "allowedNetworks"),
        ] {
            let error = read(wrong.clone()).check().unwrap_err().to_string();
            assert!(error.contains(&format!("`customDomains.dns.{field}`")), "{wrong}: {error}");
        }
    }
}
