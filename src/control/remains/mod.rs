//! What is left at Fly under names that were given up: the empty app of a Runtime that was deleted under `Snapshot`, once
//! its snapshot has expired, and whatever somebody else removed of one that was kept. Without this each deletion would
//! leave a claim and an app for ever.

pub mod decide;
mod look;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use self::decide::{Known, Next, due, next};
use super::context::Context;
use super::runtime::{act, claim};
use super::tombstones::kept;
use crate::api::NameClaim;
use crate::api::name_claim::RuntimeIdentity;
use crate::engine::config::Mode;

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_mins(1);
/// Most names that are looked at in a round. With a handful of requests each it stays far below one a second.
const MOST: usize = 4;

/// Goes over them until `shutdown`.
pub async fn clear(ctx: Arc<Context>, shutdown: CancellationToken) {
    let pause = PAUSE.min(Duration::from_secs(ctx.config.timing.slow_retry_seconds.into()));
    let mut known = HashMap::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return,
        }
        if ctx.config.mode == Mode::ReadOnly || !ctx.leadership.is_current() {
            continue;
        }
        round(&ctx, &mut known).await;
    }
}

async fn round(ctx: &Context, known: &mut HashMap<String, Known>) {
    let (now, kept) = (ctx.clock.now(), kept(ctx));
    let grace = SignedDuration::from_secs(ctx.config.timing.absence_grace_seconds.into());
    let all: Vec<Arc<NameClaim>> =
        ctx.claims.given_up().into_iter().filter(|claim| due(now, &claim.spec, kept).is_some()).collect();
    let names: HashSet<String> = all.iter().map(|claim| claim.name_any()).collect();
    known.retain(|key, _| names.contains(key));
    let step = |claim: &NameClaim| next(now, known.get(&claim.name_any()), grace);
    let busy: Vec<_> = all
        .iter()
        .map(|claim| (claim, step(claim)))
        .filter(|(_, step)| *step != Next::Wait)
        .take(MOST)
        .collect();
    for (claim, step) in busy {
        let (key, before) = (claim.name_any(), known.remove(&claim.name_any()));
        if let Some(after) = take(ctx, now, claim, step, before).await {
            known.insert(key, after);
        }
    }
}

/// Takes a step, and says what is known then. What fails is tried again in a later round.
async fn take(
    ctx: &Context,
    now: Timestamp,
    claim: &NameClaim,
    step: Next,
    before: Option<Known>,
) -> Option<Known> {
    let left = claim.spec.runtime.as_ref()?;
    match step {
        Next::Wait => before,
        Next::Look => match look::look(ctx, left).await {
            Ok(sight) => Some(Known::after(before, now, sight)),
            Err(error) => {
                tracing::debug!(app = left.app, %error, "what a name left can't be looked at; it is later");
                before
            }
        },
        Next::RemoveApp => {
            remove(ctx, claim, left).await;
            None
        }
        Next::Forget => {
            forget(ctx, claim, left).await;
            None
        }
    }
}

/// Only as the claim stands now: somebody may have been let take it over meanwhile.
async fn remove(ctx: &Context, claim: &NameClaim, left: &RuntimeIdentity) {
    let newest = Api::<NameClaim>::all(ctx.kube.clone()).get_opt(&claim.name_any()).await;
    if !newest.is_ok_and(|newest| newest.is_some_and(|newest| newest.spec == claim.spec)) {
        return;
    }
    match act::remove_empty_app(ctx, left).await {
        Ok(()) => tracing::info!(app = left.app, "an empty app was removed: its snapshot has expired"),
        Err(error) => tracing::info!(app = left.app, %error, "an empty app can't be removed; it is later"),
    }
}

/// The name itself is freed by those who free names.
async fn forget(ctx: &Context, claim: &NameClaim, left: &RuntimeIdentity) {
    let nothing = json!({"spec": {"runtime": null, "tombstone": {"message": "Nothing is left at Fly."}}});
    match claim::put(ctx, &claim.name_any(), claim.resource_version(), nothing).await {
        Ok(Some(written)) => {
            tracing::info!(claim = claim.name_any(), app = left.app, "nothing is left under it");
            ctx.claims.apply(written);
        }
        Ok(None) => ctx.claims.remove(&claim.name_any()),
        Err(failure) => {
            tracing::info!(
                claim = claim.name_any(),
                message = failure.message,
                "can't be written; it is tried again"
            );
        }
    }
}
