//! Effects on the Machine.

use std::collections::BTreeMap;

use fly_machines::types as fly;
use fly_machines::types::MachineDeletion;
use jiff::Timestamp;

use super::super::facts::{Attempt, Facts, Known, MachineFact};
use super::super::look::note_machine;
use super::super::sleep;
use super::super::step::Launch;
use super::super::survey::Digests;
use super::super::trouble::Failure;
use super::super::{config_mark, desired, drift, warm};
use super::{Failed, resolved, tell};
use crate::api::name_claim::RuntimeIdentity;
use crate::api::runtime::SleepMode;
use crate::control::context::Context;

pub(super) async fn create_machine(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    launch: Launch,
) -> Result<(), Failed> {
    let resolved = resolved(facts)?;
    let identity = &desired::with_volume(facts, identity);
    let mut config = desired::machine_config(facts, &resolved, identity).map_err(Failure::from)?;
    let launch = desired::launch(launch, &mut config);
    let request = fly::CreateMachine {
        config,
        name: Some(desired::machine_name(identity)),
        region: identity.region.clone(),
        launch,
        min_secrets_version: facts.known.secrets.as_ref().map(|secrets| secrets.version),
        ..fly::CreateMachine::default()
    };
    let machine = ctx.fly.machines(&identity.app).create(&request).await?;
    drift::note(now, facts, &resolved, &[], machine.version());
    note_machine(now, facts, identity, Some(machine));
    facts.known.started = Some(Attempt { at: now, count: 0 });
    facts.known.moving.no_room = 0;
    Ok(())
}

pub(super) async fn update_machine(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    launch: Launch,
) -> Result<(), Failed> {
    let resolved = resolved(facts)?;
    let Some((before, standing)) = standing(ctx, now, facts, identity).await? else { return Ok(()) };
    let mut config = desired::machine_config(facts, &resolved, identity).map_err(Failure::from)?;
    // A mount's volume can't be changed, and what we don't own is left as it is.
    config.mounts = desired::mounts(standing.mounts, &config.mounts);
    config.extra = standing.extra;
    let launch = desired::launch(launch, &mut config);
    let changed = drift::changed(facts, &before);
    let request = fly::UpdateMachine {
        config,
        current_version: Some(before.version),
        launch,
        min_secrets_version: facts.known.secrets.as_ref().map(|secrets| secrets.version),
    };
    let machine = ctx.fly.machines(&identity.app).update(&before.id, &request).await?;
    drift::note(now, facts, &resolved, &changed, machine.version());
    if !changed.is_empty() {
        tell(ctx, facts, &drift::told(&changed));
    }
    facts.known.probe = None;
    facts.known.moving.no_room = 0;
    facts.known.started = Some(Attempt { at: now, count: 0 });
    facts.known.survey.launched();
    note_machine(now, facts, identity, Some(machine));
    Ok(())
}

/// The Machine with its configuration as it stands, all of it: what Fly doesn't tell would be taken away by a change. `None`
/// if none is known, or if its host is lost: nothing can be changed there, and that is known from then on.
async fn standing(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<Option<(MachineFact, fly::MachineConfig)>, Failed> {
    let Some(before) = facts.known.machine.present().cloned() else { return Ok(None) };
    let machine = ctx.fly.machines(&identity.app).get(&before.id).await?;
    if machine.host_is_unreachable() {
        note_machine(now, facts, identity, Some(machine));
        return Ok(None);
    }
    let config = if machine.is_known_in_full() { machine.config } else { None };
    config.map(|config| Some((before, *config))).ok_or_else(|| Failure::not_in_full().into())
}

/// Metadata make no new version: what runs is left alone.
pub(super) async fn mark_config(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let Some(id) = machine_id(facts) else { return Ok(()) };
    let mark = config_mark::mark(facts, &resolved(facts)?);
    ctx.fly.metadata(&identity.app, &id).set(desired::metadata::CONFIG, &mark).await?;
    if let Known::Present(machine) = &mut facts.known.machine {
        machine.config_hash = Some(mark);
    }
    Ok(())
}

/// It says what the app has; the version that runs may have been given less.
pub(super) async fn mark_secrets(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let (Some(id), Some(hash)) = (machine_id(facts), desired::secrets_hash(facts)) else { return Ok(()) };
    let patch = fly::MetadataPatch {
        metadata: BTreeMap::from([
            (desired::metadata::SECRETS.to_owned(), Some(hash.clone())),
            (desired::metadata::DIGESTS.to_owned(), None),
        ]),
        machine_version: None,
    };
    ctx.fly.metadata(&identity.app, &id).patch(&patch).await?;
    if let Known::Present(machine) = &mut facts.known.machine {
        machine.secrets_hash = Some(hash);
        machine.digests = None;
    }
    Ok(())
}

/// By this mark a value that somebody else sets is found.
pub(super) async fn mark_digests(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let Some(id) = machine_id(facts) else { return Ok(()) };
    let Some(Digests::Unmarked(shown)) = facts.known.survey.found().map(|found| found.digests.clone()) else {
        return Ok(());
    };
    ctx.fly.metadata(&identity.app, &id).set(desired::metadata::DIGESTS, &shown).await?;
    if let Known::Present(machine) = &mut facts.known.machine {
        machine.digests = Some(shown.into());
    }
    facts.known.survey.mended(|found| found.digests = Digests::AsMarked);
    Ok(())
}

/// By this mark what Fly reports is known again as its own way to put what it was asked for.
pub(super) async fn mark_spelling(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let Known::Present(machine) = &mut facts.known.machine else { return Ok(()) };
    let Some(drift) = &mut machine.drift else { return Ok(()) };
    let marks = ctx.fly.metadata(&identity.app, &machine.id);
    marks.set(desired::metadata::SPELLED, &drift.reported).await?;
    drift.spelled.append(&mut drift.changed);
    Ok(())
}

/// Whoever finds this Machine later, by whatever record, sees that it has been given away.
pub(super) async fn mark_owner(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let (Some(id), Some(slug)) = (machine_id(facts), warm::owner(facts, identity)) else { return Ok(()) };
    ctx.fly.metadata(&identity.app, &id).set(desired::metadata::OWNER, &slug).await?;
    if let Known::Present(machine) = &mut facts.known.machine {
        machine.owner = Some(slug);
    }
    Ok(())
}

/// Only what the proxy does is changed: nothing else has to be known for it, so nothing else can keep it from being
/// done.
pub(super) async fn keep_off(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let Some((before, mut config)) = standing(ctx, now, facts, identity).await? else { return Ok(()) };
    let is_as_asked =
        config.metadata.contains_key(desired::metadata::ASKED) && drift::drift(&config).is_none();
    config.metadata.remove(desired::metadata::LAUNCH);
    config.metadata.insert(desired::metadata::IDLING.into(), sleep::mark(SleepMode::Never).into());
    for service in &mut config.services {
        service.autostop = Some(fly::Autostop::Off);
        service.autostart = Some(false);
        service.min_machines_running = None;
    }
    // What somebody else had changed isn't asked for: the next update marks what is declared.
    let mark = is_as_asked.then(|| drift::mark(&config));
    config.metadata.remove(desired::metadata::ASKED);
    config.metadata.extend(mark.map(|mark| (desired::metadata::ASKED.to_owned(), mark)));
    let request = fly::UpdateMachine { config, launch: fly::Launch::Skip, ..fly::UpdateMachine::default() };
    let machine = ctx.fly.machines(&identity.app).update(&before.id, &request).await?;
    facts.known.probe = None;
    note_machine(now, facts, identity, Some(machine));
    Ok(())
}

pub(super) async fn detach(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let Some((before, mut config)) = standing(ctx, now, facts, identity).await? else { return Ok(()) };
    // Whoever takes the Machine over finds that it isn't what is declared.
    config.metadata.remove(desired::metadata::CONFIG);
    config.metadata.remove(desired::metadata::ASKED);
    let request = fly::UpdateMachine {
        config: fly::MachineConfig { services: Vec::new(), ..config },
        launch: fly::Launch::Skip,
        ..fly::UpdateMachine::default()
    };
    let machine = ctx.fly.machines(&identity.app).update(&before.id, &request).await?;
    note_machine(now, facts, identity, Some(machine));
    Ok(())
}

/// The Machine's id. Effects on a Machine are only decided on while one is known.
fn machine_id(facts: &Facts) -> Option<String> {
    facts.known.machine.present().map(|machine| machine.id.clone())
}

pub(super) async fn start(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let Some(id) = machine_id(facts) else { return Ok(()) };
    let count = facts.known.started.as_ref().map_or(0, |attempt| attempt.count.saturating_add(1));
    facts.known.probe = None;
    ctx.fly.machines(&identity.app).start(&id).await?;
    facts.known.started = Some(Attempt { at: now, count });
    facts.known.moving.no_room = 0;
    reread(ctx, now, facts, identity, &id).await
}

pub(super) async fn stop(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let Some(id) = machine_id(facts) else { return Ok(()) };
    ctx.fly.machines(&identity.app).stop(&id, &fly::StopMachine::default()).await?;
    facts.known.stop_asked = Some(now);
    facts.known.stops = facts.known.stops.saturating_add(1);
    facts.known.started = None;
    reread(ctx, now, facts, identity, &id).await
}

/// Ends one that is on its way to a stop already, without the time that its configuration gives it.
pub(super) async fn kill(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let Some(id) = machine_id(facts) else { return Ok(()) };
    let terms = fly::StopMachine { signal: Some("SIGKILL".into()), ..fly::StopMachine::default() };
    ctx.fly.machines(&identity.app).stop(&id, &terms).await?;
    facts.known.stop_asked = Some(now);
    facts.known.started = None;
    Ok(())
}

pub(super) async fn destroy(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let Some(id) = machine_id(facts) else { return Ok(()) };
    match ctx.fly.machines(&identity.app).delete(&id, MachineDeletion::Force).await {
        Err(error) if !error.is_not_found() => return Err(error.into()),
        _ => {}
    }
    facts.known.destroy_asked = Some(now);
    facts.known.machine = Known::Unknown;
    // A volume changes hands when its Machine goes.
    facts.known.volume = Known::Unknown;
    Ok(())
}

async fn reread(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    id: &str,
) -> Result<(), Failed> {
    // If this fails, the effect has still happened: the next visit looks again.
    facts.known.machine = match ctx.fly.machines(&identity.app).get(id).await {
        Ok(machine) => {
            note_machine(now, facts, identity, Some(machine));
            return Ok(());
        }
        Err(_) => Known::Unknown,
    };
    Ok(())
}
