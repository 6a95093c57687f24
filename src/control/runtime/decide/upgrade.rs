//! An upgrade: the volume is kept as it is by a snapshot, the pin is moved, and the new one has to prove itself by
//! running. If it doesn't, pin and snapshot go back together. How far it is stands on the claim.
//!
//! A Runtime that is off is moved without being started: it proves itself at its next start, whenever that is.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{
    Facts, Idling, Known, MachineFact, MachinePhase, Refusal, Request, RequestKind, TroubleClass, VolumeFact,
    VolumePhase,
};
use super::super::resolve::{Power, Resolved};
use super::super::step::{Effect, Look, Rest, Step, Wait, Waiting};
use super::snapshot::{self, Keeping};
use super::{Reached, destroy, power, replace, request};
use crate::api::condition::whole_seconds;
use crate::api::name_claim::{FailedUpgrade, Pin, RuntimeIdentity, SnapshotRecord, Upgrade, UpgradePhase};
use crate::api::reason;
use crate::api::replacement::ReplacementCause;
use crate::api::state::TaskState;
use crate::control::rollout::pick::Permit;
use crate::control::rollout::target::Update;
use crate::control::rollout::tell;

/// How often Fly has to refuse a Machine before that is believed: an image that was just pushed takes some seconds.
const REFUSALS: u32 = 3;
/// Longest cause of a failure that a claim carries, in characters.
const MOST_SAID: usize = 512;
/// Nothing is given up on what was seen longer ago than this.
const FRESH: SignedDuration = SignedDuration::from_secs(5);
/// Time in which an edit of the Blueprint reaches us. The edit and the request come by different watches.
const SETTLED: SignedDuration = SignedDuration::from_secs(5);

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
        (UpgradePhase::Trial, Ok(Step::Rest(Rest::Sleeping | Rest::Stopped | Rest::Awaiting(_)))) => reached,
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
    let begun = Upgrade {
        phase: UpgradePhase::Snapshot,
        begin_time: whole_seconds(now),
        from: identity.pin.clone(),
        snapshot: None,
        snapshot_days: if first { snapshot_days(now, facts, identity)? } else { None },
        request,
    };
    let kept = RuntimeIdentity { upgrade: Some(begun.clone()), failed_upgrade: None, ..identity.clone() };
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

/// The step for a person's request, once the Runtime rests; else the Runtime's own.
pub(super) fn attended(now: Timestamp, facts: &Facts, request: &Request, step: Step) -> Step {
    let Some(identity) = facts.own_claim().and_then(|claim| claim.runtime.as_ref()) else { return step };
    if let Some(failed) = taken_back(identity, request) {
        return request::failed(
            request,
            reason::UPDATE_FAILED,
            format!("It was taken back: {}", failed.message),
        );
    }
    if request::is_late(now, request) {
        return request::given_up(request, facts, &step);
    }
    let Step::Rest(rest) = &step else { return step };
    let trial = match &identity.upgrade {
        // One that is off and was moved before, by whomever it was asked.
        Some(upgrade) if upgrade.phase == UpgradePhase::Trial && is_off(rest) => Some(upgrade),
        Some(_) if !is_lost(rest) => return step,
        _ => None,
    };
    match (tell::update(facts), rest) {
        (_, Rest::Refused(refusal, _)) if is_lost(rest) => {
            request::failed(request, refusal.reason, refusal.message.clone())
        }
        (None, _) if trial.is_some() => {
            completed(request, "It is off and has been moved; it proves itself at its next start.")
        }
        (None, rest) => up_to_date(now, request, rest),
        (Some(update), _) if !update.fits() => request::failed(
            request,
            reason::PLAN_TOO_SMALL,
            "The Blueprint as it is now needs more memory than the Plan has. Choose a larger Plan.",
        ),
        (Some(update), _) if tell::failed(facts, &update).is_some() => {
            let message = tell::failed(facts, &update).map(|failed| failed.message.clone());
            let message = format!("It was taken back: {}", message.unwrap_or_default());
            request::failed(request, reason::UPDATE_FAILED, message)
        }
        (Some(_), Rest::Refused(refusal, _)) => {
            request::failed(request, refusal.reason, refusal.message.clone())
        }
        (Some(update), _) => trial.map_or(step, |trial| moved_on(now, identity, trial, update, request)),
    }
}

fn is_off(rest: &Rest) -> bool {
    matches!(rest, Rest::Sleeping | Rest::Stopped | Rest::Awaiting(_))
}

/// Whether its volume is gone: nothing comes of an upgrade then.
fn is_lost(rest: &Rest) -> bool {
    matches!(rest, Rest::Refused(refusal, _) if refusal.reason == reason::VOLUME_LOST)
}

/// One that is off and hasn't proved what it was moved to yet is moved to what is newer still. What it goes back to, if
/// it fails, stays what has served.
fn moved_on(
    now: Timestamp,
    identity: &RuntimeIdentity,
    trial: &Upgrade,
    update: Update,
    request: &Request,
) -> Step {
    let request = Some(request.uid.clone());
    let trial = Upgrade { begin_time: whole_seconds(now), request, ..trial.clone() };
    let moved = RuntimeIdentity { pin: update.pin, upgrade: Some(trial), ..identity.clone() };
    Step::Do(Effect::BeginUpgrade(Box::new(moved)))
}

/// There is nothing to move to, once an edit that was made just before the request would have been seen.
fn up_to_date(now: Timestamp, request: &Request, rest: &Rest) -> Step {
    let age = request.created.duration_until(now);
    if age < SETTLED {
        return Step::Wait(Wait { what: Waiting::Aside(Box::new(rest.clone())), again: SETTLED - age });
    }
    completed(request, "It runs the Blueprint as it is now.")
}

/// The failure of what this very request asked for, once nothing more is taken back.
fn taken_back<'i>(identity: &'i RuntimeIdentity, request: &Request) -> Option<&'i FailedUpgrade> {
    let failed = identity.failed_upgrade.as_ref().filter(|_| identity.upgrade.is_none())?;
    (failed.request.as_ref() == Some(&request.uid)).then_some(failed)
}

fn completed(request: &Request, message: &str) -> Step {
    request::finish(request, TaskState::Completed, reason::COMPLETED, message, None)
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
    let last = snapshot::last(now, facts, keeping, order)?;
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
        request: upgrade.request.clone(),
    };
    RuntimeIdentity { pin: update.pin, upgrade: Some(trial), ..identity.clone() }
}

/// Why the new pin can't be: Fly refuses the Machine or can't boot it, or it ended by itself.
fn refused(now: Timestamp, facts: &Facts, upgrade: &Upgrade, resolved: &Resolved) -> Option<Refusal> {
    let machine = facts.known.machine.present()?;
    if !power::config_is_applied(facts, resolved) {
        let late = upgrade.begin_time.duration_until(now) > facts.cluster.settings.start_deadline;
        return refused_by_fly(facts, upgrade).or_else(|| late.then(|| too_late(facts)));
    }
    if resolved.power != Power::Run {
        return None;
    }
    // One that Fly couldn't boot gets another start: its host may have been the cause.
    let tried = facts.known.started.as_ref().is_some_and(|attempt| attempt.count > 0);
    (machine.exit.is_some() || tried).then(|| power::ended(facts, machine)).flatten().map(|(why, _)| why)
}

/// Only refusals that came since the pin was moved are about it.
fn refused_by_fly(facts: &Facts, upgrade: &Upgrade) -> Option<Refusal> {
    let trouble = facts.known.trouble.as_ref()?;
    let about_it = matches!(trouble.reason, reason::IMAGE_NOT_FOUND | reason::FLY_REFUSED | reason::INVALID);
    let often = trouble.class == TroubleClass::Human && trouble.attempts >= REFUSALS;
    let since = trouble.since >= upgrade.begin_time;
    (about_it && often && since).then(|| Refusal::new(trouble.reason, trouble.message.clone()))
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

/// Back to the old pin, and to the snapshot if the new one may have touched the volume.
fn go_back(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    resolved: &Resolved,
    refusal: &Refusal,
) -> Step {
    let Some(upgrade) = &identity.upgrade else { return Step::Look(Look::Machine) };
    let tried = Update::between(&upgrade.from, identity.pin.clone());
    let way = way_back(now, facts, identity, upgrade, resolved);
    let mut failed = failure(&tried, upgrade, refusal);
    if let WayBack::ImageAlone(why) = way {
        failed.message = without_snapshot(&failed.message, why);
    }
    let back = RuntimeIdentity {
        pin: Pin { plan: identity.pin.plan.clone(), ..upgrade.from.clone() },
        upgrade: Some(Upgrade {
            phase: UpgradePhase::Rollback,
            begin_time: whole_seconds(now),
            ..upgrade.clone()
        }),
        failed_upgrade: Some(failed),
        ..identity.clone()
    };
    let WayBack::Snapshot(snapshot) = way else { return record(back) };
    record(replace::begun(
        now,
        &back,
        replace::Origin {
            cause: ReplacementCause::Rollback,
            source: snapshot.id.clone(),
            snapshot_time: Some(upgrade.begin_time),
            task: upgrade.request.clone(),
        },
    ))
}

fn record(identity: RuntimeIdentity) -> Step {
    Step::Do(Effect::RecordIdentity(Box::new(identity)))
}

/// What goes back with the image.
#[derive(Clone, Copy, Debug)]
enum WayBack<'u> {
    /// The volume as this snapshot has it.
    Snapshot(&'u SnapshotRecord),
    /// The new version never ran on the volume, which is as it was.
    Untouched,
    /// Nothing, for this reason.
    ImageAlone(&'static str),
}

fn way_back<'u>(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    upgrade: &'u Upgrade,
    resolved: &Resolved,
) -> WayBack<'u> {
    let untouched = facts.known.machine.present().is_some_and(|machine| {
        let same = machine.image_digest.is_some() && machine.image_digest == upgrade.from.image_digest;
        same && !power::config_is_applied(facts, resolved)
    });
    match &upgrade.snapshot {
        _ if untouched => WayBack::Untouched,
        None => WayBack::ImageAlone("No snapshot was made before it (the rollout's `snapshotFirst`)"),
        Some(snapshot) if snapshot.expiry_time <= now => {
            WayBack::ImageAlone("Fly has removed its snapshot meanwhile")
        }
        Some(_) if replace::is_crowded(identity) => WayBack::ImageAlone(
            "Its snapshot wasn't restored, since too many earlier volumes wait to be removed",
        ),
        Some(snapshot) => WayBack::Snapshot(snapshot),
    }
}

/// What is told of a failure after which the volume didn't go back.
pub(super) fn without_snapshot(cause: &str, why: &str) -> String {
    format!(
        "{cause} {why}: only the image went back, and what the new version changed on the volume is still there."
    )
}

/// What is remembered of an upgrade that failed.
fn failure(update: &Update, upgrade: &Upgrade, refusal: &Refusal) -> FailedUpgrade {
    FailedUpgrade {
        target: update.target(),
        blueprint_generation: update.pin.blueprint_generation,
        image: update.pin.spec.image.clone(),
        reason: refusal.reason.to_owned(),
        message: refusal.message.chars().take(MOST_SAID).collect(),
        request: upgrade.request.clone(),
    }
}
