//! What moves left behind: Machines on hosts that didn't answer, and volumes that others took the place of.
//!
//! Such a volume is removed once the one in its place has served for an hour without being stopped, or ending by
//! itself; unless it was the source of a copy, only with a snapshot of it made since. A copy holds all that its source
//! held once Fly has brought it to its end, which it does while the copy is in use. See docs/adr.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{Facts, Filling, SnapshotPhase};
use super::super::moving::LeftState;
use super::super::resolve::resolve;
use super::super::step::{Clearing, Effect, Look, Rest, Step, Wait, Waiting};
use super::replace::record;
use super::{Reached, snapshot};
use crate::api::condition::whole_seconds;
use crate::api::name_claim::{RuntimeIdentity, SnapshotRecord};
use crate::api::replacement::{Displaced, ReplacementCause};
use crate::api::runtime::{DeletionPolicy, SleepMode};

/// Time between two looks at a copy that Fly still fills.
const COPY_LOOK: SignedDuration = SignedDuration::from_mins(1);

/// Nothing that was left behind is due to be cleared up.
pub(super) fn cleared(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity, rest: &Step) -> Reached<()> {
    if identity.displaced.is_empty() {
        return Ok(());
    }
    machines(now, facts, identity)?;
    served(now, identity, rest)?;
    if !matches!(rest, Step::Rest(Rest::Running | Rest::Sleeping)) {
        return Ok(());
    }
    let Some(left) = ripe(now, facts, identity) else { return Ok(()) };
    volume(now, facts, identity, left)
}

/// When clearing up goes on, if anything was left behind.
pub fn due(now: Timestamp, facts: &Facts) -> Option<SignedDuration> {
    let identity = facts.own_claim()?.runtime.as_ref()?;
    let ripe = |left: &Displaced| match &left.machine_id {
        Some(_) => Some(now),
        None => ripe_at(facts, left).map(|at| at.max(copied_at(now, facts, identity, left))),
    };
    let first = identity.displaced.iter().filter_map(ripe).min()?;
    let at = first.max(facts.known.moving.left_next.unwrap_or(first));
    Some(now.duration_until(at).max(SignedDuration::from_secs(1)))
}

fn waits(now: Timestamp, facts: &Facts) -> Option<SignedDuration> {
    facts.known.moving.left_next.map(|next| now.duration_until(next)).filter(SignedDuration::is_positive)
}

/// Machines go as soon as their hosts answer: nothing may serve on an old volume.
fn machines(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    let cleared = &facts.known.moving.cleared_machines;
    let is_done = |left: &Displaced| left.machine_id.as_ref().is_some_and(|id| cleared.contains(id));
    if identity.displaced.iter().any(is_done) {
        let mut wanted = identity.clone();
        for left in wanted.displaced.iter_mut().filter(|left| is_done(left)) {
            // It may have written until now.
            (left.machine_id, left.since) = (None, whole_seconds(now));
        }
        return Err(record(wanted));
    }
    let standing = identity.displaced.iter().find_map(|left| left.machine_id.clone());
    match standing.filter(|_| waits(now, facts).is_none()) {
        Some(id) => Err(Step::Do(Effect::Clear(Clearing::Machine(id)))),
        None => Ok(()),
    }
}

/// Since when the volumes in their place have served is recorded; a stop begins the time anew.
fn served(now: Timestamp, identity: &RuntimeIdentity, rest: &Step) -> Reached<()> {
    let wanted = match rest {
        Step::Rest(Rest::Running) => Some(whole_seconds(now)),
        Step::Rest(Rest::Stopped | Rest::Awaiting(_)) => None,
        _ => return Ok(()),
    };
    if identity.displaced.iter().all(|left| left.served_since.is_some() == wanted.is_some()) {
        return Ok(());
    }
    let mut changed = identity.clone();
    for left in &mut changed.displaced {
        left.served_since = wanted.and(left.served_since).or(wanted);
    }
    Err(record(changed))
}

/// The first volume whose successor has served long enough.
fn ripe<'i>(now: Timestamp, facts: &Facts, identity: &'i RuntimeIdentity) -> Option<&'i Displaced> {
    let long =
        |left: &&Displaced| left.machine_id.is_none() && ripe_at(facts, left).is_some_and(|at| at <= now);
    identity.displaced.iter().find(long)
}

/// When the volume in its place will have served for long enough. What has ended and was started again begins anew; but
/// one that sleeps is started again and again.
fn ripe_at(facts: &Facts, left: &Displaced) -> Option<Timestamp> {
    let since = left.served_since?;
    let sleeps = resolve(facts).is_ok_and(|resolved| resolved.sleep != SleepMode::Never);
    let started = facts.known.machine.present().and_then(|machine| machine.started);
    let begun = started.filter(|_| !sleeps).map_or(since, |started| started.max(since));
    begun.saturating_add(facts.cluster.settings.keep_displaced).ok()
}

/// When to look next whether the volume in its place has all that it was copied from.
fn copied_at(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity, left: &Displaced) -> Timestamp {
    if left.cause != ReplacementCause::Fork || is_copied(facts, identity) {
        return now;
    }
    let age = facts.known.since_look(Look::Volume, now);
    if age >= COPY_LOOK { now } else { now.saturating_add(COPY_LOOK - age).unwrap_or(now) }
}

fn is_copied(facts: &Facts, identity: &RuntimeIdentity) -> bool {
    let own = facts.known.volume.present().filter(|volume| Some(&volume.id) == identity.volume_id.as_ref());
    own.is_some_and(|volume| volume.filling == Filling::Whole)
}

fn volume(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity, left: &Displaced) -> Reached<()> {
    if facts.known.removed_volumes.contains(&left.volume_id) {
        return Err(forgotten(identity, &left.volume_id));
    }
    if waits(now, facts).is_some() {
        return Ok(());
    }
    let id = left.volume_id.clone();
    if left.cause == ReplacementCause::Fork {
        return match copied_at(now, facts, identity, left) {
            _ if is_copied(facts, identity) => Err(Step::Do(Effect::Clear(Clearing::Volume(id)))),
            at if at <= now => Err(Step::Look(Look::Volume)),
            _ => Ok(()),
        };
    }
    Err(match saved(now, facts, &id) {
        Saved::Gone => forgotten(identity, &id),
        Saved::Look => Step::Look(Look::Displaced),
        Saved::Not => Step::Do(Effect::Clear(Clearing::Snapshot(id))),
        Saved::Yes => Step::Do(Effect::Clear(Clearing::Volume(id))),
    })
}

/// Whether a volume that was left behind is saved by a snapshot made since, which Fly keeps for as long as it can.
enum Saved {
    /// It is gone already.
    Gone,
    /// It isn't known.
    Look,
    /// It isn't.
    Not,
    /// It is.
    Yes,
}

fn saved(now: Timestamp, facts: &Facts, volume: &str) -> Saved {
    let moving = &facts.known.moving;
    let Some(seen) = moving.left.as_ref().filter(|seen| seen.volume_id == volume) else { return Saved::Look };
    let grace = facts.cluster.settings.absence_grace;
    let asked = moving.left_asked.map(|at| at.duration_until(now));
    match (&seen.state, asked) {
        (LeftState::Gone, _) => Saved::Gone,
        (LeftState::Snapshot(made), _) if made.phase == SnapshotPhase::Pending => Saved::Look,
        (LeftState::Snapshot(made), _) if made.is_kept_longest() => Saved::Yes,
        // What was asked for may be listed in a moment.
        (_, Some(ago)) if ago < grace => Saved::Look,
        // Fly made one and keeps it no longer.
        (LeftState::Snapshot(_), Some(_)) => Saved::Yes,
        (LeftState::Bare | LeftState::Snapshot(_), _) => Saved::Not,
    }
}

fn forgotten(identity: &RuntimeIdentity, volume: &str) -> Step {
    let mut rest = identity.clone();
    rest.displaced.retain(|left| left.volume_id != volume);
    record(rest)
}

/// Before a deleted Runtime is let go, what its moves left behind goes too; under `Retain` it stops.
pub(super) fn taken_down(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    policy: DeletionPolicy,
) -> Reached<()> {
    let pause = |step| match waits(now, facts) {
        Some(again) => Step::Wait(Wait { what: Waiting::Displaced, again }),
        None => step,
    };
    if policy == DeletionPolicy::Retain {
        let standing = identity.displaced.iter().filter_map(|left| left.machine_id.as_ref());
        let on = standing.filter(|id| !facts.known.moving.cleared_machines.contains(*id)).min();
        return match on {
            Some(id) => Err(pause(Step::Do(Effect::Clear(Clearing::Stop(id.clone()))))),
            None => Ok(()),
        };
    }
    machines(now, facts, identity)?;
    if let Some(id) = identity.displaced.iter().find_map(|left| left.machine_id.clone()) {
        return Err(pause(Step::Do(Effect::Clear(Clearing::Machine(id)))));
    }
    let Some(left) = identity.displaced.first() else { return Ok(()) };
    let id = left.volume_id.clone();
    if facts.known.removed_volumes.contains(&id) {
        return Err(forgotten(identity, &id));
    }
    // Of what was copied, the copy's snapshot has everything.
    let kept = identity.snapshot.as_ref().map(|kept| &kept.volume_id);
    let own = kept.is_some() && kept == identity.volume_id.as_ref();
    if policy == DeletionPolicy::Delete || (own && left.cause == ReplacementCause::Fork) {
        return Err(pause(Step::Do(Effect::Clear(Clearing::Volume(id)))));
    }
    Err(match saved(now, facts, &id) {
        Saved::Gone => forgotten(identity, &id),
        Saved::Look => pause(Step::Look(Look::Displaced)),
        Saved::Not => pause(Step::Do(Effect::Clear(Clearing::Snapshot(id)))),
        Saved::Yes => {
            match last(facts, &id).filter(|last| !own && identity.snapshot.as_ref() != Some(last)) {
                // The volume in its place was lost: this is what is left.
                Some(last) => record(RuntimeIdentity { snapshot: Some(last), ..identity.clone() }),
                None => pause(Step::Do(Effect::Clear(Clearing::Volume(id)))),
            }
        }
    })
}

/// The snapshot by which a volume that was left behind is saved.
fn last(facts: &Facts, volume: &str) -> Option<SnapshotRecord> {
    let seen = facts.known.moving.left.as_ref().filter(|seen| seen.volume_id == volume)?;
    match &seen.state {
        LeftState::Snapshot(snapshot) => Some(snapshot::record(snapshot, volume)),
        LeftState::Gone | LeftState::Bare => None,
    }
}
