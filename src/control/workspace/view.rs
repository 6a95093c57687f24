//! What the status says: a pure function of the facts and the step that was reached.

use jiff::Timestamp;

use super::conditions::{Outcome, conditions};
use super::dashboard::Dashboard;
use super::facts::Facts;
use super::step::{Name, Rest, Step, Waiting};
use crate::api::condition::{self, ConditionStatus, ConditionType};
use crate::api::reason;
use crate::api::workspace::{Limits, WorkspaceStatus};
use crate::control::policy::{EffectivePolicy, Suspension};
use crate::control::runtime::facts::{Refusal, TroubleClass};

/// Not how many: the message would change with each.
const DEPENDENTS: &str = "The Runtimes and RuntimeOrders of this namespace have to go first. Delete those that aren't being deleted.";

/// The status to write, given the one that stands, and the dashboard if it was made anew.
pub fn view(
    now: Timestamp,
    facts: &Facts,
    step: &Step,
    dashboard: Option<Dashboard>,
    old: &WorkspaceStatus,
) -> WorkspaceStatus {
    let shown = dashboard.unwrap_or_else(|| Dashboard::of(old));
    let mut status =
        if keeps_its_word(facts, step, old) { old.clone() } else { judged(now, facts, step, old) };
    status.runtimes = shown.counts;
    status.runtime_list = shown.list;
    status.alerts = shown.alerts;
    status.recent_tasks = shown.tasks;
    status
}

fn judged(now: Timestamp, facts: &Facts, step: &Step, old: &WorkspaceStatus) -> WorkspaceStatus {
    let outcome = outcome(now, facts, step, old);
    let generation = facts.generation();
    let settled = !matches!(outcome, Outcome::Progress(_));
    WorkspaceStatus {
        observed_generation: if settled { generation } else { old.observed_generation },
        state: Some(outcome.state(old)),
        limits: Some(limits(&facts.cluster.policy)),
        conditions: condition::merge(&old.conditions, conditions(facts, &outcome), generation, now),
        ..WorkspaceStatus::default()
    }
}

/// What was at rest stays so while the API server is in trouble.
fn keeps_its_word(facts: &Facts, step: &Step, old: &WorkspaceStatus) -> bool {
    let passing = facts.known.trouble.as_ref().is_some_and(|it| it.class == TroubleClass::Transient);
    matches!(step, Step::Wait(Waiting::Retry(_)))
        && passing
        && facts.generation() == old.observed_generation
        && condition::is_true(&old.conditions, ConditionType::Ready)
        && !facts.is_deleted()
}

fn outcome(now: Timestamp, facts: &Facts, step: &Step, old: &WorkspaceStatus) -> Outcome {
    match step {
        Step::Rest(Rest::Active) => Outcome::Active,
        Step::Rest(Rest::Suspended) => Outcome::Suspended,
        Step::Rest(Rest::Awaiting(refusal)) => Outcome::Awaiting(refusal.clone()),
        Step::Rest(Rest::Refused(refusal, _)) => Outcome::Stalled(refusal.clone()),
        Step::Rest(Rest::Gone) | Step::Look(_) | Step::Do(_) | Step::Wait(_) => {
            progress(now, facts, step, old)
        }
    }
}

/// Something is under way, unless it went wrong for good or takes too long.
fn progress(now: Timestamp, facts: &Facts, step: &Step, old: &WorkspaceStatus) -> Outcome {
    let trouble = facts.known.trouble.as_ref();
    let doing = doing(facts, step);
    let refusal = trouble.map_or(doing, |trouble| Refusal::new(trouble.reason, trouble.message.clone()));
    if trouble.is_some_and(|trouble| trouble.class == TroubleClass::Human) {
        return Outcome::Stalled(refusal);
    }
    if overdue(now, facts, old) {
        let message =
            format!("It takes longer than it should. {} It is tried further by itself.", refusal.message);
        return Outcome::Stalled(Refusal::new(reason::DEADLINE_EXCEEDED, message));
    }
    Outcome::Progress(refusal)
}

/// What is being done, with the reason that says so.
fn doing(facts: &Facts, step: &Step) -> Refusal {
    match step {
        Step::Wait(Waiting::Dependents) => Refusal::new(reason::AWAITING_DEPENDENTS, DEPENDENTS),
        Step::Wait(Waiting::Namespace) => Refusal::new(reason::DESTROYING, "The namespace is being deleted."),
        _ if facts.is_deleted() => Refusal::new(reason::DESTROYING, "Its names are being given back."),
        _ if !facts.holds(Name::Subdomain) => Refusal::new(reason::PENDING, "Its names are being claimed."),
        _ => Refusal::new(reason::PENDING, "Its members are being bound."),
    }
}

/// Whether what is under way has been so for longer than it may.
fn overdue(now: Timestamp, facts: &Facts, old: &WorkspaceStatus) -> bool {
    let Some(ready) = condition::find(&old.conditions, ConditionType::Ready) else { return false };
    let settings = &facts.cluster.settings;
    let deadline = if facts.is_deleted() { settings.destroy_deadline } else { settings.start_deadline };
    match ready.status {
        ConditionStatus::Unknown => ready.last_transition_time.duration_until(now) > deadline,
        ConditionStatus::False => {
            ready.reason == reason::DEADLINE_EXCEEDED && ready.observed_generation == facts.generation()
        }
        ConditionStatus::True => false,
    }
}

fn limits(policy: &EffectivePolicy) -> Limits {
    Limits {
        max_runtimes: policy.max_runtimes,
        allowed_plans: policy.plans.as_ref().map(|plans| plans.iter().take(64).cloned().collect()),
        suspended: policy.suspension == Suspension::Suspended,
    }
}

#[cfg(test)]
mod tests;
