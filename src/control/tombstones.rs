//! Frees names whose time is over: a name that was given up is kept for its last holder for a while, so that nobody
//! else gets the visitors that still come to it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, ResourceExt};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use crate::api::name_claim::ClaimType;
use crate::api::runtime_order::FundingPhase;
use crate::api::{NameClaim, NameClaimSpec};
use crate::engine::config::Mode;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_mins(1);

/// Frees names until `shutdown`.
pub async fn free(ctx: Arc<Context>, shutdown: CancellationToken) {
    let pause = PAUSE.min(Duration::from_secs(ctx.config.timing.slow_retry_seconds.into()));
    let kept = kept(&ctx);
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return,
        }
        if ctx.config.mode == Mode::ReadOnly || !ctx.leadership.is_current() {
            continue;
        }
        let now = ctx.clock.now();
        for claim in ctx.claims.given_up().into_iter().filter(|claim| is_over(&claim.spec, now, kept)) {
            remove(&ctx, &claim).await;
        }
    }
}

/// How long a name is kept for its last holder. A claim isn't removed while its deletion still counts.
pub(super) fn kept(ctx: &Context) -> SignedDuration {
    let counts = SignedDuration::from_mins(ctx.config.deletion_brake.window_minutes.into());
    SignedDuration::from_secs(ctx.config.timing.tombstone_seconds.into()).max(counts)
}

/// Whether nothing is left under the name, and its last holder's time is over. A namespace's claim is never over: it
/// carries the tenant's id, which must not change. A warm app's goes as soon as nothing is left of it.
fn is_over(claim: &NameClaimSpec, now: Timestamp, kept: SignedDuration) -> bool {
    if matches!(claim.type_, ClaimType::Namespace | ClaimType::Warm) {
        return false;
    }
    let since = |released: Timestamp| released.duration_until(now);
    // A deleted order funds what it was paid for to its end.
    if claim
        .order
        .as_ref()
        .is_some_and(|order| !matches!(order.phase, FundingPhase::Unpaid | FundingPhase::Ended))
    {
        return false;
    }
    let leads = claim.domain.as_ref().is_some_and(|record| record.route.is_some());
    claim.runtime.is_none()
        && !leads
        && claim.tombstone.as_ref().is_some_and(|stone| since(stone.release_time) >= kept)
}

/// Removes exactly what was looked at: a name that was taken back meanwhile has another version.
async fn remove(ctx: &Context, claim: &NameClaim) {
    let exactly = Preconditions { uid: claim.uid(), resource_version: claim.resource_version() };
    let params = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
    match Api::<NameClaim>::all(ctx.kube.clone()).delete(&claim.name_any(), &params).await {
        Ok(_) => tracing::info!(claim = claim.name_any(), "free again"),
        Err(error) => tracing::debug!(claim = claim.name_any(), %error, "can't be freed; it is tried again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::name_claim::{Holder, Tombstone};

    fn claim(released: Option<i64>) -> NameClaimSpec {
        NameClaimSpec {
            tombstone: released.map(|second| Tombstone {
                release_time: Timestamp::from_second(second).unwrap(),
                message: String::new(),
            }),
            ..NameClaimSpec::new(
                ClaimType::Slug,
                "acme",
                Holder { namespace: "acme".into(), name: "ops".into(), uid: "uid".into() },
            )
        }
    }

    #[test]
    fn a_name_is_kept_for_its_time_and_a_held_one_for_ever() {
        let (now, kept) = (Timestamp::from_second(1000).unwrap(), SignedDuration::from_secs(100));
        assert!(is_over(&claim(Some(900)), now, kept));
        assert!(!is_over(&claim(Some(901)), now, kept));
        assert!(!is_over(&claim(None), now, kept));
        let namespace = NameClaimSpec { type_: ClaimType::Namespace, ..claim(Some(0)) };
        assert!(!is_over(&namespace, now, kept));
    }
}
