//! Effects of an upgrade.

use jiff::Timestamp;
use kube::ResourceExt;

use super::super::claim;
use super::super::facts::{Facts, Known};
use super::super::trouble::Failure;
use super::super::volume_facts::LONGEST_KEPT;
use super::{Failed, volume};
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
    let failed = |facts: &Facts| facts.own_claim()?.runtime.as_ref()?.failed_upgrade.clone();
    let before = (upgrade(facts), failed(facts));
    claim::record(ctx, facts, identity).await?;
    if failed(facts).is_some_and(|failed| Some(failed) != before.1) {
        ctx.rollouts.failure();
    }
    if upgrade(facts) != before.0 {
        facts.known.snapshot = Known::Unknown;
        facts.known.snapshot_asked = None;
    }
    Ok(())
}

/// Makes a snapshot. One that waits for its next start may need it weeks later: it is kept for as long as Fly can. The
/// volume's own setting, which is recorded, is put back afterwards.
pub(super) async fn snapshot(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    id: &str,
) -> Result<(), Failed> {
    if identity.upgrade.as_ref().is_some_and(|upgrade| upgrade.snapshot_days.is_some()) {
        volume::keep_snapshots(ctx, facts, identity, id, LONGEST_KEPT).await?;
    }
    volume::snapshot(ctx, now, facts, identity, id).await
}
