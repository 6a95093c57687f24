//! Records in DNS, by whoever keeps them.
//!
//! Addresses of a host belong to an owner, whose mark stands beside them: what carries another mark, or none, is
//! never touched. Texts are added and removed by their value, since several may stand under one name.

mod authority;
mod cloudflare;
mod endpoint;
mod look;
mod question;
mod rfc2136;
mod wire;

use std::net::IpAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use kube::Client;
use serde::{Deserialize, Serialize};

pub use authority::Authority;
pub use look::{Answer, Datum, Kind, LookError, Lookout, Nothing, Referral, Seen, Target};

use super::DomainError;
use super::secret::Secrets;
use crate::engine::clock::Clock;
use crate::engine::config::base_domain::{BaseDomain, DnsProvider};

/// Seconds for which others may remember an address.
const ADDRESS_TTL: u32 = 300;
/// Seconds for which others may remember a text that stands for a minute only.
const TEXT_TTL: u32 = 60;

/// A host with the one it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name, without a final dot.
    pub name: String,
    /// The mark that stands beside its records.
    pub owner: String,
}

/// A text under a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Text {
    /// The name, without a final dot.
    pub name: String,
    /// The text.
    pub value: String,
}

/// What is seen of a text at the servers that are responsible for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All of them that answer show it.
    Everywhere,
    /// This one doesn't.
    NotAt(String),
}

/// The outcome of a change, to be awaited.
pub type Change<'c> = BoxFuture<'c, Result<(), DomainError>>;

/// Whoever keeps records. Each change can be repeated after "sent, unknown".
pub trait Provider: Send + Sync {
    /// The host has exactly these addresses.
    ///
    /// # Errors
    /// `HostnameTaken` if it has records that aren't its owner's.
    fn set_addresses<'c>(&'c self, host: &'c Host, addresses: &'c [IpAddr]) -> Change<'c>;

    /// The host has no addresses of its owner's.
    fn remove_addresses<'c>(&'c self, host: &'c Host) -> Change<'c>;

    /// The text stands under its name, beside others.
    fn add_text<'c>(&'c self, text: &'c Text) -> Change<'c>;

    /// The text doesn't stand under its name.
    fn remove_text<'c>(&'c self, text: &'c Text) -> Change<'c>;
}

/// What a provider is made with.
pub struct Means {
    /// The API server.
    pub kube: Client,
    /// The operator's own namespace.
    pub namespace: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The provider that is configured; `None` where a wildcard record stands already.
///
/// # Errors
/// If its HTTP client can't be made.
pub fn provider(domain: &BaseDomain, means: &Means) -> Result<Option<Arc<dyn Provider>>, reqwest::Error> {
    let secrets = Secrets::new(means.kube.clone(), &means.namespace);
    Ok(match &domain.dns {
        DnsProvider::Rfc2136(server) => {
            let clock = Arc::clone(&means.clock);
            Some(Arc::new(rfc2136::Updates::new(server.clone(), &domain.name, secrets, clock)))
        }
        DnsProvider::Cloudflare(zone) => Some(Arc::new(cloudflare::Zone::new(zone.clone(), secrets)?)),
        DnsProvider::DnsEndpoint(settings) => {
            let labels = settings.labels.clone();
            Some(Arc::new(endpoint::Endpoints::new(means.kube.clone(), &means.namespace, labels)))
        }
        DnsProvider::None => None,
    })
}
