//! Asks the authoritative servers of a domain of ours whether a record shows.

use std::net::SocketAddr;
use std::sync::Arc;

use super::look::{LookError, Reach, Server, Surveyor, Zone, surveyor};
use super::{Sight, Text};
use crate::domains::DomainError;

/// Port of servers that DNS names.
const PORT: u16 = 53;

/// The authoritative servers of a domain of ours. They may be in any network.
pub struct Authority {
    domain: String,
    named: Vec<SocketAddr>,
    surveyor: Surveyor,
}

impl Authority {
    /// Those named as address and port, or else those that DNS names for the domain.
    pub fn new(domain: &str, named: &[String]) -> Self {
        Self {
            domain: domain.to_owned(),
            named: named.iter().filter_map(|one| one.parse().ok()).collect(),
            surveyor: surveyor(&[], PORT, Reach::Anywhere),
        }
    }

    /// Whether every server, as far as it answers, shows every text.
    ///
    /// # Errors
    /// If the servers can't be found, or none of them answers.
    pub async fn shows(&self, texts: &[Text]) -> Result<Sight, DomainError> {
        let zone = self.zone().await.map_err(|error| self.unknown(&error))?;
        for text in texts {
            let sight = self.surveyor.shows(&zone, &text.name, &text.value).await;
            match sight.map_err(|error| DomainError::dns_unavailable(error.to_string()))? {
                Sight::Everywhere => {}
                missing @ Sight::NotAt(_) => return Ok(missing),
            }
        }
        Ok(Sight::Everywhere)
    }

    async fn zone(&self) -> Result<Arc<Zone>, LookError> {
        if self.named.is_empty() {
            return self.surveyor.zone(&self.domain).await;
        }
        let one = |address: &SocketAddr| Server { name: address.to_string(), addresses: vec![*address] };
        Ok(Arc::new(Zone { name: self.domain.clone(), servers: self.named.iter().map(one).collect() }))
    }

    fn unknown(&self, error: &LookError) -> DomainError {
        tracing::debug!(%error, domain = self.domain, "the authoritative servers can't be found");
        DomainError::dns_unavailable(format!(
            "The authoritative servers of {} can't be found; name them in `baseDomain.nameServers`, or check the domain's delegation.",
            self.domain
        ))
    }
}
