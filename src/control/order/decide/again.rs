//! The stage in which what isn't paid any more is paid again: at one page, and only while nothing else collects for it.

use jiff::Timestamp;

use super::super::account::Account;
use super::super::facts::Facts;
use super::super::step::{Rest, Step};
use super::{Reached, checkout, payable, subscription};
use crate::api::order_record::{EndingTime, OrderRecord};
use crate::api::payment_receipt::Provider;
use crate::api::reason;
use crate::api::runtime_order::FundingPhase;
use crate::billing::{InvoiceState, ProviderTruth, Subscription, SubscriptionState};

/// It can be paid again, beside what is done about its Runtime; that comes first.
pub(super) fn offered(
    now: Timestamp,
    facts: &Facts,
    order: &OrderRecord,
    (truth, account): (&ProviderTruth, &Account),
    rest: Reached<Step>,
) -> Reached<Step> {
    let rest = match rest {
        Err(step) if is_work(&step) => return Err(step),
        rest => rest,
    };
    let page = match page(now, facts, order, truth, account) {
        Err(step) if is_work(&step) => return Err(step),
        page => page,
    };
    match page {
        // Nobody knows whether it can be paid: a person has to look.
        Err(Step::Rest(Rest::Refused(why, again))) if why.reason == reason::CHECKOUT_UNKNOWN => {
            Err(Step::Rest(Rest::Refused(why, again)))
        }
        _ => rest,
    }
}

/// Whether something is to be done or looked at, which can't wait for what only rests.
pub(super) fn is_work(step: &Step) -> bool {
    matches!(step, Step::Do(_) | Step::LookForRuntime | Step::ReadProvider | Step::FindCheckout(_))
}

fn page(
    now: Timestamp,
    facts: &Facts,
    order: &OrderRecord,
    truth: &ProviderTruth,
    account: &Account,
) -> Reached<()> {
    if let Err(step) = payable(facts) {
        if let Step::Rest(Rest::Refused(..)) = step {
            checkout::closed(now, facts, order, truth)?;
        }
        return Err(step);
    }
    if order.provider == Provider::Manual {
        return Ok(());
    }
    for live in truth.subscriptions.iter().filter(|it| collects(it)) {
        if !is_given_up(order, truth, live) {
            return Ok(());
        }
        subscription::end(order, live, EndingTime::Now)?;
    }
    checkout::offered(now, facts, order, (truth, account), &order.price).map(drop)
}

/// Whether its provider may still take money for it. What wasn't paid yet belongs to a checkout.
fn collects(subscription: &Subscription) -> bool {
    !matches!(subscription.state, SubscriptionState::Ended | SubscriptionState::Incomplete)
}

/// Whether nothing more is to be expected of a subscription that isn't paid. Stripe tries for a while, and its open
/// invoice can be paid; what PayApp can't take it tells of once.
fn is_given_up(order: &OrderRecord, truth: &ProviderTruth, subscription: &Subscription) -> bool {
    let is_kept = order.phase == FundingPhase::Suspended;
    match order.provider {
        Provider::PayApp => is_kept || subscription.state == SubscriptionState::PastDue,
        Provider::Stripe => {
            let is_open = truth.invoices.iter().any(|invoice| invoice.state == InvoiceState::Open);
            is_kept && subscription.state == SubscriptionState::Unpaid && !is_open
        }
        Provider::Manual => false,
    }
}
