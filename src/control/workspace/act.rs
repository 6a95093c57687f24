//! Performs one effect.

use jiff::Timestamp;

use super::facts::Facts;
use super::step::Effect;
use super::{binding, claim};
use crate::api::WORKSPACE_FINALIZER;
use crate::control::context::Context;
use crate::control::finalizers;
use crate::control::runtime::trouble::Failure;

/// Performs the effect.
///
/// # Errors
/// If the API server refuses or can't be asked. Whatever an effect may have changed is looked at again.
pub async fn act(ctx: &Context, now: Timestamp, facts: &mut Facts, effect: &Effect) -> Result<(), Failure> {
    match effect {
        Effect::AddFinalizer => finalizers::add(ctx, &mut facts.workspace, WORKSPACE_FINALIZER).await,
        Effect::RemoveFinalizer => finalizers::remove(ctx, &mut facts.workspace, WORKSPACE_FINALIZER).await,
        Effect::Claim(name) => claim::create(ctx, facts, *name).await,
        Effect::TakeOver(name) => claim::take_over(ctx, facts, *name).await,
        Effect::Discard(name) => claim::discard(ctx, facts, *name).await,
        Effect::Release(name) => claim::release(ctx, now, facts, *name).await,
        Effect::Bind(role) => binding::bind(ctx, now, facts, *role).await,
        Effect::Unbind(role) => binding::unbind(ctx, now, facts, *role).await,
    }
}
