//! The stages that concern another Plan: the Runtime asks for it, the subscription is changed, and then it is funded.
//! Stripe changes it; at PayApp another is registered at a page, and the earlier one ends once that is paid.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::super::account::Account;
use super::super::facts::Facts;
use super::super::reading;
use super::super::step::{Effect, Rest, Step};
use super::super::truth::opened;
use super::again::is_work;
use super::{Reached, checkout, payable};
use crate::api::order_record::{AttemptRecord, AttemptState, OrderRecord, Price};
use crate::api::payment_receipt::Provider;
use crate::api::runtime_order::PaymentMode;
use crate::billing::{CheckoutState, ProviderTruth, Subscription, SubscriptionState};
use crate::control::policy::Funding;
use crate::control::runtime::resolve::{funding, pinned_plan};

/// Pause after the difference couldn't be taken, before it is tried again.
const DECLINED: SignedDuration = SignedDuration::from_hours(24);

/// The subscription is for the Plan that the Runtime asks for, if it can be. What was begun is brought to its end. No page
/// is open but the one at which that is paid.
pub(super) fn settled(
    now: Timestamp,
    facts: &Facts,
    order: &OrderRecord,
    truth: &ProviderTruth,
    account: &Account,
) -> Reached<()> {
    if order.provider == Provider::PayApp {
        return registered(now, facts, order, truth, account);
    }
    checkout::closed(now, facts, order, truth)?;
    changed(now, facts, order, truth)
}

/// The dearer Plan was paid for at its own page: it is what is bought, whether it is wanted any more or not.
pub(super) fn paid(order: &OrderRecord, account: &Account) -> Reached<()> {
    match (&order.change, &account.dearer) {
        (Some(_), Some(_)) => Err(Step::Do(Effect::RecordChanged)),
        _ => Ok(()),
    }
}

/// No dearer Plan is asked for while the order isn't paid.
pub(super) fn put_off(
    now: Timestamp,
    facts: &Facts,
    order: &OrderRecord,
    truth: &ProviderTruth,
) -> Reached<()> {
    if is_awaited(order, truth) { Ok(()) } else { withdrawn(now, facts, order, truth) }
}

/// No dearer Plan is asked for any more: what is paid for it after its page was withdrawn is flagged.
pub(super) fn withdrawn(
    now: Timestamp,
    facts: &Facts,
    order: &OrderRecord,
    truth: &ProviderTruth,
) -> Reached<()> {
    if order.provider != Provider::PayApp || order.change.is_none() {
        return Ok(());
    }
    checkout::closed(now, facts, order, truth)?;
    held_forgotten(order)?;
    Err(Step::Do(Effect::DropChange))
}

/// Whether the customer is done at the page for the dearer Plan, and the money is on its way: that is waited for.
fn is_awaited(order: &OrderRecord, truth: &ProviderTruth) -> bool {
    let mut pages = order.attempts.iter().filter(|attempt| order.is_for_change(attempt));
    pages.any(|it| {
        it.state == AttemptState::Open && checkout::state(truth, it) == Some(&CheckoutState::Confirming)
    })
}

/// A page that nobody knows of was never shown to anybody, and PayApp opens none that we don't take notice of. Once
/// nobody asks for it any more it isn't waited for: asked for anew, there is another.
fn held_forgotten(order: &OrderRecord) -> Reached<()> {
    let is_unknown = |it: &&AttemptRecord| it.state == AttemptState::Held && opened(it).is_none();
    let mut held = order.attempts.iter().filter(|attempt| order.is_for_change(attempt));
    held.find(is_unknown)
        .map_or(Ok(()), |it| Err(Step::Do(Effect::RecordAttemptState(it.number, AttemptState::Expired))))
}

/// The Plan that the Runtime asks for can be paid, at one page.
fn registered(
    now: Timestamp,
    facts: &Facts,
    order: &OrderRecord,
    truth: &ProviderTruth,
    account: &Account,
) -> Reached<()> {
    let barred = payable(facts).err();
    let wish = wish(facts, order).filter(|_| !matches!(barred, Some(Step::Rest(Rest::Refused(..)))));
    if let (Some(change), Some(price)) = (&order.change, &wish)
        && change.price == *price
    {
        checkout::others_closed(now, facts, order, truth)?;
        return match checkout::offered(now, facts, order, (truth, account), price) {
            Err(step) if is_work(&step) && barred.is_none() => Err(step),
            _ => Ok(()),
        };
    }
    checkout::closed(now, facts, order, truth)?;
    if is_awaited(order, truth) {
        return Ok(());
    }
    held_forgotten(order)?;
    match (&order.change, wish) {
        (_, Some(price)) => Err(begin(price)),
        (Some(_), None) => Err(Step::Do(Effect::DropChange)),
        (None, None) => Ok(()),
    }
}

fn changed(now: Timestamp, facts: &Facts, order: &OrderRecord, truth: &ProviderTruth) -> Reached<()> {
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
    let changes = order.provider != Provider::Manual && order.mode == PaymentMode::Subscription;
    // Beside one whose money went back no other is asked for.
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
