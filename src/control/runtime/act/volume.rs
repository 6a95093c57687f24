//! Effects on volumes and their snapshots.

use fly_machines::ErrorClass;
use fly_machines::types as fly;
use jiff::Timestamp;

use super::super::desired;
use super::super::facts::{Facts, Known, VolumePhase};
use super::super::look::volume_fact;
use super::Failed;
use crate::api::name_claim::RuntimeIdentity;
use crate::control::context::Context;

/// The longest that Fly keeps a snapshot, in days.
pub(super) const LONGEST_RETENTION: u32 = 60;

pub(super) async fn create_volume(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    region: &str,
) -> Result<(), Failed> {
    let size = identity.volume_size().unsigned_abs();
    let volume = fly::CreateVolume::new(desired::volume_name(identity), region, size)
        .compute(desired::guest(&identity.pin.plan));
    let made = ctx.fly.volumes(&identity.app).create(&volume).await?;
    facts.known.volume = Known::Present(volume_fact(&made));
    Ok(())
}

pub(super) async fn delete_volume(
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

pub(super) async fn snapshot(
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
