//! Asks all servers of a zone.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use hickory_proto::rr::Name;
use tokio::time::timeout;

use super::LookError;
use super::agree::{Asked, Said, agree, sight};
use super::answer::{Answer, Kind};
use super::names::checked;
use super::zones::{Server, Zone, Zones};
use crate::domains::dns::Sight;
use crate::domains::dns::question::Recursion;
use crate::domains::dns::wire::Line;
use crate::domains::name::is_within;

/// Most delegations that are followed for one question.
const MOST_REFERRALS: usize = 8;
/// Most servers of a zone that are asked at once, so that none keeps others from being asked.
const MOST_AT_ONCE: usize = 6;
/// Longest time in which one server may answer, at whichever of its addresses.
const PATIENCE: Duration = Duration::from_secs(8);

/// Asks all servers of the zone that holds a name.
pub struct Surveyor {
    zones: Zones,
    line: Arc<Line>,
}

/// What each server of a zone says.
pub(super) struct Survey {
    /// The zone that holds the name.
    pub(super) zone: Arc<Zone>,
    /// Each of its servers' answer.
    pub(super) said: Vec<Said>,
}

/// What they say together.
#[derive(Debug)]
pub(super) struct Told {
    /// The zone that holds the name.
    pub(super) zone: Arc<Zone>,
    /// Their answer.
    pub(super) answer: Answer,
}

impl Surveyor {
    /// By these zones.
    pub(super) fn new(zones: Zones, line: Arc<Line>) -> Self {
        Self { zones, line }
    }

    /// The zone that holds a name, as far as resolvers know.
    ///
    /// # Errors
    /// If there is none, none of its servers may be asked, or no resolver answers.
    pub async fn zone(&self, name: &str) -> Result<Arc<Zone>, LookError> {
        self.zones.of(name).await
    }

    /// The same for a name that is likely to be in this zone, or in one that this zone delegates.
    ///
    /// # Errors
    /// As [`Self::zone`].
    pub(super) async fn zone_near(&self, zone: &Arc<Zone>, name: &str) -> Result<Arc<Zone>, LookError> {
        if is_within(name, &zone.name) { Ok(Arc::clone(zone)) } else { self.zones.of(name).await }
    }

    /// What all servers that answer say of a name in this zone, or in one below it; and that zone.
    ///
    /// # Errors
    /// If they don't agree, or none answers.
    pub(super) async fn ask(&self, zone: &Arc<Zone>, name: &str, kind: Kind) -> Result<Told, LookError> {
        let Survey { zone, said } = self.survey(zone, name, kind).await?;
        let answer = agree(Asked { zone: &zone.name, name, kind }, &said)?;
        Ok(Told { zone, answer })
    }

    /// Whether all servers that answer show this text.
    ///
    /// # Errors
    /// If none answers.
    pub async fn shows(&self, zone: &Arc<Zone>, name: &str, text: &str) -> Result<Sight, LookError> {
        let Survey { zone, said } = self.survey(zone, name, Kind::Txt).await?;
        sight(&said, text).ok_or_else(|| LookError::Unanswered { zone: zone.name.clone() })
    }

    /// What each server says. A delegation is followed where they agree on it.
    ///
    /// # Errors
    /// If the servers of a zone below can't be found, or refer on and on.
    pub(super) async fn survey(&self, zone: &Arc<Zone>, name: &str, kind: Kind) -> Result<Survey, LookError> {
        let dns_name = checked(name)?;
        let mut zone = Arc::clone(zone);
        for _ in 0..=MOST_REFERRALS {
            let said = self.told(&zone, &dns_name, kind).await?;
            match agree(Asked { zone: &zone.name, name, kind }, &said) {
                Ok(Answer::Referral(child)) => {
                    zone = self.zones.with(&child.zone, child.servers.into_iter().collect()).await?;
                }
                _ => return Ok(Survey { zone, said }),
            }
        }
        Err(LookError::TooLong { name: name.to_owned() })
    }

    /// What all servers of a zone say. One that looks for itself where an alias leads fails if that leads nowhere; the
    /// alias alone it can tell.
    async fn told(&self, zone: &Zone, name: &Name, kind: Kind) -> Result<Vec<Said>, LookError> {
        let said = self.poll(zone, name, kind).await?;
        let is_failing = said.iter().any(|one| one.answer == Answer::Lame);
        if kind == Kind::Cname || !is_failing || said.iter().any(|one| one.answer.is_spoken()) {
            return Ok(said);
        }
        let aliases = self.poll(zone, name, Kind::Cname).await?;
        let is_alias = aliases.iter().any(|one| matches!(one.answer, Answer::Alias(_)));
        Ok(if is_alias { aliases } else { said })
    }

    /// Asks all servers of a zone.
    async fn poll(&self, zone: &Zone, name: &Name, kind: Kind) -> Result<Vec<Said>, LookError> {
        let of = checked(&zone.name)?;
        let mut said = Vec::with_capacity(zone.servers.len());
        for some in zone.servers.chunks(MOST_AT_ONCE) {
            said.extend(join_all(some.iter().map(|server| self.one(&of, server, name, kind))).await);
        }
        Ok(said)
    }

    async fn one(&self, zone: &Name, server: &Server, name: &Name, kind: Kind) -> Said {
        let answer = timeout(PATIENCE, self.first(zone, server, name, kind)).await;
        Said { server: server.name.clone(), answer: answer.unwrap_or(Answer::Silent) }
    }

    /// The first of a server's addresses that answers speaks for it.
    async fn first(&self, zone: &Name, server: &Server, name: &Name, kind: Kind) -> Answer {
        for address in &server.addresses {
            match self.line.ask(*address, name, kind.record_type(), Recursion::None).await {
                Ok(message) => return Answer::judge(zone, name, kind, &message),
                Err(error) => tracing::debug!(%address, %error, "a name server doesn't answer"),
            }
        }
        Answer::Silent
    }
}
