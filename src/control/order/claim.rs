//! Writes the order's claim.

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::json;

use super::facts::Facts;
use super::standing::Recorded;
use super::wire;
use crate::api::condition::whole_seconds;
use crate::api::name_claim::{ClaimType, Tombstone};
use crate::api::order_record::OrderRecord;
use crate::api::runtime_order::FundingPhase;
use crate::api::{NameClaim, NameClaimSpec};
use crate::billing::CheckoutState;
use crate::control::claim_writer::{self, Change};
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;

/// Makes the claim, with what is bought.
pub async fn create(ctx: &Context, facts: &Facts, order: &OrderRecord) -> Result<(), Failure> {
    let spec = NameClaimSpec {
        order: Some(Box::new(order.clone())),
        ..NameClaimSpec::new(ClaimType::Order, order.uid.clone(), facts.holder())
    };
    claim_writer::create(ctx, &NameClaim::order_key(&order.uid), spec).await
}

/// Writes the claim, and tells whom it concerns. Nothing is done next that relies on it: what stands then is decided on.
pub async fn write(ctx: &Context, standing: &NameClaim, spec: serde_json::Value) -> Result<(), Failure> {
    change(ctx, standing, spec).await.map(drop)
}

/// The same, and whether it was written.
pub async fn change(ctx: &Context, standing: &NameClaim, spec: serde_json::Value) -> Result<Change, Failure> {
    let change = claim_writer::change(ctx, standing, spec).await?;
    wire::wrote(ctx, &standing.name_any());
    Ok(change)
}

/// Takes over the claim of an earlier order of the name. What was bought and paid stays as it was.
pub async fn take_over(ctx: &Context, facts: &Facts) -> Result<(), Failure> {
    let Some(standing) = &facts.cluster.claim else { return Ok(()) };
    write(ctx, standing, json!({"holder": facts.holder(), "confirm": null})).await
}

/// Records where the funding stands.
pub async fn record_standing(ctx: &Context, facts: &Facts, standing: &Recorded) -> Result<(), Failure> {
    let Some(claim) = &facts.cluster.claim else { return Ok(()) };
    write(ctx, claim, standing_patch(standing)).await
}

/// What is written of where the funding stands.
pub fn standing_patch(standing: &Recorded) -> serde_json::Value {
    let Recorded { phase, paid_until, refund_time, difference_return_time } = standing;
    let (refunded, reduced) = (refund_time, difference_return_time);
    json!({"order": {"phase": phase, "paidUntil": paid_until, "refundTime": refunded, "differenceReturnTime": reduced}})
}

/// Records the Runtime that it funds.
pub async fn record_runtime(ctx: &Context, facts: &Facts, uid: &str) -> Result<(), Failure> {
    let Some(standing) = &facts.cluster.claim else { return Ok(()) };
    let funds = json!({"name": facts.runtime_name(), "uid": uid});
    write(ctx, standing, json!({"order": {"funds": funds}})).await
}

/// Records that the Runtime has gone.
pub async fn record_gone(ctx: &Context, now: Timestamp, facts: &Facts) -> Result<(), Failure> {
    let Some(standing) = &facts.cluster.claim else { return Ok(()) };
    write(ctx, standing, gone_patch(now)).await
}

/// What is written of a Runtime that has gone.
pub fn gone_patch(now: Timestamp) -> serde_json::Value {
    json!({"order": {"runtimeGoneTime": whole_seconds(now)}})
}

/// Gives the claim up. What was paid stays recorded, and goes on to fund the Runtime.
pub async fn release(ctx: &Context, now: Timestamp, facts: &Facts) -> Result<(), Failure> {
    let Some(standing) = &facts.cluster.claim else { return Ok(()) };
    let message = last_words(facts).to_owned();
    let tombstone = Tombstone { release_time: whole_seconds(now), message };
    write(ctx, standing, json!({"tombstone": tombstone})).await
}

/// What is left to say of one that was paid, and has no Runtime.
pub const PAID_FOR_NOTHING: &str =
    "The order was deleted when it was paid already, and funds nothing. Give the money back at its provider.";

/// What is left to say of an order that is given up.
pub fn last_words(facts: &Facts) -> &'static str {
    let Some(record) = facts.record() else { return "The order was deleted." };
    let has_runtime = record.funds.as_ref().is_some_and(|funds| funds.uid.is_some());
    // A subscription that nothing was paid for yet had to be ended: its first payment may be on its way all the same.
    let confirming = !record.endings.is_empty()
        || facts.truth().is_some_and(|truth| {
            truth.checkouts.iter().any(|checkout| checkout.state == CheckoutState::Confirming)
        });
    match record.phase {
        phase if phase.funds() && !has_runtime => PAID_FOR_NOTHING,
        FundingPhase::Unpaid if confirming => {
            "The order was deleted while a payment was on its way, which will fund nothing. Give the money back at its provider once it has come."
        }
        FundingPhase::Unpaid => "The order was deleted before it was paid.",
        _ => "The order was deleted. What it was paid for is funded to its end.",
    }
}
