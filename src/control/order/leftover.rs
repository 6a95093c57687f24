//! What goes on at Stripe of an order that was deleted: money that was on its way then, and what goes back later. It is
//! read seldom, and when an event tells of it; what it comes to is stored as receipts, and nothing further is collected.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::decide::receipts::missing;
use super::store::store;
use super::trouble::failure;
use super::truth::{is_asked, known};
use crate::api::order_record::{AttemptState, OrderRecord};
use crate::api::runtime_order::FundingPhase;
use crate::billing::{EndSubscription, Ending, PaymentProvider, ProviderTruth, SubscriptionState};
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;

/// Pause between two readings of which nothing is told.
const SELDOM: SignedDuration = SignedDuration::from_hours(1);

/// What was read of deleted orders, by UID.
#[derive(Debug, Default)]
pub struct Readings(HashMap<String, Reading>);

#[derive(Debug)]
struct Reading {
    at: Timestamp,
    notice: Option<Timestamp>,
    truth: Arc<ProviderTruth>,
}

impl Readings {
    /// Forgets all orders but these.
    pub fn keep(&mut self, uids: &[String]) {
        self.0.retain(|uid, _| uids.contains(uid));
    }

    /// What the provider says, read again if it is time; `None` of what isn't asked about.
    ///
    /// # Errors
    /// If the provider or the API server can't be asked.
    pub async fn of(
        &mut self,
        ctx: &Context,
        now: Timestamp,
        order: &OrderRecord,
    ) -> Result<Option<Arc<ProviderTruth>>, Failure> {
        if !is_followed(order) {
            return Ok(None);
        }
        let fresh =
            |read: &&Reading| read.notice == order.notice_time && read.at.duration_until(now) < SELDOM;
        if let Some(read) = self.0.get(&order.uid).filter(fresh) {
            return Ok(Some(Arc::clone(&read.truth)));
        }
        let truth = Arc::new(settled(ctx, order).await?);
        let read = Reading { at: now, notice: order.notice_time, truth: Arc::clone(&truth) };
        self.0.insert(order.uid.clone(), read);
        Ok(Some(truth))
    }
}

/// An order that was paid may be refunded, and one that wasn't may have money on its way.
fn is_followed(order: &OrderRecord) -> bool {
    let closed = order.attempts.iter().all(|attempt| attempt.state == AttemptState::Closed);
    match order.phase {
        FundingPhase::Ended => false,
        FundingPhase::Unpaid => is_asked(order) && (!closed || order.ending.is_some()),
        _ => is_asked(order),
    }
}

/// Reads it, stores what was paid and went back, and has nothing further collected.
async fn settled(ctx: &Context, order: &OrderRecord) -> Result<ProviderTruth, Failure> {
    let client = ctx.providers.client(order.provider)?;
    let told = |error| failure(order.provider, &error);
    let truth = client.read(&known(order, Vec::new())).await.map_err(told)?;
    // A payment has two receipts at the most. One that stands for another order stays missing, and is left.
    for _ in 0..2 * truth.payments.len() {
        let Some(receipt) = missing(order, &truth, &ctx.receipts.of(&order.uid)) else { break };
        store(ctx, &receipt).await?;
    }
    for subscription in &truth.subscriptions {
        if subscription.state != SubscriptionState::Ended && subscription.ends_at.is_none() {
            end(&*client, order, &subscription.id).await.map_err(told)?;
        }
    }
    Ok(truth)
}

/// Its key follows from what it ends, so that there is one call, however often it is made.
async fn end(
    client: &dyn PaymentProvider,
    order: &OrderRecord,
    subscription: &str,
) -> Result<(), crate::billing::Error> {
    let ending = EndSubscription {
        id: subscription.to_owned(),
        when: Ending::AtPeriodEnd,
        idempotency_key: format!("order-{}-over-{subscription}", order.uid),
    };
    client.end_subscription(&ending).await
}
