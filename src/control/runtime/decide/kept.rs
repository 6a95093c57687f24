//! A declaration that is refused: what ran by the one before it is kept running, as it was.
//!
//! The refused one is applied in nothing but whether the Runtime should run. So the Machine is only ever started here,
//! with the configuration that it has. While a move or an upgrade is under way it may be off on purpose, and is left so.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{Facts, Health, Host, Known, MachineFact, MachinePhase, Refusal, Source};
use super::super::resolve::{Power, power_of};
use super::super::sleep;
use super::super::step::{Look, Rest, Step, Waiting};
use super::{power, stuck};

/// The step, unless it is a refusal and the Machine has gone down: then what brings that back comes first.
pub(super) fn running(now: Timestamp, facts: &Facts, step: Step) -> Step {
    let Step::Rest(Rest::Refused(refusal, again)) = step else { return step };
    if !is_to_run(facts) {
        return Step::Rest(Rest::Refused(refusal, again));
    }
    match &facts.known.machine {
        Known::Unknown => Step::Look(Look::Machine),
        Known::Present(machine) if machine.host == Host::Reachable => {
            kept(now, facts, machine, refusal, again)
        }
        Known::Missing(_) | Known::Present(_) => Step::Rest(Rest::Refused(refusal, again)),
    }
}

/// Whether its Machine should run, and nothing that is under way keeps it off.
fn is_to_run(facts: &Facts) -> bool {
    let recorded = facts.own_claim().and_then(|claim| claim.runtime.as_ref());
    let at_rest = recorded.is_some_and(|identity| {
        identity.machine_id.is_some() && identity.replacement.is_none() && identity.upgrade.is_none()
    });
    at_rest && power_of(facts) == Power::Run && !matches!(facts.known.volume, Known::Missing(_))
}

fn kept(
    now: Timestamp,
    facts: &Facts,
    machine: &MachineFact,
    refusal: Refusal,
    again: SignedDuration,
) -> Step {
    let rest = |pause: SignedDuration| Step::Rest(Rest::Refused(refusal, again.min(pause)));
    let step = match machine.phase {
        MachinePhase::Stopped if sleep::sleeps(machine) => return rest(again),
        MachinePhase::Stopped | MachinePhase::Failed if machine.source == Source::List => {
            Step::Look(Look::Machine)
        }
        MachinePhase::Stopped | MachinePhase::Failed => power::start(now, facts, machine),
        MachinePhase::Started if facts.known.started.is_none() || machine.health == Health::Passing => {
            return rest(again);
        }
        _ => match stuck::freed(now, facts, machine, Power::Run) {
            Err(step) => step,
            Ok(()) => power::look_after(now, machine, Waiting::Boot),
        },
    };
    match step {
        Step::Rest(Rest::Refused(_, pause)) => rest(pause),
        Step::Wait(wait) => rest(wait.again),
        step => step,
    }
}
