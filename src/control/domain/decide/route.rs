//! The stages that lead visitors to the Runtime's app: what is intended is recorded first.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{BaseRecords, Facts, RuntimeFact};
use super::super::records::wanted_addresses;
use super::super::step::{Effect, Look, Rest, Step, Waiting};
use super::super::verdict::is_apex;
use super::{Reached, leave, no_runtime};
use crate::api::domain_record::DomainRecord;
use crate::domains::name::Hostname;

/// The addresses are known, where they are what a customer has to set, and are read again now and then: an app may be given
/// others.
pub(super) fn told(facts: &Facts, host: &Hostname) -> Reached<()> {
    if facts.known_addresses().is_some_and(|known| facts.is_stale(known.at)) {
        return Err(Step::Look(Look::Addresses));
    }
    let by_address = facts.cluster.base.is_none() || is_apex(facts, host);
    let unknown = facts.app().is_some() && wanted_addresses(facts).is_none();
    if by_address && unknown && facts.seen().is_some() { Err(Step::Look(Look::Addresses)) } else { Ok(()) }
}

/// The name in the platform's zone leads to the app of the Runtime that is named, and to no other.
pub(super) fn led(now: Timestamp, facts: &Facts, record: &DomainRecord) -> Reached<()> {
    let app = app(now, facts, record)?;
    match &record.route {
        Some(route) if route.app != app => {
            leave::away(facts, record, route)?;
            Err(Step::Do(Effect::RecordRoute(Some(app.to_owned()))))
        }
        None => Err(Step::Do(Effect::RecordRoute(Some(app.to_owned())))),
        Some(_) => published(facts, record),
    }
}

/// The app to lead to. What leads to one that is about to go is taken away; what leads to one whose Runtime isn't there
/// stays, since a Runtime may yet come back, as from a backup.
fn app<'f>(now: Timestamp, facts: &'f Facts, record: &DomainRecord) -> Reached<&'f str> {
    match &facts.cluster.runtime {
        RuntimeFact::Standing { app } => Ok(app),
        RuntimeFact::Pending => Err(Step::Wait(Waiting::Runtime)),
        RuntimeFact::Going => {
            leave::detached(facts, record)?;
            Err(Step::Wait(Waiting::Runtime))
        }
        RuntimeFact::Missing => match facts.known.runtime_missing_since {
            None => Err(Step::Look(Look::Runtime)),
            Some(since) if since.duration_until(now) < SignedDuration::from_secs(1) => {
                Err(Step::Wait(Waiting::Runtime))
            }
            Some(_) => Err(Step::Rest(Rest::Awaiting(no_runtime(facts)))),
        },
    }
}

/// The name in the platform's zone has the addresses that it should have.
fn published(facts: &Facts, record: &DomainRecord) -> Reached<()> {
    let Some(wanted) = wanted_addresses(facts) else {
        return if facts.seen().is_none() { Ok(()) } else { Err(Step::Look(Look::Addresses)) };
    };
    let kept = facts.cluster.base.as_ref().is_some_and(|base| base.records == BaseRecords::Kept);
    if !kept || standing(facts, record) == wanted || wanted.is_empty() {
        return Ok(());
    }
    Err(Step::Do(Effect::Publish { label: record.label.clone(), addresses: wanted.to_vec() }))
}

/// The addresses that the name has, as recorded or as done since.
pub(super) fn standing<'f>(facts: &'f Facts, record: &'f DomainRecord) -> &'f [String] {
    let done = facts.known.deeds.published.as_ref().filter(|(label, _)| *label == record.label);
    let recorded = record.route.as_ref().map(|route| route.addresses.as_slice()).unwrap_or_default();
    done.map_or(recorded, |(_, addresses)| addresses)
}
