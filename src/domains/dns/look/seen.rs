//! What was seen at one hostname.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::aliases::{Follower, Lead};
use super::answer::{Answer, Datum, Kind};
use super::survey::Told;
use super::zones::Zone;
use super::{LookError, PROBE, patiently};
use crate::domains::name::Hostname;

/// What the servers that are responsible say of a hostname, at the time of one look. Each part can fail by itself: a
/// target that is somebody else's and broken hides no proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where it leads.
    pub target: Result<Target, LookError>,
    /// The texts at the challenge's name itself, sorted. An alias there isn't followed.
    pub texts: Result<Vec<String>, LookError>,
    /// What `_acme-challenge.` before the hostname is an alias of.
    pub delegated: Result<Option<String>, LookError>,
    /// How long resolvers may remember that the hostname leads nowhere, or that the challenge has no text.
    pub negative_ttl: Option<Duration>,
}

/// Where a hostname leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The names that it is an alias of, one after the other, in lower case and without a final dot. Ends with the
    /// first that is in one of our zones.
    pub chain: Vec<String>,
    /// Its addresses, or those of the name at the chain's end; sorted. None where the chain ends in one of our zones.
    pub addresses: Vec<IpAddr>,
    /// Whether it is where a zone begins, so that it can't be an alias.
    pub is_apex: bool,
}

/// One look at a hostname.
pub(super) struct Look<'l> {
    /// Follows it.
    pub(super) follower: Follower<'l>,
    /// The hostname.
    pub(super) host: &'l Hostname,
}

impl Look<'_> {
    /// Looks at it, and at the texts under this name.
    ///
    /// # Errors
    /// If something can't be found out.
    pub(super) async fn look(&self, challenge: &str) -> Result<Seen, LookError> {
        let surveyor = self.follower.surveyor;
        let (zone, challenged) = patiently(self.host.bare(), async {
            let zone = surveyor.zone(self.host.bare()).await?;
            let challenged = surveyor.zone_near(&zone, challenge).await?;
            Ok((zone, challenged))
        })
        .await?;
        let delegation = format!("_acme-challenge.{}", self.host.bare());
        let (target, texts, delegated) = tokio::join!(
            patiently(self.host.as_str(), self.target(&zone)),
            patiently(challenge, surveyor.ask(&challenged, challenge, Kind::Txt)),
            patiently(&delegation, surveyor.ask(&zone, &delegation, Kind::Cname)),
        );
        let nowhere = target.as_ref().ok().and_then(|(_, ttl)| *ttl);
        let unproved = texts.as_ref().ok().and_then(|told| told.nothing()?.ttl);
        Ok(Seen {
            target: target.map(|(target, _)| target),
            texts: texts.map(|told| told.data().filter_map(text).collect()),
            delegated: delegated.map(|told| alias(told.answer)),
            negative_ttl: nowhere.max(unproved),
        })
    }

    /// Where it leads, and if it does nowhere, for how long that is remembered.
    async fn target(&self, zone: &Arc<Zone>) -> Result<(Target, Option<Duration>), LookError> {
        let lead = self.lead(zone).await?;
        let Some(four) = lead.end else {
            return Ok((Target { chain: lead.chain, ..Target::default() }, None));
        };
        let six = self.follower.surveyor.ask(&four.zone, &lead.at, Kind::Aaaa).await?;
        if matches!(six.answer, Answer::Alias(_)) {
            return Err(LookError::Changing { name: lead.at });
        }
        let may_be_apex = lead.chain.is_empty() && !self.host.is_wildcard();
        let is_apex = may_be_apex && self.is_apex(&four, &six).await?;
        let nowhere = nowhere(&four, &six);
        Ok((Target { chain: lead.chain, addresses: addresses(four, six), is_apex }, nowhere))
    }

    /// A wildcard's own record is asked for by its name. A server that makes its answers up as it is asked may know
    /// of no such record: then any name below it tells.
    async fn lead(&self, zone: &Arc<Zone>) -> Result<Lead, LookError> {
        let lead = self.follower.follow(zone, self.host.as_str(), Kind::A).await?;
        let is_nothing =
            lead.chain.is_empty() && lead.end.as_ref().is_some_and(|told| told.nothing().is_some());
        if !self.host.is_wildcard() || !is_nothing {
            return Ok(lead);
        }
        self.follower.follow(zone, &format!("{PROBE}.{}", self.host.bare()), Kind::A).await
    }

    /// What denies an address tells the zone; where both kinds are there, the zone has to be asked for.
    async fn is_apex(&self, four: &Told, six: &Told) -> Result<bool, LookError> {
        let name = self.host.as_str();
        if four.zone.name == name {
            return Ok(true);
        }
        let denied = [four, six].into_iter().find_map(|told| told.nothing()?.zone.as_deref());
        if let Some(zone) = denied {
            return Ok(zone == name);
        }
        let begins = self.follower.surveyor.ask(&four.zone, name, Kind::Soa).await?;
        Ok(matches!(begins.answer, Answer::Records(_)))
    }
}

fn nowhere(four: &Told, six: &Told) -> Option<Duration> {
    four.nothing()?.ttl.max(six.nothing()?.ttl)
}

fn addresses(four: Told, six: Told) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = four.data().chain(six.data()).filter_map(|datum| address(&datum)).collect();
    found.sort();
    found
}

fn address(datum: &Datum) -> Option<IpAddr> {
    match datum {
        Datum::Address(address) => Some(*address),
        _ => None,
    }
}

fn text(datum: Datum) -> Option<String> {
    match datum {
        Datum::Text(text) => Some(text),
        _ => None,
    }
}

fn alias(answer: Answer) -> Option<String> {
    match answer {
        Answer::Alias(target) => Some(target),
        _ => None,
    }
}
