//! Orders that were deleted, or that vanished without a word because their finalizer was taken off: what they were paid
//! for is funded to its end, and no longer.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::account::{Account, account};
use super::claim::{PAID_FOR_NOTHING, gone_patch, standing_patch, write};
use super::endings::with;
use super::funding::{keeps, record};
use super::leftover::{Readings, end, unwanted};
use super::observe::patience;
use super::runtime;
use super::standing::Recorded;
use super::trouble::failure;
use super::truth::truth;
use super::vanished::{Due, Missing};
use crate::api::NameClaim;
use crate::api::condition::whole_seconds;
use crate::api::order_record::{EndingTime, OrderRecord};
use crate::api::payment_receipt::Provider;
use crate::api::runtime_order::FundingPhase;
use crate::billing::ProviderTruth;
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;
use crate::engine::config::Mode;

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_secs(30);

/// Goes round until `shutdown`.
pub async fn follow(ctx: Arc<Context>, shutdown: CancellationToken) {
    let (mut readings, mut missing) = (Readings::default(), Missing::default());
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
        if ctx.config.mode == Mode::ReadOnly || !ctx.leadership.is_current() {
            continue;
        }
        let now = ctx.clock.now();
        let left: Vec<_> = ctx.claims.of_orders().into_iter().filter(|claim| is_left(&ctx, claim)).collect();
        readings.keep(&left.iter().filter_map(|claim| Some(record(claim)?.uid.clone())).collect::<Vec<_>>());
        missing.keep(&left);
        for claim in left {
            let done = match missing.due(&ctx, now, &claim).await {
                Some(Due::GiveUp) => {
                    missing.give_up(&ctx, &claim).await;
                    Ok(())
                }
                Some(Due::RecordGone) => write(&ctx, &claim, gone_patch(now)).await,
                None => settle(&ctx, now, &claim, &mut readings).await,
            };
            if let Err(failure) = done {
                tracing::info!(
                    reason = failure.reason,
                    "a deleted order can't be settled; it is tried again"
                );
            }
        }
    }
}

/// Whether no order stands that has an eye on it itself. One that is missed too early loses nothing: what is recorded is
/// what the order would record.
fn is_left(ctx: &Context, claim: &NameClaim) -> bool {
    let holder = &claim.spec.holder;
    let order = ctx.stores.orders.get(&ObjectRef::new(&holder.name).within(&holder.namespace));
    claim.spec.tombstone.is_some() || order.and_then(|order| order.uid()).as_ref() != Some(&holder.uid)
}

/// Records where the funding of a deleted order stands, and ends what it isn't paid for any more.
async fn settle(
    ctx: &Context,
    now: Timestamp,
    claim: &NameClaim,
    readings: &mut Readings,
) -> Result<(), Failure> {
    let Some(order) = record(claim) else { return Ok(()) };
    let read = readings.of(ctx, now, &claim.spec, order).await?;
    let wanted = account_of(ctx, order, read.as_deref()).recorded(now, order, patience(&ctx.config));
    if wanted != Recorded::of(order) {
        return write(ctx, claim, standing_patch(&wanted)).await;
    }
    if let Some(message) = late_words(claim, order) {
        return write(ctx, claim, json!({"tombstone": {"message": message}})).await;
    }
    registrations_ended(ctx, now, claim, order, readings).await?;
    let phase = wanted.phase;
    let funded = order.funds.as_ref().and_then(|funds| Some((&funds.name, funds.uid.as_ref()?)));
    if let (FundingPhase::Ended, Some((name, uid))) = (phase, funded)
        && order.runtime_gone_time.is_none()
        && !is_kept_for_another(ctx, uid)
        && stands(ctx, &claim.spec.holder.namespace, name, uid)
    {
        return runtime::delete(ctx, &claim.spec.holder.namespace, name, uid).await;
    }
    Ok(())
}

/// What is left to say of an order that was paid after it was deleted.
fn late_words(claim: &NameClaim, order: &OrderRecord) -> Option<&'static str> {
    let stone = claim.spec.tombstone.as_ref()?;
    let is_for_nothing = order.phase.funds() && claim.spec.funds_nothing();
    Some(PAID_FOR_NOTHING).filter(|message| is_for_nothing && stone.message != *message)
}

/// Registrations at PayApp of what is over collect nothing further. Each that is refused is tried again.
async fn registrations_ended(
    ctx: &Context,
    now: Timestamp,
    claim: &NameClaim,
    order: &OrderRecord,
    readings: &mut Readings,
) -> Result<(), Failure> {
    if order.provider != Provider::PayApp || order.phase != FundingPhase::Ended {
        return Ok(());
    }
    let Some(truth) = truth(order, &ctx.receipts.of(&order.uid), None) else { return Ok(()) };
    let Some((id, when)) = unwanted(now, &claim.spec, order, &truth).into_iter().next() else {
        return Ok(());
    };
    if !readings.is_turn(now, order) {
        return Ok(());
    }
    let client = ctx.providers.client(order.provider)?;
    let asked = end(order, id, when);
    client.end_subscription(&asked).await.map_err(|error| failure(order.provider, &error))?;
    let mut endings = with(order, id, EndingTime::Now, asked.idempotency_key.clone());
    for ending in endings.iter_mut().filter(|ending| ending.subscription_id == id) {
        ending.done_time = Some(whole_seconds(now));
    }
    write(ctx, claim, json!({"order": {"endings": endings}})).await
}

/// What its payments come to; of what isn't asked about any more, what is recorded.
fn account_of(ctx: &Context, order: &OrderRecord, read: Option<&ProviderTruth>) -> Account {
    let read = truth(order, &ctx.receipts.of(&order.uid), read);
    let returned = || order.refund_time.map(|_| order.uid.clone());
    read.map_or_else(
        || Account { paid_until: order.paid_until, returned: returned(), ..Account::default() },
        |truth| account(order, &truth),
    )
}

fn is_kept_for_another(ctx: &Context, runtime: &str) -> bool {
    ctx.claims.orders_of_runtime(runtime).iter().any(|other| keeps(other))
}

fn stands(ctx: &Context, namespace: &str, name: &str, uid: &str) -> bool {
    let runtime = ctx.stores.runtimes.get(&ObjectRef::new(name).within(namespace));
    runtime.is_some_and(|runtime| {
        runtime.metadata.uid.as_deref() == Some(uid) && runtime.metadata.deletion_timestamp.is_none()
    })
}
