//! The conditions of a Workspace, and its state, from the outcome of a visit. Pure.

use super::decide::members_are_bound;
use super::facts::Facts;
use super::step::Name;
use crate::api::condition::{ConditionStatus, ConditionType, Wanted};
use crate::api::reason;
use crate::api::state::WorkspaceState;
use crate::api::workspace::WorkspaceStatus;
use crate::control::runtime::facts::Refusal;

/// What a visit came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It can be used.
    Active,
    /// The platform has suspended it.
    Suspended,
    /// It waits for a person.
    Awaiting(Refusal),
    /// It can't be done as it stands.
    Stalled(Refusal),
    /// Something is under way, and what.
    Progress(Refusal),
}

const SUSPENDED: &str = "A WorkspacePolicy suspends this namespace: its Runtimes are stopped and keep their data. Ask the platform; it goes on once no policy suspends it.";

impl Outcome {
    /// The portal's word.
    pub fn state(&self, old: &WorkspaceStatus) -> WorkspaceState {
        match self {
            Self::Active => WorkspaceState::Active,
            Self::Suspended => WorkspaceState::Suspended,
            Self::Stalled(_) => WorkspaceState::Error,
            Self::Progress(_) => WorkspaceState::Pending,
            // What is held keeps its word.
            Self::Awaiting(_) => old.state.unwrap_or_default(),
        }
    }
}

/// Every condition that is wanted.
pub fn conditions(facts: &Facts, outcome: &Outcome) -> Vec<Wanted> {
    let mut wanted = summary(outcome);
    wanted.push(subdomain_claimed(facts, outcome));
    wanted.push(members_bound(facts, outcome));
    wanted
}

/// `Ready`, with `Reconciling` or `Stalled` while they are true.
fn summary(outcome: &Outcome) -> Vec<Wanted> {
    use ConditionStatus::{False, True, Unknown};
    use ConditionType::{Ready, Reconciling, Stalled};
    let pair = |abnormal, ready, reason: &'static str, message: &str| {
        vec![Wanted::new(abnormal, True, reason, message), Wanted::new(Ready, ready, reason, message)]
    };
    match outcome {
        Outcome::Active => {
            vec![Wanted::new(
                Ready,
                True,
                reason::ACTIVE,
                "Its names are its own and its members hold their roles.",
            )]
        }
        Outcome::Suspended => pair(Reconciling, False, reason::AWAITING_RESUME, SUSPENDED),
        Outcome::Awaiting(why) => pair(Reconciling, False, why.reason, &why.message),
        Outcome::Stalled(why) => pair(Stalled, False, why.reason, &why.message),
        Outcome::Progress(why) => pair(Reconciling, Unknown, why.reason, &why.message),
    }
}

fn subdomain_claimed(facts: &Facts, outcome: &Outcome) -> Wanted {
    let type_ = ConditionType::SubdomainClaimed;
    if facts.holds(Name::Subdomain) {
        return Wanted::new(type_, ConditionStatus::True, reason::CLAIMED, "The subdomain is its own.");
    }
    not_yet(type_, outcome, "The subdomain isn't claimed yet.")
}

fn members_bound(facts: &Facts, outcome: &Outcome) -> Wanted {
    let type_ = ConditionType::MembersBound;
    if members_are_bound(facts) && !is_member_refused(outcome) {
        return Wanted::new(type_, ConditionStatus::True, reason::BOUND, "Every member holds its role.");
    }
    not_yet(type_, outcome, "The members don't all hold their roles yet.")
}

fn is_member_refused(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Stalled(refusal) if refusal.reason == reason::MEMBER_NOT_ALLOWED)
}

/// False, for the reason that keeps the whole from being done.
fn not_yet(type_: ConditionType, outcome: &Outcome, message: &str) -> Wanted {
    match outcome {
        Outcome::Stalled(why) | Outcome::Awaiting(why) => {
            Wanted::new(type_, ConditionStatus::False, why.reason, why.message.clone())
        }
        Outcome::Progress(why) => Wanted::new(type_, ConditionStatus::False, why.reason, message),
        Outcome::Active | Outcome::Suspended => {
            Wanted::new(type_, ConditionStatus::Unknown, reason::NOT_CHECKED, message)
        }
    }
}
