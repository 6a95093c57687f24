//! Performs one effect.

use jiff::Timestamp;

use super::facts::Facts;
use super::step::Effect;
use super::{attempts, claim, endings, pay, runtime, store};
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
        Effect::RecordStanding(standing) => claim::record_standing(ctx, facts, standing).await,
        Effect::RecordRuntime(uid) => claim::record_runtime(ctx, facts, uid).await,
        Effect::RecordGone => claim::record_gone(ctx, now, facts).await,
        Effect::CreateRuntime => runtime::create(ctx, facts).await,
        Effect::DeleteRuntime(uid) => {
            runtime::delete(ctx, &facts.holder().namespace, facts.runtime_name(), uid).await
        }
        Effect::Release => claim::release(ctx, now, facts).await,
        Effect::StoreReceipt(receipt) => store::store(ctx, receipt).await,
        Effect::OpenCheckout(number) => pay::open(ctx, facts, *number).await,
        Effect::CloseCheckout(number) => pay::close(ctx, facts, *number).await,
        Effect::EndSubscription(id) => pay::end(ctx, facts, id).await,
        Effect::ChangeSubscription => pay::change(ctx, facts).await,
        Effect::RecordChange(price) => attempts::change_to(ctx, facts, price).await,
        Effect::RecordChanged => attempts::changed(ctx, now, facts).await,
        Effect::RecordDeclined => attempts::declined(ctx, now, facts).await,
        Effect::DropChange => attempts::drop_change(ctx, facts).await,
        Effect::OpenPortal { customer, request } => pay::portal(ctx, facts, customer, *request).await,
        Effect::RecordAttempt { number, amount, expire_time, forgets } => {
            let new = attempts::NewAttempt { number: *number, amount: *amount, expire_time: *expire_time };
            attempts::begin(ctx, now, facts, &new, *forgets).await
        }
        Effect::RecordCheckout(number, checkout) => attempts::opened(ctx, facts, *number, checkout).await,
        Effect::RecordAttemptState(number, state) => attempts::set_state(ctx, facts, *number, *state).await,
        Effect::RecordSubscription { subscription, customer } => {
            attempts::subscribed(ctx, facts, subscription, customer.as_deref()).await
        }
        Effect::RecordEnding { subscription, when } => endings::begin(ctx, facts, subscription, *when).await,
        Effect::RecordEnded(id) => endings::ended(ctx, now, facts, id).await,
        Effect::RecordNotEnded(id) => endings::not_ended(ctx, now, facts, id).await,
    }
}
