//! Effects on volumes and their snapshots.

use fly_machines::ErrorClass;
use fly_machines::types as fly;
use jiff::Timestamp;

use super::super::desired;
use super::super::facts::{Facts, Known, SnapshotAsked, SnapshotReply, VolumePhase};
use super::super::look::volume_fact;
use super::Failed;
use crate::api::name_claim::RuntimeIdentity;
use crate::control::context::Context;

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

/// Makes a snapshot.
pub(super) async fn snapshot(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    id: &str,
) -> Result<(), Failed> {
    let reply = match ctx.fly.volumes(&identity.app).create_snapshot(id).await {
        // One is under way already, which needn't be ours.
        Err(error) if error.class() == ErrorClass::Settling => SnapshotReply::Busy,
        made => made.map(|()| SnapshotReply::Taken)?,
    };
    facts.known.snapshot_asked = Some(SnapshotAsked { at: now, reply });
    Ok(())
}

/// Has Fly keep the snapshots that are made from now on for so many days; those that stand keep their own time.
pub(super) async fn keep_snapshots(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    id: &str,
    days: u32,
) -> Result<(), Failed> {
    let keep = fly::UpdateVolume { snapshot_retention: Some(days), auto_backup_enabled: None };
    ctx.fly.volumes(&identity.app).update(id, &keep).await?;
    if let Known::Present(volume) = &mut facts.known.volume
        && volume.id == id
    {
        volume.snapshot_days = Some(days);
    }
    Ok(())
}
