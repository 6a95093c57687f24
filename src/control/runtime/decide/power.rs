//! The last stages: the declared configuration runs, and the Machine is on or off as it should be.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{
    Facts, Health, Host, Idling, Known, MachineFact, MachinePhase, ProbeFact, ProbeResult, Refusal, Source,
};
use super::super::resolve::{Power, Resolved};
use super::super::step::{Effect, Launch, Look, Rest, Step, Wait, Waiting};
use super::provision::token_for_launch;
use super::{Reached, drift, look_again, stuck};
use crate::api::condition::{self, ConditionStatus, ConditionType};
use crate::api::reason;
use crate::api::runtime::SleepMode;
use crate::control::hold;
use crate::control::runtime::env_marks::{self, Difference};
use crate::control::runtime::{config_mark, desired, names, sleep, warm};
use crate::engine::config::Readiness;
use crate::gateway::exit::ExitCause;

/// The Machine runs, or is stopped, as it should be.
pub(super) fn reached(now: Timestamp, facts: &Facts, resolved: &Resolved) -> Reached<Step> {
    let Known::Present(machine) = &facts.known.machine else { return Err(Step::Look(Look::Machine)) };
    host_answers(now, facts)?;
    stuck::freed(now, facts, machine, resolved.power)?;
    settled(now, machine)?;
    halted(now, facts, resolved.power)?;
    configured(now, facts, machine, resolved)?;
    if resolved.power == Power::Run {
        running(now, facts, machine, resolved)
    } else {
        Ok(Step::Rest(awaiting(resolved.power).map_or(Rest::Stopped, Rest::Awaiting)))
    }
}

/// What may not run is off, before anything else about it is changed, and no request starts it.
///
/// It is stopped gracefully first. A request may start it again before the proxy is told to leave it alone; one that
/// is under such load is stopped by the telling itself.
pub(super) fn halted(now: Timestamp, facts: &Facts, power: Power) -> Reached<()> {
    let Known::Present(machine) = &facts.known.machine else { return Ok(()) };
    if power == Power::Run || machine.host == Host::Unreachable {
        return Ok(());
    }
    stuck::freed(now, facts, machine, power)?;
    settled(now, machine)?;
    // One that still runs a minute later was started again, or never got the request.
    let recent = |asked: &Timestamp| asked.duration_until(now) < SignedDuration::from_mins(1);
    match (machine.phase, machine.idling) {
        (MachinePhase::Started, _) if facts.known.stop_asked.as_ref().is_some_and(recent) => {
            Err(look_after(now, machine, Waiting::Stop))
        }
        (MachinePhase::Started, Idling::Stop | Idling::Suspend | Idling::Mixed) if facts.known.stops > 1 => {
            Err(Step::Do(Effect::KeepOff))
        }
        (MachinePhase::Started, _) => Err(Step::Do(Effect::StopMachine)),
        (_, Idling::Off) => Ok(()),
        (_, Idling::Stop | Idling::Suspend | Idling::Mixed) => Err(Step::Do(Effect::KeepOff)),
    }
}

/// The Machine's host answers, as far as is known.
pub(super) fn host_answers(now: Timestamp, facts: &Facts) -> Reached<()> {
    match facts.known.machine.present() {
        Some(machine) if machine.host == Host::Unreachable => Err(unreachable(now, facts, machine)),
        _ => Ok(()),
    }
}

/// What a Runtime that may not run waits for.
pub(in crate::control::runtime) fn awaiting(power: Power) -> Option<Refusal> {
    match power {
        Power::Run | Power::Stop => None,
        Power::Unfunded => Some(Refusal::new(
            reason::AWAITING_ORDER,
            "The Plan has to be paid for. Place a RuntimeOrder for it, or choose a Plan that needs none.",
        )),
        Power::Suspended => Some(Refusal::new(
            reason::AWAITING_RESUME,
            "The platform has suspended this namespace; data is kept. Ask the platform to resume it.",
        )),
    }
}

/// Nothing tells when a host is back: the Machine is looked at again each time.
fn unreachable(now: Timestamp, facts: &Facts, machine: &MachineFact) -> Step {
    let pause = SignedDuration::from_secs(30).min(facts.cluster.settings.slow_retry);
    let age = machine.read_at.duration_until(now);
    if age >= pause {
        return Step::Look(Look::Machine);
    }
    Step::Rest(Rest::Refused(
        Refusal::new(
            reason::HOST_UNREACHABLE,
            "Fly can't reach the host that the Machine is on. Its data is kept; it comes back with the host.",
        ),
        pause - age,
    ))
}

/// A Machine between two states accepts nothing: look again when it is likely to have moved on.
fn settled(now: Timestamp, machine: &MachineFact) -> Reached<()> {
    let what = match machine.phase {
        MachinePhase::Preparing => Waiting::Image,
        MachinePhase::Starting => Waiting::Boot,
        MachinePhase::Stopping => Waiting::Stop,
        MachinePhase::Replacing => Waiting::Replacement,
        MachinePhase::Destroying => Waiting::MachineGone,
        MachinePhase::Started | MachinePhase::Stopped | MachinePhase::Failed => return Ok(()),
    };
    Err(look_after(now, machine, what))
}

/// Looks at the Machine again once what is known of it is old enough.
pub(super) fn look_after(now: Timestamp, machine: &MachineFact, what: Waiting) -> Step {
    let age = machine.read_at.duration_until(now);
    let pause = machine.pause();
    if age >= pause { Step::Look(Look::Machine) } else { Step::Wait(Wait { what, again: pause - age }) }
}

/// Whether the Machine has the declared configuration, apart from secret values that weren't read.
pub(in crate::control::runtime) fn config_is_applied(facts: &Facts, resolved: &Resolved) -> bool {
    let Known::Present(machine) = &facts.known.machine else { return false };
    config_mark::standing(facts, resolved, machine) != config_mark::Standing::Otherwise
        && (machine.source == Source::List || machine.idling == sleep::idling(resolved.sleep))
        && env_marks::difference(facts, machine) != Difference::Now
        && has_pinned_image(machine, resolved)
        && !warm::lacks_something(facts, machine)
        && names::mark(&facts.cluster.names) == machine.names
        && desired::grown_gb(facts).is_none_or(|size| machine.grown_gb == Some(size))
}

/// A mark of the earlier kind that still holds is put in the present one, before anything changes that it is judged by.
/// It isn't worth a look at a Machine, nor a word of one that is held.
pub(super) fn marked_anew(facts: &Facts, resolved: &Resolved) -> Reached<()> {
    let Some(machine) = facts.known.machine.present() else { return Ok(()) };
    let held = hold::held(&facts.runtime.metadata, facts.cluster.settings.mode).is_some();
    let earlier = config_mark::standing(facts, resolved, machine) == config_mark::Standing::ByEarlierMark;
    if earlier && machine.source == Source::Machine && !held {
        return Err(Step::Do(Effect::MarkConfig));
    }
    Ok(())
}

/// Whether the Machine's image is the pinned one: the text alone doesn't tell, since a tag can move.
fn has_pinned_image(machine: &MachineFact, resolved: &Resolved) -> bool {
    let (Some(pinned), Some(runs)) = (&resolved.pin.image_digest, &machine.image_digest) else { return true };
    pinned == runs
}

/// The Machine has the declared configuration, and its variables, save those that may wait for its next start.
fn configured(now: Timestamp, facts: &Facts, machine: &MachineFact, resolved: &Resolved) -> Reached<()> {
    drift::told_apart(facts, machine)?;
    if config_is_applied(facts, resolved) && machine.is_as_asked() && knows_its_addresses(facts, machine) {
        match env_marks::difference(facts, machine) {
            // One that was taken back for which its app was given another value.
            Difference::None => return ready_for_start(facts, machine),
            Difference::Later(_) if machine.phase == MachinePhase::Started => {
                return ready_for_start(facts, machine);
            }
            Difference::Later(_) | Difference::Now => {}
        }
    }
    token_for_launch(facts)?;
    if drift::is_left(now, facts, resolved) {
        return Ok(());
    }
    secrets_set(facts, machine)?;
    // A change of one that sleeps is no reason to wake it.
    let rests =
        resolved.power != Power::Run || (resolved.sleep != SleepMode::Never && sleep::sleeps(machine));
    Err(Step::Do(Effect::UpdateMachine(if rests { Launch::Skip } else { Launch::Start })))
}

/// Whether the Machine's configuration knows the app's addresses, as far as those were looked at: its gateway trusts
/// what comes by them.
pub(in crate::control::runtime) fn knows_its_addresses(facts: &Facts, machine: &MachineFact) -> bool {
    let known = &facts.known;
    let looked = known.v6.present().is_some() && known.v4.present().is_some();
    !looked || machine.source == Source::List || known.addresses() == machine.addresses
}

/// The app has the secrets that are declared.
fn secrets_set(facts: &Facts, machine: &MachineFact) -> Reached<()> {
    let wanted = desired::secrets_hash(facts);
    let set = facts.known.secrets.as_ref().map(|secrets| &secrets.hash);
    if machine.secrets_hash == wanted || set.is_some() && set == wanted.as_ref() {
        return Ok(());
    }
    Err(Step::Do(Effect::SetSecrets))
}

/// What may wait is where the next start finds it: secrets in the app, with a mark of that on the Machine. A literal
/// value goes with the next change that the Machine gets, or as soon as it is off.
fn ready_for_start(facts: &Facts, machine: &MachineFact) -> Reached<()> {
    let Some(wanted) = desired::secrets_hash(facts) else { return Ok(()) };
    if machine.secrets_hash.as_ref() == Some(&wanted) {
        return Ok(());
    }
    secrets_set(facts, machine)?;
    Err(Step::Do(Effect::MarkSecrets))
}

fn running(now: Timestamp, facts: &Facts, machine: &MachineFact, resolved: &Resolved) -> Reached<Step> {
    super::request::restarted(now, facts, machine)?;
    match machine.phase {
        MachinePhase::Started => serving(now, facts, machine, resolved),
        MachinePhase::Stopped if sleep::sleeps(machine) => Ok(Step::Rest(Rest::Sleeping)),
        _ => Err(start(now, facts, machine)),
    }
}

/// It was started: it serves once its checks pass and it answers at its URL. One that may sleep isn't asked at its
/// URL: to Fly's proxy the question is a request, which wakes it or keeps it awake.
fn serving(now: Timestamp, facts: &Facts, machine: &MachineFact, resolved: &Resolved) -> Reached<Step> {
    if machine.source == Source::List {
        return if was_serving(facts) {
            Ok(Step::Rest(Rest::Running))
        } else {
            Err(Step::Look(Look::Machine))
        };
    }
    let by_url =
        facts.cluster.settings.readiness == Readiness::ChecksAndURL && resolved.sleep == SleepMode::Never;
    match (&machine.health, by_url) {
        (Health::Passing, false) => Ok(Step::Rest(Rest::Running)),
        (Health::Passing, true) if answered(facts, machine).is_some_and(is_live) => {
            Ok(Step::Rest(Rest::Running))
        }
        (Health::Passing, true) => Err(probe_again(now, facts)),
        (_, true) if long_started(now, machine) => without_checks(now, facts, machine),
        _ => Err(look_after(now, machine, Waiting::Gateway)),
    }
}

/// The list doesn't tell whether a gateway serves. One that the status shows as serving keeps its word until the
/// sweep asks it; it says nothing about what is to be done.
pub(in crate::control::runtime) fn was_serving(facts: &Facts) -> bool {
    let conditions = facts.runtime.status.as_ref().map(|status| status.conditions.as_slice());
    condition::find(conditions.unwrap_or_default(), ConditionType::Available).is_some_and(|available| {
        available.status == ConditionStatus::True && available.reason == reason::RUNNING
    })
}

/// Fly's checks fail, or were never reported: the gateway's own word at its URL tells whether it serves.
fn without_checks(now: Timestamp, facts: &Facts, machine: &MachineFact) -> Reached<Step> {
    let recent = answered(facts, machine).filter(|probe| probe.at.duration_until(now) < PATIENCE);
    match (recent, &machine.health) {
        (None, _) => Err(probe_again(now, facts)),
        (Some(probe), Health::Unknown) if is_live(probe) => Ok(Step::Rest(Rest::Running)),
        (Some(probe), _) if is_live(probe) => degraded(now, machine),
        _ => Err(look_after(now, machine, Waiting::Gateway)),
    }
}

/// A gateway may come up just before its check is due: it isn't called degraded for longer than the next look.
fn degraded(now: Timestamp, machine: &MachineFact) -> Reached<Step> {
    let left = machine.pause_of_checks() - machine.read_at.duration_until(now);
    if left > SignedDuration::ZERO {
        return Ok(Step::Rest(Rest::Degraded(left)));
    }
    Err(Step::Look(Look::Machine))
}

/// What this version of the Machine answered last.
fn answered<'f>(facts: &'f Facts, machine: &MachineFact) -> Option<&'f ProbeFact> {
    facts.known.probe.as_ref().filter(|probe| probe.machine_version == machine.version)
}

fn is_live(probe: &ProbeFact) -> bool {
    probe.result == ProbeResult::Live
}

/// Time that checks get to pass before the gateway itself is asked.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// Whether it has been up for so long that its checks should have passed.
fn long_started(now: Timestamp, machine: &MachineFact) -> bool {
    machine.since.duration_until(now) > PATIENCE
}

fn probe_again(now: Timestamp, facts: &Facts) -> Step {
    look_again(now, facts, Look::Probe, SignedDuration::from_secs(1), Waiting::Gateway)
}

/// It is off and should run: start it, unless it has just ended by itself for a reason that a start won't mend.
pub(super) fn start(now: Timestamp, facts: &Facts, machine: &MachineFact) -> Step {
    let Some((refusal, pause)) = ended(facts, machine) else { return Step::Do(Effect::StartMachine) };
    // Time runs from when it was seen to have ended: a gateway may take long to find out that it can't start.
    let started = facts.known.started.as_ref().map(|attempt| attempt.at);
    let waited = started.map_or(machine.since, |at| at.max(machine.since)).duration_until(now);
    let first = started.is_none() && machine.exit != Some(ExitCause::ConfigurationRefused);
    if first || waited >= pause {
        return Step::Do(Effect::StartMachine);
    }
    Step::Rest(Rest::Refused(refusal, pause - waited))
}

/// Why it is off, if it ended by itself or couldn't be started, and the pause before the next start.
pub(super) fn ended(facts: &Facts, machine: &MachineFact) -> Option<(Refusal, SignedDuration)> {
    let slow = facts.cluster.settings.slow_retry;
    let count = facts.known.started.as_ref().map_or(0, |attempt| attempt.count);
    let backoff = SignedDuration::from_secs(10_i64.saturating_mul(1 << count.min(10))).min(slow);
    let Some(exit) = machine.exit else {
        let told = || Refusal::new(reason::CRASH_LOOP, NOT_STARTED);
        return (machine.phase == MachinePhase::Failed).then(|| (told(), backoff));
    };
    let (reason, pause) = match exit {
        ExitCause::ConfigurationRefused => (reason::CONFIGURATION_REFUSED, slow),
        ExitCause::OutOfMemory => (reason::OUT_OF_MEMORY, backoff),
        ExitCause::Requested | ExitCause::Crashed { .. } => (reason::CRASH_LOOP, backoff),
    };
    let mut message = sentence(&exit.message());
    if let Some(remedy) = exit.remedy() {
        message.push(' ');
        message.push_str(&sentence(remedy));
    }
    Some((Refusal::new(reason, message), pause))
}

/// Of a Machine that Fly couldn't boot.
const NOT_STARTED: &str = "Fly couldn't start the Machine. `fly machine status` shows its events, and `fly logs` what it said; it is started again by itself.";

/// The text as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}
