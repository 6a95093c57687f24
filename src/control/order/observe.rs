//! Gathers what the caches know at the start of a visit, and after each effect.

use std::sync::Arc;

use jiff::SignedDuration;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::facts::{Cluster, Facts, FirstReading, Knowledge, Remains, Settings};
use super::funding::{gives_way, rank, record};
use super::runtime::wanted;
use super::standing::Patience;
use crate::api::runtime_order::FundingPhase;
use crate::api::{NameClaim, PlanSpec, Runtime, RuntimeOrder};
use crate::control::context::Context;
use crate::control::runtime::decide::claim as runtime_claim;
use crate::control::runtime::facts::{self as runtime_facts, NamespaceFact, Refusal};
use crate::control::runtime::observe::{self as runtime_observe, policy, workspace};
use crate::engine::config::Config;

/// The facts at the start of a visit.
pub fn gather(ctx: &Context, order: Arc<RuntimeOrder>, mut known: Knowledge) -> Facts {
    if known.first == FirstReading::Unknown {
        known.first = FirstReading::Since(ctx.clock.now());
    }
    let cluster = cluster(ctx, &order);
    let mut facts = Facts { order, cluster, known };
    if facts.cluster.runtime.is_some() {
        facts.known.runtime_missing_at = None;
    }
    facts
}

/// What the caches say now.
pub fn cluster(ctx: &Context, order: &RuntimeOrder) -> Cluster {
    let namespace = order.namespace().unwrap_or_default();
    let meta = ctx.stores.namespaces.get(&ObjectRef::new(&namespace));
    let terminating = meta.as_ref().is_some_and(|meta| meta.metadata.deletion_timestamp.is_some());
    let claim = claim(ctx, order, &namespace);
    let runtime = runtime(ctx, order, &namespace);
    let uid = claim.as_ref().and_then(|claim| record(claim)).map(|record| record.uid.clone());
    Cluster {
        namespace: if terminating { NamespaceFact::Terminating } else { NamespaceFact::Active },
        workspace: workspace(ctx, &namespace),
        plan: ctx.stores.plans.get(&ObjectRef::new(&order.spec.plan_ref.name)).map(|plan| plan.spec.clone()),
        policy: policy(ctx, &namespace, meta.as_deref()),
        slugs: ctx.claims.slugs_in(&namespace),
        open_orders: ctx.claims.open_orders_in(&namespace),
        remains: claim.as_ref().map_or(Remains::Nothing, |claim| remains(ctx, claim)),
        receipts: uid.map(|uid| ctx.receipts.of(&uid)).unwrap_or_default(),
        obstacle: obstacle(ctx, order, claim.as_deref(), runtime.as_ref()),
        funded_by: runtime.as_ref().and_then(|runtime| funded_by(ctx, runtime)),
        rival: runtime
            .as_ref()
            .and_then(|runtime| rival(ctx, runtime, order, claim.as_deref()))
            .or_else(|| claim.as_deref().and_then(|claim| earlier(ctx, claim))),
        wish: runtime.as_ref().and_then(|runtime| wish(ctx, runtime)),
        providers: ctx.providers.configured(),
        settings: settings(&ctx.config),
        claim,
        runtime,
    }
}

/// The claim that it holds; else the oldest of an earlier order of its name that wasn't given up.
fn claim(ctx: &Context, order: &RuntimeOrder, namespace: &str) -> Option<Arc<NameClaim>> {
    let own = order.uid().and_then(|uid| ctx.claims.order_of(&uid));
    own.or_else(|| {
        ctx.claims.orders_named(namespace, &order.name_any()).into_iter().min_by_key(|claim| rank(claim))
    })
}

fn runtime(ctx: &Context, order: &RuntimeOrder, namespace: &str) -> Option<Arc<Runtime>> {
    let made = order.spec.runtime.as_ref().map(|runtime| runtime.name.as_str());
    let name = made.or(order.spec.runtime_ref.as_ref().map(|reference| reference.name.as_str()))?;
    ctx.stores.runtimes.get(&ObjectRef::new(name).within(namespace))
}

/// What the Runtime that is declared, or that it would make, would be refused for. What is paid is had already.
fn obstacle(
    ctx: &Context,
    order: &RuntimeOrder,
    claim: Option<&NameClaim>,
    runtime: Option<&Arc<Runtime>>,
) -> Option<Refusal> {
    let phase = claim.and_then(record).map_or(FundingPhase::Unpaid, |record| record.phase);
    if phase != FundingPhase::Unpaid {
        return None;
    }
    let runtime = runtime.cloned().or_else(|| wanted(order).map(Arc::new))?;
    let facts = runtime_observe::gather(ctx, runtime, runtime_facts::Knowledge::default());
    runtime_claim::obstacle(ctx.clock.now(), &facts)
}

/// The Plan that the Runtime's own spec names.
fn wish(ctx: &Context, runtime: &Runtime) -> Option<(String, PlanSpec)> {
    let name = &runtime.spec.plan_ref.as_ref()?.name;
    Some((name.clone(), ctx.stores.plans.get(&ObjectRef::new(name))?.spec.clone()))
}

/// The order that the Runtime's own claim names.
fn funded_by(ctx: &Context, runtime: &Runtime) -> Option<String> {
    let claim = ctx.claims.slug_of(&runtime.uid()?)?;
    claim.spec.runtime.as_ref()?.order.clone()
}

/// What is left of the Runtime that an order is recorded to fund: its slug's claim, by its own UID or by the order's.
pub(super) fn remains(ctx: &Context, claim: &NameClaim) -> Remains {
    let Some(order) = record(claim) else { return Remains::Nothing };
    let Some(uid) = order.funds.as_ref().and_then(|funds| funds.uid.as_ref()) else {
        return Remains::Nothing;
    };
    let by_order = || ctx.claims.slugs_funded_by(&order.uid);
    let held = ctx.claims.slug_of(uid).is_some_and(|slug| slug.spec.tombstone.is_none());
    if held || by_order() > 0 { Remains::Claim } else { Remains::Nothing }
}

/// Another order that funds the Runtime, or can be paid again for it: ours has the better right only if it is recorded,
/// and older.
fn rival(ctx: &Context, runtime: &Runtime, order: &RuntimeOrder, own: Option<&NameClaim>) -> Option<String> {
    let uid = runtime.uid()?;
    let recorded = own.and_then(record);
    let bought = recorded.map_or(&order.spec.plan_ref.name, |order| &order.price.plan.name);
    let ours = own.filter(|claim| {
        let funds = record(claim).and_then(|order| order.funds.as_ref());
        funds.is_some_and(|funds| funds.uid.as_ref() == Some(&uid))
    });
    let others = ctx.claims.orders_of_runtime(&uid).into_iter().filter(|claim| {
        let other = own.is_none_or(|own| own.name_any() != claim.name_any());
        other
            && !gives_way(claim, recorded, bought)
            && record(claim).is_some_and(|order| order.phase.funds() || can_be_paid_again(ctx, claim))
    });
    let best = others.min_by_key(|claim| rank(claim))?;
    ours.is_none_or(|ours| rank(&best) < rank(ours)).then(|| best.spec.holder.name.clone())
}

/// An earlier order for the same Runtime that can be paid just now, while ours isn't paid: two pages would both be paid.
fn earlier(ctx: &Context, own: &NameClaim) -> Option<String> {
    let order = record(own).filter(|order| order.phase == FundingPhase::Unpaid)?;
    let name = &order.funds.as_ref()?.name;
    let others = ctx.claims.orders_for(&own.spec.holder.namespace, name);
    let before = others.into_iter().filter(|other| is_payable(other) && rank(other) < rank(own));
    before.min_by_key(|claim| rank(claim)).map(|claim| claim.spec.holder.name.clone())
}

/// Whether a page of an order that isn't paid yet may be open, or the money of one be on its way.
fn is_payable(claim: &NameClaim) -> bool {
    claim.spec.tombstone.is_none()
        && record(claim).is_some_and(|order| {
            order.phase == FundingPhase::Unpaid && order.attempts.iter().any(|it| !it.state.is_over())
        })
}

/// Whether an order stands that offers to be paid again: two that did might both be paid.
fn can_be_paid_again(ctx: &Context, claim: &NameClaim) -> bool {
    let holder = &claim.spec.holder;
    let standing = || ctx.stores.orders.get(&ObjectRef::new(&holder.name).within(&holder.namespace));
    record(claim).is_some_and(|order| order.phase == FundingPhase::Suspended)
        && claim.spec.tombstone.is_none()
        && standing().is_some_and(|order| {
            order.metadata.deletion_timestamp.is_none() && order.uid().as_ref() == Some(&holder.uid)
        })
}

fn settings(config: &Config) -> Settings {
    let seconds = |seconds: u32| SignedDuration::from_secs(i64::from(seconds));
    Settings {
        mode: config.mode,
        patience: patience(config),
        start_deadline: seconds(config.timing.start_deadline_seconds),
        slow_retry: seconds(config.timing.slow_retry_seconds),
        max_open_orders: config.defaults.max_open_orders,
        poll: seconds(config.billing.stripe.as_ref().map_or(300, |stripe| stripe.poll_seconds)),
    }
}

/// How long what isn't paid any more is kept.
pub fn patience(config: &Config) -> Patience {
    let seconds = |seconds: u32| SignedDuration::from_secs(i64::from(seconds));
    Patience {
        grace: seconds(config.billing.grace_seconds),
        retention: seconds(config.billing.retention_seconds),
    }
}
