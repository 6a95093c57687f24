//! Writes what becomes of the attempts to be paid, and of a subscription's Plan, to the order's claim.

use jiff::Timestamp;
use kube::ResourceExt;
use rand::RngCore;
use serde_json::{Value, json};

use super::claim::write;
use super::facts::{CallOutcome, Facts};
use super::funding::record;
use crate::api::condition::whole_seconds;
use crate::api::order_record::{AttemptRecord, AttemptState, OrderRecord, Price};
use crate::billing::OpenCheckout;
use crate::control::context::Context;
use crate::control::runtime::token::hexadecimal;
use crate::control::runtime::trouble::Failure;

/// An attempt that is to be made.
pub struct NewAttempt {
    /// Its number.
    pub number: u32,
    /// What it asks for, in the smallest unit of the order's currency.
    pub amount: i64,
    /// Until when it can be paid, if it ends.
    pub expire_time: Option<Timestamp>,
}

/// Records a new attempt, which may then be sent.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn begin(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    new: &NewAttempt,
    forgets: Option<u32>,
) -> Result<(), Failure> {
    let Some(order) = facts.record() else { return Ok(()) };
    let NewAttempt { number, amount, expire_time } = *new;
    let nonce = nonce();
    let attempt = AttemptRecord {
        number,
        idempotency_key: format!("order-{}-{number}-{nonce}", order.uid),
        nonce,
        create_time: whole_seconds(now),
        expire_time: expire_time.map(whole_seconds),
        amount,
        currency: order.price.currency.clone(),
        state: AttemptState::Opening,
        checkout_id: None,
        url: None,
        subscription_id: None,
    };
    let kept = order.attempts.iter().filter(|attempt| Some(attempt.number) != forgets);
    let attempts: Vec<&AttemptRecord> = kept.chain([&attempt]).collect();
    patch(ctx, facts, json!({"attempts": attempts})).await?;
    // Another writer may have been faster: only what stands as it was written may be sent.
    let standing = facts.cluster.claim.as_ref().and_then(|claim| ctx.claims.get(&claim.name_any()));
    let stands = standing.as_deref().and_then(record).is_some_and(|order| order.attempts.contains(&attempt));
    facts.known.call = stands.then_some(CallOutcome::Unsent(number));
    Ok(())
}

/// Records the checkout that was opened for an attempt.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn opened(
    ctx: &Context,
    facts: &Facts,
    number: u32,
    checkout: &OpenCheckout,
) -> Result<(), Failure> {
    change(ctx, facts, number, |attempt| {
        attempt.state = AttemptState::Open;
        // A registration is known by its own number, beside that of the request by which it is first paid.
        let told = attempt.checkout_id.take().filter(|_| checkout.subscription.is_some());
        attempt.checkout_id = Some(told.unwrap_or_else(|| checkout.id.clone()));
        attempt.url.clone_from(&checkout.url);
        attempt.expire_time = checkout.expires_at.or(attempt.expire_time);
        attempt.subscription_id = checkout.subscription.clone().or(attempt.subscription_id.take());
    })
    .await
}

/// Records how far an attempt is.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn set_state(
    ctx: &Context,
    facts: &Facts,
    number: u32,
    state: AttemptState,
) -> Result<(), Failure> {
    change(ctx, facts, number, |attempt| attempt.state = state).await
}

/// Records the subscription and the customer that the provider made of the checkout.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn subscribed(
    ctx: &Context,
    facts: &Facts,
    subscription: &str,
    customer: Option<&str>,
) -> Result<(), Failure> {
    patch(ctx, facts, json!({"subscriptionID": subscription, "customerID": customer})).await
}

/// Records the Plan that is to be bought from now on.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn change_to(ctx: &Context, facts: &mut Facts, price: &Price) -> Result<(), Failure> {
    let Some(order) = facts.record() else { return Ok(()) };
    let change = json!({
        "price": with_nulls(price),
        "idempotencyKey": format!("order-{}-change-{}", order.uid, nonce()),
        "declineTime": null,
    });
    patch(ctx, facts, json!({"change": change})).await?;
    // What came of another key is told by another call.
    facts.known.call = None;
    Ok(())
}

/// Records that the Plan is bought from now on.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn changed(ctx: &Context, now: Timestamp, facts: &Facts) -> Result<(), Failure> {
    let Some(order) = facts.record() else { return Ok(()) };
    let Some(change) = &order.change else { return Ok(()) };
    let former = json!({"price": with_nulls(&order.price), "endTime": whole_seconds(now)});
    patch(ctx, facts, json!({"price": with_nulls(&change.price), "former": former, "change": null})).await
}

/// Records that the customer's bank declined the difference.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn declined(ctx: &Context, now: Timestamp, facts: &Facts) -> Result<(), Failure> {
    patch(ctx, facts, json!({"change": {"declineTime": whole_seconds(now)}})).await
}

/// Forgets a change that was declined, or that nobody paid.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn drop_change(ctx: &Context, facts: &Facts) -> Result<(), Failure> {
    patch(ctx, facts, json!({"change": null})).await
}

/// A merge leaves what isn't named: what a price lacks is named too.
fn with_nulls(price: &Price) -> Value {
    let mut value = json!(price);
    if price.title.is_none() {
        value["title"] = Value::Null;
    }
    value
}

async fn change(
    ctx: &Context,
    facts: &Facts,
    number: u32,
    change: impl FnOnce(&mut AttemptRecord),
) -> Result<(), Failure> {
    let Some(order) = facts.record() else { return Ok(()) };
    let OrderRecord { mut attempts, .. } = order.clone();
    if let Some(attempt) = attempts.iter_mut().find(|attempt| attempt.number == number) {
        change(attempt);
    }
    patch(ctx, facts, json!({"attempts": attempts})).await
}

pub(super) async fn patch(ctx: &Context, facts: &Facts, order: Value) -> Result<(), Failure> {
    let Some(claim) = &facts.cluster.claim else { return Ok(()) };
    write(ctx, claim, json!({"order": order})).await
}

/// 120 random bits, in letters that every provider takes.
pub(super) fn nonce() -> String {
    let mut bytes = [0_u8; 15];
    rand::rng().fill_bytes(&mut bytes);
    hexadecimal(&bytes)
}
