//! Looks at the records of names that customers bring, at the servers that are responsible for them.
//!
//! Every server of a zone is asked, and all that answer have to agree: what a resolver remembers, and what one stale
//! server still shows, decides nothing. Strangers name the servers and write the answers, so the servers have to be of
//! the public Internet, and of an answer only what it says of the asked name is read.

mod agree;
mod aliases;
mod answer;
mod error;
mod names;
mod reach;
mod recursors;
mod seen;
mod survey;
mod zones;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use self::aliases::Follower;
use self::recursors::Recursors;
use self::seen::Look;
use self::zones::Zones;
use super::Sight;
use super::wire::Line;
use crate::domains::caa::{Caa, CaaSet};
use crate::domains::name::{Hostname, is_registry, parents};
use crate::engine::config::DnsSettings;

pub(super) use self::reach::Reach;
pub(super) use self::survey::Surveyor;
pub(super) use self::zones::{Server, Zone};
pub use answer::{Answer, Datum, Kind, Nothing, Referral};
pub use error::LookError;
pub use seen::{Seen, Target};

/// Most CNAME records that are followed from one name.
const MOST_ALIASES: usize = 8;
/// Longest time that one part of a look may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Below a wildcard, a name that nobody has records for by itself.
const PROBE: &str = "moorage-wildcard-probe";

/// Looks at records of names that strangers keep.
pub struct Lookout {
    surveyor: Surveyor,
    own: Vec<String>,
}

impl Lookout {
    /// As the configuration has it. Names in the zones that are ours are the end of every chain, and nobody is asked
    /// about them.
    pub fn new(settings: &DnsSettings, own_zones: Vec<String>) -> Self {
        let reach = Reach::public(&settings.allowed_networks);
        Self { surveyor: surveyor(&settings.resolvers, settings.port, reach), own: own_zones }
    }

    /// Looks at a hostname, and at the texts under the challenge's name.
    ///
    /// # Errors
    /// If the zone that holds it can't be found. What can't be found out otherwise is told in its place.
    pub async fn look(&self, host: &Hostname, challenge: &str) -> Result<Seen, LookError> {
        Look { follower: self.follower(), host }.look(challenge).await
    }

    /// The CAA records that count for a name: those of the nearest one, from it upwards, that has any (RFC 8659).
    /// Registries aren't asked. For a wildcard they are those of the name without its star.
    ///
    /// # Errors
    /// If something can't be found out; an authority would refuse then.
    pub async fn caa(&self, name: &str) -> Result<Option<CaaSet>, LookError> {
        patiently(name, self.climb(name.strip_prefix("*.").unwrap_or(name))).await
    }

    async fn climb(&self, name: &str) -> Result<Option<CaaSet>, LookError> {
        let mut zone = self.surveyor.zone(name).await?;
        let levels = std::iter::once(name).chain(parents(name));
        for at in levels.take_while(|at| !is_registry(at)) {
            zone = self.surveyor.zone_near(&zone, at).await?;
            let lead = self.follower().follow(&zone, at, Kind::Caa).await?;
            let records: Vec<Caa> =
                lead.end.into_iter().flat_map(|told| told.data().filter_map(caa)).collect();
            if !records.is_empty() {
                return Ok(Some(CaaSet { name: at.to_owned(), records }));
            }
        }
        Ok(None)
    }

    /// Whether every server of the zone that holds a name, as far as it answers, shows this text there.
    ///
    /// # Errors
    /// If none answers, or they can't be found.
    pub async fn shows(&self, name: &str, text: &str) -> Result<Sight, LookError> {
        patiently(name, async {
            let zone = self.surveyor.zone(name).await?;
            self.surveyor.shows(&zone, name, text).await
        })
        .await
    }

    fn follower(&self) -> Follower<'_> {
        Follower { surveyor: &self.surveyor, own: &self.own }
    }
}

/// Asks all servers of zones, which these resolvers find, at this port.
pub(super) fn surveyor(resolvers: &[String], port: u16, reach: Reach) -> Surveyor {
    let line = Arc::new(Line::default());
    let recursors = Recursors::new(resolvers, Arc::clone(&line));
    Surveyor::new(Zones::new(recursors, port, reach), line)
}

async fn patiently<T>(name: &str, look: impl Future<Output = Result<T, LookError>>) -> Result<T, LookError> {
    timeout(PATIENCE, look).await.unwrap_or_else(|_| Err(LookError::Slow { name: name.to_owned() }))
}

fn caa(datum: Datum) -> Option<Caa> {
    match datum {
        Datum::Caa(caa) => Some(caa),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_taken_on_any_thread() {
        fn check(_: impl Send) {}
        let lookout = Lookout::new(&DnsSettings::default(), Vec::new());
        let host = Hostname::parse("www.example.com").unwrap();
        check(lookout.look(&host, "_moorage-challenge.www.example.com"));
        check(lookout.caa(host.as_str()));
        check(lookout.shows(host.as_str(), "text"));
    }
}
