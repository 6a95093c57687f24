//! Looks at one thing outside and takes what is seen into the facts.

mod moving;
mod served;
mod surroundings;

use fly_machines::types::{ListMachines, Volume};
use fly_machines::{ErrorClass, types as fly};
use jiff::Timestamp;

use super::decide::{is_deleted, quiet_since};
use super::desired;
use super::env;
use super::facts::{
    Absence, AbsenceKind, Facts, Filling, Host, Known, MachineFact, Origin, ProbeFact, Refusal, SnapshotFact,
    SnapshotPhase, VolumeFact, VolumePhase,
};
use super::machine_fact::machine_fact;
use super::step::Look;
use super::trouble::Failure;
use super::volume_facts::last_since;
use crate::api::name_claim::RuntimeIdentity;
use crate::api::reason;
use crate::control::context::Context;

/// How many days Fly keeps a snapshot if nobody says otherwise.
const USUALLY_KEPT: u32 = 5;

/// Looks, and notes what is seen.
///
/// # Errors
/// What went wrong, if it can't be seen; the facts are as they were.
pub async fn look(ctx: &Context, now: Timestamp, facts: &mut Facts, look: Look) -> Result<(), Failure> {
    match look {
        Look::Env => {
            let env = env::read(ctx, facts).await?;
            facts.known.note_env(facts.runtime.metadata.generation.unwrap_or_default(), env);
        }
        Look::App => app(ctx, now, facts).await?,
        Look::Addresses => addresses(ctx, now, facts).await?,
        Look::Volume => volume(ctx, now, facts).await?,
        Look::Machine => machine(ctx, now, facts).await?,
        Look::Snapshot => snapshot(ctx, now, facts).await?,
        Look::RequestedSnapshot => requested_snapshot(ctx, now, facts).await?,
        Look::NewVolume => moving::new_volume(ctx, now, facts).await?,
        Look::Snapshots => moving::snapshots(ctx, now, facts).await?,
        Look::Remains => surroundings::remains(ctx, facts).await?,
        Look::Displaced => moving::displaced(ctx, now, facts).await,
        Look::Surroundings => surroundings::surroundings(ctx, now, facts).await,
        Look::Probe => probe(ctx, now, facts).await,
        Look::Turn => {
            facts.known.hostname.turn = ctx.base_domain.as_ref().map(|base| base.turn(now));
        }
        Look::Hostname => served::look(ctx, now, facts).await?,
    }
    facts.known.looked.insert(look, now);
    Ok(())
}

/// What the claim says; without one there is nothing to look at.
pub fn identity(facts: &Facts) -> Result<RuntimeIdentity, Failure> {
    facts.own_claim().and_then(|claim| claim.runtime.clone()).ok_or_else(|| {
        Refusal::new(reason::INTERNAL_ERROR, "The slug's claim is gone; it is read again.").into()
    })
}

/// The app is ours if it lies on the network that carries our identity.
async fn app(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let identity = identity(facts)?;
    match ctx.fly.apps().get(&identity.app).await {
        Ok(app)
            if app.network == desired::network(&identity)
                && !is_foreign(&app, &ctx.config.fly.organization) =>
        {
            facts.known.app = Known::Present(Origin::Found);
            Ok(())
        }
        Ok(_) => not_ours(now, facts, &identity),
        Err(error) if error.class() == ErrorClass::Forbidden => not_ours(now, facts, &identity),
        Err(error) if error.is_not_found() => {
            match facts.known.app_delete_asked {
                Some(_) => facts.known.app = Known::Missing(Absence::at(now, AbsenceKind::Gone)),
                None => facts.known.app.miss(now),
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// A deleted Runtime that never got as far as a volume or a Machine leaves nothing behind in somebody else's app.
fn not_ours(now: Timestamp, facts: &mut Facts, identity: &RuntimeIdentity) -> Result<(), Failure> {
    let empty = identity.volume_id.is_none() && identity.machine_id.is_none();
    if !is_deleted(&facts.runtime) || !empty {
        return Err(foreign(identity).into());
    }
    facts.known.app = Known::Missing(Absence::at(now, AbsenceKind::Gone));
    Ok(())
}

fn is_foreign(app: &fly::App, organization: &str) -> bool {
    app.organization.as_ref().is_some_and(|org| !org.slug.is_empty() && org.slug != organization)
}

fn foreign(identity: &RuntimeIdentity) -> Refusal {
    Refusal::new(
        reason::APP_NAME_TAKEN,
        format!(
            "An app `{}` exists at Fly and isn't ours; it is left alone. Declare a Runtime with another slug, or have that app renamed.",
            identity.app
        ),
    )
}

async fn addresses(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let identity = identity(facts)?;
    let list = match ctx.fly.addresses(&identity.app).list().await {
        Ok(list) => list,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    note_addresses(now, facts, &list);
    Ok(())
}

/// Takes the app's addresses into the facts. Those that its Machine knows come before any that somebody else added;
/// these are returned.
fn note_addresses(now: Timestamp, facts: &mut Facts, list: &[fly::IpAssignment]) -> Vec<String> {
    let known_before = facts.known.machine.present().map(|it| it.addresses.clone()).unwrap_or_default();
    let find = |v6: bool| {
        let public = |ip: &&fly::IpAssignment| match ip.kind() {
            fly::IpKind::V6 => v6,
            fly::IpKind::V4 | fly::IpKind::SharedV4 => !v6,
            _ => false,
        };
        let all: Vec<&String> = list.iter().filter(public).map(|address| &address.ip).collect();
        all.iter().find(|ip| known_before.contains(ip)).or(all.first()).map(|ip| (*ip).clone())
    };
    let (v6, v4) = (find(true), find(false));
    let added = |ip: &&fly::IpAssignment| Some(&ip.ip) != v6.as_ref() && Some(&ip.ip) != v4.as_ref();
    let others = list.iter().filter(added).map(|address| address.ip.clone()).collect();
    for (known, found) in [(&mut facts.known.v6, v6), (&mut facts.known.v4, v4)] {
        match found {
            Some(ip) => *known = Known::Present(ip),
            None => known.miss(now),
        }
    }
    others
}

/// By its recorded id, or else by its name in our own app. Others of that name are spares.
async fn volume(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let identity = identity(facts)?;
    let found = match &identity.volume_id {
        Some(id) => by_id(ctx, &identity, id).await?,
        None => by_volume_name(ctx, &identity).await?,
    };
    match found {
        Some(volume) if volume.state == fly::VolumeState::Destroyed => facts.known.volume.miss(now),
        Some(volume) => facts.known.volume = Known::Present(volume_fact(&volume)),
        None => facts.known.volume.miss(now),
    }
    Ok(())
}

async fn by_id(ctx: &Context, identity: &RuntimeIdentity, id: &str) -> Result<Option<Volume>, Failure> {
    match ctx.fly.volumes(&identity.app).get(id).await {
        Ok(volume) => Ok(Some(volume)),
        Err(error) if matches!(error.class(), ErrorClass::NotFound | ErrorClass::VolumeMissing) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The oldest volume of our name that isn't a spare.
async fn by_volume_name(ctx: &Context, identity: &RuntimeIdentity) -> Result<Option<Volume>, Failure> {
    named_volume(ctx, identity, &desired::volume_name(identity)).await
}

/// The oldest volume of a name that isn't a spare.
async fn named_volume(
    ctx: &Context,
    identity: &RuntimeIdentity,
    name: &str,
) -> Result<Option<Volume>, Failure> {
    let listed = match ctx.fly.volumes(&identity.app).list().await {
        Ok(listed) => listed,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let usable = |volume: &Volume| {
        volume.name == name && !volume.state.is_gone() && !identity.spare_volume_ids.contains(&volume.id)
    };
    Ok(listed
        .into_iter()
        .filter(usable)
        .min_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id))))
}

/// What matters of a volume.
pub fn volume_fact(volume: &Volume) -> VolumeFact {
    VolumeFact {
        id: volume.id.clone(),
        region: volume.region.clone(),
        phase: if volume.state.is_gone() { VolumePhase::Going } else { VolumePhase::Usable },
        attached: volume.attached_to().map(str::to_owned),
        size_gb: i32::try_from(volume.size_gb).unwrap_or_default(),
        filling: filling(&volume.state),
        snapshot_days: volume.snapshot_retention,
    }
}

fn filling(state: &fly::VolumeState) -> Filling {
    match state {
        fly::VolumeState::Created | fly::VolumeState::Extending => Filling::Whole,
        state if state.is_mountable() => Filling::Mountable,
        _ => Filling::UnderWay,
    }
}

async fn machine(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let identity = identity(facts)?;
    let known = facts.known.machine.present().map(|machine| machine.id.clone());
    let id = match known.or_else(|| identity.machine_id.clone()) {
        Some(id) => Some(id),
        None => by_name(ctx, &identity).await?,
    };
    let read = match id {
        Some(id) => read_machine(ctx, &identity, &id).await?,
        None => None,
    };
    let part = read.as_ref().is_some_and(is_told_in_part);
    if part && facts.known.machine.present().is_some_and(|known| known.host == Host::Reachable) {
        // What was known of it before may still be so.
        return Err(Failure::not_in_full());
    }
    note_machine(now, facts, &identity, read);
    if part { Err(Failure::not_in_full()) } else { Ok(()) }
}

/// Whether Fly tells of it only what it happens to know, without knowing that the host is lost.
fn is_told_in_part(machine: &fly::Machine) -> bool {
    !machine.host_is_unreachable() && !machine.is_known_in_full()
}

/// A Machine that GET doesn't find may have been replaced: the list tells by name.
async fn read_machine(
    ctx: &Context,
    identity: &RuntimeIdentity,
    id: &str,
) -> Result<Option<fly::Machine>, Failure> {
    match ctx.fly.machines(&identity.app).get(id).await {
        Ok(machine) => Ok(Some(machine)),
        Err(error) if error.is_not_found() => match by_name(ctx, identity).await? {
            Some(other) if other != id => match ctx.fly.machines(&identity.app).get(&other).await {
                Ok(machine) => Ok(Some(machine)),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(error.into()),
            },
            // The list still shows it: that isn't absence.
            Some(_) => Err(error.into()),
            None => Ok(None),
        },
        Err(error) => Err(error.into()),
    }
}

async fn by_name(ctx: &Context, identity: &RuntimeIdentity) -> Result<Option<String>, Failure> {
    let name = desired::machine_name(identity);
    let filter = ListMachines { summary: true, ..ListMachines::default() };
    match ctx.fly.machines(&identity.app).list(&filter).await {
        Ok(machines) => Ok(machines
            .into_iter()
            .find(|machine| machine.name == name && !machine.state.is_gone())
            .map(|machine| machine.id)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Takes a Machine as it was read into the facts. The one whose id is recorded is ours, whatever it is marked with: a mark
/// that somebody changed there is put right. One that was found by its name isn't, if it carries another's mark.
pub fn note_machine(
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    read: Option<fly::Machine>,
) {
    let before = facts.known.machine.present().cloned();
    let gone = |facts: &mut Facts| match facts.known.destroy_asked {
        Some(_) => facts.known.machine = Known::Missing(Absence::at(now, AbsenceKind::Gone)),
        None => facts.known.machine.miss(now),
    };
    match read {
        None => gone(facts),
        Some(machine) if machine.state == fly::MachineState::Destroyed => gone(facts),
        Some(machine) if is_anothers(&machine, identity) && !is_recorded(&machine, identity) => gone(facts),
        Some(machine) if is_told_in_part(&machine) => facts.known.machine = Known::Unknown,
        Some(machine) => {
            let mut fact = machine_fact(now, &machine, before.as_ref());
            if is_anothers(&machine, identity) {
                // None of its marks says what we made it from.
                fact.config_hash = None;
            }
            settle(facts, &fact);
            facts.known.machine = Known::Present(fact);
        }
    }
}

/// Whether it is marked as another Runtime's.
fn is_anothers(machine: &fly::Machine, identity: &RuntimeIdentity) -> bool {
    machine.metadata(desired::metadata::IDENTITY).is_some_and(|mark| mark != identity.identity)
}

fn is_recorded(machine: &fly::Machine, identity: &RuntimeIdentity) -> bool {
    identity.machine_id.as_ref() == Some(&machine.id)
}

/// What was asked for and has come about is no longer under way.
fn settle(facts: &mut Facts, machine: &MachineFact) {
    use super::facts::{Health, MachinePhase};
    if machine.phase == MachinePhase::Stopped {
        facts.known.stop_asked = None;
    }
    if machine.phase != MachinePhase::Stopping {
        facts.known.killed = None;
    }
    // What it answered before it was stopped says nothing of the next start.
    if machine.phase != MachinePhase::Started {
        facts.known.probe = None;
    }
    if machine.phase == MachinePhase::Started && machine.health == Health::Passing {
        facts.known.started = None;
    }
}

/// The last one since the Machine wrote on the volume. Fly makes one each day as well, at any time.
async fn snapshot(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let identity = identity(facts)?;
    let (Some(volume), Some(quiet)) = (&identity.volume_id, quiet_since(facts)) else {
        facts.known.snapshot.miss(now);
        return Ok(());
    };
    let snapshots = ctx.fly.volumes(&identity.app).snapshots(volume).await?;
    match last_since(snapshots.iter().filter_map(snapshot_fact), quiet) {
        None => facts.known.snapshot.miss(now),
        Some(snapshot) => facts.known.snapshot = Known::Present(snapshot),
    }
    Ok(())
}

/// The oldest that was made since it was asked for.
async fn requested_snapshot(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let identity = identity(facts)?;
    let (Some(request), Some(volume)) = (facts.cluster.request.clone(), &identity.volume_id) else {
        return Ok(());
    };
    let snapshots = ctx.fly.volumes(&identity.app).snapshots(volume).await?;
    let recent = snapshots.iter().filter_map(snapshot_fact).filter(|it| it.made >= request.created);
    let found = recent.min_by_key(|snapshot| snapshot.made);
    let pursuit = facts.known.pursuit_mut(&request);
    match found {
        None => pursuit.snapshot.miss(now),
        Some(snapshot) => pursuit.snapshot = Known::Present(snapshot),
    }
    Ok(())
}

/// What matters of a snapshot; `None` while Fly doesn't say when it was made.
fn snapshot_fact(snapshot: &fly::Snapshot) -> Option<SnapshotFact> {
    Some(SnapshotFact {
        id: snapshot.id.clone(),
        phase: if snapshot.is_created() { SnapshotPhase::Created } else { SnapshotPhase::Pending },
        status: snapshot.status.chars().take(32).collect(),
        made: snapshot.created_at?,
        days: snapshot.retention_days.unwrap_or(USUALLY_KEPT),
    })
}

async fn probe(ctx: &Context, now: Timestamp, facts: &mut Facts) {
    let Ok(identity) = identity(facts) else { return };
    let Some(version) = facts.known.machine.present().map(|machine| machine.version.clone()) else { return };
    let result = ctx.prober.ask(&identity.app).await;
    facts.known.probe = Some(ProbeFact { machine_version: version, result, at: now });
}
