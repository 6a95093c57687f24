//! The stages that concern the Runtime that an order funds: one, once, and none in its place.

use kube::ResourceExt;

use super::super::facts::{Facts, Remains};
use super::super::step::{Effect, Rest, Step, Waiting};
use super::{Reached, change, refused};
use crate::api::order_record::OrderRecord;
use crate::api::state::RuntimeState;
use crate::api::{Runtime, reason};
use crate::control::runtime::facts::Refusal;
use crate::control::runtime::resolve::plan_of;

/// The Runtime is there, is known, and serves.
pub(super) fn fulfilled(facts: &Facts, record: &OrderRecord) -> Reached<Step> {
    funded(facts, record)?;
    match facts.runtime_state() {
        Some(RuntimeState::Running | RuntimeState::Sleeping) => Ok(Step::Rest(Rest::Fulfilled)),
        // What its own spec wants is as good.
        _ if facts.runtime_is_stopped_as_asked() => Ok(Step::Rest(Rest::Fulfilled)),
        Some(RuntimeState::Error) => Err(refused(facts, failed(facts))),
        _ => Err(Step::Wait(Waiting::Runtime)),
    }
}

/// The Runtime that the order funds: its UID is recorded.
fn funded(facts: &Facts, record: &OrderRecord) -> Reached<()> {
    let recorded = record.funds.as_ref().and_then(|funds| funds.uid.as_deref());
    let Some(uid) = recorded else { return first(facts) };
    match facts.cluster.runtime.as_deref() {
        Some(runtime) if runtime.uid().as_deref() == Some(uid) && is_deleted(runtime) => {
            Err(Step::Wait(Waiting::RuntimeGone))
        }
        Some(runtime) if runtime.uid().as_deref() == Some(uid) => fundable(facts),
        // The same Runtime after a restore of the cluster, which the platform confirmed: its claim names this order.
        Some(runtime) if facts.cluster.funded_by.as_deref() == Some(record.uid.as_str()) => {
            Err(Step::Do(Effect::RecordRuntime(runtime.uid().unwrap_or_default())))
        }
        Some(_) => gone(facts),
        None if facts.known.runtime_missing_at.is_some() => gone(facts),
        None => Err(Step::LookForRuntime),
    }
}

/// The Runtime that it funded isn't there. It is gone for good only once its slug's claim is given up: in a cluster that
/// was restored it may be confirmed, or declared again, after its order.
fn gone(facts: &Facts) -> Reached<()> {
    match (facts.cluster.remains, &facts.cluster.runtime) {
        (Remains::Nothing, _) => Err(Step::Do(Effect::RecordGone)),
        (Remains::Claim, Some(_)) => Err(refused(facts, not_itself(facts.runtime_name()))),
        (Remains::Claim, None) => Err(Step::Wait(Waiting::RuntimeBack)),
    }
}

/// None is recorded yet: the one that stands by its name, or one that is made.
fn first(facts: &Facts) -> Reached<()> {
    if let Some(runtime) = facts.standing_runtime() {
        fundable(facts)?;
        return Err(Step::Do(Effect::RecordRuntime(runtime.uid().unwrap_or_default())));
    }
    if facts.cluster.runtime.is_some() {
        return Err(Step::Wait(Waiting::RuntimeGone));
    }
    if facts.order.spec.runtime.is_some() {
        return Err(Step::Do(Effect::CreateRuntime));
    }
    fundable(facts)?;
    Err(Step::Wait(Waiting::Runtime))
}

/// The Runtime that it names can be funded by it: nobody else funds it, and it is of the Plan that is bought.
pub(super) fn fundable(facts: &Facts) -> Reached<()> {
    let name = facts.runtime_name();
    if let Some(rival) = &facts.cluster.rival {
        return Err(refused(
            facts,
            Refusal::new(
                reason::RUNTIME_FUNDED,
                format!(
                    "The Runtime `{name}` is funded by the order `{rival}` already, or can be paid for there. Delete this order, and have what it was paid refunded; or name another Runtime in a new one. If this one is for another Plan, delete `{rival}` instead: what that was paid for runs on until this one is paid, and isn't carried over."
                ),
            ),
        ));
    }
    let Some(runtime) = facts.cluster.runtime.as_deref() else {
        return if facts.order.spec.runtime_ref.is_some() {
            Err(refused(facts, not_found(name)))
        } else {
            Ok(())
        };
    };
    let plan = plan_of(runtime, facts.cluster.workspace.as_deref()).unwrap_or_default();
    let recorded = facts.record().map(|record| record.price.plan.name.as_str());
    let bought = recorded.unwrap_or(&facts.order.spec.plan_ref.name);
    let changes = facts.record().is_some_and(|record| change::wish(facts, record).is_some());
    let reduced = facts.record().and_then(|record| record.reduced_to()).map(|plan| plan.name.as_str());
    if plan == bought || reduced == Some(plan) || changes {
        return Ok(());
    }
    Err(refused(
        facts,
        Refusal::new(
            reason::PLAN_DIFFERS,
            format!(
                "The Runtime `{name}` asks for the Plan `{plan}`, and this order is for `{bought}`. Set `spec.planRef` of the Runtime to `{bought}`. Or delete this order, and place one for `{plan}` with `spec.runtimeRef`: what this one was paid for runs on until that one is paid, and isn't carried over."
            ),
        ),
    ))
}

/// It isn't paid: what it funded stays as it is, stopped.
pub(super) fn kept(facts: &Facts, record: &OrderRecord, rest: Rest) -> Reached<Step> {
    let recorded = record.funds.as_ref().and_then(|funds| funds.uid.as_deref());
    let stands = facts.cluster.runtime.as_ref().is_some_and(|runtime| runtime.uid().as_deref() == recorded);
    match (recorded, stands, facts.known.runtime_missing_at) {
        (Some(_), false, None) if facts.cluster.runtime.is_none() => Err(Step::LookForRuntime),
        (Some(_), false, _) if facts.cluster.remains == Remains::Nothing => Err(Step::Do(Effect::RecordGone)),
        _ => Ok(Step::Rest(rest)),
    }
}

/// The time for which its data was kept is over: its Runtime goes, as its own deletion policy says.
pub(super) fn ended(facts: &Facts, record: &OrderRecord) -> Reached<Step> {
    let recorded = record.funds.as_ref().and_then(|funds| funds.uid.as_deref());
    match facts.cluster.runtime.as_deref() {
        // It is gone, or another order's.
        _ if record.runtime_gone_time.is_some() || facts.cluster.rival.is_some() => {
            Ok(Step::Rest(Rest::Ended))
        }
        Some(runtime) if runtime.uid().as_deref() == recorded && recorded.is_some() => match recorded {
            Some(uid) if !is_deleted(runtime) => Err(Step::Do(Effect::DeleteRuntime(uid.to_owned()))),
            _ => Err(Step::Wait(Waiting::RuntimeGone)),
        },
        _ => Ok(Step::Rest(Rest::Ended)),
    }
}

fn not_found(name: &str) -> Refusal {
    Refusal::new(
        reason::RUNTIME_NOT_FOUND,
        format!("There is no Runtime `{name}` in this namespace. Declare it; the order then funds it."),
    )
}

fn not_itself(name: &str) -> Refusal {
    Refusal::new(
        reason::IDENTITY_CHANGED,
        format!(
            "The Runtime `{name}` isn't the one that was paid for, which wasn't given up. The platform decides whether it takes over: `moorage confirm takeovers {name}`."
        ),
    )
}

fn failed(facts: &Facts) -> Refusal {
    let why = facts.runtime_message();
    Refusal::new(reason::UNHEALTHY, format!("It is paid, and its Runtime can't be brought up: {why}"))
}

fn is_deleted(runtime: &Runtime) -> bool {
    runtime.metadata.deletion_timestamp.is_some()
}
