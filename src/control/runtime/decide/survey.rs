//! What the organisation's list of Machines doesn't show: looked at when it is time, and put right where it was ours.

use jiff::Timestamp;

use super::super::facts::{Facts, MachineFact, MachinePhase, Source};
use super::super::step::{Effect, Launch, Look, Rest, Step};
use super::super::survey::{self, Digests, Standing};
use super::Reached;
use super::provision::token_for_launch;
use crate::control::hold;

/// Nothing else in the app has to be looked at, and the app's secrets are there, as far as is known.
pub(super) fn made(now: Timestamp, facts: &Facts, rest: &Step) -> Reached<()> {
    if !matches!(rest, Step::Rest(Rest::Running | Rest::Degraded(_) | Rest::Sleeping | Rest::Stopped)) {
        return Ok(());
    }
    if survey::is_due(now, facts) {
        return Err(Step::Look(Look::Surroundings));
    }
    let Some(found) = facts.known.survey.found() else { return Ok(()) };
    if found.secrets == Standing::Changed {
        token_for_launch(facts)?;
        return Err(Step::Do(Effect::SetSecrets));
    }
    values(facts, &found.digests)
}

/// The app's secrets have the values that were set.
fn values(facts: &Facts, digests: &Digests) -> Reached<()> {
    let Some(machine) = facts.known.machine.present() else { return Ok(()) };
    match digests {
        Digests::AsMarked => Ok(()),
        // It isn't worth a look at the Machine, nor a word of one that is held.
        Digests::Unmarked(_) => {
            let held = hold::held(&facts.runtime.metadata, facts.cluster.settings.mode).is_some();
            if held || machine.source == Source::List { Ok(()) } else { Err(Step::Do(Effect::MarkDigests)) }
        }
        Digests::Changed(_) => {
            token_for_launch(facts)?;
            Err(Step::Do(Effect::SetSecrets))
        }
        // A restart by hand makes no new version, which the organisation's list would tell of.
        Digests::SetAgain(_) if is_older(facts, machine) => Err(Step::Look(Look::Machine)),
        Digests::SetAgain(since) if has_booted(machine, *since) => {
            token_for_launch(facts)?;
            Err(Step::Do(Effect::UpdateMachine(Launch::Start)))
        }
        Digests::SetAgain(_) | Digests::Stale => Err(Step::Look(Look::Surroundings)),
    }
}

/// Whether the Machine was read before the secrets were.
fn is_older(facts: &Facts, machine: &MachineFact) -> bool {
    facts.known.looked.get(&Look::Surroundings).is_some_and(|at| machine.read_at < *at)
}

/// Whether its gateway was started since then, and runs with what it found.
fn has_booted(machine: &MachineFact, since: Timestamp) -> bool {
    machine.phase == MachinePhase::Started && machine.started.is_none_or(|started| started >= since)
}
