//! Which zone holds a name, and which servers are the zone's.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::try_join_all;
use tokio::time::Instant;

use super::LookError;
use super::names::checked;
use super::reach::Reach;
use super::recursors::{Place, Recursors};
use crate::domains::name::{is_registry, is_within, parents};

/// Most servers of one zone that are asked.
const MOST_SERVERS: usize = 16;
/// Most addresses of one server that are tried.
const MOST_ADDRESSES: usize = 4;
/// How long it is remembered who has a zone.
const KEPT: Duration = Duration::from_mins(1);
/// Most names of which it is remembered.
const MOST_KEPT: usize = 2048;

/// A zone with its servers.
#[derive(Debug)]
pub struct Zone {
    /// Its name, in lower case and without a final dot.
    pub name: String,
    /// Its servers, by name.
    pub servers: Vec<Server>,
}

/// One server under all its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Where it is asked, in this order, until it answers.
    pub addresses: Vec<SocketAddr>,
}

/// Finds zones.
pub(super) struct Zones {
    recursors: Recursors,
    port: u16,
    reach: Reach,
    kept: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    zone: Arc<Zone>,
    until: Instant,
}

impl Zones {
    /// Whose servers are asked at this port, as far as they are in reach.
    pub(super) fn new(recursors: Recursors, port: u16, reach: Reach) -> Self {
        Self { recursors, port, reach, kept: Mutex::default() }
    }

    /// The zone that holds a name.
    ///
    /// # Errors
    /// If there is none, none of its servers may be asked, or no resolver answers.
    pub(super) async fn of(&self, name: &str) -> Result<Arc<Zone>, LookError> {
        if let Some(zone) = self.recall(name) {
            return Ok(zone);
        }
        let (zone, servers) = self.cut(name).await?;
        let zone = match self.recall(&zone) {
            Some(zone) => zone,
            None => self.with(&zone, servers).await?,
        };
        self.keep(name, &zone);
        Ok(zone)
    }

    /// The zone of this name, with servers of these names.
    ///
    /// # Errors
    /// If none of them may be asked, or no resolver answers.
    pub(super) async fn with(&self, zone: &str, servers: Vec<String>) -> Result<Arc<Zone>, LookError> {
        let found =
            try_join_all(servers.into_iter().take(MOST_SERVERS).map(|server| self.find(server))).await?;
        let servers: Vec<Server> =
            found.iter().map(|(server, addresses)| self.reached(server, addresses)).collect();
        if servers.iter().all(|server| server.addresses.is_empty()) {
            return Err(unreached(zone, &found));
        }
        let zone = Arc::new(Zone { name: zone.to_owned(), servers });
        self.keep(&zone.name, &zone);
        Ok(zone)
    }

    /// Up from the name, to where a zone begins. A registry's zone is nobody's.
    async fn cut(&self, name: &str) -> Result<(String, Vec<String>), LookError> {
        let mut at = name;
        let mut denied = !is_registry(name);
        while !is_registry(at) && !at.is_empty() {
            let next = match self.recursors.place(&checked(at)?).await? {
                Place::Here(servers) => return Ok((at.to_owned(), servers)),
                Place::Within(zone) => {
                    denied = false;
                    above(at, zone.as_deref())
                }
                Place::Nowhere(zone) => {
                    denied &= zone.is_some();
                    above(at, zone.as_deref())
                }
                Place::Broken => {
                    denied = false;
                    None
                }
            };
            at = next.or_else(|| parents(at).next()).unwrap_or_default();
        }
        let zone = below(name, at).to_owned();
        // What is broken says nothing; the registry itself does.
        Err(if denied { LookError::NoSuchDomain { zone } } else { LookError::NoServers { zone } })
    }

    async fn find(&self, server: String) -> Result<(String, Vec<IpAddr>), LookError> {
        let addresses = match checked(&server) {
            Ok(name) => self.recursors.addresses(&name).await?,
            Err(_) => Vec::new(),
        };
        Ok((server, addresses))
    }

    fn reached(&self, server: &str, addresses: &[IpAddr]) -> Server {
        let reached = addresses.iter().filter(|address| self.reach.holds(**address)).take(MOST_ADDRESSES);
        let addresses = reached.map(|address| SocketAddr::new(*address, self.port)).collect();
        Server { name: server.to_owned(), addresses }
    }

    fn recall(&self, name: &str) -> Option<Arc<Zone>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(name).filter(|one| one.until > Instant::now()).map(|one| Arc::clone(&one.zone))
    }

    fn keep(&self, name: &str, zone: &Arc<Zone>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if kept.len() >= MOST_KEPT {
            kept.retain(|_, one| one.until > now);
        }
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(name.to_owned(), Kept { zone: Arc::clone(zone), until: now + KEPT });
    }
}

/// Why no server of a zone can be asked.
fn unreached(zone: &str, found: &[(String, Vec<IpAddr>)]) -> LookError {
    let refused = found.iter().find_map(|(server, addresses)| Some((server, addresses.first()?)));
    match refused {
        Some((server, address)) => {
            LookError::Private { zone: zone.to_owned(), server: server.clone(), address: *address }
        }
        None => LookError::NoServers { zone: zone.to_owned() },
    }
}

/// The zone above a name, if it is one.
fn above<'n>(name: &'n str, zone: Option<&str>) -> Option<&'n str> {
    parents(name).find(|parent| Some(*parent) == zone)
}

/// The name, or the part of it, that lies right below another.
fn below<'n>(name: &'n str, zone: &str) -> &'n str {
    let labels = std::iter::once(name).chain(parents(name));
    labels.take_while(|part| *part != zone && is_within(part, zone)).last().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_right_below_is_told() {
        assert_eq!(below("a.b.example.com", "com"), "example.com");
        assert_eq!(below("example.com", "com"), "example.com");
        assert_eq!(below("com", "com"), "com");
        assert_eq!(below("a.example", ""), "a.example");
    }

    #[test]
    fn a_zone_that_cannot_be_asked_is_told_with_its_cause() {
        let private = ("ns1.example.com".to_owned(), vec!["10.0.0.1".parse().unwrap()]);
        let lost = ("ns2.example.com".to_owned(), Vec::new());
        let error = unreached("example.com", &[lost.clone(), private]);
        assert!(
            matches!(&error, LookError::Private { server, .. } if server == "ns1.example.com"),
            "{error}"
        );
        assert_eq!(unreached("example.com", &[lost]), LookError::NoServers { zone: "example.com".into() });
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_is_kept_for_a_minute_and_within_bounds() {
        let zones = Zones::new(Recursors::new(&[], Arc::default()), 53, Reach::Anywhere);
        let zone = Arc::new(Zone { name: "example.com".into(), servers: Vec::new() });
        zones.keep("www.example.com", &zone);
        assert!(zones.recall("www.example.com").is_some() && zones.recall("example.com").is_none());
        tokio::time::advance(KEPT).await;
        assert!(zones.recall("www.example.com").is_none());
        for at in 0..MOST_KEPT * 3 {
            zones.keep(&at.to_string(), &zone);
        }
        assert!(zones.kept.lock().unwrap().len() <= MOST_KEPT);
    }
}
