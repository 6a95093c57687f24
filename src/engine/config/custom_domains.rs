//! The domains that customers bring: how their records are looked at.

use std::net::SocketAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConfigError;

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
