//! The stage that concerns another Plan: the Runtime asks for it, the subscription is changed, and then it is funded.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::super::facts::Facts;
use super::super::reading;
use super::super::step::{Effect, Step};
use super::Reached;
use crate::api::order_record::{OrderRecord, Price};
use crate::api::payment_receipt::Provider;
use crate::api::runtime_order::PaymentMode;
use crate::billing::{ProviderTruth, Subscription, SubscriptionState};
use crate::control::policy::Funding;
use crate::control::runtime::resolve::{funding, pinned_plan};

/// Pause after the difference couldn't be taken, before it is tried again.
const DECLINED: SignedDuration = SignedDuration::from_hours(24);

/// The subscription is for the Plan that the Runtime asks for, if it can be. What was begun is brought to its end.
pub(super) fn settled(
    now: Timestamp,
    facts: &Facts,
    order: &OrderRecord,
    truth: &ProviderTruth,
) -> Reached<()> {
    let wish = wish(facts, order).filter(|_| own(order, truth).is_some_and(goes_on));
    let Some(change) = &order.change else {
        return wish.map_or(Ok(()), |price| Err(begin(price)));
    };
    let is_done = own(order, truth).is_some_and(|own| has_price(own, &change.price));
    match (change.decline_time, wish) {
        // It was paid, whether it is wanted any more or not.
        (None, _) if is_done => Err(Step::Do(Effect::RecordChanged)),
        (None, Some(price)) if price == change.price => Err(Step::Do(Effect::ChangeSubscription)),
        // What nobody wants any more, or can't be had, isn't asked for: what was read says that it isn't in place.
        (None, _) if !reading::is_fresh(now, facts, order) => Err(Step::ReadProvider),
        (_, None) => Err(Step::Do(Effect::DropChange)),
        (Some(declined), Some(price)) if price == change.price && declined.duration_until(now) < DECLINED => {
            Ok(())
        }
        (_, Some(price)) => Err(begin(price)),
    }
}

fn begin(price: Price) -> Step {
    Step::Do(Effect::RecordChange(Box::new(price)))
}

/// The dearer Plan that the Runtime asks for, if the order's subscription can be changed to it. A cheaper one is another
/// order: what was paid for the dearer isn't given back by a change of the Runtime.
pub(super) fn wish(facts: &Facts, order: &OrderRecord) -> Option<Price> {
    let runtime = facts.standing_runtime()?;
    let funded = order.funds.as_ref().and_then(|funds| funds.uid.clone());
    let changes = order.provider == Provider::Stripe && order.mode == PaymentMode::Subscription;
    // Beside a difference that went back no other is asked for.
    if !changes || order.difference_return_time.is_some() || funded.is_none() || funded != runtime.uid() {
        return None;
    }
    let named = runtime.spec.plan_ref.as_ref()?;
    let (name, plan) = facts.cluster.wish.as_ref().filter(|(name, _)| *name == named.name)?;
    let price = &order.price;
    let is_sold = funding(plan) == Funding::Order && facts.cluster.policy.allows_plan(name, Funding::Order);
    let is_alike = plan.currency == price.currency && plan.interval == price.interval;
    let is_more = plan.amount > price.amount && plan.memory_mb >= price.plan.memory_mb;
    (is_sold && is_alike && is_more).then(|| Price {
        plan: pinned_plan(name, plan),
        amount: plan.amount,
        currency: plan.currency.clone(),
        interval: plan.interval,
        title: plan.display_name.clone(),
    })
}

fn own<'t>(order: &OrderRecord, truth: &'t ProviderTruth) -> Option<&'t Subscription> {
    truth.subscriptions.iter().find(|it| order.subscription_id.as_ref() == Some(&it.id))
}

/// One that ends, or that isn't paid, isn't changed.
fn goes_on(subscription: &Subscription) -> bool {
    subscription.state == SubscriptionState::Active && subscription.ends_at.is_none()
}

fn has_price(subscription: &Subscription, wanted: &Price) -> bool {
    subscription
        .price
        .is_some_and(|price| price.minor == wanted.amount && price.currency.code() == wanted.currency)
}
