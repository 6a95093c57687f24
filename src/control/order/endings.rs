//! Writes what becomes of the ends of subscriptions to the order's claim.

use jiff::Timestamp;
use serde_json::json;

use super::attempts::{nonce, patch};
use super::claim;
use super::facts::{Facts, Sent};
use crate::api::condition::whole_seconds;
use crate::api::order_record::{EndingRecord, EndingTime, OrderRecord};
use crate::control::claim_writer::Change;
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;

/// Records that a subscription is to end.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn begin(
    ctx: &Context,
    facts: &mut Facts,
    subscription: &str,
    when: EndingTime,
) -> Result<(), Failure> {
    let Some(order) = facts.record() else { return Ok(()) };
    let key = format!("order-{}-end-{}", order.uid, nonce());
    let endings = with(order, subscription, when, key);
    // One that is asked for anew may have been sent before.
    let is_first = order.ending(subscription).is_none();
    let Some(claim) = &facts.cluster.claim else { return Ok(()) };
    let change = claim::change(ctx, claim, json!({"order": {"endings": endings}})).await?;
    // One that another writer recorded may have been sent.
    if is_first && change == Change::Made {
        facts.known.ends.entry(subscription.to_owned()).or_insert(Sent::Never);
    }
    Ok(())
}

/// The ends that are recorded once this one is. Those of subscriptions that nothing names any more are forgotten.
pub fn with(order: &OrderRecord, subscription: &str, when: EndingTime, key: String) -> Vec<EndingRecord> {
    let new = EndingRecord {
        subscription_id: subscription.to_owned(),
        when,
        idempotency_key: key,
        done_time: None,
        refuse_time: order.ending(subscription).and_then(|ending| ending.refuse_time),
    };
    let is_named = |id: &str| {
        let mut attempts = order.attempts.iter();
        order.subscription_id.as_deref() == Some(id)
            || attempts.any(|attempt| attempt.subscription_id.as_deref() == Some(id))
    };
    let kept = order.endings.iter().filter(|it| {
        it.subscription_id != subscription && (it.done_time.is_none() || is_named(&it.subscription_id))
    });
    kept.cloned().chain([new]).collect()
}

/// Records that the provider agreed to the end.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn ended(ctx: &Context, now: Timestamp, facts: &mut Facts, id: &str) -> Result<(), Failure> {
    change(ctx, facts, id, |ending| ending.done_time = Some(whole_seconds(now))).await?;
    facts.known.ends.remove(id);
    Ok(())
}

/// Records that the provider refused it.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn not_ended(ctx: &Context, now: Timestamp, facts: &Facts, id: &str) -> Result<(), Failure> {
    change(ctx, facts, id, |ending| ending.refuse_time = Some(whole_seconds(now))).await
}

async fn change(
    ctx: &Context,
    facts: &Facts,
    id: &str,
    change: impl FnOnce(&mut EndingRecord),
) -> Result<(), Failure> {
    let Some(order) = facts.record() else { return Ok(()) };
    let mut endings = order.endings.clone();
    if let Some(ending) = endings.iter_mut().find(|ending| ending.subscription_id == id) {
        change(ending);
    }
    patch(ctx, facts, json!({"endings": endings})).await
}
