//! Whether somebody may have worked with a new version before it failed. Fly's proxy starts a Machine and stops it again
//! while no operator looks: what was done then isn't thrown away for a failure that comes later.

use jiff::Timestamp;

use super::super::super::facts::{Facts, MachineFact, Source};
use super::super::super::step::{Look, Step};
use super::super::Reached;
use super::super::replace::record;
use crate::api::condition::whole_seconds;
use crate::api::name_claim::{RuntimeIdentity, Upgrade};

/// A session of one that is off again stands on the claim: the Machine's events are few, and tell of its last end alone.
pub(super) fn kept_in_mind(facts: &Facts, identity: &RuntimeIdentity, upgrade: &Upgrade) -> Reached<()> {
    let Some(machine) = facts.known.machine.present().filter(|_| upgrade.session_time.is_none()) else {
        return Ok(());
    };
    if machine.source == Source::List {
        return Err(Step::Look(Look::Machine));
    }
    let Some(began) = session(machine, upgrade) else { return Ok(()) };
    let used = Upgrade { session_time: Some(whole_seconds(began)), ..upgrade.clone() };
    Err(record(RuntimeIdentity { upgrade: Some(used), ..identity.clone() }))
}

/// Whether the volume may hold what was done since the snapshot: a session ended as it should, or the run that failed
/// had gone on for longer than anybody was seen to wait for it.
pub(super) fn may_have_been(now: Timestamp, facts: &Facts, upgrade: &Upgrade) -> bool {
    let Some(machine) = facts.known.machine.present() else { return upgrade.session_time.is_some() };
    let deadline = facts.cluster.settings.start_deadline;
    // One that still runs is given up soon after its deadline, if it is watched.
    let (end, most) = machine.quiet.map_or((now, deadline * 2), |end| (end, deadline));
    let run = machine.started.filter(|started| *started > upgrade.begin_time);
    let long = run.is_some_and(|started| started.duration_until(end) > most);
    upgrade.session_time.is_some() || long || session(machine, upgrade).is_some()
}

/// The last session, if it began after the pin was moved.
fn session(machine: &MachineFact, upgrade: &Upgrade) -> Option<Timestamp> {
    machine.session.filter(|began| *began > upgrade.begin_time)
}
