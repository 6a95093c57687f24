//! Addresses of an app.

use serde::{Deserialize, Serialize};

use crate::clock::{Millis, rfc3339};

/// The kind of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressKind {
    /// Dedicated IPv4.
    V4,
    /// Dedicated IPv6.
    V6,
    /// IPv4 shared with other apps.
    SharedV4,
    /// Flycast.
    PrivateV6,
    /// Outgoing IPv4.
    EgressV4,
    /// Outgoing IPv6.
    EgressV6,
}

impl AddressKind {
    /// Reads the request's `type`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "v4" => Self::V4,
            "v6" => Self::V6,
            "shared_v4" => Self::SharedV4,
            "private_v6" => Self::PrivateV6,
            "egress_v4" => Self::EgressV4,
            "egress_v6" => Self::EgressV6,
            _ => return None,
        })
    }

    /// Whether requests from the internet can arrive at it.
    pub fn is_public(self) -> bool {
        matches!(self, Self::V4 | Self::V6 | Self::SharedV4)
    }

    /// Whether it is for outgoing connections.
    pub fn is_egress(self) -> bool {
        matches!(self, Self::EgressV4 | Self::EgressV6)
    }
}

/// An address of an app.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub ip: String,
    /// Its kind.
    pub kind: AddressKind,
    /// `global`, or a region.
    pub region: String,
    /// The service that it is for; empty for all.
    pub service_name: String,
    /// The caller's network, for Flycast.
    pub network: Option<String>,
    /// When it was allocated.
    pub created_at: Millis,
}

/// An address as the API answers it.
#[derive(Debug, Serialize)]
pub struct AddressView<'a> {
    ip: &'a str,
    region: &'a str,
    service_name: &'a str,
    shared: bool,
    egress: bool,
    network: Option<NetworkView<'a>>,
    created_at: String,
}

#[derive(Debug, Serialize)]
struct NetworkView<'a> {
    name: &'a str,
    org_slug: &'a str,
}

impl Address {
    /// The address as the API answers it.
    pub fn view<'a>(&'a self, org_slug: &'a str) -> AddressView<'a> {
        AddressView {
            ip: &self.ip,
            region: &self.region,
            service_name: &self.service_name,
            shared: self.kind == AddressKind::SharedV4,
            egress: self.kind.is_egress(),
            network: self.network.as_deref().map(|name| NetworkView { name, org_slug }),
            created_at: rfc3339(self.created_at),
        }
    }
}
