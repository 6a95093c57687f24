//! Counts orders for certificates on the hostname's claim: before they are placed, and again once they ended without one.

use jiff::Timestamp;
use serde_json::json;

use super::authority::Acme;
use super::facts::{Count, Dropped, Facts};
use super::ordered::key_of;
use super::{failing, ordering};
use crate::api::condition::whole_seconds;
use crate::api::domain_record::OrderingRecord;
use crate::control::claim_writer::{self, Change};
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;
use crate::domains::budget::{Budget, Kind, Verdict};
use crate::domains::name::Hostname;

/// Counts an order before it is placed, if there is room for it still: others may have been counted since that was seen.
pub(super) async fn count(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let (Some(acme), Ok(host)) = (&ctx.acme, facts.host.clone()) else { return Ok(()) };
    // Without an account nothing can be ordered.
    if let Err(error) = acme.account(ctx).await {
        return failing::unplaced(ctx, now, facts, &error).await;
    }
    let kind = ordering::kind(facts);
    if let Counting::Done(count) = counted(ctx, acme, now, facts, &host, kind).await? {
        facts.known.counted = Some(count);
        facts.known.deeds.dropped = Dropped::No;
    }
    Ok(())
}

/// Counts an order that the authority doesn't take as a renewal, if it isn't counted: before the certificate is asked for.
pub(super) async fn count_plain(ctx: &Context, now: Timestamp, facts: &Facts) -> Result<Counting, Failure> {
    let (Some(acme), Ok(host)) = (&ctx.acme, &facts.host) else { return Ok(Counting::Overtaken) };
    let kind = match ordering::kind(facts) {
        Kind::KnownRenewal => Kind::Renewal,
        other => other,
    };
    counted(ctx, acme, now, facts, host, kind).await
}

/// Whether an order was counted.
pub(super) enum Counting {
    /// It was.
    Done(Count),
    /// There is no room for it before then, by this limit.
    NotBefore(Timestamp, Budget),
    /// The claim has changed, and doesn't say so.
    Overtaken,
}

/// Writes to the claim that there is an order more. It counts from before that is written: orders for other hostnames are
/// counted at the same time, and what is left of the limits is given out once.
async fn counted(
    ctx: &Context,
    acme: &Acme,
    now: Timestamp,
    facts: &Facts,
    host: &Hostname,
    kind: Kind,
) -> Result<Counting, Failure> {
    let count = Count { kind, at: whole_seconds(now) };
    // Nothing limits it, and nothing is written.
    if kind == Kind::KnownRenewal {
        return Ok(Counting::Done(count));
    }
    let key = key_of(host);
    let room = |orders: &_| acme.room(now, kind, orders);
    let Some(_held) = ctx.claims.count_order(host.as_str(), &key, count, room).await else {
        return Ok(match room(&ctx.claims.certificate_orders(host.as_str(), &key)) {
            Verdict::NotBefore(at, budget) => Counting::NotBefore(at, budget),
            Verdict::Now => Counting::Overtaken,
        });
    };
    let before = facts.record().and_then(|record| record.ordering.as_ref());
    Ok(match write(ctx, facts, &ordering::counted(now, before, kind)).await? {
        Change::Made => Counting::Done(count),
        Change::Overtaken => Counting::Overtaken,
    })
}

/// Writes how ordering goes to the claim. What is done next relies on it.
///
/// # Errors
/// Also if another writer's change came first.
pub(super) async fn record(ctx: &Context, facts: &Facts, ordering: &OrderingRecord) -> Result<(), Failure> {
    write(ctx, facts, ordering).await?.made()
}

async fn write(ctx: &Context, facts: &Facts, ordering: &OrderingRecord) -> Result<Change, Failure> {
    let Some(standing) = &facts.cluster.claim else { return Ok(Change::Overtaken) };
    let mut ordering = json!(ordering);
    // A merge leaves what isn't named.
    for gone in [
        "orderTimes",
        "firstTimes",
        "renewalTimes",
        "failureTimes",
        "failures",
        "nextTime",
        "generation",
        "reason",
        "message",
    ] {
        if ordering.get(gone).is_none() {
            ordering[gone] = serde_json::Value::Null;
        }
    }
    claim_writer::change(ctx, standing, json!({"domain": {"ordering": ordering}})).await
}

#[cfg(test)]
#[path = "counting_tests.rs"]
mod tests;
