//! The part of a Runtime's declaration that the gateway is configured from.

use std::fmt;
use std::net::IpAddr;

use super::identity::Persona;

/// All that the owned keys of a gateway's configuration are rendered from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewaySettings {
    /// The origins that browsers may open the Control UI from.
    pub allowed_origins: Vec<Origin>,
    /// Where requests reach the gateway from: Fly's proxy ranges, and the
    /// app's own addresses, which that proxy adds to `X-Forwarded-For`.
    pub trusted_proxies: Vec<ProxyRange>,
    /// Who the agent is. None leaves name and `IDENTITY.md` to the customer.
    pub persona: Option<Persona>,
    /// The value of `LLM_MODEL` as declared. None leaves the model to the customer.
    pub model: Option<String>,
    /// The folder on the volume that the agent works in, absolute.
    pub workspace: String,
}

/// A value that can't stand in a gateway's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSetting {
    /// Not exactly one origin.
    #[error("{0:?} is not an origin; write it as a browser sends it, such as https://ops.example.com")]
    Origin(String),
    /// Not an address or range, or one that would trust everyone.
    #[error("{0:?} is not an IP address or a range with a prefix of at least 1, such as 172.16.0.0/12")]
    ProxyRange(String),
}

/// One exact web origin: scheme, host and, where it isn't the scheme's own, port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(String);

impl Origin {
    /// Reads an origin as browsers send it. Wildcards, paths and user names are refused.
    pub fn parse(text: &str) -> Result<Self, InvalidSetting> {
        let invalid = || InvalidSetting::Origin(text.chars().take(300).collect());
        let (scheme, rest) = text.split_once("://").ok_or_else(invalid)?;
        let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
        let standard = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(invalid()),
        };
        if !is_hostname(host) {
            return Err(invalid());
        }
        let host = host.to_ascii_lowercase();
        match port.map(str::parse::<u16>) {
            None => Ok(Self(format!("{scheme}://{host}"))),
            Some(Ok(port)) if port == standard => Ok(Self(format!("{scheme}://{host}"))),
            Some(Ok(port)) if port > 0 => Ok(Self(format!("{scheme}://{host}:{port}"))),
            Some(_) => Err(invalid()),
        }
    }

    /// The origin as it stands in the configuration.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_hostname(host: &str) -> bool {
    let sound = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.len() <= 253 && host.split('.').all(sound)
}

/// An address or range that the gateway takes forwarded headers from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProxyRange(String);

impl ProxyRange {
    /// Reads an IPv4 or IPv6 address, or a range in CIDR notation. A prefix of
    /// 0 is refused: it would let anyone say who they are.
    pub fn parse(text: &str) -> Result<Self, InvalidSetting> {
        let invalid = || InvalidSetting::ProxyRange(text.chars().take(300).collect());
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        match prefix.map(str::parse::<u8>) {
            None => Ok(Self(address.to_string())),
            Some(Ok(prefix)) if (1..=longest).contains(&prefix) => Ok(Self(format!("{address}/{prefix}"))),
            Some(_) => Err(invalid()),
        }
    }

    /// The address or range as it stands in the configuration.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<IpAddr> for ProxyRange {
    fn from(address: IpAddr) -> Self {
        Self(address.to_string())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ProxyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_taken_as_browsers_send_it() {
        for (text, expected) in [
            ("https://acme-ops.fly.dev", "https://acme-ops.fly.dev"),
            ("https://AI.Example.com", "https://ai.example.com"),
            ("https://a.example:443", "https://a.example"),
            ("https://a.example:8443", "https://a.example:8443"),
            ("http://localhost:3000", "http://localhost:3000"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn what_is_wider_than_one_origin_is_refused() {
        for text in [
            "*",
            "https://*.example.com",
            "https://a.example/",
            "https://a.example/path",
            "https://user@a.example",
            "https://",
            "https://a..b",
            "https://a.example:0",
            "https://a.example:port",
            "ftp://a.example",
            "a.example",
            "https://a.example\nhttps://b.example",
        ] {
            assert!(Origin::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_proxy_is_an_address_or_a_range_that_leaves_someone_out() {
        for text in ["172.16.0.0/12", "66.241.1.1", "2a09:8280:1::1", "fdaa::/16"] {
            assert_eq!(ProxyRange::parse(text).unwrap().as_str(), text);
        }
        for text in ["0.0.0.0/0", "::/0", "10.0.0.0/33", "10.0.0/8", "fly", "10.0.0.0/8/8", ""] {
            assert!(ProxyRange::parse(text).is_err(), "{text}");
        }
    }
}
