//! A host without room: the volume is copied to another. What finds no room there either is taken back.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{Facts, Refusal};
use super::super::moving::PATIENCE;
use super::replace::{Origin, begun, is_crowded, record};
use super::{Reached, filled};
use crate::api::condition::whole_seconds;
use crate::api::name_claim::RuntimeIdentity;
use crate::api::reason;
use crate::api::replacement::{Displaced, RefusedPlan, ReplacementCause};

/// Pause before a size is tried again for which a copy was made in vain: the gateway stops for each copy.
const FAILED_COPY_PAUSE: SignedDuration = SignedDuration::from_hours(24);

/// The volume's host has room for its Machine; where it hasn't, the volume is copied to another. A copy on which no
/// Machine found room either isn't copied again: back to what it is a copy of, with the size that ran there.
pub(super) fn room(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    let moving = &facts.known.moving;
    let Some(volume) = identity.volume_id.clone().filter(|_| moving.no_room >= PATIENCE) else {
        return Ok(());
    };
    if let Some((source, earlier)) = identity.displaced.split_last().filter(|_| never_ran(identity)) {
        return Err(record(swapped(now, identity, volume, source, earlier)));
    }
    if is_crowded(identity) || moving.no_copy_until.is_some_and(|until| until > now) {
        return Ok(());
    }
    filled::whole(now, facts, &volume)?;
    let origin = Origin { cause: ReplacementCause::Fork, source: volume, snapshot_time: None, task: None };
    Err(record(begun(now, identity, origin)))
}

/// Whether the recorded volume is one of two copies, and no Machine has run on it since the last move.
fn never_ran(identity: &RuntimeIdentity) -> bool {
    let copy = |left: &Displaced| {
        left.cause == ReplacementCause::Fork && left.machine_id.is_none() && left.served_since.is_none()
    };
    identity.machine_id.is_none() && identity.displaced.last().is_some_and(copy)
}

/// One copy takes the place of the other, which waits in its place.
fn swapped(
    now: Timestamp,
    identity: &RuntimeIdentity,
    volume: String,
    source: &Displaced,
    earlier: &[Displaced],
) -> RuntimeIdentity {
    let incarnation = identity.last_incarnation.max(identity.incarnation).saturating_add(1);
    let copy = Displaced { volume_id: volume, since: whole_seconds(now), ..source.clone() };
    let mut back = RuntimeIdentity {
        volume_id: Some(source.volume_id.clone()),
        incarnation,
        last_incarnation: incarnation,
        displaced: earlier.iter().cloned().chain([copy]).collect(),
        ..identity.clone()
    };
    take_size_back(now, &mut back, FAILED_COPY_PAUSE);
    back
}

/// For the person who reads why a size isn't taken on.
pub(super) fn no_room_for(plan: &str, runs: &str) -> Refusal {
    Refusal::new(
        reason::CAPACITY,
        format!(
            "Fly has no room for the Plan `{plan}` where the volume is, and none on another host. It runs on with `{runs}`. It is tried again by itself after a while; set `spec.planRef` to `{runs}` to leave it at that."
        ),
    )
}

/// A size that found no room is taken back, and tried again after a pause.
pub(super) fn take_size_back(now: Timestamp, identity: &mut RuntimeIdentity, pause: SignedDuration) {
    let Some(resizing) = identity.resizing.take() else { return };
    let retry = now.saturating_add(pause).unwrap_or(now);
    identity.refused_plan =
        Some(RefusedPlan { plan: identity.pin.plan.name.clone(), retry_time: whole_seconds(retry) });
    identity.volume_gb = Some(identity.volume_size());
    identity.pin.plan = resizing.from;
}
