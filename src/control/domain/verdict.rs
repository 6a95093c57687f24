//! What the last look at DNS says of whose a hostname is. Pure.

use super::facts::{Above, Facts};
use super::ownership::Proofs;
use crate::api::domain_record::OwnershipMethod;
use crate::domains::dns::{LookError, Seen};
use crate::domains::name::Hostname;

/// What is known of whose a hostname is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership<'f> {
    /// Nobody looked yet.
    NotLooked,
    /// It couldn't be seen.
    Unseen(&'f LookError),
    /// Nothing shows that it is this tenant's.
    Missing,
    /// A CNAME shows it, where it takes a text.
    NeedsText,
    /// It is this tenant's.
    Shown(OwnershipMethod),
}

/// What is known of whose the hostname is.
pub fn ownership<'f>(facts: &'f Facts, host: &Hostname) -> Ownership<'f> {
    let (Some(proofs), Some(sight)) = (&facts.known.proofs, &facts.known.sight) else {
        return Ownership::NotLooked;
    };
    let seen = match &sight.result {
        Ok(seen) => seen,
        Err(error) if error.is_absence() => return Ownership::Missing,
        Err(error) => return Ownership::Unseen(error),
    };
    let shown = match facts.record() {
        Some(record) => proofs.shown_for(record, seen, facts.base()),
        None => proofs.shown(seen, facts.base()),
    };
    match shown {
        // What would show it may be what couldn't be seen.
        None => unseen(seen).map_or(Ownership::Missing, Ownership::Unseen),
        Some(OwnershipMethod::Cname) if facts.record().is_none() && takes_text(facts, host) => {
            Ownership::NeedsText
        }
        Some(method) => Ownership::Shown(method),
    }
}

/// Why a part couldn't be seen by which it could be shown whose the name is. What leads into a domain that isn't there
/// doesn't lead to us.
fn unseen(seen: &Seen) -> Option<&LookError> {
    let errors = [seen.texts.as_ref().err(), seen.target.as_ref().err()];
    errors.into_iter().flatten().find(|error| !error.is_absence())
}

/// Whether it takes a text to show whose the hostname is: where no CNAME can stand, or where somebody else holds it, or a
/// name above it.
pub fn takes_text(facts: &Facts, host: &Hostname) -> bool {
    !can_alias(facts, host) || facts.cluster.above == Above::Held || is_anothers(facts)
}

/// Whether a CNAME into the platform's zone can stand under the hostname and say whose it is. One under a wildcard would
/// be answered for names that somebody else may have.
pub fn can_alias(facts: &Facts, host: &Hostname) -> bool {
    facts.cluster.base.is_some() && !host.is_wildcard() && !is_apex(facts, host)
}

/// Whether it is the name of a zone, where no CNAME can stand.
pub fn is_apex(facts: &Facts, host: &Hostname) -> bool {
    !host.is_wildcard()
        && (host.is_registered_domain() || facts.target().is_some_and(|target| target.is_apex))
}

/// Whether another tenant holds the name, or held it last.
pub fn is_anothers(facts: &Facts) -> bool {
    let record = facts.cluster.claim.as_ref().and_then(|claim| claim.spec.domain.as_ref());
    record.is_some_and(|record| Some(&record.tenant_id) != facts.cluster.tenant.as_ref())
}

/// Whether what was seen shows that the name is still that of the other tenant that holds it, or may hide it.
pub fn is_still_anothers(facts: &Facts, rival: &Proofs, seen: &Seen) -> bool {
    let record = facts.cluster.claim.as_ref().and_then(|claim| claim.spec.domain.as_ref());
    let shows = |record| rival.shown_for(record, seen, facts.base()).is_some() || unseen(seen).is_some();
    record.is_some_and(|record| shows(record))
}
