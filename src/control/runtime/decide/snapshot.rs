//! The snapshot of a volume as its Machine left it: made since nothing writes there any more, and kept for as long as
//! Fly can.
//!
//! Fly makes a snapshot each day by itself, kept for as long as the volume's setting says. One of those may be older
//! than the last that was written, however lately somebody asked for a deletion or an upgrade, and goes soon.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{
    Facts, Known, MachinePhase, Refusal, SnapshotAsked, SnapshotFact, SnapshotPhase, SnapshotReply,
};
use super::super::step::{Effect, Look, Rest, Step, Waiting};
use super::{Reached, destroy, filled, look_again};
use crate::api::condition::whole_seconds;
use crate::api::name_claim::SnapshotRecord;
use crate::api::reason;

/// How long a snapshot has to be kept to be good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// As long as Fly can.
    Longest,
    /// As long as the volume's setting says.
    AsSet,
}

/// The snapshot that is wanted.
pub(super) struct Want<'w> {
    /// The volume's id.
    pub volume: &'w str,
    /// How long it has to be kept.
    pub keeping: Keeping,
    /// What asks for one.
    pub order: Effect,
}

/// Since when nothing writes on the volume: by Fly's clock where the Machine's events tell, else since it was first seen
/// so. `None` while something does, or may.
pub fn quiet_since(facts: &Facts) -> Option<Timestamp> {
    match &facts.known.machine {
        Known::Unknown => None,
        Known::Missing(absence) => Some(absence.first),
        Known::Present(machine) => matches!(machine.phase, MachinePhase::Stopped | MachinePhase::Failed)
            .then(|| machine.quiet.unwrap_or(machine.since)),
    }
}

/// The last snapshot, made; else what comes first.
pub(super) fn last<'f>(now: Timestamp, facts: &'f Facts, want: Want<'_>) -> Reached<&'f SnapshotFact> {
    let Want { volume, keeping, order } = want;
    filled::whole(now, facts, volume)?;
    let again = || destroy::again(now, facts, Look::Snapshot, Waiting::Snapshot);
    let snapshot = match &facts.known.snapshot {
        Known::Unknown => return Err(Step::Look(Look::Snapshot)),
        Known::Missing(absence) => {
            let waits = facts.known.snapshot_asked.is_some() && !destroy::never_came(now, facts, *absence);
            return Err(if waits { again() } else { Step::Do(order) });
        }
        // The Machine ran once more since it was made.
        Known::Present(snapshot) if quiet_since(facts).is_none_or(|since| snapshot.made < since) => {
            return Err(Step::Look(Look::Snapshot));
        }
        Known::Present(snapshot) if snapshot.phase == SnapshotPhase::Pending => {
            return Err(unmade(now, facts, snapshot, volume, order));
        }
        Known::Present(snapshot) => snapshot,
    };
    if keeping == Keeping::Longest && !snapshot.is_kept_longest() {
        match missed(now, facts) {
            Missed::Order => return Err(Step::Do(order)),
            Missed::Wait => return Err(again()),
            Missed::Never => {}
        }
    }
    still_quiet(now, facts)?;
    Ok(snapshot)
}

/// A snapshot that isn't made in time is told of, and another asked for now and then. Nothing is removed meanwhile.
fn unmade(now: Timestamp, facts: &Facts, snapshot: &SnapshotFact, volume: &str, order: Effect) -> Step {
    let deadline = facts.cluster.settings.destroy_deadline;
    let is_late = |since: Timestamp| since.duration_until(now) > deadline;
    if is_late(snapshot.made) && facts.known.snapshot_asked.is_none_or(|asked| is_late(asked.at)) {
        return Step::Do(order);
    }
    let deleted = facts.runtime.metadata.deletion_timestamp.as_ref().map(|time| time.0);
    let late = deleted.is_some_and(is_late);
    // Ever more seldom: very many may go at once.
    let longest = SignedDuration::from_secs(if late { 60 } else { 15 });
    let age = snapshot.made.duration_until(now);
    let pause = (age / 4).clamp(SignedDuration::from_secs(1), longest);
    match look_again(now, facts, Look::Snapshot, pause, Waiting::Snapshot) {
        Step::Wait(wait) if late => Step::Rest(Rest::Refused(never_made(snapshot, volume), wait.again)),
        step => step,
    }
}

fn never_made(snapshot: &SnapshotFact, volume: &str) -> Refusal {
    Refusal::new(
        reason::SNAPSHOT_FAILED,
        format!(
            "The last snapshot isn't made in time: Fly says `{}` of it. The volume is kept until there is one, and another is asked for by itself. See `fly volumes snapshots list {volume}`, and Fly's status page.",
            snapshot.status
        ),
    )
}

/// What becomes of the wish for a snapshot that is kept longer than those that are listed.
enum Missed {
    /// It is to be asked for.
    Order,
    /// It was asked for, and may be listed in a moment.
    Wait,
    /// Fly made one and keeps it no longer.
    Never,
}

fn missed(now: Timestamp, facts: &Facts) -> Missed {
    let grace = facts.cluster.settings.absence_grace;
    match facts.known.snapshot_asked {
        None | Some(SnapshotAsked { reply: SnapshotReply::Busy, .. }) => Missed::Order,
        Some(asked) if asked.at.duration_until(now) < grace => Missed::Wait,
        Some(SnapshotAsked { reply: SnapshotReply::Lost, .. }) => Missed::Order,
        Some(SnapshotAsked { reply: SnapshotReply::Taken, .. }) => Missed::Never,
    }
}

/// The Machine was looked at since the snapshot was seen: a request may have started it in between.
fn still_quiet(now: Timestamp, facts: &Facts) -> Reached<()> {
    let Known::Present(machine) = &facts.known.machine else { return Ok(()) };
    let age = facts.known.since_look(Look::Snapshot, now);
    if machine.read_at.duration_until(now) <= age { Ok(()) } else { Err(Step::Look(Look::Machine)) }
}

/// What is recorded of a snapshot.
pub(super) fn record(snapshot: &SnapshotFact, volume: &str) -> SnapshotRecord {
    SnapshotRecord {
        id: snapshot.id.clone(),
        volume_id: volume.to_owned(),
        expiry_time: whole_seconds(snapshot.expiry()),
    }
}
