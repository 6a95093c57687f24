//! A Restore that somebody asked for: the volume as a snapshot has it. The volume that was there before is displaced.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{Facts, Request};
use super::super::moving::newest;
use super::super::step::{Look, Rest, Step};
use super::replace::{Origin, begun, is_crowded, record};
use super::request::{failed, finish, given_up, is_late};
use crate::api::condition::whole_seconds;
use crate::api::name_claim::RuntimeIdentity;
use crate::api::reason;
use crate::api::replacement::ReplacementCause;
use crate::api::runtime_task::TaskResult;
use crate::api::state::TaskState;

/// Time for which a list of snapshots is good enough to choose from.
const FRESH: SignedDuration = SignedDuration::from_secs(60);

/// The step for a Restore. It doesn't wait for a gateway that doesn't come up: that may be why it is asked for.
pub(super) fn attended(
    now: Timestamp,
    facts: &Facts,
    request: &Request,
    snapshot: Option<&str>,
    step: Step,
) -> Step {
    let recorded = facts.own_claim().and_then(|claim| claim.runtime.as_ref());
    let Some(identity) = recorded.filter(|identity| identity.volume_id.is_some()) else {
        return failed(request, reason::NOT_POSSIBLE, "It has no volume yet: there is nothing to restore.");
    };
    if let Some(refusal) = facts.known.pursuit(request).and_then(|pursuit| pursuit.refusal.as_ref()) {
        return failed(request, refusal.reason, refusal.message.clone());
    }
    let asked_by = |task: &Option<String>| task.as_deref() == Some(request.uid.as_str());
    if identity.restored.as_ref().is_some_and(|restored| asked_by(&restored.task)) {
        return restored(now, facts, identity, request, step);
    }
    // Its own move isn't over before that has come to its own end.
    if identity.replacement.as_ref().is_some_and(|replacement| asked_by(&replacement.task)) {
        return step;
    }
    if is_late(now, request) {
        return given_up(request, facts, &step);
    }
    if identity.replacement.is_some() {
        return step;
    }
    begin(now, facts, identity, request, snapshot)
}

/// The volume is as the snapshot has it; the request ends once the Runtime rests.
fn restored(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    request: &Request,
    step: Step,
) -> Step {
    match step {
        Step::Rest(Rest::Refused(..)) if is_late(now, request) => given_up(request, facts, &step),
        Step::Rest(Rest::Refused(..)) | Step::Wait(_) => step,
        _ => {
            let snapshot_id = identity.restored.as_ref().map(|restored| restored.snapshot_id.clone());
            let result = TaskResult { snapshot_id, ..TaskResult::default() };
            let message =
                "Everything is as the snapshot had it; the volume that was there before is kept for a while.";
            finish(request, TaskState::Completed, reason::COMPLETED, message, Some(result))
        }
    }
}

fn begin(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    request: &Request,
    snapshot: Option<&str>,
) -> Step {
    if is_crowded(identity) {
        return failed(
            request,
            reason::NOT_POSSIBLE,
            "Too many volumes that were there before wait to be removed. Ask again by another task once the Runtime has served for an hour.",
        );
    }
    let fresh = facts.known.since_look(Look::Snapshots, now) < FRESH;
    let Some(snapshots) = facts.known.moving.snapshots.as_ref().filter(|_| fresh) else {
        return Step::Look(Look::Snapshots);
    };
    // The id is the tenant's word: only a snapshot of a recorded volume is ours.
    let chosen = match snapshot {
        Some(id) => snapshots.iter().find(|it| it.snapshot.id == id),
        None => newest(identity, snapshots),
    };
    let Some(chosen) = chosen else { return failed(request, reason::SNAPSHOT_NOT_FOUND, NOT_FOUND) };
    record(begun(
        now,
        identity,
        Origin {
            cause: ReplacementCause::Restore,
            source: chosen.snapshot.id.clone(),
            snapshot_time: Some(whole_seconds(chosen.snapshot.made)),
            task: Some(request.uid.clone()),
        },
    ))
}

/// Of a snapshot that there isn't.
const NOT_FOUND: &str = "There is no such snapshot of a volume of this Runtime. `fly volumes snapshots list` shows those of a volume (`status.external.volumeID`); leave `snapshotID` out for the newest.";
