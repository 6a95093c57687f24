//! Follows CNAME records from zone to zone, never into one of ours.

use std::sync::Arc;

use super::answer::{Answer, Datum, Kind, Nothing};
use super::survey::{Surveyor, Told};
use super::zones::Zone;
use super::{LookError, MOST_ALIASES};
use crate::domains::name::is_within;

/// Where a name leads.
#[derive(Debug)]
pub(super) struct Lead {
    /// The names that it is an alias of, one after the other.
    pub(super) chain: Vec<String>,
    /// The name at the end.
    pub(super) at: String,
    /// What stands at the end; `None` at a name of ours, which nobody is asked about.
    pub(super) end: Option<Told>,
}

/// Follows names, by these servers, to the end or to one of our zones.
pub(super) struct Follower<'l> {
    /// Asks.
    pub(super) surveyor: &'l Surveyor,
    /// Zones that are ours.
    pub(super) own: &'l [String],
}

impl Follower<'_> {
    /// Where a name leads, by records of this type; it is held by this zone or one below.
    ///
    /// # Errors
    /// If that can't be found out, or never ends.
    pub(super) async fn follow(&self, zone: &Arc<Zone>, name: &str, kind: Kind) -> Result<Lead, LookError> {
        let mut told = self.surveyor.ask(zone, name, kind).await?;
        let (mut chain, mut at) = (Vec::new(), name.to_owned());
        while let Answer::Alias(target) = told.answer {
            if target == name || chain.contains(&target) {
                return Err(LookError::Loop { name: name.to_owned() });
            }
            chain.push(target.clone());
            at = target;
            if self.own.iter().any(|zone| is_within(&at, zone)) {
                return Ok(Lead { chain, at, end: None });
            }
            if chain.len() > MOST_ALIASES {
                return Err(LookError::TooLong { name: name.to_owned() });
            }
            let zone = self.surveyor.zone(&at).await?;
            told = self.surveyor.ask(&zone, &at, kind).await?;
        }
        Ok(Lead { chain, at, end: Some(told) })
    }
}

impl Told {
    /// What the zone says of nothing being there.
    pub(super) fn nothing(&self) -> Option<&Nothing> {
        match &self.answer {
            Answer::Nothing(nothing) => Some(nothing),
            _ => None,
        }
    }

    /// The records.
    pub(super) fn data(self) -> impl Iterator<Item = Datum> {
        let data = match self.answer {
            Answer::Records(data) => data,
            _ => std::collections::BTreeSet::new(),
        };
        data.into_iter()
    }
}
