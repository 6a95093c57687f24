//! What a failure of an order comes to: another order, a pause that is recorded, or a try again in a moment.

use jiff::Timestamp;
use kube::ResourceExt;

use super::certificate::{OrderFact, Shown};
use super::counting::record;
use super::facts::Facts;
use super::ordered::{keep, key_of};
use super::ordering;
use crate::api::domain_record::OrderingRecord;
use crate::control::context::Context;
use crate::control::runtime::facts::{Refusal, TroubleClass};
use crate::control::runtime::trouble::{Failure, Pace};
use crate::domains::DomainClass;
use crate::domains::acme::{AcmeError, Cause};

/// Whether a certificate may have come of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Issued {
    /// None did, and none will.
    No,
    /// One may have: it counts.
    Perhaps,
}

impl Issued {
    /// As far as the order was seen: before it is finished there is none.
    pub(super) fn of(order: Option<&OrderFact>) -> Self {
        match order {
            Some(OrderFact::Proofs(_) | OrderFact::Ready | OrderFact::Failed(_)) => Self::No,
            None | Some(OrderFact::Working(_) | OrderFact::Valid | OrderFact::Held(..)) => Self::Perhaps,
        }
    }
}

/// There is no order, or none that we know: it is tried again later, as is recorded.
pub(super) async fn unplaced(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    error: &AcmeError,
) -> Result<(), Failure> {
    let uid = facts.domain.uid().unwrap_or_default();
    let before = facts.record().and_then(|record| record.ordering.as_ref());
    let next = ordering::unplaced(now, before, facts.known.counted, error, facts.generation(), &uid);
    // An order that may be there has used its count up, whatever becomes of what is written.
    if error.cause == Cause::Unanswered {
        facts.known.counted = None;
    }
    record(ctx, facts, &next).await?;
    facts.known.counted = None;
    Ok(())
}

/// What a failure comes to of an order that was placed.
pub(super) async fn setback(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    error: &AcmeError,
    issued: Issued,
) -> Result<(), Failure> {
    match error.cause {
        Cause::AccountUnknown => {
            give_back(ctx, facts, issued).await?;
            forget_order(ctx, facts).await?;
            Err(failed(error))
        }
        Cause::OrderUnknown => {
            give_back(ctx, facts, issued).await?;
            forget_order(ctx, facts).await
        }
        _ if error.error.class == DomainClass::Human => abandon(ctx, now, facts, error, issued).await,
        _ => match ordering::pause_asked(error) {
            Some(pause) => {
                let until = now.saturating_add(pause).unwrap_or(now);
                hold(ctx, facts, until, Refusal::new(error.error.reason, error.error.message.clone()));
                Ok(())
            }
            None => Err(failed(error)),
        },
    }
}

/// Leaves the order alone for a while. It is taken up again by its address, with whatever it asks for then.
pub(super) fn hold(ctx: &Context, facts: &mut Facts, until: Timestamp, why: Refusal) {
    if let (Some(acme), Ok(host)) = (&ctx.acme, &facts.host) {
        acme.take(&key_of(host));
    }
    facts.known.order = Some(OrderFact::Held(until, why));
}

/// An order that ended without a certificate counts as none.
async fn give_back(ctx: &Context, facts: &Facts, issued: Issued) -> Result<(), Failure> {
    let before = facts.record().and_then(|record| record.ordering.as_ref());
    let next = without_certificate(facts, issued);
    if before.is_none() || before == Some(&next) { Ok(()) } else { record(ctx, facts, &next).await }
}

fn without_certificate(facts: &Facts, issued: Issued) -> OrderingRecord {
    let before = facts.record().and_then(|record| record.ordering.as_ref());
    let order = facts.known.stored.as_ref().and_then(|stored| stored.order.as_ref());
    let count = order.and_then(|order| order.count).filter(|_| issued == Issued::No);
    ordering::without_certificate(before, count)
}

async fn forget_order(ctx: &Context, facts: &mut Facts) -> Result<(), Failure> {
    let Ok(host) = facts.host.clone() else { return Ok(()) };
    facts.known.order = None;
    facts.known.shown = Shown::NotSet;
    facts.known.counted = None;
    facts.known.caa = None;
    if let Some(acme) = &ctx.acme {
        acme.take(&key_of(&host));
    }
    let Some(stored) = facts.known.stored.as_mut().filter(|stored| stored.order.is_some()) else {
        return Ok(());
    };
    stored.order = None;
    keep(ctx, facts).await
}

/// Gives the order up, and records why it failed. One that ended without a certificate counts as none.
pub(super) async fn abandon(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    error: &AcmeError,
    issued: Issued,
) -> Result<(), Failure> {
    let uid = facts.domain.uid().unwrap_or_default();
    let before = without_certificate(facts, issued);
    let next = ordering::failed(now, Some(&before), error, facts.generation(), &uid);
    record(ctx, facts, &next).await?;
    forget_order(ctx, facts).await
}

/// The same, in the terms that visits need.
pub(super) fn failed(error: &AcmeError) -> Failure {
    let class = match error.error.class {
        DomainClass::Transient => TroubleClass::Transient,
        DomainClass::Human => TroubleClass::Human,
    };
    Failure {
        class,
        reason: error.error.reason,
        message: error.error.message.clone(),
        retry_after: error.error.retry_after,
        pace: Pace::Backoff,
    }
}
