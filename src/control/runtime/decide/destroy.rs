//! The stages of a deletion: route, Machine, volume, app, each seen gone, then the slug, then the finalizer.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{
    Absence, Facts, Known, MachineFact, MachinePhase, Proof, Services, Source, VolumePhase,
};
use super::super::hostname;
use super::super::moving::newest;
use super::super::resolve::Power;
use super::super::step::{Effect, Look, Release, Rest, Step, Waiting};
use super::super::survey;
use super::replace::{self, record};
use super::snapshot::{self, Keeping, Want};
use super::{Reached, absence_proved, displaced, has_finalizer, look_again, stuck};
use crate::api::condition::whole_seconds;
use crate::api::name_claim::{RuntimeIdentity, SnapshotRecord, Tombstone};
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
    names_gone(facts)?;
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

/// No customer's hostname leads to it any more.
fn names_gone(facts: &Facts) -> Reached<()> {
    match facts.cluster.names.first() {
        Some(name) => Err(Step::Do(Effect::VacateName(name.key.clone()))),
        None => Ok(()),
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
    followed(now, facts, identity)?;
    no_machine(now, facts)?;
    volume_recorded(now, facts, identity)?;
    no_volume(now, facts, identity)?;
    displaced::taken_down(now, facts, identity, identity.deletion_policy)?;
    if facts.known.app_delete_asked.is_some() {
        return Err(again(now, facts, Look::App, Waiting::AppGone));
    }
    alone(now, facts)?;
    Err(Step::Do(Effect::DeleteApp))
}

/// Nothing is left in the app that nobody recorded: it would go with the app, or cost and be known to nobody.
fn alone(now: Timestamp, facts: &Facts) -> Reached<()> {
    let pause = SignedDuration::from_secs(30).min(facts.cluster.settings.slow_retry);
    let age = facts.known.since_look(Look::Remains, now);
    if age >= pause {
        return Err(Step::Look(Look::Remains));
    }
    match survey::in_the_way(facts) {
        Some(refusal) => Err(Step::Rest(Rest::Refused(refusal, pause - age))),
        None => Ok(()),
    }
}

fn keep_snapshot(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    no_addresses(now, facts)?;
    no_move(now, facts, identity)?;
    followed(now, facts, identity)?;
    machine_stopped(now, facts)?;
    volume_recorded(now, facts, identity)?;
    let Some(volume) = identity.volume_id.clone() else { return remove_all(now, facts, identity) };
    if identity.snapshot.is_none() {
        let kept = if volume_stands(now, facts)? {
            let order = Effect::SnapshotVolume { id: volume.clone() };
            let want = Want { volume: &volume, keeping: Keeping::Longest, order };
            let last = snapshot::last(now, facts, want)?;
            Some(snapshot::record(last, &volume))
        } else {
            earlier(now, facts, identity)?
        };
        if kept.is_some() {
            return Err(record(RuntimeIdentity { snapshot: kept, ..identity.clone() }));
        }
    }
    no_machine(now, facts)?;
    no_volume(now, facts, identity)?;
    displaced::taken_down(now, facts, identity, identity.deletion_policy)?;
    let Some(kept) = &identity.snapshot else { return remove_all(now, facts, identity) };
    alone(now, facts)?;
    let message =
        format!("The snapshot {} is kept until Fly removes it, in the empty app {}.", kept.id, identity.app);
    Err(release(now, Some(without_name(identity)), &message))
}

/// The volume is lost: its newest snapshot is what is left of it, or else that of one that was there before.
fn earlier(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<Option<SnapshotRecord>> {
    let moving = &facts.known.moving;
    let Some(snapshots) = &moving.snapshots else { return Err(Step::Look(Look::Snapshots)) };
    if let Some(newest) = newest(identity, snapshots) {
        return Ok(Some(snapshot::record(&newest.snapshot, &newest.volume_id)));
    }
    match moving.without_snapshots {
        Known::Missing(absence) => absence_proved(now, facts, absence, Look::Snapshots, "snapshots")?,
        Known::Unknown | Known::Present(()) => return Err(Step::Look(Look::Snapshots)),
    }
    Ok(None)
}

/// What is kept leads nowhere: its hostname is another's to take.
fn without_name(identity: &RuntimeIdentity) -> RuntimeIdentity {
    RuntimeIdentity { hostname: None, ..identity.clone() }
}

fn keep_all(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    followed(now, facts, identity)?;
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

/// The claim records the volume that the Machine is on.
fn followed(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    if machine(now, facts)?.is_some_and(|machine| machine.source == Source::List) {
        return Err(Step::Look(Look::Machine));
    }
    super::claim::volume_followed(facts, identity)
}

/// No move is under way.
fn no_move(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    if identity.replacement.is_none() {
        return Ok(());
    }
    Err(record(replace::called_off(now, facts, identity)?))
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
    stuck::freed(now, facts, machine, Power::Stop)?;
    let look = |what| again(now, facts, Look::Machine, what);
    match (machine.phase, facts.known.stop_asked) {
        (MachinePhase::Stopped | MachinePhase::Failed, _) => Ok(()),
        (MachinePhase::Destroying, _) => Err(look(Waiting::MachineGone)),
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
            Err(record(recorded))
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

/// What was asked for and isn't listed after a while was never made.
pub(super) fn never_came(now: Timestamp, facts: &Facts, absence: Absence) -> bool {
    matches!(absence.proof(now, facts.cluster.settings.absence_grace), Proof::Proved)
}

/// Looks again a second after the last look.
pub(super) fn again(now: Timestamp, facts: &Facts, look: Look, what: Waiting) -> Step {
    look_again(now, facts, look, SignedDuration::from_secs(1), what)
}
