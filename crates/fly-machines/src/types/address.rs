//! An app's addresses.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::wire::{nullable, time};

open_enum! {
    /// The kind of an address.
    IpKind {
        /// A public IPv4 address of its own; it costs extra.
        V4 = "v4",
        /// A public IPv6 address of its own.
        V6 = "v6",
        /// A public IPv4 address shared with others: TLS and HTTP only.
        SharedV4 = "shared_v4",
        /// An address on a private network.
        PrivateV6 = "private_v6",
        /// An IPv4 address to go out from.
        EgressV4 = "egress_v4",
        /// An IPv6 address to go out from.
        EgressV6 = "egress_v6",
        /// Both, to go out from.
        EgressPair = "egress_pair",
    }
}

/// A request for an address.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AssignIp {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: IpKind,
    /// The region, for kinds that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The private network from which it can be reached. Absent means the organisation's, not the app's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The organisation of that network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org_slug: Option<String>,
    /// The service that it leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
}

impl AssignIp {
    /// An address of this kind.
    pub fn new(kind: IpKind) -> Self {
        Self { kind, ..Self::default() }
    }
}

/// An address that an app has.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct IpAssignment {
    /// The address.
    #[serde(default, deserialize_with = "nullable")]
    pub ip: String,
    /// Its region, or `global`.
    #[serde(default, deserialize_with = "nullable")]
    pub region: String,
    /// Whether others share it.
    #[serde(default, deserialize_with = "nullable")]
    pub shared: bool,
    /// The service that it leads to.
    #[serde(default, deserialize_with = "nullable")]
    pub service_name: String,
    /// When it was given.
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
    /// Its private network, if it is on one.
    #[serde(default)]
    pub network: Option<IpNetwork>,
    /// Whether it is one to go out from.
    #[serde(default)]
    pub egress: Option<bool>,
}

impl IpAssignment {
    /// The kind that it is.
    pub fn kind(&self) -> IpKind {
        let v6 = self.ip.contains(':');
        match (self.egress == Some(true), v6) {
            (true, true) => IpKind::EgressV6,
            (true, false) => IpKind::EgressV4,
            (false, true) if self.ip.starts_with("fdaa:") => IpKind::PrivateV6,
            (false, true) => IpKind::V6,
            (false, false) if self.shared => IpKind::SharedV4,
            (false, false) => IpKind::V4,
        }
    }
}

/// A private network.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct IpNetwork {
    /// Its name.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Its organisation.
    #[serde(default, deserialize_with = "nullable")]
    pub org_slug: String,
}

#[derive(Deserialize)]
pub(crate) struct IpList {
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) ips: Vec<IpAssignment>,
}
