//! What the organisation's list of Machines doesn't show: looked at when it is time, and put right where it was ours.

use jiff::Timestamp;

use super::super::facts::Facts;
use super::super::step::{Effect, Look, Rest, Step};
use super::super::survey::{self, Standing};
use super::Reached;
use super::provision::token_for_launch;

/// Nothing else in the app has to be looked at, and the app's secrets are there, as far as is known.
pub(super) fn made(now: Timestamp, facts: &Facts, rest: &Step) -> Reached<()> {
    if !matches!(rest, Step::Rest(Rest::Running | Rest::Degraded | Rest::Sleeping | Rest::Stopped)) {
        return Ok(());
    }
    if survey::is_due(now, facts) {
        return Err(Step::Look(Look::Surroundings));
    }
    if facts.known.survey.found().is_some_and(|found| found.secrets == Standing::Changed) {
        token_for_launch(facts)?;
        return Err(Step::Do(Effect::SetSecrets));
    }
    Ok(())
}
