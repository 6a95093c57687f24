//! Asks the authoritative servers themselves whether a record shows.

use std::net::SocketAddr;

use hickory_proto::rr::{Name, RData, RecordType};

use super::Text;
use super::wire::{Recursion, ask};
use crate::domains::DomainError;

/// Most servers of one zone that are asked.
const MOST_SERVERS: usize = 16;
/// Where the system's own resolvers are named.
const RESOLVERS: &str = "/etc/resolv.conf";

/// The authoritative servers of a domain.
#[derive(Clone, Debug)]
pub struct Authority {
    domain: String,
    named: Vec<SocketAddr>,
}

/// What was seen at the authoritative servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// All of them show it.
    Everywhere,
    /// This one doesn't, or doesn't answer.
    NotAt(String),
}

/// One server under all its addresses.
struct Server {
    name: String,
    addresses: Vec<SocketAddr>,
}

impl Authority {
    /// Those named as address and port, or else those that DNS names for the domain.
    pub fn new(domain: &str, named: &[String]) -> Self {
        Self { domain: domain.to_owned(), named: named.iter().filter_map(|one| one.parse().ok()).collect() }
    }

    /// Whether every server shows every text.
    ///
    /// # Errors
    /// If the servers can't be found.
    pub async fn shows(&self, texts: &[Text]) -> Result<Sight, DomainError> {
        for server in self.servers().await? {
            for text in texts {
                if !server.shows(text).await {
                    return Ok(Sight::NotAt(server.name));
                }
            }
        }
        Ok(Sight::Everywhere)
    }

    async fn servers(&self) -> Result<Vec<Server>, DomainError> {
        if !self.named.is_empty() {
            let one = |address: &SocketAddr| Server { name: address.to_string(), addresses: vec![*address] };
            return Ok(self.named.iter().map(one).collect());
        }
        let unknown = || {
            DomainError::dns_unavailable(format!(
                "The authoritative servers of {} can't be found; name them in `baseDomain.nameServers`, or check the domain's delegation.",
                self.domain
            ))
        };
        let mut servers = Vec::new();
        for name in self.delegation().await.into_iter().take(MOST_SERVERS) {
            let host = name.to_ascii();
            let found = tokio::net::lookup_host((host.trim_end_matches('.'), 53)).await;
            let addresses = found.map_err(|_| unknown())?.collect();
            servers.push(Server { name: host, addresses });
        }
        if servers.is_empty() { Err(unknown()) } else { Ok(servers) }
    }

    /// The servers' names, at the domain itself or the nearest one above it that is a zone.
    async fn delegation(&self) -> Vec<Name> {
        let Ok(mut zone) = Name::from_ascii(format!("{}.", self.domain)) else { return Vec::new() };
        while zone.num_labels() > 1 {
            for resolver in resolvers().await {
                let Ok(answer) = ask(resolver, &zone, RecordType::NS, Recursion::Desired).await else {
                    continue;
                };
                let servers: Vec<Name> = answer
                    .answers
                    .iter()
                    .filter_map(|record| match &record.data {
                        RData::NS(server) => Some(server.0.clone()),
                        _ => None,
                    })
                    .collect();
                if !servers.is_empty() {
                    return servers;
                }
                break;
            }
            zone = zone.base_name();
        }
        Vec::new()
    }
}

impl Server {
    /// Whether the first of its addresses that answers shows the text.
    async fn shows(&self, text: &Text) -> bool {
        let Ok(name) = Name::from_ascii(format!("{}.", text.name)) else { return false };
        for address in &self.addresses {
            let Ok(answer) = ask(*address, &name, RecordType::TXT, Recursion::None).await else { continue };
            return answer.answers.iter().any(|record| is_text(&record.data, &text.value));
        }
        false
    }
}

fn is_text(data: &RData, wanted: &str) -> bool {
    match data {
        RData::TXT(text) => text.txt_data.concat() == wanted.as_bytes(),
        _ => false,
    }
}

async fn resolvers() -> Vec<SocketAddr> {
    let text = tokio::fs::read_to_string(RESOLVERS).await.unwrap_or_default();
    let named = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok());
    named.map(|address: std::net::IpAddr| SocketAddr::new(address, 53)).collect()
}
