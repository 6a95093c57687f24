//! Performs one effect.

use jiff::Timestamp;

use super::facts::Facts;
use super::step::Effect;
use super::{claim, runtime};
use crate::api::ORDER_FINALIZER;
use crate::control::context::Context;
use crate::control::finalizers;
use crate::control::runtime::trouble::Failure;

/// Performs the effect.
///
/// # Errors
/// If the API server refuses or can't be asked. Whatever an effect may have changed is looked at again.
pub async fn act(ctx: &Context, now: Timestamp, facts: &mut Facts, effect: &Effect) -> Result<(), Failure> {
    match effect {
        Effect::AddFinalizer => finalizers::add(ctx, &mut facts.order, ORDER_FINALIZER).await,
        Effect::RemoveFinalizer => finalizers::remove(ctx, &mut facts.order, ORDER_FINALIZER).await,
        Effect::Claim(order) => claim::create(ctx, facts, order).await,
        Effect::TakeOver => claim::take_over(ctx, facts).await,
        Effect::RecordStanding { phase, paid_until } => {
            claim::record_standing(ctx, facts, *phase, *paid_until).await
        }
        Effect::RecordRuntime(uid) => claim::record_runtime(ctx, facts, uid).await,
        Effect::RecordGone => claim::record_gone(ctx, now, facts).await,
        Effect::CreateRuntime => runtime::create(ctx, facts).await,
        Effect::DeleteRuntime(uid) => {
            runtime::delete(ctx, &facts.holder().namespace, facts.runtime_name(), uid).await
        }
        Effect::Release => claim::release(ctx, now, facts).await,
    }
}
