//! What a look at DNS comes to, with what the looks before it showed: one that finds something missing is no proof. Pure.

use jiff::Timestamp;

use super::facts::{Asked, Facts, Sighting};
use super::records::{delegated, is_complete, may_be_proxied, routed_by};
use super::verdict::{Ownership, ownership};
use crate::domains::dns::{LookError, Seen};
use crate::domains::name::Hostname;

/// Whether a hostname leads here, with every record that its certificate takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It does.
    Here,
    /// It couldn't be seen.
    Unseen,
    /// It leads elsewhere, or lacks a record.
    Astray,
}

/// Whether the hostname leads here, as far as the last look showed.
pub fn way(facts: &Facts, host: &Hostname) -> Way {
    if facts.unseen().is_some_and(LookError::is_absence) {
        return Way::Astray;
    }
    let (Some(seen), Some(_)) = (facts.seen(), facts.target()) else { return Way::Unseen };
    match routed_by(facts) {
        Some(_) if seen.delegated.is_err() && delegated(facts, host).is_some() => Way::Unseen,
        Some(_) if is_complete(facts, host) => Way::Here,
        _ => Way::Astray,
    }
}

/// Whether visitors are led here, whatever else is missing. Behind a proxy that is seen by Fly, once it has the name; of a
/// wildcard nobody can tell.
pub fn lead(facts: &Facts, host: &Hostname) -> Way {
    if facts.unseen().is_some_and(LookError::is_absence) {
        return Way::Astray;
    }
    let asked = facts.edge().is_some_and(|edge| edge.hostname.is_some());
    match (facts.target(), routed_by(facts)) {
        (None, _) => Way::Unseen,
        (Some(_), Some(_)) => Way::Here,
        (Some(_), None) if may_be_proxied(facts) && (host.is_wildcard() || !asked) => Way::Unseen,
        (Some(_), None) => Way::Astray,
    }
}

/// Takes a look in.
pub fn sighted(facts: &mut Facts, now: Timestamp, result: Result<Seen, LookError>) {
    let Ok(host) = facts.host.clone() else { return };
    let before = facts.known.sight.take();
    let same = before.as_ref().is_some_and(|before| before.result.is_err() == result.is_err());
    let (misses, strays) = before.as_ref().map_or((0, 0), |before| (before.misses, before.strays));
    let count = before.filter(|_| same).map_or(0, |before| before.count.saturating_add(1));
    facts.known.sight = Some(Sighting { at: now, result, misses, strays, count });
    facts.known.turn = None;
    facts.known.asked = Asked::No;
    let misses = match ownership(facts, &host) {
        Ownership::Missing => misses.saturating_add(1),
        Ownership::Unseen(_) => misses,
        Ownership::NotLooked | Ownership::NeedsText | Ownership::Shown(_) => 0,
    };
    let strays = match way(facts, &host) {
        Way::Astray => strays.saturating_add(1),
        Way::Unseen => strays,
        Way::Here => 0,
    };
    if let Some(sight) = &mut facts.known.sight {
        (sight.misses, sight.strays) = (misses, strays);
    }
}
