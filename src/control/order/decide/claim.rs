//! The stage that concerns the order's claim: what was bought, recorded once.

use super::super::facts::Facts;
use super::super::step::{Effect, Rest, Step};
use super::{Reached, refused};
use crate::api::order_record::{FundedRuntime, OrderRecord, Price};
use crate::api::payment_receipt::Provider;
use crate::api::runtime_order::FundingPhase;
use crate::api::{PlanSpec, reason};
use crate::control::policy::Funding;
use crate::control::runtime::facts::Refusal;
use crate::control::runtime::resolve::{funding, pinned_plan, plan_not_allowed, plan_not_found};

/// The claim is ours: what it says was bought.
pub(super) fn held(facts: &Facts) -> Reached<&OrderRecord> {
    if let Some(record) = facts.record() {
        return Ok(record);
    }
    let uid = facts.order.metadata.uid.as_deref();
    match facts.cluster.claim.as_ref().map(|claim| &claim.spec) {
        Some(claim) if claim.takeover_confirmed(uid) => Err(Step::Do(Effect::TakeOver)),
        Some(claim) => {
            Err(Step::Rest(Rest::Refused(changed(&claim.name), facts.cluster.settings.slow_retry)))
        }
        None => Err(Step::Do(Effect::Claim(Box::new(bought(facts)?)))),
    }
}

/// What is bought, as the Plan has it now.
fn bought(facts: &Facts) -> Reached<OrderRecord> {
    let spec = &facts.order.spec;
    taken(facts, spec.payment.provider).map_err(|refusal| refused(facts, refusal))?;
    let plan = sold(facts, &spec.plan_ref.name).map_err(|refusal| refused(facts, refusal))?;
    few_enough(facts).map_err(|refusal| refused(facts, refusal))?;
    Ok(OrderRecord {
        uid: facts.order.metadata.uid.clone().unwrap_or_default(),
        provider: spec.payment.provider,
        mode: spec.payment.mode,
        price: Price {
            plan: pinned_plan(&spec.plan_ref.name, plan),
            amount: plan.amount,
            currency: plan.currency.clone(),
            interval: plan.interval,
            title: plan.display_name.clone(),
        },
        funds: Some(FundedRuntime { name: facts.runtime_name().to_owned(), uid: None }),
        phase: FundingPhase::Unpaid,
        paid_until: None,
        runtime_gone_time: None,
        refund_time: None,
        attempts: Vec::new(),
        customer_id: None,
        subscription_id: None,
        endings: Vec::new(),
        change: None,
        former: None,
        difference_return_time: None,
        notice_time: None,
    })
}

/// Only what can be paid is begun.
fn taken(facts: &Facts, provider: Provider) -> Result<(), Refusal> {
    if provider == Provider::Manual || facts.cluster.providers.contains(&provider) {
        return Ok(());
    }
    Err(Refusal::new(
        reason::PROVIDER_NOT_CONFIGURED,
        format!(
            "This operator takes no payments by {}. Place another order with `payment.provider: Manual`, which the platform approves by a PaymentReceipt.",
            provider.name()
        ),
    ))
}

/// What isn't paid costs whoever takes payments: a namespace has so much of it and no more.
fn few_enough(facts: &Facts) -> Result<(), Refusal> {
    let limit = facts.cluster.policy.max_open_orders.unwrap_or(facts.cluster.settings.max_open_orders);
    if facts.cluster.open_orders < limit {
        return Ok(());
    }
    Err(Refusal::new(
        reason::TOO_MANY_ORDERS,
        format!(
            "This namespace may have {limit} orders that aren't paid, and has as many. Pay or delete one of them, or ask the platform for a higher limit."
        ),
    ))
}

/// The Plan, if it is sold here.
fn sold<'f>(facts: &'f Facts, name: &str) -> Result<&'f PlanSpec, Refusal> {
    let plan = facts.cluster.plan.as_ref().ok_or_else(|| plan_not_found(name))?;
    if funding(plan) == Funding::Free {
        return Err(Refusal::new(
            reason::PLAN_NEEDS_NO_ORDER,
            format!("The Plan `{name}` needs no order. Declare the Runtime with it, without an order."),
        ));
    }
    if facts.cluster.policy.allows_plan(name, Funding::Order) {
        Ok(plan)
    } else {
        Err(plan_not_allowed(name))
    }
}

fn changed(claim: &str) -> Refusal {
    Refusal::new(
        reason::IDENTITY_CHANGED,
        format!(
            "What was paid belongs to an earlier order of this name. The platform decides whether this one takes over: `kubectl patch nameclaim order.{claim} --type merge -p '{{\"spec\":{{\"confirm\":{{\"uid\":\"<uid of this order>\"}}}}}}'`."
        ),
    )
}
