//! What the light gateway takes from the Machine: token, plugins, trusted proxies.

use std::{collections::BTreeMap, fmt, net::IpAddr};

use serde_json::Value;

use super::Version;

/// How deep below the top of a file the configuration may lie.
const MAX_DEPTH: usize = 3;

pub(super) struct Settings {
    pub(super) version: Version,
    pub(super) token: Option<String>,
    pub(super) trusted_proxies: Vec<Network>,
    pub(super) admin_rpc: Endpoint,
    pub(super) chat_completions: Endpoint,
}

/// Whether an optional endpoint answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Enabled,
    Absent,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("version", &self.version)
            .field("token", &self.token.as_ref().map(|_| "redacted"))
            .field("trusted_proxies", &self.trusted_proxies)
            .field("admin_rpc", &self.admin_rpc)
            .field("chat_completions", &self.chat_completions)
            .finish()
    }
}

impl Settings {
    pub(super) fn read(
        version: Version,
        env: &BTreeMap<String, String>,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Self {
        let config = files
            .values()
            .filter_map(|bytes| serde_json::from_slice::<Value>(bytes).ok())
            .find_map(|value| configuration(&value, MAX_DEPTH).cloned())
            .unwrap_or(Value::Null);
        let text = |path: &str| config.pointer(path).and_then(Value::as_str).map(str::to_owned);
        Self {
            version,
            // The file's token beats the environment's, as in the gateway itself.
            token: text("/gateway/auth/token").or_else(|| env.get("OPENCLAW_GATEWAY_TOKEN").cloned()),
            trusted_proxies: networks(config.pointer("/gateway/trustedProxies")),
            admin_rpc: enabled(&config, "/plugins/entries/admin-http-rpc/enabled"),
            chat_completions: enabled(&config, "/gateway/http/endpoints/chatCompletions/enabled"),
        }
    }

    pub(super) fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(peer))
    }
}

fn configuration(value: &Value, depth: usize) -> Option<&Value> {
    let object = value.as_object()?;
    if object.get("gateway").is_some_and(Value::is_object) {
        return Some(value);
    }
    let below = depth.checked_sub(1)?;
    object.values().find_map(|inner| configuration(inner, below))
}

fn enabled(config: &Value, path: &str) -> Endpoint {
    match config.pointer(path) {
        Some(Value::Bool(true)) => Endpoint::Enabled,
        _ => Endpoint::Absent,
    }
}

fn networks(list: Option<&Value>) -> Vec<Network> {
    let entries = list.and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(Value::as_str).filter_map(Network::parse).collect()
}

/// An address or a CIDR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    base: u128,
    mask: u128,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
        let address: IpAddr = address.trim().parse().ok()?;
        let whole: u32 = if address.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Some(whole), |text| text.trim().parse().ok())?;
        let free = whole.checked_sub(length)?;
        let mask = u128::MAX.checked_shl(free).unwrap_or(0);
        Some(Self { base: bits(address) & mask, mask })
    }

    fn contains(self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.base
    }
}

/// An address in IPv6's space, where IPv4 is mapped.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_what_they_say() {
        let holds = |network: &str, address: &str| {
            Network::parse(network).unwrap().contains(address.parse().unwrap())
        };
        assert!(holds("172.19.0.0/16", "172.19.0.1"));
        assert!(holds("172.19.0.1", "172.19.0.1"));
        assert!(!holds("172.19.0.1", "172.19.0.2"));
        assert!(!holds("172.19.0.0/16", "172.20.0.1"));
        assert!(holds("0.0.0.0/0", "8.8.8.8"));
        assert!(!holds("0.0.0.0/0", "fdaa::1"));
        assert!(holds("fdaa::/16", "fdaa::1"));
        assert_eq!(Network::parse("172.19.0.0/33"), None);
    }

    #[test]
    fn configuration_is_found_below_the_top() {
        let files = BTreeMap::from([
            ("/opt/a.mjs".to_owned(), b"not json".to_vec()),
            (
                "/opt/b.json".to_owned(),
                br#"{"owned":{"list":{"gateway":{"trustedProxies":["172.19.0.1"]}}}}"#.to_vec(),
            ),
        ]);
        let version = Version::ATTRIBUTION;
        let settings = Settings::read(version, &BTreeMap::new(), &files);
        assert!(settings.trusts("172.19.0.1".parse().unwrap()));
    }
}
