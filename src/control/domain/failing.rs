//! What a failure of an order comes to: another order, a pause that is recorded, or a try again in a moment.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::certificate::{OrderFact, Shown};
use super::facts::Facts;
use super::ordered::{keep, key_of, record};
use super::ordering;
use crate::control::context::Context;
use crate::control::runtime::facts::{Refusal, TroubleClass};
use crate::control::runtime::trouble::{Failure, Pace};
use crate::domains::DomainClass;
use crate::domains::acme::{AcmeError, Cause};

/// There is no order, or none that we know: it is tried again later, as is recorded.
pub(super) async fn unplaced(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    error: &AcmeError,
) -> Result<(), Failure> {
    if error.cause == Cause::AccountUnknown
        && let Some(acme) = &ctx.acme
    {
        acme.forget_account(ctx).await?;
    }
    let uid = facts.domain.uid().unwrap_or_default();
    let before = facts.record().and_then(|record| record.ordering.as_ref());
    let next = ordering::unplaced(now, before, facts.known.counted, error, facts.generation(), &uid);
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
) -> Result<(), Failure> {
    match error.cause {
        Cause::AccountUnknown => {
            if let Some(acme) = &ctx.acme {
                acme.forget_account(ctx).await?;
            }
            forget_order(ctx, facts).await?;
            Err(failed(error))
        }
        Cause::OrderUnknown => forget_order(ctx, facts).await,
        _ if error.error.class == DomainClass::Human => abandon(ctx, now, facts, error).await,
        _ => match ordering::pause_asked(error) {
            Some(pause) => {
                hold(ctx, now, facts, error, pause);
                Ok(())
            }
            None => Err(failed(error)),
        },
    }
}

/// Leaves the order alone for a while. It is taken up again by its address, with whatever it asks for then.
fn hold(ctx: &Context, now: Timestamp, facts: &mut Facts, error: &AcmeError, pause: SignedDuration) {
    if let (Some(acme), Ok(host)) = (&ctx.acme, &facts.host) {
        acme.take(&key_of(host));
    }
    let until = now.saturating_add(pause).unwrap_or(now);
    let why = Refusal::new(error.error.reason, error.error.message.clone());
    facts.known.order = Some(OrderFact::Held(until, why));
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

/// Gives the order up, and records why it failed.
pub(super) async fn abandon(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    error: &AcmeError,
) -> Result<(), Failure> {
    let uid = facts.domain.uid().unwrap_or_default();
    let before = facts.record().and_then(|record| record.ordering.as_ref());
    let next = ordering::failed(now, before, error, facts.generation(), &uid);
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
