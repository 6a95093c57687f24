//! The stages that take away what stands under a name. What leads visitors here is the first to go, so that none comes to
//! somebody else.

use super::super::certificate::{Kept, Left};
use super::super::facts::{BaseRecords, Dropped, Facts};
use super::super::step::{Effect, Look, Rest, Step};
use super::Reached;
use crate::api::NameClaimSpec;
use crate::api::domain_record::{DomainRecord, RouteRecord};

/// Deleting an object takes everything away and keeps the name for its tenant.
pub(super) fn gone(facts: &Facts) -> Step {
    if !facts.has_finalizer() {
        return Step::Rest(Rest::Gone);
    }
    let Some(claim) = facts.cluster.claim.as_ref().filter(|_| facts.record().is_some()) else {
        return Step::Do(Effect::RemoveFinalizer);
    };
    cleared(facts, &claim.spec).err().unwrap_or(Step::Do(Effect::Release))
}

/// Nothing stands under the name any more.
pub(super) fn cleared(facts: &Facts, claim: &NameClaimSpec) -> Reached<()> {
    let Some(record) = claim.domain.as_deref() else { return Ok(()) };
    if let Some(route) = &record.route {
        away(facts, record, route)?;
    }
    // Each order is counted before it is placed: where none is, nothing was kept.
    if record.ordering.is_some() { forgotten(facts) } else { Ok(()) }
}

/// It leads nowhere, and that is recorded.
pub(super) fn detached(facts: &Facts, record: &DomainRecord) -> Reached<()> {
    let Some(route) = &record.route else { return Ok(()) };
    away(facts, record, route)?;
    Err(Step::Do(Effect::RecordRoute(None)))
}

/// Neither DNS nor Fly leads anybody to the app under the name.
pub(super) fn away(facts: &Facts, record: &DomainRecord, route: &RouteRecord) -> Reached<()> {
    let deeds = &facts.known.deeds;
    let kept = facts.cluster.base.as_ref().is_some_and(|base| base.records == BaseRecords::Kept);
    if kept && !deeds.unpublished.contains(&record.label) {
        return Err(Step::Do(Effect::Unpublish(record.label.clone())));
    }
    if !deeds.detached.contains(&route.app) {
        return Err(Step::Do(Effect::Detach(route.app.clone())));
    }
    Ok(())
}

/// Nothing is left of orders for certificates, their keys among them.
pub(super) fn forgotten(facts: &Facts) -> Reached<()> {
    if facts.known.deeds.dropped == Dropped::Yes {
        return Ok(());
    }
    match &facts.known.stored {
        None => Err(Step::Look(Look::Stored)),
        Some(stored) if stored.has_left() == Left::Proofs => Err(Step::Do(Effect::Clean)),
        Some(stored) if stored.kept == Kept::Nothing => Ok(()),
        Some(_) => Err(Step::Do(Effect::DropStored)),
    }
}
