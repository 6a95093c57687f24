//! Services: what Fly's proxy routes to a Machine.

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::wire::nullable;
use super::{Check, Extra};

open_enum! {
    /// A service's transport.
    Protocol {
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
    }
}

open_enum! {
    /// What the proxy does with a connection before handing it on.
    PortHandler {
        /// Ends TLS.
        Tls = "tls",
        /// Speaks HTTP.
        Http = "http",
        /// Ends TLS as databases speak it.
        PgTls = "pg_tls",
        /// Adds the PROXY protocol's header.
        ProxyProto = "proxy_proto",
    }
}

open_enum! {
    /// What counts as load.
    ConcurrencyKind {
        /// Open connections.
        Connections = "connections",
        /// Requests in flight.
        Requests = "requests",
    }
}

/// What the proxy does with a Machine that nobody uses.
///
/// The API answers with booleans or strings and takes both.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Autostop {
    /// Leaves it running.
    Off,
    /// Stops it.
    Stop,
    /// Suspends it; falls back to a stop.
    Suspend,
    /// A value that this version doesn't know.
    Other(Box<str>),
}

impl Serialize for Autostop {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Off => "off",
            Self::Stop => "stop",
            Self::Suspend => "suspend",
            Self::Other(text) => text,
        })
    }
}

impl<'de> Deserialize<'de> for Autostop {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BoolOrText;
        impl Visitor<'_> for BoolOrText {
            type Value = Autostop;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a boolean or off, stop or suspend")
            }
            fn visit_bool<E>(self, on: bool) -> Result<Autostop, E> {
                Ok(if on { Autostop::Stop } else { Autostop::Off })
            }
            fn visit_str<E>(self, text: &str) -> Result<Autostop, E> {
                Ok(match text {
                    "off" | "false" => Autostop::Off,
                    "stop" | "true" => Autostop::Stop,
                    "suspend" => Autostop::Suspend,
                    other => Autostop::Other(other.into()),
                })
            }
        }
        deserializer.deserialize_any(BoolOrText)
    }
}

/// One service of a Machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// TCP or UDP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// The port that the program in the Machine listens on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_port: Option<u16>,
    /// The ports that the proxy opens.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ServicePort>,
    /// How much load one Machine takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// Checks that hold traffic back while they fail.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// What happens to a Machine without load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autostop: Option<Autostop>,
    /// Whether a request starts a Machine that is stopped or suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autostart: Option<bool>,
    /// How many Machines stay up in the primary region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_machines_running: Option<u32>,
    /// Fields that this version doesn't model.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A port, or a range of ports, that the proxy opens for a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServicePort {
    /// The public port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What the proxy does on it.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub handlers: Vec<PortHandler>,
    /// Redirects plain HTTP to HTTPS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force_https: Option<bool>,
    /// Fields that this version doesn't model, such as `tls_options`, `http_options` and port ranges.
    #[serde(flatten)]
    pub extra: Extra,
}

impl ServicePort {
    /// Port 443 with TLS and HTTP.
    pub fn https() -> Self {
        Self { port: Some(443), handlers: vec![PortHandler::Tls, PortHandler::Http], ..Self::default() }
    }

    /// Port 80, redirected to HTTPS.
    pub fn http_redirect() -> Self {
        Self { port: Some(80), handlers: vec![PortHandler::Http], force_https: Some(true), ..Self::default() }
    }
}

/// The load that the proxy gives one Machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Concurrency {
    /// What is counted.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ConcurrencyKind>,
    /// Above it, other Machines are preferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_limit: Option<u32>,
    /// Above it, nothing more is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard_limit: Option<u32>,
    /// Fields that this version doesn't model.
    #[serde(flatten)]
    pub extra: Extra,
}
