//! An app and everything in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::certificate::Certificate;
use super::machine::Machine;
use super::secrets::Secrets;
use super::volume::Volume;
use crate::clock::Millis;
use crate::model::raw::RawJson;

/// An app.
#[derive(Debug, Serialize, Deserialize)]
pub struct App {
    /// Fly's own id.
    pub id: String,
    /// Its number.
    pub number: u64,
    /// Its name, global to Fly.
    pub name: String,
    /// The organisation that it belongs to.
    pub org: String,
    /// The network's name.
    pub network: String,
    /// The network's number, permanent in the organisation.
    pub network_number: u64,
    /// The key that it was made with.
    pub idempotency_key: Option<String>,
    /// The role that it was made for.
    pub role: Option<String>,
    /// When it was made.
    pub created_at: Millis,
    /// Machines by id, destroyed ones too.
    pub machines: BTreeMap<String, Machine>,
    /// Volumes by id, deleted ones too.
    pub volumes: BTreeMap<String, Volume>,
    /// Secrets.
    pub secrets: Secrets,
    /// Keys that don't leave Fly.
    pub keys: BTreeMap<String, SecretKey>,
    /// Addresses.
    pub addresses: Vec<Address>,
    /// Certificates by hostname.
    pub certificates: BTreeMap<String, Certificate>,
}

/// A key that doesn't leave Fly. Printing it for debugging doesn't show it.
#[derive(Clone, Serialize, Deserialize)]
pub struct SecretKey {
    /// Its type, such as `SECRETKEY_TYPE_NACL_AUTH`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The key.
    pub value: Vec<u8>,
    /// When it was set.
    pub created_at: Millis,
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

/// What is left of a Machine or volume when its app is gone: what an organisation's list still shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tombstone {
    /// The organisation.
    pub org: String,
    /// The Machine's id.
    pub id: String,
    /// When it went.
    pub updated_at: Millis,
    /// The entry.
    pub overview: RawJson,
}

/// An app as the API answers it.
#[derive(Debug, Serialize)]
pub struct AppView<'a> {
    id: &'a str,
    internal_numeric_id: u64,
    name: &'a str,
    machine_count: usize,
    volume_count: usize,
    network: &'a str,
    status: &'static str,
    organization: OrganizationView<'a>,
    cname_target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_role: Option<RoleView<'a>>,
}

#[derive(Debug, Serialize)]
struct OrganizationView<'a> {
    name: &'a str,
    slug: &'a str,
    internal_numeric_id: u64,
}

#[derive(Debug, Serialize)]
struct RoleView<'a> {
    id: &'a str,
}

impl App {
    /// Machines that aren't destroyed.
    pub fn living(&self) -> impl Iterator<Item = &Machine> {
        self.machines.values().filter(|machine| machine.is_active())
    }

    /// Whether requests from the internet can arrive.
    pub fn is_public(&self) -> bool {
        self.addresses.iter().any(|address| address.kind.is_public())
    }

    /// The name that it has at Fly without anybody's doing.
    pub fn default_hostname(&self) -> String {
        format!("{}.fly.dev", self.name)
    }

    /// The app as the API answers it.
    pub fn view<'a>(&'a self, org_name: &'a str, org_number: u64) -> AppView<'a> {
        AppView {
            id: &self.id,
            internal_numeric_id: self.number,
            name: &self.name,
            machine_count: self.living().count(),
            volume_count: self.volumes.values().filter(|v| v.state.is_usable()).count(),
            network: &self.network,
            status: if self.living().next().is_some() { "deployed" } else { "pending" },
            organization: OrganizationView {
                name: org_name,
                slug: &self.org,
                internal_numeric_id: org_number,
            },
            cname_target: self.default_hostname(),
            app_role: self.role.as_deref().map(|id| RoleView { id }),
        }
    }
}
