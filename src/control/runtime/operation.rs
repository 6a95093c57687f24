//! What the change that is under way is called.

use jiff::Timestamp;

use super::decide::is_deleted;
use super::decide::power::config_is_applied;
use super::decide::request::restart_is_due;
use super::decide::resize::{Wish, wish};
use super::facts::{Facts, Known};
use super::resolve::{Power, resolve};
use crate::api::replacement::ReplacementCause;
use crate::api::runtime::{OperationType, RuntimeStatus};
use crate::api::state::RuntimeState;

/// What kind of change is under way: the one that the status names while it goes on, or that was begun since it was
/// written, else what the facts say.
pub fn operation_type(now: Timestamp, facts: &Facts, old: &RuntimeStatus) -> OperationType {
    if is_deleted(&facts.runtime) {
        return OperationType::Destroy;
    }
    let Ok(resolved) = resolve(facts) else { return OperationType::Update };
    let named = old.operation.as_ref().map(|operation| operation.type_);
    let under_way = named.or(facts.known.under_way);
    if under_way != Some(OperationType::Provision)
        && let Some(kind) = moving(now, facts)
    {
        return kind;
    }
    match (under_way, &facts.known.machine) {
        (Some(kind @ (OperationType::Resize | OperationType::Restore | OperationType::Move)), _) => kind,
        (Some(OperationType::Provision), _) if resolved.power == Power::Run => OperationType::Provision,
        (_, Known::Unknown | Known::Missing(_)) if !was_at_rest(old) => OperationType::Provision,
        _ if resolved.power != Power::Run => OperationType::Stop,
        _ if is_upgrading(facts) => OperationType::Upgrade,
        (Some(kind @ (OperationType::Start | OperationType::Restart | OperationType::Update)), _) => kind,
        (_, Known::Present(machine))
            if machine.restarted_at != resolved.restarted_at || restart_is_due(facts, machine) =>
        {
            OperationType::Restart
        }
        (_, Known::Present(machine)) if !machine.is_as_asked() || !config_is_applied(facts, &resolved) => {
            OperationType::Update
        }
        // An earlier process gave it what was edited.
        _ if ran(old) && facts.runtime.metadata.generation != Some(old.observed_generation) => {
            OperationType::Update
        }
        _ => OperationType::Start,
    }
}

fn ran(old: &RuntimeStatus) -> bool {
    old.state == Some(RuntimeState::Running)
}

pub(super) fn is_upgrading(facts: &Facts) -> bool {
    let identity = facts.own_claim().and_then(|claim| claim.runtime.as_ref());
    identity.is_some_and(|identity| identity.upgrade.is_some())
}

fn was_at_rest(old: &RuntimeStatus) -> bool {
    old.observed_generation > 0 && old.external.as_ref().is_some_and(|external| external.machine_id.is_some())
}

/// What a change of volume or size is called, while it goes on.
fn moving(now: Timestamp, facts: &Facts) -> Option<OperationType> {
    let identity = facts.own_claim()?.runtime.as_ref()?;
    match identity.replacement.as_ref().map(|replacement| replacement.cause) {
        Some(ReplacementCause::Fork) if identity.resizing.is_none() => Some(OperationType::Move),
        Some(ReplacementCause::Fork) => Some(OperationType::Resize),
        Some(ReplacementCause::Restore | ReplacementCause::Rollback | ReplacementCause::HostLoss) => {
            Some(OperationType::Restore)
        }
        None if identity.resizing.is_some() || matches!(wish(now, facts, identity), Wish::Another(_)) => {
            Some(OperationType::Resize)
        }
        None => None,
    }
}
