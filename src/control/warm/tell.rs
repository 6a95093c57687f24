//! Shows warm apps in the metrics.

use kube::ResourceExt;

use super::cost;
use crate::api::NameClaim;
use crate::api::warm::WarmPhase;
use crate::control::context::Context;

/// Shows how many there are and what they cost.
pub fn tell(ctx: &Context) {
    let all = ctx.claims.warm();
    let is = |claim: &NameClaim, phase| claim.spec.warm.as_ref().is_some_and(|app| app.phase == phase);
    let count = |phase| all.iter().filter(|claim| is(claim, phase)).count();
    let ready =
        all.iter().filter(|claim| is(claim, WarmPhase::Kept) && ctx.warm.is_ready(&claim.name_any())).count();
    ctx.metrics.warm_apps([
        ("ready", ready),
        ("preparing", count(WarmPhase::Kept) - ready),
        ("given", count(WarmPhase::Given)),
        ("dropped", count(WarmPhase::Dropped)),
    ]);
    let standing = all.iter().filter_map(|claim| claim.spec.runtime.as_ref());
    ctx.metrics.warm_cost(standing.map(|identity| cost::monthly(&identity.pin.plan)).sum());
}
