//! The conditions of a Runtime, and its state, from the outcome of a visit. Pure.

use jiff::Timestamp;

use super::decide::is_deleted;
use super::decide::power::{awaiting, config_is_applied, was_serving};
use super::decide::resize::{Wish, wish};
use super::facts::{Facts, Health, Known, MachineFact, MachinePhase, Refusal, Source};
use super::resolve::{Power, resolve};
use super::sleep;
use super::{drift, env_marks};
use crate::api::condition::{ConditionStatus, ConditionType, Wanted};
use crate::api::name_claim::RuntimeIdentity;
use crate::api::reason;
use crate::api::runtime::{OperationType, RuntimeStatus};
use crate::api::state::RuntimeState;

/// What a visit came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It serves.
    Running,
    /// It serves, and a check fails.
    Degraded,
    /// It sleeps until the next request.
    Sleeping,
    /// A request woke it, and its gateway doesn't answer yet.
    Waking,
    /// It is stopped, as asked.
    Stopped,
    /// It waits for a person.
    Awaiting(Refusal),
    /// It can't be done as it stands.
    Stalled(Refusal),
    /// Something is under way.
    Progress {
        /// What kind of change.
        kind: OperationType,
        /// The state that says so.
        state: RuntimeState,
        /// What is done now, or what keeps it from being done.
        message: String,
    },
}

impl Outcome {
    /// The portal's word.
    pub fn state(&self, facts: &Facts, old: &RuntimeStatus) -> RuntimeState {
        match self {
            Self::Running | Self::Degraded => RuntimeState::Running,
            Self::Sleeping => RuntimeState::Sleeping,
            Self::Waking => RuntimeState::Waking,
            Self::Stopped => RuntimeState::Stopped,
            Self::Progress { state, .. } => *state,
            Self::Stalled(_) if is_deleted(&facts.runtime) => RuntimeState::Destroying,
            Self::Stalled(_) => RuntimeState::Error,
            Self::Awaiting(refusal) => held_state(facts, refusal, old),
        }
    }
}

/// What isn't funded or is suspended is shown as stopped, unless it runs on with what is paid for; what is held keeps its word.
fn held_state(facts: &Facts, refusal: &Refusal, old: &RuntimeStatus) -> RuntimeState {
    match refusal.reason {
        reason::AWAITING_ORDER | reason::AWAITING_RESUME if serves(facts) => RuntimeState::Running,
        reason::AWAITING_ORDER | reason::AWAITING_RESUME => RuntimeState::Stopped,
        reason::AWAITING_CONFIRM => RuntimeState::Destroying,
        _ => old.state.unwrap_or_default(),
    }
}

/// Every condition that is wanted.
pub fn conditions(facts: &Facts, outcome: &Outcome) -> Vec<Wanted> {
    let mut wanted = summary(outcome);
    wanted.push(provisioned(facts, outcome));
    wanted.push(config_applied(facts, outcome));
    wanted.push(available(facts, outcome));
    wanted.push(entitled(facts));
    wanted.extend(crate::control::rollout::tell::condition(facts));
    wanted.extend(sleep::deaf(facts));
    wanted.extend(super::hostname::condition(facts));
    wanted.extend(super::survey::condition(facts));
    wanted
}

/// `Ready`, with `Reconciling` or `Stalled` while they are true.
fn summary(outcome: &Outcome) -> Vec<Wanted> {
    use ConditionStatus::{False, True, Unknown};
    use ConditionType::{Ready, Reconciling, Stalled};
    match outcome {
        Outcome::Running | Outcome::Degraded => {
            vec![Wanted::new(Ready, True, reason::RUNNING, "The gateway serves.")]
        }
        Outcome::Sleeping => {
            vec![Wanted::new(Ready, True, reason::SLEEPING, "It sleeps. The next request wakes it.")]
        }
        Outcome::Waking => vec![
            Wanted::new(Reconciling, True, reason::WAKING, sleep::WAKES),
            Wanted::new(Ready, Unknown, reason::WAKING, sleep::WAKES),
        ],
        Outcome::Stopped => {
            vec![Wanted::new(Ready, True, reason::STOPPED, "Stopped, as asked. Data is kept.")]
        }
        Outcome::Awaiting(refusal) => vec![
            Wanted::new(Reconciling, True, refusal.reason, refusal.message.clone()),
            Wanted::new(Ready, False, refusal.reason, refusal.message.clone()),
        ],
        Outcome::Stalled(refusal) => vec![
            Wanted::new(Stalled, True, refusal.reason, refusal.message.clone()),
            Wanted::new(Ready, False, refusal.reason, refusal.message.clone()),
        ],
        Outcome::Progress { state, message, .. } => vec![
            Wanted::new(Reconciling, True, word(*state), message.clone()),
            Wanted::new(Ready, Unknown, word(*state), message.clone()),
        ],
    }
}

/// The portal's word as a reason.
fn word(state: RuntimeState) -> &'static str {
    match state {
        RuntimeState::Provisioning => reason::PROVISIONING,
        RuntimeState::Starting => reason::STARTING,
        RuntimeState::Running => reason::RUNNING,
        RuntimeState::Stopping => reason::STOPPING,
        RuntimeState::Stopped => reason::STOPPED,
        RuntimeState::Sleeping => reason::SLEEPING,
        RuntimeState::Waking => reason::WAKING,
        RuntimeState::Destroying => reason::DESTROYING,
        RuntimeState::Error => reason::INTERNAL_ERROR,
    }
}

/// Of an object that doesn't serve; the cause stands in `Ready`, and needn't be written twice.
const NOT_SERVING: &str = "It doesn't serve; `Ready` tells why.";
/// Of a Machine that lacks what is declared.
const NOT_APPLIED: &str = "What is declared isn't what runs; `Ready` tells why.";
/// Of a declaration that leads nowhere.
const UNRESOLVED: &str = "What is declared can't be resolved; `Ready` tells why.";

fn provisioned(facts: &Facts, outcome: &Outcome) -> Wanted {
    let identity = facts.own_claim().and_then(|claim| claim.runtime.as_ref());
    let recorded = identity.is_some_and(|it| it.machine_id.is_some() && it.volume_id.is_some());
    let missing = matches!(facts.known.machine, Known::Missing(_));
    let type_ = ConditionType::Provisioned;
    if recorded && !missing && !is_deleted(&facts.runtime) {
        return Wanted::new(type_, ConditionStatus::True, reason::PROVISIONED, standing(identity));
    }
    Wanted::new(
        type_,
        ConditionStatus::False,
        stage_reason(outcome),
        "App, volume and Machine don't all exist.",
    )
}

/// What stands, and what of it isn't as the Plan has it.
fn standing(identity: Option<&RuntimeIdentity>) -> String {
    let Some(identity) = identity else { return ALL_EXIST.to_owned() };
    let (size, plan) = (identity.volume_size(), &identity.pin.plan);
    let larger = (size > plan.volume_gb).then(|| {
        format!(
            "The volume keeps its {size} GB, although the Plan `{}` has {}: a volume never shrinks.",
            plan.name, plan.volume_gb
        )
    });
    let displaced = (!identity.displaced.is_empty()).then(|| {
        "The volume that was there before is kept until the one in its place has served for a while."
            .to_owned()
    });
    let told: Vec<String> = [Some(ALL_EXIST.to_owned()), larger, displaced].into_iter().flatten().collect();
    told.join(" ")
}

/// Of a Runtime that lacks nothing.
const ALL_EXIST: &str = "App, volume and Machine exist.";

fn config_applied(facts: &Facts, outcome: &Outcome) -> Wanted {
    let type_ = ConditionType::ConfigApplied;
    let Ok(resolved) = resolve(facts) else {
        return Wanted::new(type_, ConditionStatus::Unknown, reason::NOT_CHECKED, UNRESOLVED);
    };
    match &facts.known.machine {
        Known::Present(machine) if machine.is_as_asked() && config_is_applied(facts, &resolved) => {
            Wanted::new(type_, ConditionStatus::True, reason::APPLIED, applied(facts, machine))
        }
        Known::Present(machine) if drift::is_fought_over(facts) => {
            let message = drift::fought_over(&drift::changed(facts, machine));
            Wanted::new(type_, ConditionStatus::False, reason::DRIFTED, message)
        }
        Known::Present(_) => Wanted::new(type_, ConditionStatus::False, reason::UPDATING, NOT_APPLIED),
        Known::Unknown | Known::Missing(_) => {
            Wanted::new(type_, ConditionStatus::False, stage_reason(outcome), NOT_APPLIED)
        }
    }
}

/// Of a Machine that has what is declared, some of it perhaps at its next start.
fn applied(facts: &Facts, machine: &MachineFact) -> String {
    let names: Vec<String> = env_marks::pending(facts).into_iter().map(|name| format!("`{name}`")).collect();
    let applied = if names.is_empty() {
        "What runs is what is declared.".to_owned()
    } else {
        format!(
            "What runs is what is declared; the change of {} takes effect at the next start.",
            names.join(", ")
        )
    };
    match &machine.drift {
        Some(drift) => format!("{applied} {}", drift::spelled(&drift.spelled)),
        None => applied,
    }
}

fn available(facts: &Facts, outcome: &Outcome) -> Wanted {
    use ConditionStatus::{False, True};
    let type_ = ConditionType::Available;
    match outcome {
        Outcome::Running => Wanted::new(type_, True, reason::RUNNING, "It serves at its URL."),
        Outcome::Degraded => Wanted::new(
            type_,
            True,
            reason::DEGRADED,
            "It answers at its URL, and its health check at Fly fails.",
        ),
        Outcome::Sleeping => Wanted::new(type_, True, reason::SLEEPING, sleep::ASLEEP),
        Outcome::Waking => Wanted::new(type_, False, reason::WAKING, NOT_SERVING),
        Outcome::Stopped => Wanted::new(type_, False, reason::STOPPED, "It is stopped, as asked."),
        Outcome::Progress { state, .. } => Wanted::new(type_, False, word(*state), NOT_SERVING),
        Outcome::Awaiting(_) | Outcome::Stalled(_) if serves(facts) => {
            Wanted::new(type_, True, reason::RUNNING, "It serves at its URL all the same.")
        }
        Outcome::Awaiting(refusal) | Outcome::Stalled(refusal) => {
            Wanted::new(type_, False, refusal.reason, NOT_SERVING)
        }
    }
}

/// Whether the Machine serves, whatever is wrong with the declaration.
pub fn serves(facts: &Facts) -> bool {
    facts.known.machine.present().is_some_and(|machine| {
        let healthy =
            machine.health == Health::Passing || machine.source == Source::List && was_serving(facts);
        machine.phase == MachinePhase::Started && healthy
    })
}

fn entitled(facts: &Facts) -> Wanted {
    let type_ = ConditionType::Entitled;
    match resolve(facts).map(|resolved| resolved.power) {
        Ok(power @ (Power::Unfunded | Power::Suspended)) => {
            let refusal = awaiting(power);
            let (reason, message) = refusal.map(|it| (it.reason, it.message)).unwrap_or_default();
            Wanted::new(type_, ConditionStatus::False, reason, message)
        }
        Ok(Power::Run | Power::Stop) if let Some(refusal) = unpaid(facts) => {
            Wanted::new(type_, ConditionStatus::False, refusal.reason, refusal.message)
        }
        Ok(Power::Run | Power::Stop) => {
            Wanted::new(type_, ConditionStatus::True, reason::ALLOWED, "Its Plan may be used here.")
        }
        Err(refusal) => Wanted::new(type_, ConditionStatus::Unknown, refusal.reason, UNRESOLVED),
    }
}

/// Another size is asked for, and isn't paid for.
fn unpaid(facts: &Facts) -> Option<Refusal> {
    let identity = facts.own_claim()?.runtime.as_ref()?;
    match wish(Timestamp::MAX, facts, identity) {
        Wish::Refused(refusal) if refusal.reason == reason::PLAN_NOT_PAID => Some(refusal),
        _ => None,
    }
}

fn stage_reason(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Progress { state, .. } => word(*state),
        Outcome::Awaiting(refusal) | Outcome::Stalled(refusal) => refusal.reason,
        Outcome::Running | Outcome::Degraded | Outcome::Sleeping | Outcome::Waking | Outcome::Stopped => {
            reason::PROVISIONED
        }
    }
}
