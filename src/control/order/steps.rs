//! The six steps from the account to the ready Runtime: each a pure function of the facts, and none completed before
//! those in front of it.

use super::facts::Facts;
use super::step::{Rest, Step};
use crate::api::Workspace;
use crate::api::condition::{Condition, ConditionType, is_true};
use crate::api::runtime_order::{FundingPhase, OrderStep, StepName, StepState};
use crate::api::state::RuntimeState;

/// Every step, in order.
pub fn steps(facts: &Facts, phase: FundingPhase, reached: &Step) -> Vec<OrderStep> {
    let runtime = runtime(facts, phase);
    let codex = codex(&runtime);
    let judged = [
        account(facts),
        workspace(facts),
        checkout(phase, reached),
        runtime,
        codex,
        waits(StepName::Ready, "Waits for the sign-in; then a first conversation is tried."),
    ];
    let mut open = false;
    judged
        .into_iter()
        .map(|step| {
            let step = if open { behind(step) } else { step };
            open |= !matches!(step.state, StepState::Completed | StepState::Skipped);
            step
        })
        .collect()
}

/// A step behind one that isn't completed isn't completed either.
fn behind(step: OrderStep) -> OrderStep {
    match step.state {
        StepState::Completed | StepState::Skipped | StepState::Running => {
            OrderStep { state: StepState::Pending, ..step }
        }
        StepState::Pending | StepState::Failed => step,
    }
}

fn account(facts: &Facts) -> OrderStep {
    let Some(workspace) = &facts.cluster.workspace else {
        return waits(StepName::Account, "Waits for a Workspace with a member.");
    };
    if workspace.spec.members.is_empty() {
        return waits(
            StepName::Account,
            "Add whoever is to use the Runtime to the members of the Workspace.",
        );
    }
    if !is_true(conditions(workspace), ConditionType::MembersBound) {
        return waits(
            StepName::Account,
            "The members don't all hold their roles yet; the Workspace's own message says why.",
        );
    }
    done(StepName::Account, "The Workspace has a member, who holds the role.")
}

fn conditions(workspace: &Workspace) -> &[Condition] {
    workspace.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
}

fn workspace(facts: &Facts) -> OrderStep {
    let Some(workspace) = &facts.cluster.workspace else {
        return waits(StepName::Workspace, "SelectWorkspace: there is none in this namespace. Create one.");
    };
    let conditions = conditions(workspace);
    if is_true(conditions, ConditionType::Ready) {
        return done(StepName::Workspace, "The Workspace can be used.");
    }
    if is_true(conditions, ConditionType::Stalled) {
        return failed(StepName::Workspace, "The Workspace can't be set up; its own message says why.");
    }
    runs(StepName::Workspace, "The Workspace isn't ready yet.")
}

fn checkout(phase: FundingPhase, reached: &Step) -> OrderStep {
    let name = StepName::Checkout;
    match phase {
        FundingPhase::Unpaid if *reached == Step::Rest(Rest::Expired) => {
            failed(name, "It wasn't paid in time.")
        }
        FundingPhase::Unpaid if *reached == Step::Rest(Rest::Failed) => failed(name, "The payment failed."),
        FundingPhase::Unpaid => runs(name, "Waits to be paid."),
        FundingPhase::Paid => done(name, "It is paid."),
        FundingPhase::PastDue => done(name, "It was paid; the next interval isn't yet."),
        FundingPhase::Suspended => failed(name, "It isn't paid any more; pay, and it goes on."),
        FundingPhase::Refunded => failed(name, "The money went back."),
        FundingPhase::Ended => failed(name, "It is over."),
    }
}

fn runtime(facts: &Facts, phase: FundingPhase) -> OrderStep {
    let name = StepName::Runtime;
    if facts.cluster.runtime.is_none() || !phase.funds() {
        return waits(name, "Waits for the payment.");
    }
    match facts.runtime_state() {
        Some(RuntimeState::Running | RuntimeState::Sleeping) => done(name, "The gateway serves."),
        _ if facts.runtime_is_stopped_as_asked() => waits(
            name,
            "The Runtime is stopped, as its own spec asks. Set `powerState: Running`, and it serves.",
        ),
        Some(RuntimeState::Error) => {
            failed(name, &facts.runtime_message().chars().take(500).collect::<String>())
        }
        _ => runs(name, "The Runtime is being made."),
    }
}

/// Nothing tells yet whether it is signed in.
fn codex(runtime: &OrderStep) -> OrderStep {
    let message = match runtime.state {
        StepState::Completed => {
            "The Runtime serves. Sign it in to its model provider; that isn't seen from here."
        }
        _ => "Waits for the Runtime to serve; then it is signed in to its model provider.",
    };
    waits(StepName::Codex, message)
}

fn step(name: StepName, state: StepState, message: &str) -> OrderStep {
    OrderStep { name, state, message: message.to_owned() }
}

fn done(name: StepName, message: &str) -> OrderStep {
    step(name, StepState::Completed, message)
}

fn runs(name: StepName, message: &str) -> OrderStep {
    step(name, StepState::Running, message)
}

fn waits(name: StepName, message: &str) -> OrderStep {
    step(name, StepState::Pending, message)
}

fn failed(name: StepName, message: &str) -> OrderStep {
    step(name, StepState::Failed, message)
}
