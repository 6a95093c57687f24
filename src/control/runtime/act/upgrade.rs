//! Effects of an upgrade.

use fly_machines::ErrorClass;
use jiff::Timestamp;
use kube::ResourceExt;

use super::super::claim;
use super::super::facts::{Facts, Known};
use super::super::trouble::Failure;
use super::Failed;
use crate::api::name_claim::RuntimeIdentity;
use crate::control::context::Context;

/// Records that an upgrade begins, if it was asked for or the rollout lets it begin still.
pub(super) async fn begin(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failure> {
    let requested = identity.upgrade.as_ref().is_some_and(|upgrade| upgrade.request.is_some());
    let uid = facts.runtime.uid().unwrap_or_default();
    if !requested && ctx.rollouts.begin(&uid).is_none() {
        return Ok(());
    }
    let written = record(ctx, facts, identity).await;
    let stands =
        facts.own_claim().and_then(|claim| claim.runtime.as_ref()).and_then(|it| it.upgrade.as_ref());
    match stands {
        Some(_) => ctx.rollouts.recorded(&uid),
        None => ctx.rollouts.failed(&uid),
    }
    written
}

/// Writes what stands at Fly. What was known of a snapshot was known for the step that ends with this.
pub(super) async fn record(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
) -> Result<(), Failure> {
    let upgrade = |facts: &Facts| facts.own_claim()?.runtime.as_ref()?.upgrade.clone();
    let before = upgrade(facts);
    claim::record(ctx, facts, identity).await?;
    if upgrade(facts) != before {
        facts.known.snapshot = Known::Unknown;
        facts.known.snapshot_asked = None;
    }
    Ok(())
}

/// Makes a snapshot. How long it is kept is the volume's own setting, which stays as it is.
pub(super) async fn snapshot(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    id: &str,
) -> Result<(), Failed> {
    facts.known.snapshot_asked = Some(now);
    facts.known.snapshot = Known::Unknown;
    match ctx.fly.volumes(&identity.app).create_snapshot(id).await {
        // One is under way already.
        Err(error) if error.class() == ErrorClass::Settling => Ok(()),
        made => made.map_err(Failed::from),
    }
}
