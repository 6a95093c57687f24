//! Looks at what is left in an app.

use std::collections::BTreeSet;

use fly_machines::types::{App, ListMachines, MachineState};
use fly_machines::{ErrorClass, Result};

use super::decide::Sight;
use crate::api::name_claim::RuntimeIdentity;
use crate::control::context::Context;
use crate::control::runtime::desired;

/// What stands of an identity.
///
/// # Errors
/// If Fly can't be asked, or says something unexpected: that is no proof of anything.
pub(super) async fn look(ctx: &Context, identity: &RuntimeIdentity) -> Result<Sight> {
    match ctx.fly.apps().get(&identity.app).await {
        Ok(app) if is_ours(ctx, identity, &app) => {}
        // The name is another's by now: ours can't be there any more.
        Ok(_) => return Ok(Sight::Gone),
        Err(error) if error.is_not_found() || error.class() == ErrorClass::Forbidden => {
            return Ok(Sight::Gone);
        }
        Err(error) => return Err(error),
    }
    let stands = has_machine(ctx, identity).await?
        || has_volume(ctx, identity).await?
        || has_snapshot(ctx, identity).await?;
    Ok(if stands { Sight::Something } else { Sight::Empty })
}

fn is_ours(ctx: &Context, identity: &RuntimeIdentity, app: &App) -> bool {
    let organization = app.organization.as_ref().map_or("", |organization| &organization.slug);
    let same = organization.is_empty() || organization == ctx.config.fly.organization;
    same && app.network == desired::network(identity)
}

/// By the list, and by the recorded one itself.
async fn has_machine(ctx: &Context, identity: &RuntimeIdentity) -> Result<bool> {
    let machines = ctx.fly.machines(&identity.app);
    let filter = ListMachines { summary: true, ..ListMachines::default() };
    if machines.list(&filter).await?.iter().any(|machine| !machine.state.is_gone()) {
        return Ok(true);
    }
    let Some(id) = &identity.machine_id else { return Ok(false) };
    match machines.get(id).await {
        Ok(machine) => Ok(machine.state != MachineState::Destroyed),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

async fn has_volume(ctx: &Context, identity: &RuntimeIdentity) -> Result<bool> {
    let volumes = ctx.fly.volumes(&identity.app);
    if volumes.list().await?.iter().any(|volume| !volume.state.is_gone()) {
        return Ok(true);
    }
    for id in recorded(identity) {
        match volumes.get(id).await {
            Ok(volume) if !volume.state.is_gone() => return Ok(true),
            Ok(_) => {}
            Err(error) if is_missing(error.class()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Snapshots of volumes that are gone are listed until they expire.
async fn has_snapshot(ctx: &Context, identity: &RuntimeIdentity) -> Result<bool> {
    for id in recorded(identity) {
        match ctx.fly.volumes(&identity.app).snapshots(id).await {
            Ok(listed) if !listed.is_empty() => return Ok(true),
            Ok(_) => {}
            Err(error) if is_missing(error.class()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn is_missing(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::NotFound | ErrorClass::VolumeMissing)
}

/// Every volume that the claim knows.
fn recorded(identity: &RuntimeIdentity) -> BTreeSet<&str> {
    let kept = identity.snapshot.iter().map(|snapshot| snapshot.volume_id.as_str());
    let left = identity.displaced.iter().map(|left| left.volume_id.as_str());
    identity.volume_id.as_deref().into_iter().chain(kept).chain(left).collect()
}
