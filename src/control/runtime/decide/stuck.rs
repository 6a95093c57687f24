//! A Machine that Fly has left between two states.
//!
//! One that is on its way to a stop is killed after a while, a few times: it was to end anyway, and what it hasn't
//! written by then it won't. One that is on its way to a start is stopped only if it is to be off, or if somebody asks
//! for its restart: nobody but a person knows that it isn't just slow. Neither is ever removed for it.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{Facts, Host, MachineFact, MachinePhase};
use super::super::resolve::Power;
use super::super::step::{Effect, Step, Waiting};
use super::Reached;
use super::power::look_after;
use super::request::restart_is_due;

/// After so long between two states Fly takes a Machine to be stuck (Machine states).
const STUCK: SignedDuration = SignedDuration::from_mins(5);
/// Pause between two requests to end one that is stuck.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// How often one is killed before somebody has to look. A person's request for a restart has it killed further.
const MOST: u32 = 3;

/// The Machine isn't left between two states for long without something being done about it.
pub(super) fn freed(now: Timestamp, facts: &Facts, machine: &MachineFact, power: Power) -> Reached<()> {
    let long = machine.since.duration_until(now);
    match machine.phase {
        _ if machine.host == Host::Unreachable => Ok(()),
        MachinePhase::Stopping if long >= patience(facts) => Err(killed(now, facts, machine)),
        MachinePhase::Preparing | MachinePhase::Starting | MachinePhase::Replacing
            if long >= STUCK && (power != Power::Run || restart_is_due(facts, machine)) =>
        {
            stopped(now, facts)
        }
        _ => Ok(()),
    }
}

/// A stop and a start is what Fly names as the remedy of a start that hangs.
fn stopped(now: Timestamp, facts: &Facts) -> Reached<()> {
    let recent = facts.known.stop_asked.is_some_and(|at| at.duration_until(now) < PAUSE);
    if recent { Ok(()) } else { Err(Step::Do(Effect::StopMachine)) }
}

/// A program may have up to five minutes to end by itself.
fn patience(facts: &Facts) -> SignedDuration {
    let own = facts.pin().map_or(0, |pin| pin.spec.stop.timeout_seconds);
    STUCK.max(SignedDuration::from_secs(own.into()) + PAUSE)
}

fn killed(now: Timestamp, facts: &Facts, machine: &MachineFact) -> Step {
    // What was asked for before it began to stop says nothing of this stop.
    let asked = facts.known.killed.as_ref().filter(|asked| asked.at >= machine.since);
    match asked {
        Some(asked) if asked.at.duration_until(now) < PAUSE => look_after(now, machine, Waiting::Kill),
        Some(asked) if asked.count >= MOST && !restart_is_due(facts, machine) => {
            look_after(now, machine, Waiting::StuckStop)
        }
        _ => Step::Do(Effect::KillMachine),
    }
}
