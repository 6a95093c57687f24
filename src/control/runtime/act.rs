//! Performs one effect and takes what came of it into the facts.

use std::collections::BTreeMap;
use std::sync::Arc;

use fly_machines::types as fly;
use fly_machines::{CapacityScope, ErrorClass, types::AppDeletion, types::MachineDeletion};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::claim;
use super::desired;
use super::facts::{Absence, AbsenceKind, Attempt, Facts, Family, Known, Origin, SecretsFact, VolumePhase};
use super::look::{identity, note_machine, volume_fact};
use super::metadata;
use super::resolve::{Resolved, resolve};
use super::step::{Effect, Launch};
use super::token;
use super::trouble::Failure;
use crate::api::name_claim::RuntimeIdentity;
use crate::control::context::Context;

/// Time for which a region that had no room isn't asked again.
const FULL: SignedDuration = SignedDuration::from_secs(60);
/// The longest that Fly keeps a snapshot, in days.
const LONGEST_RETENTION: u32 = 60;

/// Performs the effect.
///
/// # Errors
/// What went wrong. The facts then say again "unknown" of what the effect may have changed.
pub async fn act(ctx: &Context, now: Timestamp, facts: &mut Facts, effect: &Effect) -> Result<(), Failure> {
    match effect {
        Effect::AddFinalizer => metadata::add_finalizer(ctx, facts).await,
        Effect::RemoveFinalizer => metadata::remove_finalizer(ctx, facts).await,
        Effect::ClaimSlug(new) => claim::create(ctx, facts, new).await,
        Effect::TakeOverClaim(new) => claim::take_over(ctx, facts, new).await,
        Effect::RecordIdentity(identity) => claim::record(ctx, facts, identity).await,
        Effect::ReleaseClaim(release) => claim::release(ctx, facts, release).await,
        // The visit writes the status whenever a step asks for it.
        Effect::RecordIntent => Ok(()),
        Effect::EnsureToken => {
            facts.known.token = token::ensure(ctx, &facts.runtime).await?;
            Ok(())
        }
        at_fly => {
            let identity = identity(facts)?;
            let done = on_fly(ctx, now, facts, &identity, at_fly).await;
            done.or_else(|failed| failed.into_failure(now, facts, &identity, at_fly))
        }
    }
}

/// Why an effect at Fly failed.
enum Failed {
    /// Fly's answer, or the lack of one.
    Fly(fly_machines::Error),
    /// It couldn't be asked for.
    Ours(Failure),
}

impl From<fly_machines::Error> for Failed {
    fn from(error: fly_machines::Error) -> Self {
        Self::Fly(error)
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self::Ours(failure)
    }
}

async fn on_fly(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    effect: &Effect,
) -> Result<(), Failed> {
    match effect {
        Effect::CreateApp => create_app(ctx, now, facts, identity).await,
        Effect::AllocateAddress(family) => allocate(ctx, facts, identity, *family).await,
        Effect::ReleaseAddress(ip) => release_address(ctx, now, facts, identity, ip).await,
        Effect::SetSecrets => set_secrets(ctx, facts, identity).await,
        Effect::CreateVolume { region } => create_volume(ctx, facts, identity, region).await,
        Effect::DeleteVolume { id } => delete_volume(ctx, facts, identity, id).await,
        Effect::SnapshotVolume { id } => snapshot(ctx, now, facts, identity, id).await,
        Effect::CreateMachine(launch) => create_machine(ctx, now, facts, identity, *launch).await,
        Effect::UpdateMachine(launch) => update_machine(ctx, now, facts, identity, *launch).await,
        Effect::DetachServices => detach(ctx, now, facts, identity).await,
        Effect::StartMachine => start(ctx, now, facts, identity).await,
        Effect::StopMachine => stop(ctx, now, facts, identity).await,
        Effect::DestroyMachine => destroy(ctx, now, facts, identity).await,
        Effect::DeleteApp => delete_app(ctx, now, facts, identity).await,
        _ => Ok(()),
    }
}

async fn create_app(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let app =
        fly::CreateApp::new(&identity.app, &ctx.config.fly.organization).network(desired::network(identity));
    ctx.fly.apps().create(&app).await?;
    // What we made just now is empty.
    let empty = Absence::at(now, AbsenceKind::NotMade);
    facts.known.app = Known::Present(Origin::Made);
    facts.known.v6 = Known::Missing(empty);
    facts.known.v4 = Known::Missing(empty);
    if identity.volume_id.is_none() {
        facts.known.volume = Known::Missing(empty);
        facts.known.machine = Known::Missing(empty);
    }
    Ok(())
}

async fn allocate(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    family: Family,
) -> Result<(), Failed> {
    let kind = match family {
        Family::V6 => fly::IpKind::V6,
        Family::V4 => fly::IpKind::SharedV4,
    };
    let given = ctx.fly.addresses(&identity.app).assign(&fly::AssignIp::new(kind)).await?;
    let known = match family {
        Family::V6 => &mut facts.known.v6,
        Family::V4 => &mut facts.known.v4,
    };
    *known = if given.ip.is_empty() { Known::Unknown } else { Known::Present(given.ip) };
    Ok(())
}

async fn release_address(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    ip: &str,
) -> Result<(), Failed> {
    match ctx.fly.addresses(&identity.app).release(ip).await {
        Err(error) if !error.is_not_found() => return Err(error.into()),
        _ => {}
    }
    for known in [&mut facts.known.v6, &mut facts.known.v4] {
        if known.present().is_some_and(|have| have == ip) {
            *known = Known::Missing(Absence::at(now, AbsenceKind::Gone));
        }
    }
    Ok(())
}

/// Sets what is wanted and removes what isn't any more: every secret of the app is ours.
async fn set_secrets(ctx: &Context, facts: &mut Facts, identity: &RuntimeIdentity) -> Result<(), Failed> {
    let (Some(wanted), Some(hash)) = (desired::secret_values(facts), desired::secrets_hash(facts)) else {
        return Ok(());
    };
    let secrets = ctx.fly.secrets(&identity.app);
    let mut values: BTreeMap<String, Option<SecretString>> =
        wanted.into_iter().map(|(name, value)| (name, Some(value))).collect();
    if facts.known.app != Known::Present(Origin::Made) {
        for standing in secrets.list().await? {
            values.entry(standing.name).or_insert(None);
        }
    }
    let version = secrets.update(&values).await?.version;
    facts.known.secrets = Some(SecretsFact { hash, version });
    Ok(())
}

async fn create_volume(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    region: &str,
) -> Result<(), Failed> {
    let plan = &identity.pin.plan;
    let volume =
        fly::CreateVolume::new(desired::volume_name(identity), region, plan.volume_gb.unsigned_abs())
            .compute(desired::guest(plan));
    let made = ctx.fly.volumes(&identity.app).create(&volume).await?;
    facts.known.volume = Known::Present(volume_fact(&made));
    Ok(())
}

async fn delete_volume(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    id: &str,
) -> Result<(), Failed> {
    match ctx.fly.volumes(&identity.app).delete(id).await {
        Err(error) if !matches!(error.class(), ErrorClass::NotFound | ErrorClass::VolumeMissing) => {
            return Err(error.into());
        }
        _ => {}
    }
    facts.known.removed_volumes.insert(id.to_owned());
    if let Known::Present(volume) = &mut facts.known.volume
        && volume.id == id
    {
        volume.phase = VolumePhase::Going;
    }
    Ok(())
}

async fn snapshot(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    id: &str,
) -> Result<(), Failed> {
    let volumes = ctx.fly.volumes(&identity.app);
    let keep = fly::UpdateVolume { snapshot_retention: Some(LONGEST_RETENTION), auto_backup_enabled: None };
    volumes.update(id, &keep).await?;
    facts.known.snapshot_asked = Some(now);
    facts.known.snapshot = Known::Unknown;
    match volumes.create_snapshot(id).await {
        // One is under way already.
        Err(error) if error.class() == ErrorClass::Settling => Ok(()),
        made => made.map_err(Failed::from),
    }
}

fn resolved(facts: &Facts) -> Result<Resolved, Failed> {
    resolve(facts).map_err(|refusal| Failed::Ours(refusal.into()))
}

async fn create_machine(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    launch: Launch,
) -> Result<(), Failed> {
    let resolved = resolved(facts)?;
    let identity = &desired::with_volume(facts, identity);
    let config = desired::machine_config(facts, &resolved, identity).map_err(Failure::from)?;
    let request = fly::CreateMachine {
        config,
        name: Some(desired::MACHINE_NAME.into()),
        region: identity.region.clone(),
        launch: desired::launch(launch),
        min_secrets_version: facts.known.secrets.as_ref().map(|secrets| secrets.version),
        ..fly::CreateMachine::default()
    };
    let machine = ctx.fly.machines(&identity.app).create(&request).await?;
    note_machine(now, facts, identity, Some(machine));
    facts.known.started = Some(Attempt { at: now, count: 0 });
    Ok(())
}

async fn update_machine(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    launch: Launch,
) -> Result<(), Failed> {
    let resolved = resolved(facts)?;
    let Some(before) = facts.known.machine.present().cloned() else { return Ok(()) };
    let machines = ctx.fly.machines(&identity.app);
    let standing = machines.get(&before.id).await?;
    let mut config = desired::machine_config(facts, &resolved, identity).map_err(Failure::from)?;
    if let Some(standing) = standing.config {
        // A mount can't be changed, and what we don't own is left as it is.
        config.mounts = standing.mounts;
        config.extra = standing.extra;
    }
    let request = fly::UpdateMachine {
        config,
        current_version: Some(before.version),
        launch: desired::launch(launch),
        min_secrets_version: facts.known.secrets.as_ref().map(|secrets| secrets.version),
    };
    let machine = machines.update(&before.id, &request).await?;
    facts.known.probe = None;
    facts.known.started = Some(Attempt { at: now, count: 0 });
    note_machine(now, facts, identity, Some(machine));
    Ok(())
}

async fn detach(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let Some(before) = facts.known.machine.present().cloned() else { return Ok(()) };
    let machines = ctx.fly.machines(&identity.app);
    let Some(mut config) = machines.get(&before.id).await?.config else { return Ok(()) };
    // Whoever takes the Machine over finds that it isn't what is declared.
    config.metadata.remove(desired::metadata::CONFIG);
    let request = fly::UpdateMachine {
        config: fly::MachineConfig { services: Vec::new(), ..*config },
        launch: fly::Launch::Skip,
        ..fly::UpdateMachine::default()
    };
    let machine = machines.update(&before.id, &request).await?;
    note_machine(now, facts, identity, Some(machine));
    Ok(())
}

/// The Machine's id. Effects on a Machine are only decided on while one is known.
fn machine_id(facts: &Facts) -> Option<String> {
    facts.known.machine.present().map(|machine| machine.id.clone())
}

async fn start(
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
    reread(ctx, now, facts, identity, &id).await
}

async fn stop(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    let Some(id) = machine_id(facts) else { return Ok(()) };
    ctx.fly.machines(&identity.app).stop(&id, &fly::StopMachine::default()).await?;
    facts.known.stop_asked = Some(now);
    facts.known.started = None;
    reread(ctx, now, facts, identity, &id).await
}

async fn destroy(
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

async fn delete_app(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failed> {
    match ctx.fly.apps().delete(&identity.app, AppDeletion::IfStopped).await {
        Err(error) if !error.is_not_found() => return Err(error.into()),
        _ => {}
    }
    facts.known.app_delete_asked = Some(now);
    facts.known.app = Known::Unknown;
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

impl Failed {
    /// Forgets what the effect may have changed. Some refusals are facts rather than failures.
    fn into_failure(
        self,
        now: Timestamp,
        facts: &mut Facts,
        identity: &RuntimeIdentity,
        effect: &Effect,
    ) -> Result<(), Failure> {
        let error = match self {
            Self::Ours(failure) => return Err(failure),
            Self::Fly(error) => error,
        };
        forget(facts, effect);
        match (effect, error.class()) {
            (Effect::CreateApp | Effect::CreateMachine(_), ErrorClass::NameTaken)
            | (Effect::AllocateAddress(_), ErrorClass::AlreadyExists | ErrorClass::Conflict) => Ok(()),
            (Effect::CreateMachine(_), ErrorClass::VolumeMissing) => {
                facts.known.volume = Known::Unknown;
                Ok(())
            }
            (Effect::CreateVolume { region }, ErrorClass::Capacity(_)) => {
                full(now, facts, region);
                facts.known.volume = Known::Missing(Absence::at(now, AbsenceKind::NotMade));
                Ok(())
            }
            (Effect::CreateMachine(_), ErrorClass::Capacity(scope)) => {
                let identity = desired::with_volume(facts, identity);
                facts.known.full_volume.clone_from(&identity.volume_id);
                let region = identity.region.clone().unwrap_or_default();
                if scope == CapacityScope::Region || identity.spare_volume_ids.len() > 1 {
                    full(now, facts, &region);
                }
                facts.known.machine = Known::Missing(Absence::at(now, AbsenceKind::NotMade));
                facts.known.volume = Known::Unknown;
                Ok(())
            }
            _ => Err(error.into()),
        }
    }
}

fn full(now: Timestamp, facts: &mut Facts, region: &str) {
    let until = now.saturating_add(FULL).unwrap_or(now);
    facts.known.full_regions.insert(region.to_owned(), until);
}

/// What the effect may have changed has to be looked at again.
pub fn forget(facts: &mut Facts, effect: &Effect) {
    let known = &mut facts.known;
    match effect {
        Effect::CreateApp | Effect::DeleteApp => known.app = Known::Unknown,
        Effect::AllocateAddress(_) | Effect::ReleaseAddress(_) => {
            known.v6 = Known::Unknown;
            known.v4 = Known::Unknown;
        }
        Effect::SetSecrets => known.secrets = None,
        Effect::CreateVolume { .. } | Effect::DeleteVolume { .. } => known.volume = Known::Unknown,
        Effect::SnapshotVolume { .. } => known.snapshot = Known::Unknown,
        _ => known.machine = Known::Unknown,
    }
}

/// The facts after the claim changed under them.
pub fn with_claim(facts: &mut Facts, claim: &crate::api::NameClaimSpec) {
    facts.cluster.claim = super::facts::ClaimFact::Held(Arc::new(claim.clone()));
}
