//! The stages that concern what is paid again and again: known by its id, and ended once nothing is to be paid.

use jiff::Timestamp;

use super::super::account::Account;
use super::super::step::{Effect, Step};
use super::Reached;
use crate::api::order_record::{EndingTime, OrderRecord};
use crate::api::runtime_order::FundingPhase;
use crate::billing::{ProviderTruth, Subscription, SubscriptionState};

/// The claim knows the subscription that is the order's own, and its customer.
pub(super) fn recorded(order: &OrderRecord, account: &Account, truth: &ProviderTruth) -> Reached<()> {
    let Some(own) = &account.subscription else { return Ok(()) };
    let customer = truth.customer_of(Some(own));
    let is_customer = customer.is_none() || order.customer_id.as_deref() == customer;
    if order.subscription_id.as_ref() == Some(own) && is_customer {
        return Ok(());
    }
    let customer = customer.map(str::to_owned);
    Err(Step::Do(Effect::RecordSubscription { subscription: own.clone(), customer }))
}

/// Nothing further is collected than is wanted: of several that were paid one, and none for what is over.
pub(super) fn ended(
    now: Timestamp,
    order: &OrderRecord,
    account: &Account,
    truth: &ProviderTruth,
    phase: FundingPhase,
) -> Reached<()> {
    // One that isn't paid yet belongs to the checkout by which what isn't paid any more is paid again, or a dearer Plan.
    let is_offered =
        matches!(phase, FundingPhase::PastDue | FundingPhase::Suspended) || order.change.is_some();
    let others = truth
        .subscriptions
        .iter()
        .filter(|it| account.subscription.as_ref().is_some_and(|own| it.id != *own))
        .filter(|it| !(is_offered && it.state == SubscriptionState::Incomplete));
    for other in others {
        end(order, other, EndingTime::Now)?;
    }
    match phase {
        FundingPhase::Ended if account.paid_until.is_some_and(|until| now < until) => {
            all(order, truth, EndingTime::AtPeriodEnd)
        }
        FundingPhase::Refunded | FundingPhase::Ended => all(order, truth, EndingTime::Now),
        FundingPhase::Unpaid | FundingPhase::Paid | FundingPhase::PastDue | FundingPhase::Suspended => Ok(()),
    }
}

/// The order was deleted: what is paid is used up, and nothing further is collected. One that nothing was paid for
/// ends at once.
pub(super) fn given_up(order: &OrderRecord, account: &Account, truth: &ProviderTruth) -> Reached<()> {
    let when = if account.paid_until.is_some() { EndingTime::AtPeriodEnd } else { EndingTime::Now };
    all(order, truth, when)
}

/// One that wasn't paid yet has no period to be used up.
fn all(order: &OrderRecord, truth: &ProviderTruth, when: EndingTime) -> Reached<()> {
    truth.subscriptions.iter().try_for_each(|subscription| {
        let is_unpaid = subscription.state == SubscriptionState::Incomplete;
        end(order, subscription, if is_unpaid { EndingTime::Now } else { when })
    })
}

/// One subscription ends, unless it has ended.
pub(super) fn end(order: &OrderRecord, subscription: &Subscription, when: EndingTime) -> Reached<()> {
    let will_end = subscription.ends_at.is_some() && when == EndingTime::AtPeriodEnd;
    if subscription.state == SubscriptionState::Ended || will_end {
        return Ok(());
    }
    asked(order, &subscription.id, when)
}

/// The end of a subscription is recorded, then asked for, then recorded as done.
pub(super) fn asked(order: &OrderRecord, id: &str, when: EndingTime) -> Reached<()> {
    let asked = order.ending(id).filter(|ending| ending.when >= when);
    match asked.map(|ending| ending.done_time) {
        None => Err(Step::Do(Effect::RecordEnding { subscription: id.to_owned(), when })),
        Some(None) => Err(Step::Do(Effect::EndSubscription(id.to_owned()))),
        Some(Some(_)) => Ok(()),
    }
}
