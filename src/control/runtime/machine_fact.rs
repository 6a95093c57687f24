//! Reads a Machine as Fly answers it into what decisions need. Pure.

use fly_machines::types::{Autostop, CheckResult, Machine, MachineEvent, MachineState, OrgMachine, Service};
use jiff::{SignedDuration, Timestamp};

use super::desired::metadata;
use super::drift::drift;
use super::facts::{Boot, Health, Host, Idling, MachineFact, MachinePhase, Services, Source};
use super::sleep;
use crate::gateway::exit::{ExitCause, MachineExit};

/// Time for which a Machine that was just changed reads as stopped although it is about to start.
const REPLACING: SignedDuration = SignedDuration::from_secs(60);

/// What matters of a Machine.
pub fn machine_fact(now: Timestamp, machine: &Machine, before: Option<&MachineFact>) -> MachineFact {
    let phase = phase(now, machine);
    let same = before.filter(|before| before.phase == phase && before.version == machine.version());
    let mark = |key| machine.metadata(key).map(str::to_owned);
    let config = machine.config.as_deref().or(machine.incomplete_config.as_deref());
    MachineFact {
        id: machine.id.clone(),
        phase,
        state: machine.state.as_str().to_owned(),
        version: machine.version().to_owned(),
        region: machine.region.clone(),
        volume: config.and_then(|config| config.mounts.first()).map(|mount| mount.volume.clone()),
        config_hash: mark(metadata::CONFIG),
        grown_gb: mark(metadata::GROWN).and_then(|size| size.parse().ok()),
        seed: seed(mark(metadata::SEED)),
        secrets_hash: mark(metadata::SECRETS),
        digests: mark(metadata::DIGESTS).map(Into::into),
        env_mark: mark(metadata::ENV),
        drift: machine.config.as_deref().and_then(drift),
        addresses: split(machine.metadata(metadata::ADDRESSES)),
        hostname: mark(metadata::HOSTNAME),
        names: mark(metadata::NAMES),
        owner: mark(metadata::OWNER),
        restarted_at: mark(metadata::RESTARTED_AT),
        image_digest: image_digest(machine),
        image_version: image_version(machine),
        health: health(machine),
        exit: exit(machine),
        host: if machine.host_is_unreachable() { Host::Unreachable } else { Host::Reachable },
        services: if config.is_some_and(|config| !config.services.is_empty()) {
            Services::Public
        } else {
            Services::None
        },
        started: started(machine),
        quiet: quiet(machine),
        session: session(machine),
        idling: config.map_or(Idling::Off, |config| idling(&config.services)),
        boot: boot(machine),
        source: Source::Machine,
        since: same.map_or(now, |before| before.since),
        read_at: now,
    }
}

/// What the organisation's list tells of a Machine that runs, or is off and carries our mark of what Fly's proxy does
/// about that; `None` of any other. Why one is off only the Machine itself tells.
pub fn listed_fact(now: Timestamp, row: &OrgMachine) -> Option<MachineFact> {
    let marks = &row.config.as_deref()?.metadata;
    let mark = |key: &str| marks.get(key).cloned();
    let idling = marks.get(metadata::IDLING).and_then(|mark| sleep::marked(mark));
    let (phase, idling) = match (&row.state, idling) {
        (MachineState::Started, idling) => (MachinePhase::Started, idling.unwrap_or(Idling::Off)),
        (MachineState::Stopped | MachineState::Suspended, Some(idling)) => (MachinePhase::Stopped, idling),
        _ => return None,
    };
    Some(MachineFact {
        id: row.id.clone(),
        phase,
        state: row.state.as_str().to_owned(),
        version: row.instance_id.clone(),
        region: row.region.clone(),
        volume: None,
        config_hash: mark(metadata::CONFIG),
        grown_gb: mark(metadata::GROWN).and_then(|size| size.parse().ok()),
        seed: seed(mark(metadata::SEED)),
        secrets_hash: mark(metadata::SECRETS),
        digests: mark(metadata::DIGESTS).map(Into::into),
        env_mark: mark(metadata::ENV),
        drift: None,
        addresses: split(marks.get(metadata::ADDRESSES).map(String::as_str)),
        restarted_at: mark(metadata::RESTARTED_AT),
        image_digest: None,
        image_version: None,
        health: Health::Unknown,
        exit: None,
        host: Host::Reachable,
        services: Services::Public,
        hostname: mark(metadata::HOSTNAME),
        names: mark(metadata::NAMES),
        owner: mark(metadata::OWNER),
        started: None,
        quiet: None,
        session: None,
        idling,
        boot: Boot::Done,
        source: Source::List,
        since: now,
        read_at: now,
    })
}

fn phase(now: Timestamp, machine: &Machine) -> MachinePhase {
    match &machine.state {
        MachineState::Created | MachineState::Creating => MachinePhase::Preparing,
        MachineState::Starting => MachinePhase::Starting,
        MachineState::Started => MachinePhase::Started,
        MachineState::Stopping | MachineState::Suspending => MachinePhase::Stopping,
        MachineState::Stopped | MachineState::Suspended if just_replaced(now, machine) => {
            MachinePhase::Replacing
        }
        MachineState::Stopped | MachineState::Suspended => MachinePhase::Stopped,
        MachineState::Failed | MachineState::LaunchFailed => MachinePhase::Failed,
        MachineState::Destroying | MachineState::Destroyed => MachinePhase::Destroying,
        _ => MachinePhase::Replacing,
    }
}

/// An update of a running Machine reads as stopped, after an exit that nobody seems to have asked for, for some
/// seconds before the new version starts.
fn just_replaced(now: Timestamp, machine: &Machine) -> bool {
    let mut lifecycle = lifecycle(machine);
    let (Some(last), Some(before)) = (lifecycle.next(), lifecycle.next()) else { return false };
    let recent =
        Timestamp::from_millisecond(last.timestamp).is_ok_and(|at| at.duration_until(now) < REPLACING);
    last.kind == "exit" && before.kind == "update" && recent
}

/// The end of the version that should run, if it ended by itself: an exit that follows a start.
fn exit(machine: &Machine) -> Option<ExitCause> {
    if !matches!(machine.state, MachineState::Stopped | MachineState::Failed) {
        return None;
    }
    let mut lifecycle = lifecycle(machine);
    let (last, before) = (lifecycle.next()?, lifecycle.next()?);
    if last.kind != "exit" || !matches!(before.kind.as_str(), "start" | "restart" | "exit") {
        return None;
    }
    let event = last.exit()?;
    let whole = |number: Option<i64>| number.and_then(|number| i32::try_from(number).ok());
    let cause = ExitCause::of(MachineExit {
        code: whole(event.code()),
        signal: whole(event.guest_signal),
        oom_killed: event.oom_killed,
        requested_stop: event.requested_stop,
    });
    (cause != ExitCause::Requested).then_some(cause)
}

/// Its last start. A start that couldn't be made leaves no such event.
fn started(machine: &Machine) -> Option<Timestamp> {
    let start = machine.events.iter().find(|event| event.kind == "start")?;
    Timestamp::from_millisecond(start.timestamp).ok()
}

/// The newest event, if its program has ended and wasn't started since. The events of a stop may come late: without
/// the end itself nothing is told.
fn quiet(machine: &Machine) -> Option<Timestamp> {
    let newest = lifecycle(machine).next()?;
    let decisive = lifecycle(machine)
        .find(|event| matches!(event.kind.as_str(), "exit" | "suspend" | "start" | "restart"));
    let runs = decisive.is_some_and(|event| matches!(event.kind.as_str(), "start" | "restart"));
    (!runs).then(|| Timestamp::from_millisecond(newest.timestamp).ok()).flatten()
}

/// The start before the newest end that was asked for.
fn session(machine: &Machine) -> Option<Timestamp> {
    let as_asked = |event: &&MachineEvent| {
        event.kind == "suspend" || event.exit().is_some_and(|exit| exit.requested_stop)
    };
    let mut earlier = lifecycle(machine).skip_while(|event| !as_asked(event));
    let start = earlier.find(|event| matches!(event.kind.as_str(), "start" | "restart"))?;
    Timestamp::from_millisecond(start.timestamp).ok()
}

/// What the proxy does with it while nobody uses it.
pub fn idling(services: &[Service]) -> Idling {
    let one = |service: &Service| match (&service.autostop, service.autostart, service.min_machines_running) {
        (None | Some(Autostop::Off), None | Some(false), _) => Idling::Off,
        (Some(Autostop::Stop), Some(true), None | Some(0)) => Idling::Stop,
        (Some(Autostop::Suspend), Some(true), None | Some(0)) => Idling::Suspend,
        _ => Idling::Mixed,
    };
    let mut all = services.iter().map(one);
    let first = all.next().unwrap_or(Idling::Off);
    if all.all(|other| other == first) { first } else { Idling::Mixed }
}

/// An update of a Machine that is off leaves it off, even if it is meant to run. Who stopped it, Fly's proxy or a
/// person, its events don't tell for certain; that it was never started since the update they do.
fn boot(machine: &Machine) -> Boot {
    let decisive =
        lifecycle(machine).find(|event| matches!(event.kind.as_str(), "start" | "restart" | "update"));
    let due =
        machine.metadata(metadata::LAUNCH).is_some() && decisive.is_some_and(|event| event.kind == "update");
    if due { Boot::Due } else { Boot::Done }
}

/// The events that tell of a Machine's life, newest first.
fn lifecycle(machine: &Machine) -> impl Iterator<Item = &MachineEvent> {
    machine.events.iter().filter(|event| {
        matches!(event.kind.as_str(), "exit" | "start" | "restart" | "update" | "launch" | "stop" | "suspend")
    })
}

fn health(machine: &Machine) -> Health {
    // Fly's own checks of a deployment say nothing of the gateway.
    let mut ours =
        machine.checks.iter().filter(|check| !check.name.starts_with("bg_deployments_")).peekable();
    if ours.peek().is_none() {
        return Health::Unknown;
    }
    if ours.all(|check| check.status == CheckResult::Passing) { Health::Passing } else { Health::Failing }
}

/// Machines that were made before there was a mark have the first version.
fn seed(marked: Option<String>) -> u32 {
    marked.and_then(|version| version.parse().ok()).unwrap_or(1)
}

fn split(marked: Option<&str>) -> Vec<String> {
    let marked = marked.unwrap_or_default();
    marked.split(',').filter(|address| !address.is_empty()).map(str::to_owned).collect()
}

/// The digest that its configuration names, or else the one that Fly found the tag to stand for.
fn image_digest(machine: &Machine) -> Option<String> {
    let config = machine.config.as_deref().or(machine.incomplete_config.as_deref());
    let named = config.and_then(|config| config.image.split_once('@')).map(|(_, digest)| digest);
    named.or_else(|| machine.image_digest()).map(str::to_owned)
}

fn image_version(machine: &Machine) -> Option<String> {
    let image = machine.image_ref.as_ref()?;
    let label = image.labels.get("org.opencontainers.image.version").cloned();
    label
        .or_else(|| (!image.tag.is_empty()).then(|| image.tag.clone()))
        .map(|version| version.chars().take(64).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A Machine with these events, the newest last, one a second.
    fn with(kinds: &[&str]) -> Machine {
        let event = |(at, kind): (usize, &&str)| json!({"type": kind, "timestamp": at * 1_000});
        let events: Vec<_> = kinds.iter().enumerate().rev().map(event).collect();
        serde_json::from_value(json!({"id": "m", "state": "stopped", "events": events})).unwrap()
    }

    #[test]
    fn a_session_is_a_run_that_ended_as_asked() {
        let exit = |at: i64, requested_stop: bool| json!({"type": "exit", "timestamp": at, "request": {"exit_event": {"requested_stop": requested_stop}}});
        let start = |at: i64| json!({"type": "start", "timestamp": at});
        let told = |events: &[serde_json::Value]| {
            let machine = json!({"id": "m", "state": "stopped", "events": events});
            session(&serde_json::from_value(machine).unwrap()).map(Timestamp::as_millisecond)
        };
        assert_eq!(told(&[exit(4, false), start(3), exit(2, true), start(1)]), Some(1));
        assert_eq!(told(&[json!({"type": "suspend", "timestamp": 2}), start(1)]), Some(1));
        assert_eq!(told(&[exit(2, false), start(1)]), None);
    }

    #[test]
    fn it_is_quiet_once_its_events_tell_of_its_end() {
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        for (kinds, since) in [
            (&["launch", "start", "stop", "exit"][..], at(3)),
            (&["launch", "start", "exit"], at(2)),
            (&["launch", "start", "stop", "exit", "update"], at(4)),
            (&["launch", "start", "update", "exit"], at(3)),
            (&["launch", "start", "suspend"], at(2)),
            (&["launch"], at(0)),
            // The end itself isn't told yet, or was before the last start.
            (&["launch", "start", "stop"], None),
            (&["launch", "start", "exit", "start"], None),
            (&[], None),
        ] {
            assert_eq!(quiet(&with(kinds)), since, "{kinds:?}");
        }
    }
}
