//! The stages that concern what is paid again and again: known by its id, and ended once nothing is to be paid.

use jiff::Timestamp;

use super::super::account::Account;
use super::super::step::{Effect, Step};
use super::Reached;
use crate::api::order_record::{EndingTime, OrderRecord};
use crate::api::runtime_order::FundingPhase;
use crate::billing::{ProviderTruth, Subscription, SubscriptionState};

/// The claim knows the subscription that is the order's own.
pub(super) fn recorded(order: &OrderRecord, account: &Account, truth: &ProviderTruth) -> Reached<()> {
    match (&order.subscription_id, &account.subscription) {
        (None, Some(own)) => Err(Step::Do(Effect::RecordSubscription {
            subscription: own.clone(),
            customer: truth.customer.clone(),
        })),
        _ => Ok(()),
    }
}

/// Nothing further is collected than is wanted: of two that were paid one, and none for what is over.
pub(super) fn ended(
    now: Timestamp,
    order: &OrderRecord,
    account: &Account,
    truth: &ProviderTruth,
    phase: FundingPhase,
) -> Reached<()> {
    let others = truth
        .subscriptions
        .iter()
        .filter(|it| account.subscription.as_ref().is_some_and(|own| it.id != *own));
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

fn all(order: &OrderRecord, truth: &ProviderTruth, when: EndingTime) -> Reached<()> {
    truth.subscriptions.iter().try_for_each(|subscription| end(order, subscription, when))
}

/// One subscription ends: that is recorded, then asked for, then recorded as done.
fn end(order: &OrderRecord, subscription: &Subscription, when: EndingTime) -> Reached<()> {
    let will_end = subscription.ends_at.is_some() && when == EndingTime::AtPeriodEnd;
    if subscription.state == SubscriptionState::Ended || will_end {
        return Ok(());
    }
    let asked = order.ending.as_ref().filter(|it| it.subscription_id == subscription.id && it.when >= when);
    match asked.map(|ending| ending.done_time) {
        None => Err(Step::Do(Effect::RecordEnding { subscription: subscription.id.clone(), when })),
        Some(None) => Err(Step::Do(Effect::EndSubscription)),
        Some(Some(_)) => Ok(()),
    }
}
