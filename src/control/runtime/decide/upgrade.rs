//! An upgrade: the volume is kept as it is by a snapshot, the pin is moved, and the new one has to prove itself by
//! running. If it doesn't, pin and snapshot go back together. How far it is stands on the claim.
//!
//! A Runtime that is off is moved without being started: it proves itself at its next start, whenever that is.

mod asked;
mod back;
mod used;

pub(super) use asked::attended;
pub(super) use back::without_snapshot;
use back::{failure, go_back, refused};

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{
    Facts, Idling, Known, MachineFact, MachinePhase, Refusal, RequestKind, VolumeFact, VolumePhase,
};
use super::super::resolve::{Power, Resolved};
use super::super::step::{Effect, Look, Rest, Step};
use super::replace::record;
use super::snapshot::{self, Keeping, Want};
use super::{Reached, destroy, filled, power, request};
use crate::api::condition::whole_seconds;
use crate::api::name_claim::{RuntimeIdentity, SnapshotRecord, Upgrade, UpgradePhase};
use crate::api::reason;
use crate::control::rollout::pick::Permit;
use crate::control::rollout::target::Update;
use crate::control::rollout::tell;

/// Nothing is given up on what was seen longer ago than this.
const FRESH: SignedDuration = SignedDuration::from_secs(5);

/// The upgrade under way is as far as it can be before the Machine runs or rests.
pub(super) fn under_way(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    resolved: &Resolved,
) -> Reached<()> {
    let Some(upgrade) = &identity.upgrade else { return Ok(()) };
    match upgrade.phase {
        UpgradePhase::Snapshot => Err(kept(now, facts, identity, upgrade).unwrap_or_else(|step| step)),
        UpgradePhase::Trial => match refused(now, facts, upgrade, resolved) {
            Some(refusal) => Err(go_back(now, facts, identity, resolved, &refusal)),
            None => Ok(()),
        },
        UpgradePhase::Rollback => Ok(()),
    }
}

/// Fly hasn't refused to make the Machine of a pin that has yet to prove itself.
pub(super) fn can_be_made(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    resolved: &Resolved,
) -> Reached<()> {
    let missing = matches!(facts.known.machine, Known::Missing(_));
    let trial = identity.upgrade.as_ref().filter(|upgrade| upgrade.phase == UpgradePhase::Trial && missing);
    match trial.and_then(|trial| refused(now, facts, trial, resolved)) {
        Some(refusal) => Err(go_back(now, facts, identity, resolved, &refusal)),
        None => Ok(()),
    }
}

/// What comes after the Machine runs or rests, or doesn't: the end of an upgrade, or the begin of one.
pub(super) fn after(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    resolved: &Resolved,
    reached: Reached<Step>,
) -> Reached<Step> {
    let Some(upgrade) = &identity.upgrade else { return begin(now, facts, identity, resolved, reached) };
    match (upgrade.phase, &reached) {
        (UpgradePhase::Trial, Ok(Step::Rest(Rest::Running))) => {
            let proved = RuntimeIdentity { upgrade: None, failed_upgrade: None, ..identity.clone() };
            Err(Step::Do(Effect::RecordIdentity(Box::new(proved))))
        }
        (UpgradePhase::Rollback, _) if has_settled(now, facts, resolved, &reached)? => {
            Err(record(RuntimeIdentity { upgrade: None, ..identity.clone() }))
        }
        // One that is off proves itself at its next start.
        (UpgradePhase::Trial, Ok(Step::Rest(Rest::Sleeping | Rest::Stopped | Rest::Awaiting(_)))) => {
            used::kept_in_mind(facts, identity, upgrade)?;
            reached
        }
        (UpgradePhase::Trial, _) if resolved.power == Power::Run => match late(now, facts)? {
            Some(refusal) => Err(go_back(now, facts, identity, resolved, &refusal)),
            None => reached,
        },
        _ => reached,
    }
}

/// Whether it rests, or doesn't come up. After a rollback nothing more is taken back then, and another upgrade may be the
/// remedy.
fn has_settled(now: Timestamp, facts: &Facts, resolved: &Resolved, reached: &Reached<Step>) -> Reached<bool> {
    match reached {
        Ok(Step::Rest(_)) => Ok(true),
        Err(Step::Rest(Rest::Refused(refusal, _))) => Ok(does_not_come_up(refusal)),
        _ if resolved.power == Power::Run && power::config_is_applied(facts, resolved) => {
            Ok(late(now, facts)?.is_some())
        }
        _ => Ok(false),
    }
}

/// Whether a gateway ends by itself each time that it is started.
fn does_not_come_up(refusal: &Refusal) -> bool {
    matches!(refusal.reason, reason::CRASH_LOOP | reason::OUT_OF_MEMORY | reason::CONFIGURATION_REFUSED)
}

/// Begins an upgrade, if there is one and it may be begun.
fn begin(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    resolved: &Resolved,
    reached: Reached<Step>,
) -> Reached<Step> {
    let (Some(asked), Some(update)) = (asked(now, facts), tell::update(facts).filter(Update::fits)) else {
        return reached;
    };
    if !may_move(now, facts, resolved, &asked, &reached)? {
        return reached;
    }
    let failed = tell::failed(facts, &update);
    let request = match asked {
        Asked::ByRollout if failed.is_some() => return reached,
        Asked::ByRequest(uid) if failed.is_some_and(|it| it.request.as_deref() == Some(uid)) => {
            return reached;
        }
        Asked::ByRollout => None,
        Asked::ByRequest(uid) => Some(uid.to_owned()),
    };
    let first = snapshot_first(facts);
    if let (true, Ok(Step::Rest(rest)), Some(volume)) = (first, &reached, &identity.volume_id) {
        filled::whole_aside(now, facts, volume, rest)?;
    }
    let begun = Upgrade {
        phase: UpgradePhase::Snapshot,
        begin_time: whole_seconds(now),
        from: identity.pin.clone(),
        snapshot: None,
        snapshot_days: if first { snapshot_days(now, facts, identity)? } else { None },
        session_time: None,
        request,
    };
    // A failure before stays recorded until this one has proved itself.
    let kept = RuntimeIdentity { upgrade: Some(begun.clone()), ..identity.clone() };
    let begun = if first { kept } else { moved(now, &kept, &begun, update, None) };
    Err(Step::Do(Effect::BeginUpgrade(Box::new(begun))))
}

/// How long Fly keeps the volume's snapshots, as it says now.
fn snapshot_days(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<Option<u32>> {
    if facts.known.since_look(Look::Volume, now) > FRESH && identity.volume_id.is_some() {
        return Err(Step::Look(Look::Volume));
    }
    Ok(standing_volume(facts, identity)?.and_then(|volume| volume.snapshot_days))
}

/// The recorded volume, if it stands.
fn standing_volume<'f>(facts: &'f Facts, identity: &RuntimeIdentity) -> Reached<Option<&'f VolumeFact>> {
    let recorded = identity.volume_id.as_ref();
    match &facts.known.volume {
        _ if recorded.is_none() => Ok(None),
        Known::Missing(_) => Ok(None),
        Known::Present(volume) if Some(&volume.id) == recorded => {
            Ok(Some(volume).filter(|volume| volume.phase == VolumePhase::Usable))
        }
        Known::Present(_) | Known::Unknown => Err(Step::Look(Look::Volume)),
    }
}

/// Who asked for an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked<'f> {
    /// The Blueprint's rollout.
    ByRollout,
    /// A person, by the task of this UID.
    ByRequest(&'f str),
}

fn asked(now: Timestamp, facts: &Facts) -> Option<Asked<'_>> {
    match &facts.cluster.request {
        Some(request) if request.kind == RequestKind::Upgrade && !request::is_late(now, request) => {
            Some(Asked::ByRequest(&request.uid))
        }
        _ => (facts.cluster.permit == Permit::Granted).then_some(Asked::ByRollout),
    }
}

/// Only what is at rest is moved. A person may ask it also of what doesn't come up: it may be the remedy.
fn may_move(
    now: Timestamp,
    facts: &Facts,
    resolved: &Resolved,
    asked: &Asked<'_>,
    reached: &Reached<Step>,
) -> Reached<bool> {
    match asked {
        Asked::ByRollout => Ok(matches!(reached, Ok(Step::Rest(_)))),
        Asked::ByRequest(_) => has_settled(now, facts, resolved, reached),
    }
}

fn snapshot_first(facts: &Facts) -> bool {
    let rollout = facts.cluster.blueprint.as_ref().and_then(|(_, _, spec)| spec.rollout.as_ref());
    rollout.is_none_or(|rollout| rollout.snapshot_first)
}

/// The volume is kept as it is: the Machine is stopped, and a snapshot made since. Then the pin is moved.
fn kept(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity, upgrade: &Upgrade) -> Reached<Step> {
    let settings = &facts.cluster.settings;
    let (Some(update), Some(volume)) = (tell::update(facts).filter(Update::fits), &identity.volume_id) else {
        // The edit was taken back meanwhile: nothing has changed yet.
        kept_as_before(facts, identity, upgrade)?;
        return Err(record(RuntimeIdentity { upgrade: None, ..identity.clone() }));
    };
    if upgrade.begin_time.duration_until(now) > settings.stop_deadline + settings.start_deadline {
        // Where Fly refuses that as well, the Runtime isn't kept down for it.
        if facts.known.trouble.is_none() {
            kept_as_before(facts, identity, upgrade)?;
        }
        let refusal =
            Refusal::new(reason::SNAPSHOT_FAILED, "The snapshot before it couldn't be made in time.");
        let failed_upgrade = Some(failure(&update, upgrade, &refusal));
        return Err(record(RuntimeIdentity { upgrade: None, failed_upgrade, ..identity.clone() }));
    }
    quieted(now, facts)?;
    let keeping = if upgrade.snapshot_days.is_some() { Keeping::Longest } else { Keeping::AsSet };
    let order = Effect::SnapshotBeforeUpgrade { id: volume.clone() };
    let last = snapshot::last(now, facts, Want { volume, keeping, order })?;
    let kept = snapshot::record(last, volume);
    kept_as_before(facts, identity, upgrade)?;
    Err(record(moved(now, identity, upgrade, update, Some(kept))))
}

/// The Machine is off. One that requests start again and again isn't left to Fly's proxy any more: the update that
/// follows gives it back.
fn quieted(now: Timestamp, facts: &Facts) -> Reached<()> {
    let started = facts.known.machine.present().filter(|machine| machine.phase == MachinePhase::Started);
    if facts.known.stops > 1 && started.is_some_and(|machine| machine.idling != Idling::Off) {
        return Err(Step::Do(Effect::KeepOff));
    }
    destroy::machine_stopped(now, facts)
}

/// Fly keeps the volume's later snapshots for as long as it did before the upgrade.
fn kept_as_before(facts: &Facts, identity: &RuntimeIdentity, upgrade: &Upgrade) -> Reached<()> {
    let Some(days) = upgrade.snapshot_days else { return Ok(()) };
    match standing_volume(facts, identity)? {
        Some(volume) if volume.snapshot_days.is_some_and(|now| now != days) => {
            Err(Step::Do(Effect::KeepSnapshots { volume: volume.id.clone(), days }))
        }
        _ => Ok(()),
    }
}

/// The pin is moved, and has to prove itself from now on.
fn moved(
    now: Timestamp,
    identity: &RuntimeIdentity,
    upgrade: &Upgrade,
    update: Update,
    snapshot: Option<SnapshotRecord>,
) -> RuntimeIdentity {
    let trial = Upgrade {
        phase: UpgradePhase::Trial,
        begin_time: whole_seconds(now),
        from: identity.pin.clone(),
        snapshot,
        snapshot_days: upgrade.snapshot_days,
        session_time: None,
        request: upgrade.request.clone(),
    };
    RuntimeIdentity { pin: update.pin, upgrade: Some(trial), ..identity.clone() }
}

/// Whether it has been starting for longer than it may, as a fresh look tells.
fn late(now: Timestamp, facts: &Facts) -> Reached<Option<Refusal>> {
    let Some(machine) = facts.known.machine.present() else { return Ok(None) };
    // One that is off hasn't begun its start.
    if matches!(machine.phase, MachinePhase::Stopped | MachinePhase::Stopping | MachinePhase::Failed) {
        return Ok(None);
    }
    if began(facts, machine).duration_until(now) <= facts.cluster.settings.start_deadline {
        return Ok(None);
    }
    if machine.read_at.duration_until(now) > FRESH {
        return Err(Step::Look(Look::Machine));
    }
    Ok(Some(too_late(facts)))
}

/// When the start under way began, as far as that is known.
fn began(facts: &Facts, machine: &MachineFact) -> Timestamp {
    facts.known.started.as_ref().map_or(machine.since, |attempt| attempt.at)
}

fn too_late(facts: &Facts) -> Refusal {
    let minutes = facts.cluster.settings.start_deadline.as_secs().div_euclid(60);
    Refusal::new(
        reason::DEADLINE_EXCEEDED,
        format!("The gateway didn't become ready within {minutes} minutes of its start."),
    )
}
