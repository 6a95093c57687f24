//! Effects on apps that were made ahead.

use kube::ResourceExt;
use serde_json::json;

use super::super::claim;
use super::super::facts::{Facts, Token};
use super::super::token;
use super::super::trouble::Failure;
use crate::api::NameClaim;
use crate::api::name_claim::ClaimType;
use crate::api::warm::WarmPhase;
use crate::control::context::Context;

/// Takes a warm app, unless somebody has: only what stands as it was read is written.
pub(super) async fn take(ctx: &Context, facts: &Facts, name: &str) -> Result<(), Failure> {
    let is_kept =
        |claim: &NameClaim| claim.spec.warm.as_ref().is_some_and(|app| app.phase == WarmPhase::Kept);
    let Some(kept) = ctx.claims.get(name).filter(|claim| is_kept(claim)) else { return Ok(()) };
    let holder = claim::holder(facts);
    let patch = json!({"spec": {"warm": {"phase": WarmPhase::Given, "givenTo": holder}}});
    let Some(standing) = claim::put(ctx, name, kept.resource_version(), patch).await? else { return Ok(()) };
    let ours = standing.spec.warm.as_ref().is_some_and(|app| app.is_given_to(Some(&holder.uid)));
    ctx.claims.apply(standing);
    if ours {
        ctx.metrics.warm_app_given();
        tracing::info!(claim = name, runtime = holder.name, namespace = holder.namespace, "warm app given");
    }
    Ok(())
}

/// The gateway's token. A warm app has one already, which becomes the Runtime's as long as its Machine isn't marked as
/// given: after that a Secret that is gone means another token.
pub(super) async fn token(ctx: &Context, facts: &Facts) -> Result<Token, Failure> {
    let claim = facts.own_claim();
    let Some(identity) = claim.and_then(|claim| claim.runtime.as_ref()) else {
        return token::ensure(ctx, &facts.runtime, None).await;
    };
    if claim.is_some_and(|claim| claim.type_ == ClaimType::Warm) {
        return Ok(Token::Known(crate::control::warm::token(ctx, &identity.identity).await?));
    }
    let unmarked = facts.known.machine.present().is_some_and(|machine| machine.owner.is_none());
    let given = if unmarked && identity.from_pool.is_some() {
        Some(crate::control::warm::token(ctx, &identity.identity).await?)
    } else {
        None
    };
    token::ensure(ctx, &facts.runtime, given).await
}
