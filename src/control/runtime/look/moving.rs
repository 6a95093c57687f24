//! Looks at what a move makes, could be made from, and left behind.

use fly_machines::{ErrorClass, types as fly};
use jiff::{SignedDuration, Timestamp};

use super::super::desired;
use super::super::facts::{Facts, Known, SnapshotPhase};
use super::super::moving::{Left, LeftState, Restorable};
use super::super::trouble::Failure;
use super::super::volume_facts::last_since;
use super::{by_id, identity, named_volume, snapshot_fact, volume_fact};
use crate::api::name_claim::RuntimeIdentity;
use crate::api::replacement::Displaced;
use crate::control::context::Context;

/// Pause between two looks at a snapshot that is being made.
const SNAPSHOT_PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// The volume that a move makes, by its id if that is known, else by its name.
pub(super) async fn new_volume(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let identity = identity(facts)?;
    let Some(replacement) = &identity.replacement else { return Ok(()) };
    let found = match facts.known.moving.fresh.present() {
        Some(volume) => by_id(ctx, &identity, &volume.id).await?,
        None => {
            named_volume(ctx, &identity, &desired::named_volume(&identity, replacement.incarnation)).await?
        }
    };
    match found {
        Some(volume) => facts.known.moving.fresh = Known::Present(volume_fact(&volume)),
        None => facts.known.moving.fresh.miss(now),
    }
    Ok(())
}

/// The snapshots of every volume that is recorded, whether it stands or not.
pub(super) async fn snapshots(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let identity = identity(facts)?;
    let mut all = Vec::new();
    for volume in volumes(&identity) {
        for snapshot in listed(ctx, &identity, volume).await? {
            if let Some(snapshot) = snapshot_fact(&snapshot).filter(|it| it.phase == SnapshotPhase::Created) {
                all.push(Restorable { snapshot, volume_id: volume.to_owned() });
            }
        }
    }
    if all.is_empty() {
        facts.known.moving.without_snapshots.miss(now);
    } else {
        facts.known.moving.without_snapshots = Known::Present(());
    }
    facts.known.moving.snapshots = Some(all);
    Ok(())
}

fn volumes(identity: &RuntimeIdentity) -> impl Iterator<Item = &str> {
    let displaced = identity.displaced.iter().map(|left| left.volume_id.as_str());
    let kept = identity.snapshot.iter().map(|kept| kept.volume_id.as_str());
    let kept = kept.filter(|id| identity.volume_id.as_deref() != Some(*id));
    identity.volume_id.as_deref().into_iter().chain(displaced).chain(kept)
}

async fn listed(ctx: &Context, identity: &RuntimeIdentity, id: &str) -> Result<Vec<fly::Snapshot>, Failure> {
    match ctx.fly.volumes(&identity.app).snapshots(id).await {
        Ok(listed) => Ok(listed),
        Err(error) if matches!(error.class(), ErrorClass::NotFound | ErrorClass::VolumeMissing) => {
            Ok(Vec::new())
        }
        Err(error) => Err(error.into()),
    }
}

/// The first volume that waits to be removed. What can't be seen is looked at again later: nothing depends on it.
pub(super) async fn displaced(ctx: &Context, now: Timestamp, facts: &mut Facts) {
    let Ok(identity) = identity(facts) else { return };
    let Some(left) = identity.displaced.iter().find(|left| left.machine_id.is_none()) else { return };
    match state(ctx, &identity, left).await {
        Ok(state) => {
            let grace = facts.cluster.settings.absence_grace;
            let asked = facts.known.moving.left_asked.is_some_and(|at| at.duration_until(now) < grace);
            let waits = match &state {
                LeftState::Gone => false,
                LeftState::Bare => asked,
                LeftState::Snapshot(made) if made.phase == SnapshotPhase::Pending => true,
                LeftState::Snapshot(made) => asked && !made.is_kept_longest(),
            };
            facts.known.moving.left = Some(Left { volume_id: left.volume_id.clone(), state });
            facts.known.moving.left_next = now.saturating_add(SNAPSHOT_PAUSE).ok().filter(|_| waits);
        }
        Err(failure) => {
            tracing::debug!(
                app = identity.app,
                reason = failure.reason,
                "a volume left behind can't be seen"
            );
            let next = now.saturating_add(facts.cluster.settings.slow_retry);
            facts.known.moving.left_next = next.ok();
        }
    }
}

async fn state(ctx: &Context, identity: &RuntimeIdentity, left: &Displaced) -> Result<LeftState, Failure> {
    match by_id(ctx, identity, &left.volume_id).await? {
        Some(volume) if !volume.state.is_gone() => {}
        _ => return Ok(LeftState::Gone),
    }
    // Only a snapshot made since holds everything that was on it; the claim tells no more than the second.
    let since = left.since.saturating_add(SignedDuration::from_secs(1)).unwrap_or(left.since);
    let listed = listed(ctx, identity, &left.volume_id).await?;
    let last = last_since(listed.iter().filter_map(snapshot_fact), since);
    Ok(last.map_or(LeftState::Bare, LeftState::Snapshot))
}
