//! The stages of a deletion: route, Machine, volume, app, each seen gone, then the slug, then the finalizer.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{
    Absence, Facts, Known, MachineFact, MachinePhase, Proof, Refusal, Services, SnapshotFact, SnapshotPhase,
    VolumePhase,
};
use super::super::hostname;
use super::super::step::{Effect, Look, Release, Rest, Step, Waiting};
use super::{Reached, absence_proved, displaced, has_finalizer, look_again};
use crate::api::condition::whole_seconds;
use crate::api::name_claim::{RuntimeIdentity, SnapshotRecord, Tombstone};
use crate::api::reason;
use crate::api::runtime::DeletionPolicy;

/// The next step for a deleted Runtime.
pub(super) fn decide(now: Timestamp, facts: &Facts) -> Step {
    if !has_finalizer(&facts.runtime) {
        return Step::Rest(Rest::Gone);
    }
    taken_down(now, facts).err().unwrap_or(Step::Do(Effect::RemoveFinalizer))
}

fn taken_down(now: Timestamp, facts: &Facts) -> Reached<()> {
    // Without a claim of its own nothing at Fly is this object's.
    let Some(claim) = facts.own_claim() else { return Ok(()) };
    let Some(identity) = &claim.runtime else { return Ok(()) };
    if claim.tombstone.is_some() {
        return Ok(());
    }
    super::claim::deletion_policy_recorded(facts, identity)?;
    super::brake::released(facts, claim, identity)?;
    super::hostname::gone(facts, identity)?;
    if !app_exists(now, facts)? {
        return Err(release(now, None, &nothing_left(facts, identity)));
    }
    match identity.deletion_policy {
        DeletionPolicy::Delete => remove_all(now, facts, identity),
        DeletionPolicy::Snapshot => keep_snapshot(now, facts, identity),
        DeletionPolicy::Retain => keep_all(now, facts, identity),
    }
}

/// What is told of one that is gone. Without a base domain nobody here can take its records back.
fn nothing_left(facts: &Facts, identity: &RuntimeIdentity) -> String {
    match hostname::left_behind(facts, identity) {
        Some(name) => format!(
            "Nothing is left at Fly. Records of `{name}` still stand at the DNS provider: the base domain was taken out of the configuration before. Remove them there."
        ),
        None => "Nothing is left at Fly.".to_owned(),
    }
}

fn app_exists(now: Timestamp, facts: &Facts) -> Reached<bool> {
    match &facts.known.app {
        Known::Unknown => Err(Step::Look(Look::App)),
        Known::Present(_) => Ok(true),
        Known::Missing(absence) => {
            absence_proved(now, facts, *absence, Look::App, "app")?;
            Ok(false)
        }
    }
}

fn remove_all(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    no_addresses(now, facts)?;
    no_move(now, facts, identity)?;
    no_machine(now, facts)?;
    volume_recorded(now, facts, identity)?;
    no_volume(now, facts, identity)?;
    displaced::taken_down(now, facts, identity, identity.deletion_policy)?;
    Err(match facts.known.app_delete_asked {
        None => Step::Do(Effect::DeleteApp),
        Some(_) => again(now, facts, Look::App, Waiting::AppGone),
    })
}

fn keep_snapshot(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    no_addresses(now, facts)?;
    no_move(now, facts, identity)?;
    machine_stopped(now, facts)?;
    volume_recorded(now, facts, identity)?;
    let Some(volume) = identity.volume_id.clone() else { return remove_all(now, facts, identity) };
    if identity.snapshot.is_none() && volume_stands(now, facts)? {
        snapshot(now, facts, identity, volume)?;
    }
    no_machine(now, facts)?;
    no_volume(now, facts, identity)?;
    displaced::taken_down(now, facts, identity, identity.deletion_policy)?;
    let Some(kept) = &identity.snapshot else { return remove_all(now, facts, identity) };
    let message =
        format!("The snapshot {} is kept until Fly removes it, in the empty app {}.", kept.id, identity.app);
    Err(release(now, Some(without_name(identity)), &message))
}

/// What is kept leads nowhere: its hostname is another's to take.
fn without_name(identity: &RuntimeIdentity) -> RuntimeIdentity {
    RuntimeIdentity { hostname: None, ..identity.clone() }
}

fn keep_all(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    machine_stopped(now, facts)?;
    if facts.known.machine.present().is_some_and(|machine| machine.services == Services::Public) {
        return Err(Step::Do(Effect::DetachServices));
    }
    displaced::taken_down(now, facts, identity, identity.deletion_policy)?;
    let cost = f64::from(identity.volume_size()) * 0.15;
    let message = format!(
        "The app {} is kept, stopped and unreachable; its volume goes on to cost about ${cost:.2} a month.",
        identity.app
    );
    Err(release(now, Some(without_name(identity)), &message))
}

fn release(now: Timestamp, left: Option<RuntimeIdentity>, message: &str) -> Step {
    let tombstone = Tombstone { release_time: whole_seconds(now), message: message.to_owned() };
    Step::Do(Effect::ReleaseClaim(Box::new(Release { tombstone, left })))
}

/// A move that was under way is dropped: what it made never booted, and goes with the spares.
fn no_move(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    if identity.replacement.is_none() {
        return Ok(());
    }
    let mut dropped = RuntimeIdentity { replacement: None, ..identity.clone() };
    match &facts.known.moving.fresh {
        Known::Unknown => return Err(Step::Look(Look::NewVolume)),
        Known::Missing(absence) => absence_proved(now, facts, *absence, Look::NewVolume, "volume")?,
        Known::Present(volume) if volume.phase == VolumePhase::Going => {}
        Known::Present(volume) => dropped.spare_volume_ids.push(volume.id.clone()),
    }
    Err(Step::Do(Effect::RecordIdentity(Box::new(dropped))))
}

fn no_addresses(now: Timestamp, facts: &Facts) -> Reached<()> {
    for known in [&facts.known.v6, &facts.known.v4] {
        match known {
            Known::Unknown => return Err(Step::Look(Look::Addresses)),
            Known::Missing(absence) => absence_proved(now, facts, *absence, Look::Addresses, "addresses")?,
            Known::Present(ip) => return Err(Step::Do(Effect::ReleaseAddress(ip.clone()))),
        }
    }
    Ok(())
}

/// The Machine that stands, or none if that is proved.
pub(super) fn machine(now: Timestamp, facts: &Facts) -> Reached<Option<&MachineFact>> {
    match &facts.known.machine {
        Known::Unknown => Err(Step::Look(Look::Machine)),
        Known::Present(machine) => Ok(Some(machine)),
        Known::Missing(absence) => {
            absence_proved(now, facts, *absence, Look::Machine, "Machine")?;
            Ok(None)
        }
    }
}

pub(super) fn no_machine(now: Timestamp, facts: &Facts) -> Reached<()> {
    let Some(machine) = machine(now, facts)? else { return Ok(()) };
    Err(match (machine.phase, facts.known.destroy_asked) {
        (MachinePhase::Destroying, _) => again(now, facts, Look::Machine, Waiting::MachineGone),
        (_, Some(asked)) if asked.duration_until(now) < SignedDuration::from_secs(30) => {
            again(now, facts, Look::Machine, Waiting::MachineGone)
        }
        _ => Step::Do(Effect::DestroyMachine),
    })
}

pub(super) fn machine_stopped(now: Timestamp, facts: &Facts) -> Reached<()> {
    let Some(machine) = machine(now, facts)? else { return Ok(()) };
    let look = |what| again(now, facts, Look::Machine, what);
    match (machine.phase, facts.known.stop_asked) {
        (MachinePhase::Stopped | MachinePhase::Failed | MachinePhase::Destroying, _) => Ok(()),
        (MachinePhase::Preparing, _) => Err(look(Waiting::Image)),
        (MachinePhase::Started | MachinePhase::Starting, None) => Err(Step::Do(Effect::StopMachine)),
        // A request that slipped in may have started it again.
        (MachinePhase::Started, Some(asked)) if asked.duration_until(now) > SignedDuration::from_mins(1) => {
            Err(Step::Do(Effect::StopMachine))
        }
        _ => Err(look(Waiting::Stop)),
    }
}

/// A volume that was made and not recorded is recorded first: only a recorded one may be removed.
fn volume_recorded(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    if identity.volume_id.is_some() {
        return Ok(());
    }
    match &facts.known.volume {
        Known::Unknown => Err(Step::Look(Look::Volume)),
        Known::Missing(absence) => absence_proved(now, facts, *absence, Look::Volume, "volume"),
        Known::Present(volume) if volume.phase == VolumePhase::Going => Ok(()),
        Known::Present(volume) => {
            let recorded = RuntimeIdentity {
                volume_id: Some(volume.id.clone()),
                region: Some(volume.region.clone()),
                volume_gb: Some(volume.size_gb),
                ..identity.clone()
            };
            Err(Step::Do(Effect::RecordIdentity(Box::new(recorded))))
        }
    }
}

fn volume_stands(now: Timestamp, facts: &Facts) -> Reached<bool> {
    match &facts.known.volume {
        Known::Unknown => Err(Step::Look(Look::Volume)),
        Known::Missing(absence) => {
            absence_proved(now, facts, *absence, Look::Volume, "volume")?;
            Ok(false)
        }
        Known::Present(volume) => Ok(volume.phase == VolumePhase::Usable),
    }
}

fn no_volume(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    if let Some(spare) =
        identity.spare_volume_ids.iter().find(|id| !facts.known.removed_volumes.contains(*id))
    {
        return Err(Step::Do(Effect::DeleteVolume { id: spare.clone() }));
    }
    let Some(id) = &identity.volume_id else { return Ok(()) };
    if volume_stands(now, facts)? { Err(Step::Do(Effect::DeleteVolume { id: id.clone() })) } else { Ok(()) }
}

fn snapshot(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity, volume: String) -> Reached<()> {
    match &facts.known.snapshot {
        Known::Unknown => Err(Step::Look(Look::Snapshot)),
        Known::Missing(absence) => {
            if facts.known.snapshot_asked.is_some() && !never_came(now, facts, *absence) {
                return Err(again(now, facts, Look::Snapshot, Waiting::Snapshot));
            }
            Err(Step::Do(Effect::SnapshotVolume { id: volume }))
        }
        Known::Present(snapshot) if snapshot.phase == SnapshotPhase::Pending => {
            Err(unmade(now, facts, snapshot, volume))
        }
        Known::Present(snapshot) => {
            let record = SnapshotRecord {
                id: snapshot.id.clone(),
                volume_id: volume,
                expiry_time: whole_seconds(snapshot.expiry),
            };
            let recorded = RuntimeIdentity { snapshot: Some(record), ..identity.clone() };
            Err(Step::Do(Effect::RecordIdentity(Box::new(recorded))))
        }
    }
}

/// A snapshot that isn't made in time is told of, and another asked for now and then. Nothing is removed meanwhile.
fn unmade(now: Timestamp, facts: &Facts, snapshot: &SnapshotFact, volume: String) -> Step {
    let deadline = facts.cluster.settings.destroy_deadline;
    let is_late = |since: Timestamp| since.duration_until(now) > deadline;
    if is_late(snapshot.made) && facts.known.snapshot_asked.is_none_or(is_late) {
        return Step::Do(Effect::SnapshotVolume { id: volume });
    }
    let deleted = facts.runtime.metadata.deletion_timestamp.as_ref().map(|time| time.0);
    let late = deleted.is_some_and(is_late);
    // Ever more seldom: very many may go at once.
    let longest = SignedDuration::from_secs(if late { 60 } else { 15 });
    let age = snapshot.made.duration_until(now);
    let pause = (age / 4).clamp(SignedDuration::from_secs(1), longest);
    match look_again(now, facts, Look::Snapshot, pause, Waiting::Snapshot) {
        Step::Wait(wait) if late => Step::Rest(Rest::Refused(never_made(snapshot, &volume), wait.again)),
        step => step,
    }
}

fn never_made(snapshot: &SnapshotFact, volume: &str) -> Refusal {
    Refusal::new(
        reason::SNAPSHOT_FAILED,
        format!(
            "The last snapshot isn't made in time: Fly says `{}` of it. The volume is kept until there is one, and another is asked for by itself. See `fly volumes snapshots list {volume}`, and Fly's status page.",
            snapshot.status
        ),
    )
}

/// What was asked for and isn't listed after a while was never made.
pub(super) fn never_came(now: Timestamp, facts: &Facts, absence: Absence) -> bool {
    matches!(absence.proof(now, facts.cluster.settings.absence_grace), Proof::Proved)
}

/// Looks again a second after the last look.
pub(super) fn again(now: Timestamp, facts: &Facts, look: Look, what: Waiting) -> Step {
    look_again(now, facts, look, SignedDuration::from_secs(1), what)
}
