//! What somebody else changed on the Machine is put right, but not for ever.

use jiff::Timestamp;

use super::super::drift;
use super::super::facts::{Facts, MachineFact};
use super::super::resolve::Resolved;
use super::super::step::{Effect, Step};
use super::Reached;

/// What Fly puts in its own way is known as such.
pub(super) fn told_apart(facts: &Facts, machine: &MachineFact) -> Reached<()> {
    if machine.is_as_asked() || !drift::is_own_version(facts, machine) {
        return Ok(());
    }
    Err(Step::Do(Effect::MarkSpelling))
}

/// Whether the Machine is left as it is for now, although it isn't as declared: it was put right too often.
pub(super) fn is_left(now: Timestamp, facts: &Facts, resolved: &Resolved) -> bool {
    drift::is_held(now, facts, resolved)
}
