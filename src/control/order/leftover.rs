//! What goes on at Stripe of an order that nobody has an eye on any more, deleted or vanished: money that was on its way,
//! renewals, and what goes back later. It is read seldom, and when an event tells of it; what it comes to is stored as
//! receipts. Nothing further is collected for one that was deleted, or that is over.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::account::account;
use super::decide::receipts::missing;
use super::reading::is_settled;
use super::store::store;
use super::trouble::{failure, lost};
use super::truth::{Receipt, absent, is_asked, known};
use crate::api::order_record::OrderRecord;
use crate::api::payment_receipt::{ReceiptFlag, ReceiptType};
use crate::api::runtime_order::FundingPhase;
use crate::api::{NameClaimSpec, PaymentReceiptSpec};
use crate::billing::{CheckoutState, EndSubscription, Ending, ProviderTruth, SubscriptionState};
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;

/// Pause between two readings of which nothing is told.
const SELDOM: SignedDuration = SignedDuration::from_hours(1);

/// What was read of such orders, by UID.
#[derive(Debug, Default)]
pub struct Readings(HashMap<String, Reading>, HashMap<String, Timestamp>);

#[derive(Debug)]
struct Reading {
    at: Timestamp,
    notice: Option<Timestamp>,
    /// Where the funding stood by then.
    phase: FundingPhase,
    truth: Arc<ProviderTruth>,
}

impl Readings {
    /// Forgets all orders but these.
    pub fn keep(&mut self, uids: &[String]) {
        self.0.retain(|uid, _| uids.contains(uid));
        self.1.retain(|uid, _| uids.contains(uid));
    }

    /// Whether what can't be asked about is tried again now; if so it isn't for a while.
    pub fn is_turn(&mut self, now: Timestamp, order: &OrderRecord) -> bool {
        let is_turn = self.1.get(&order.uid).is_none_or(|at| at.duration_until(now) >= SELDOM);
        if is_turn {
            self.1.insert(order.uid.clone(), now);
        }
        is_turn
    }

    /// What the provider says, read again if it is time; `None` of what isn't asked about.
    ///
    /// # Errors
    /// If the provider or the API server can't be asked.
    pub async fn of(
        &mut self,
        ctx: &Context,
        now: Timestamp,
        claim: &NameClaimSpec,
        order: &OrderRecord,
    ) -> Result<Option<Arc<ProviderTruth>>, Failure> {
        if !is_followed(order) {
            return Ok(None);
        }
        let stands = |read: &&Reading| {
            let is_new = read.at.duration_until(now) < SELDOM;
            let is_over = order.phase == FundingPhase::Ended && is_done(&read.truth, order);
            (read.notice, read.phase) == (order.notice_time, order.phase) && (is_new || is_over)
        };
        if let Some(read) = self.0.get(&order.uid).filter(stands) {
            return Ok(Some(Arc::clone(&read.truth)));
        }
        let truth = Arc::new(settled(ctx, now, claim, order).await?);
        let (notice, phase) = (order.notice_time, order.phase);
        let read = Reading { at: now, notice, phase, truth: Arc::clone(&truth) };
        self.0.insert(order.uid.clone(), read);
        Ok(Some(truth))
    }
}

/// An order that was paid may be renewed or refunded, and one that wasn't may have money on its way.
fn is_followed(order: &OrderRecord) -> bool {
    let closed = order.attempts.iter().all(|attempt| attempt.state.is_over());
    is_asked(order) && (order.phase != FundingPhase::Unpaid || !closed || !order.endings.is_empty())
}

/// Whether nothing more comes of it.
fn is_done(truth: &ProviderTruth, order: &OrderRecord) -> bool {
    let is_open =
        |state: &CheckoutState| matches!(state, CheckoutState::Open { .. } | CheckoutState::Confirming);
    is_settled(truth, order) || !truth.checkouts.iter().any(|it| is_open(&it.state)) && has_ended(truth)
}

fn has_ended(truth: &ProviderTruth) -> bool {
    truth.subscriptions.iter().all(|it| it.state == SubscriptionState::Ended)
}

/// Reads it, stores what was paid and went back, and has nothing further collected that isn't wanted.
async fn settled(
    ctx: &Context,
    now: Timestamp,
    claim: &NameClaimSpec,
    order: &OrderRecord,
) -> Result<ProviderTruth, Failure> {
    let client = ctx.providers.client(order.provider)?;
    let told = |error| failure(order.provider, &error);
    let truth = client.read(&known(order, Vec::new())).await.map_err(told)?;
    if let Some(payment) = absent(order, &ctx.receipts.of(&order.uid), &truth) {
        return Err(lost(order.provider, payment));
    }
    // A payment has two receipts at the most. One that stands for another order stays missing, and is left.
    for _ in 0..2 * truth.payments.len() {
        let Some(receipt) = unstored(claim, order, &truth, &ctx.receipts.of(&order.uid)) else { break };
        store(ctx, &receipt).await?;
    }
    for (subscription, when) in unwanted(now, claim, order, &truth) {
        client.end_subscription(&end(order, subscription, when)).await.map_err(told)?;
    }
    Ok(truth)
}

/// The first receipt that isn't stored yet. What came for nothing says so.
pub fn unstored(
    claim: &NameClaimSpec,
    order: &OrderRecord,
    truth: &ProviderTruth,
    stored: &[Receipt],
) -> Option<PaymentReceiptSpec> {
    let mut receipt = missing(order, truth, &account(order, truth), stored)?;
    if claim.funds_nothing() && receipt.type_ == ReceiptType::Payment && receipt.flags.is_empty() {
        receipt.flags = vec![ReceiptFlag::FundsNothing];
    }
    Some(receipt)
}

/// What is to be collected no further. An order that was never given up may come back from a backup, and nothing is ended
/// before its time; what is paid is used up where only its Runtime has gone.
pub fn unwanted<'t>(
    now: Timestamp,
    claim: &NameClaimSpec,
    order: &OrderRecord,
    truth: &'t ProviderTruth,
) -> Vec<(&'t str, Ending)> {
    let is_paid = order.runtime_gone_time.is_some() && order.paid_until.is_some_and(|until| now < until);
    let when = match (order.phase, &claim.tombstone) {
        (FundingPhase::Ended, _) if is_paid => Ending::AtPeriodEnd,
        (FundingPhase::Ended, _) => Ending::Now,
        (_, Some(_)) => Ending::AtPeriodEnd,
        (_, None) => return Vec::new(),
    };
    let alive = truth.subscriptions.iter().filter(|it| it.state != SubscriptionState::Ended);
    // One that wasn't paid yet has no period to be used up.
    let alive =
        alive.map(|it| (it, if it.state == SubscriptionState::Incomplete { Ending::Now } else { when }));
    let alive = alive.filter(|(it, when)| *when == Ending::Now || it.ends_at.is_none());
    alive.map(|(it, when)| (it.id.as_str(), when)).collect()
}

/// Its key follows from what it ends, so that there is one call, however often it is made.
pub fn end(order: &OrderRecord, subscription: &str, when: Ending) -> EndSubscription {
    EndSubscription {
        id: subscription.to_owned(),
        when,
        idempotency_key: format!("order-{}-over-{subscription}", order.uid),
    }
}
