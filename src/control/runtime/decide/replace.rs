//! The move to another volume: a copy on another host, or the state of a snapshot.
//!
//! The claim says first what is meant to be; then the new volume is made, the old Machine stops and goes, and one write of
//! the claim puts the new volume in the place of the old one. The ordinary stages make the Machine on it. The old volume
//! stays until the new one has served for a while. Only for a copy the old Machine stops first: a snapshot is what it is,
//! and what serves goes on until Fly has agreed to another volume.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{
    Facts, Filling, Host, Known, MachineFact, Refusal, Source, VolumeFact, VolumePhase,
};
use super::super::resolve::Power;
use super::super::step::{Effect, Look, Rest, Step, Waiting};
use super::{Reached, absence_proved, destroy, fork, look_again, power, request, upgrade};
use crate::api::condition::whole_seconds;
use crate::api::name_claim::{Pin, RuntimeIdentity, UpgradePhase};
use crate::api::replacement::{Displaced, MAX_DISPLACED, Replacement, ReplacementCause, Restored};
use crate::control::runtime::moving::COPY_PAUSE;

/// Pause between two looks at a Machine whose host didn't answer.
const HOST_PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// What a new volume is to be made from, and why.
#[derive(Clone, Debug)]
pub(in crate::control::runtime) struct Origin {
    /// Why.
    pub cause: ReplacementCause,
    /// Id of the volume, for a fork, or of the snapshot.
    pub source: String,
    /// When the snapshot was made.
    pub snapshot_time: Option<Timestamp>,
    /// UID of the task that asked for it.
    pub task: Option<String>,
}

/// The identity with a move begun. Its number is new even if an earlier move was given up.
pub(in crate::control::runtime) fn begun(
    now: Timestamp,
    identity: &RuntimeIdentity,
    origin: Origin,
) -> RuntimeIdentity {
    let incarnation = identity.last_incarnation.max(identity.incarnation).saturating_add(1);
    let Origin { cause, source, snapshot_time, task } = origin;
    let since = Some(whole_seconds(now));
    RuntimeIdentity {
        last_incarnation: incarnation,
        replacement: Some(Replacement { cause, incarnation, source, snapshot_time, task, since }),
        ..identity.clone()
    }
}

/// Whether so many volumes were left behind that no move may begin.
pub(in crate::control::runtime) fn is_crowded(identity: &RuntimeIdentity) -> bool {
    identity.displaced.len() >= MAX_DISPLACED
}

/// No move is under way.
pub(super) fn complete(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    let Some(replacement) = &identity.replacement else { return Ok(()) };
    let old = old_machine(now, facts, replacement)?;
    if reachable(old) && replacement.cause == ReplacementCause::HostLoss {
        return Err(record(called_off(now, facts, identity)?));
    }
    if reachable(old) && replacement.cause == ReplacementCause::Fork {
        power::halted(now, facts, Power::Stop)?;
    }
    let fresh = new_volume(now, facts, identity, replacement)?;
    if let Some(machine) = old.filter(|_| reachable(old)) {
        // No request may start it either: what it wrote then would be lost.
        power::halted(now, facts, Power::Stop)?;
        recorded_machine(identity, machine)?;
        destroy::no_machine(now, facts)?;
    }
    let lost = old.filter(|_| !reachable(old)).map(|machine| machine.id.clone());
    Err(record(switched(now, identity, replacement, fresh, lost)))
}

/// The Machine on the old volume. Whether a lost host answers again only the Machine itself tells, looked at anew.
fn old_machine<'f>(
    now: Timestamp,
    facts: &'f Facts,
    replacement: &Replacement,
) -> Reached<Option<&'f MachineFact>> {
    let machine = destroy::machine(now, facts)?;
    let stale = |machine: &&MachineFact| {
        machine.source == Source::List || machine.read_at.duration_until(now) >= HOST_PAUSE
    };
    if replacement.cause == ReplacementCause::HostLoss && machine.as_ref().is_some_and(stale) {
        return Err(Step::Look(Look::Machine));
    }
    Ok(machine)
}

/// The move is dropped; what it made, if anything, never booted, and goes with the spares.
pub(super) fn called_off(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
) -> Reached<RuntimeIdentity> {
    let mut dropped = RuntimeIdentity { replacement: None, ..identity.clone() };
    match &facts.known.moving.fresh {
        Known::Unknown => return Err(Step::Look(Look::NewVolume)),
        Known::Missing(absence) => absence_proved(now, facts, *absence, Look::NewVolume, "volume")?,
        Known::Present(volume) if volume.phase == VolumePhase::Going => {}
        Known::Present(volume) => dropped.spare_volume_ids.push(volume.id.clone()),
    }
    Ok(dropped)
}

fn reachable(machine: Option<&MachineFact>) -> bool {
    machine.is_some_and(|machine| machine.host == Host::Reachable)
}

/// Only a recorded Machine is removed.
fn recorded_machine(identity: &RuntimeIdentity, machine: &MachineFact) -> Reached<()> {
    if identity.machine_id.as_deref() == Some(machine.id.as_str()) {
        return Ok(());
    }
    Err(record(RuntimeIdentity { machine_id: Some(machine.id.clone()), ..identity.clone() }))
}

fn new_volume<'f>(
    now: Timestamp,
    facts: &'f Facts,
    identity: &RuntimeIdentity,
    replacement: &Replacement,
) -> Reached<&'f VolumeFact> {
    match &facts.known.moving.fresh {
        Known::Unknown => Err(Step::Look(Look::NewVolume)),
        Known::Missing(absence) => {
            if facts.known.moving.refused.is_some() {
                return Err(record(given_up(now, identity)));
            }
            absence_proved(now, facts, *absence, Look::NewVolume, "volume")?;
            if is_overdue(now, replacement) {
                return Err(record(given_up(now, identity)));
            }
            Err(Step::Do(Effect::ReplaceVolume))
        }
        // Somebody took it away: another is made, under a number of its own.
        Known::Present(volume) if volume.phase == VolumePhase::Going => {
            Err(record(again(now, identity, replacement)))
        }
        Known::Present(volume) if volume.filling == Filling::UnderWay => {
            Err(look_again(now, facts, Look::NewVolume, SignedDuration::from_secs(1), Waiting::NewVolume))
        }
        Known::Present(volume) => Ok(volume),
    }
}

fn again(now: Timestamp, identity: &RuntimeIdentity, replacement: &Replacement) -> RuntimeIdentity {
    let Replacement { cause, source, snapshot_time, task, .. } = replacement.clone();
    let mut again = begun(now, identity, Origin { cause, source, snapshot_time, task });
    if let Some(next) = &mut again.replacement {
        next.since = replacement.since;
    }
    again
}

/// Whether somebody asked for it, and should have had it by now. What serves isn't kept from everything else for ever;
/// what was lost, or failed, has nothing to go back to.
fn is_overdue(now: Timestamp, replacement: &Replacement) -> bool {
    let asked = replacement.cause == ReplacementCause::Restore;
    asked && replacement.since.is_some_and(|since| since.duration_until(now) > request::DEADLINE)
}

/// Fly won't make it: everything stays where it is, and a size that found no room is taken back. What an upgrade that
/// failed leaves on the volume is told.
fn given_up(now: Timestamp, identity: &RuntimeIdentity) -> RuntimeIdentity {
    let mut kept = RuntimeIdentity { replacement: None, ..identity.clone() };
    let cause = identity.replacement.as_ref().map(|replacement| replacement.cause);
    if let (Some(ReplacementCause::Rollback), Some(failed)) = (cause, &mut kept.failed_upgrade) {
        failed.message =
            upgrade::without_snapshot(&failed.message, "Fly couldn't restore the snapshot made before it");
    }
    if cause == Some(ReplacementCause::Fork) {
        fork::take_size_back(now, &mut kept, COPY_PAUSE);
    }
    kept
}

/// The new volume takes the place of the old one, which is kept for a while.
fn switched(
    now: Timestamp,
    identity: &RuntimeIdentity,
    replacement: &Replacement,
    fresh: &VolumeFact,
    lost_machine: Option<String>,
) -> RuntimeIdentity {
    let old = identity.volume_id.clone().map(|volume_id| Displaced {
        volume_id,
        machine_id: lost_machine,
        cause: replacement.cause,
        since: whole_seconds(now),
        served_since: None,
    });
    let identity = &without_trial(identity, replacement);
    RuntimeIdentity {
        volume_id: Some(fresh.id.clone()),
        region: Some(fresh.region.clone()),
        volume_gb: Some(fresh.size_gb),
        machine_id: None,
        incarnation: replacement.incarnation,
        replacement: None,
        displaced: identity.displaced.iter().cloned().chain(old).collect(),
        restored: restored(identity, replacement),
        snapshot: None,
        unreachable_since: None,
        ..identity.clone()
    }
}

/// A restore that somebody asked for ends an upgrade: a version that hasn't proved itself isn't tried on what the one
/// before it left. A snapshot that was made since goes with the new one, which goes on to prove itself.
fn without_trial(identity: &RuntimeIdentity, replacement: &Replacement) -> RuntimeIdentity {
    let Some(upgrade) = identity.upgrade.as_ref().filter(|_| replacement.cause == ReplacementCause::Restore)
    else {
        return identity.clone();
    };
    let pin = match upgrade.phase {
        UpgradePhase::Trial if replacement.snapshot_time.is_some_and(|made| made > upgrade.begin_time) => {
            return identity.clone();
        }
        UpgradePhase::Trial => Pin { plan: identity.pin.plan.clone(), ..upgrade.from.clone() },
        UpgradePhase::Snapshot | UpgradePhase::Rollback => identity.pin.clone(),
    };
    RuntimeIdentity { pin, upgrade: None, ..identity.clone() }
}

fn restored(identity: &RuntimeIdentity, replacement: &Replacement) -> Option<Restored> {
    if replacement.cause == ReplacementCause::Fork {
        return identity.restored.clone();
    }
    Some(Restored {
        snapshot_id: replacement.source.clone(),
        snapshot_time: replacement.snapshot_time,
        cause: replacement.cause,
        task: replacement.task.clone(),
    })
}

pub(super) fn record(identity: RuntimeIdentity) -> Step {
    Step::Do(Effect::RecordIdentity(Box::new(identity)))
}

/// A refusal that is looked at again after a while.
pub(super) fn rest(refusal: Refusal, again: SignedDuration) -> Step {
    Step::Rest(Rest::Refused(refusal, again))
}
