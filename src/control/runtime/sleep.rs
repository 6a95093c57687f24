//! What sleep means for a Runtime: what is asked of Fly's proxy, how a Machine that sleeps is told from one that was
//! stopped or failed, and what people are told. Pure.

use fly_machines::types as fly;

use super::conditions::Outcome;
use super::decide::power::config_is_applied;
use super::facts::{Boot, Facts, Idling, Known, MachineFact, MachinePhase, Refusal};
use super::resolve::{Power, resolve};
use super::step::{Step, Waiting};
use crate::api::RuntimeSpec;
use crate::api::blueprint::Awake;
use crate::api::condition::{ConditionStatus, ConditionType, Wanted};
use crate::api::name_claim::Pin;
use crate::api::reason;
use crate::api::runtime::{RuntimeStatus, SleepMode};
use crate::api::state::RuntimeState;

/// The most memory, in MB, that Fly suspends.
const SUSPENDABLE_MB: i32 = 2048;
/// Of one that sleeps.
pub const ASLEEP: &str =
    "It sleeps, and wakes at the next request. While it sleeps its schedules and heartbeats don't run.";
/// Of one that wakes.
pub const WAKES: &str = "A request woke it; the gateway doesn't answer yet.";

/// How it sleeps. One that may not run is off, and no request wakes it.
///
/// # Errors
/// A refusal, if it is too large to be suspended.
pub fn mode(spec: &RuntimeSpec, power: Power, pin: &Pin) -> Result<SleepMode, Refusal> {
    let declared = spec.sleep.as_ref().map(|sleep| sleep.mode).unwrap_or_default();
    match (power, declared) {
        (Power::Run, SleepMode::Suspend) if pin.plan.memory_mb > SUSPENDABLE_MB => Err(Refusal::new(
            reason::SUSPEND_TOO_LARGE,
            format!(
                "`sleep.mode` is Suspend, which Fly does up to {SUSPENDABLE_MB} MB of memory, and the Plan `{}` has {}. Set it to Stop, or choose a smaller Plan.",
                pin.plan.name, pin.plan.memory_mb
            ),
        )),
        (Power::Run, declared) => Ok(declared),
        _ => Ok(SleepMode::Never),
    }
}

/// What is asked of Fly's proxy.
pub fn autostop(mode: SleepMode) -> fly::Autostop {
    match mode {
        SleepMode::Never => fly::Autostop::Off,
        SleepMode::Stop => fly::Autostop::Stop,
        SleepMode::Suspend => fly::Autostop::Suspend,
    }
}

/// What the proxy then does.
pub fn idling(mode: SleepMode) -> Idling {
    match mode {
        SleepMode::Never => Idling::Off,
        SleepMode::Stop => Idling::Stop,
        SleepMode::Suspend => Idling::Suspend,
    }
}

/// The mark on a Machine of what it does.
pub fn mark(mode: SleepMode) -> &'static str {
    match mode {
        SleepMode::Never => "off",
        SleepMode::Stop => "stop",
        SleepMode::Suspend => "suspend",
    }
}

/// What a mark says; `None` of one that we didn't set.
pub fn marked(mark: &str) -> Option<Idling> {
    let modes = [SleepMode::Never, SleepMode::Stop, SleepMode::Suspend];
    modes.into_iter().find(|mode| self::mark(*mode) == mark).map(idling)
}

/// The organisation's list doesn't tell why a Machine is off. Of one that the status shows asleep that is believed until
/// the sweep asks it; it says nothing about what is to be done.
pub fn was_asleep(facts: &Facts) -> bool {
    let status = facts.runtime.status.as_ref();
    status.is_some_and(|status| status.state == Some(RuntimeState::Sleeping))
}

/// Whether a Machine that is off sleeps: the proxy would start it at the next request, it didn't end by itself, and
/// it has booted since it was last asked to.
pub fn sleeps(machine: &MachineFact) -> bool {
    machine.phase == MachinePhase::Stopped
        && machine.idling != Idling::Off
        && machine.exit.is_none()
        && machine.boot == Boot::Done
}

/// What a step is told as while a Machine falls asleep or wakes by itself; `None` if it is something else.
pub fn passing(facts: &Facts, step: &Step, old: &RuntimeStatus) -> Option<Outcome> {
    let resolved = resolve(facts).ok()?;
    let Known::Present(machine) = &facts.known.machine else { return None };
    let may_sleep = resolved.sleep != SleepMode::Never && machine.boot == Boot::Done;
    if !may_sleep || old.operation.is_some() || !config_is_applied(facts, &resolved) {
        return None;
    }
    let Step::Wait(wait) = step else { return None };
    match (&wait.what, old.state?) {
        (Waiting::Stop, RuntimeState::Running | RuntimeState::Waking | RuntimeState::Sleeping) => {
            Some(Outcome::Sleeping)
        }
        (Waiting::Boot | Waiting::Gateway, RuntimeState::Sleeping | RuntimeState::Waking) => {
            Some(Outcome::Waking)
        }
        (Waiting::Boot, RuntimeState::Running) => Some(Outcome::Waking),
        _ => None,
    }
}

/// The warning that something which it configures hears nothing while it sleeps; present only while true.
pub fn deaf(facts: &Facts) -> Option<Wanted> {
    let spec = &facts.runtime.spec;
    let mode = spec.sleep.as_ref().map(|sleep| sleep.mode).unwrap_or_default();
    let (_, _, blueprint) = facts.cluster.blueprint.as_ref()?;
    let needs = |name: &str| {
        blueprint.env_schema.iter().any(|rule| rule.name == name && rule.awake == Awake::Required)
    };
    let names: Vec<String> =
        spec.env.iter().filter(|env| needs(&env.name)).map(|env| format!("`{}`", env.name)).collect();
    if mode == SleepMode::Never || names.is_empty() {
        return None;
    }
    Some(Wanted::new(
        ConditionType::DeafWhileAsleep,
        ConditionStatus::True,
        reason::CHANNELS_NEED_AWAKE,
        format!(
            "It may sleep, and hears nothing meanwhile on what {} configures. Set `sleep.mode` to Never, or do without.",
            names.join(", ")
        ),
    ))
}
