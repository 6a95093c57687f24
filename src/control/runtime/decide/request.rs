//! What a person asked for by a RuntimeTask: carried out once, the oldest request first.
//!
//! Whether a request has been carried out is read off Fly, never remembered: a process that dies on the way is
//! followed by one that looks and goes on.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{
    Facts, Known, MachineFact, MachinePhase, Origin, Proof, Pursuit, Refusal, Request, RequestKind,
    SnapshotFact, SnapshotPhase,
};
use super::super::step::{Effect, Finish, Launch, Look, Rest, Step, Wait, Waiting};
use super::Reached;
use super::power::look_after;
use super::provision::token_for_launch;
use super::{filled, restore, upgrade};
use crate::api::condition::whole_seconds;
use crate::api::reason;
use crate::api::runtime_task::TaskResult;
use crate::api::state::TaskState;

/// Time after which a request that couldn't be carried out is given up.
pub(super) const DEADLINE: SignedDuration = SignedDuration::from_hours(1);
/// Most times that a snapshot is asked for, should Fly take the request and list none.
const MAX_TRIES: u32 = 3;

/// The step for the oldest request, once the Runtime rests; else the Runtime's own.
pub(super) fn attended(now: Timestamp, facts: &Facts, step: Step) -> Step {
    let (Some(request), Step::Rest(_) | Step::Wait(_)) = (&facts.cluster.request, &step) else {
        return step;
    };
    match (&request.kind, step) {
        (RequestKind::Upgrade, step) => upgrade::attended(now, facts, request, step),
        (RequestKind::Restore { snapshot }, step) => {
            restore::attended(now, facts, request, snapshot.as_deref(), step)
        }
        (_, step) if is_late(now, request) => given_up(request, facts, &step),
        (RequestKind::Snapshot, Step::Rest(rest)) => snapshot(now, facts, request, rest),
        (RequestKind::Restart, Step::Rest(rest)) => restart(request, rest),
        (RequestKind::Restart | RequestKind::Snapshot, step) => step,
    }
}

/// Whether it should have been carried out by now.
pub(super) fn is_late(now: Timestamp, request: &Request) -> bool {
    request.created.duration_until(now) > DEADLINE
}

/// The step that ends a request.
pub(super) fn finish(
    request: &Request,
    state: TaskState,
    reason: &'static str,
    message: impl Into<String>,
    result: Option<TaskResult>,
) -> Step {
    Step::Do(Effect::FinishTask(Box::new(Finish {
        task: request.task.clone(),
        uid: request.uid.clone(),
        state,
        reason,
        message: message.into(),
        result,
    })))
}

pub(super) fn failed(request: &Request, reason: &'static str, message: impl Into<String>) -> Step {
    finish(request, TaskState::Failed, reason, message, None)
}

pub(super) fn given_up(request: &Request, facts: &Facts, step: &Step) -> Step {
    let cause = match (step, &facts.known.trouble) {
        (Step::Rest(Rest::Refused(refusal, _) | Rest::Awaiting(refusal)), _) => refusal.message.as_str(),
        (_, Some(trouble)) => trouble.message.as_str(),
        _ => "Something else was under way all the time.",
    };
    let message =
        format!("It couldn't be carried out within an hour. {cause} Ask for it again by another task.");
    failed(request, reason::DEADLINE_EXCEEDED, message)
}

/// Whether a restart is asked for, and the Machine hasn't begun anew since.
pub(in crate::control::runtime) fn restart_is_due(facts: &Facts, machine: &MachineFact) -> bool {
    let Some(request) = facts.cluster.request.as_ref().filter(|it| it.kind == RequestKind::Restart) else {
        return false;
    };
    // The API server tells only the second of the request: a start in that same second may have been before it.
    let after = request.created.saturating_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
    let since = machine.started.is_some_and(|started| started >= after);
    // Clocks may differ: what this process itself has brought to an end and seen start again has begun anew.
    let ending = facts.known.pursuit(request).and_then(|pursuit| pursuit.ending);
    let ended = ending.is_some_and(|ending| machine.started.is_some() && machine.started != ending);
    !since && !ended
}

/// A restart that was asked for is a stop, gracefully, and a start; one that is off already is started at once.
pub(super) fn restarted(now: Timestamp, facts: &Facts, machine: &MachineFact) -> Reached<()> {
    if !restart_is_due(facts, machine) {
        return Ok(());
    }
    match (machine.phase, facts.known.stop_asked) {
        (MachinePhase::Started, Some(asked)) if asked.duration_until(now) < SignedDuration::from_mins(1) => {
            Err(look_after(now, machine, Waiting::Stop))
        }
        // What the operator brings anew comes with it: an update is a stop and a start as well.
        (MachinePhase::Started, None) if machine.seed != facts.cluster.settings.seed => {
            token_for_launch(facts)?;
            Err(Step::Do(Effect::UpdateMachine(Launch::Start)))
        }
        (MachinePhase::Started, _) => Err(Step::Do(Effect::StopMachine)),
        (MachinePhase::Stopped | MachinePhase::Failed, _) => Err(Step::Do(Effect::StartMachine)),
        _ => Ok(()),
    }
}

fn restart(request: &Request, rest: Rest) -> Step {
    match rest {
        // A Machine that serves and is still to be restarted would not be at rest.
        Rest::Running | Rest::Sleeping | Rest::Degraded(_) => {
            finish(request, TaskState::Completed, reason::COMPLETED, "Restarted.", None)
        }
        Rest::Stopped => failed(
            request,
            reason::NOT_POSSIBLE,
            "It is stopped, as declared. Set `spec.powerState: Running` to start it.",
        ),
        Rest::Refused(refusal, _) if refusal.reason == reason::HOST_UNREACHABLE => {
            Step::Rest(Rest::Refused(refusal, SignedDuration::from_secs(30)))
        }
        Rest::Awaiting(refusal) | Rest::Refused(refusal, _) => {
            failed(request, refusal.reason, refusal.message)
        }
        Rest::Gone => Step::Rest(Rest::Gone),
    }
}

fn snapshot(now: Timestamp, facts: &Facts, request: &Request, rest: Rest) -> Step {
    let recorded = facts.own_claim().and_then(|claim| claim.runtime.as_ref());
    let Some(volume) = recorded.and_then(|identity| identity.volume_id.clone()) else {
        return failed(request, reason::NOT_POSSIBLE, "It has no volume yet: there is nothing to keep.");
    };
    let fresh = Pursuit::default();
    let pursuit = facts.known.pursuit(request).unwrap_or(&fresh);
    if let Some(Refusal { reason, message }) = &pursuit.refusal {
        return failed(request, reason, message.clone());
    }
    match &pursuit.snapshot {
        Known::Unknown => Step::Look(Look::RequestedSnapshot),
        Known::Present(snapshot) if snapshot.phase == SnapshotPhase::Created => made(request, snapshot),
        Known::Present(_) => aside(now, facts, request, rest),
        Known::Missing(absence) => {
            let proved = absence.proof(now, facts.cluster.settings.absence_grace) == Proof::Proved;
            let first = pursuit.asked.is_none() && request.origin == Origin::Made;
            match pursuit.tries {
                _ if !first && !proved => aside(now, facts, request, rest),
                MAX_TRIES.. => failed(request, reason::FLY_REFUSED, NEVER_LISTED),
                _ => filled::whole_aside(now, facts, &volume, &rest)
                    .err()
                    .unwrap_or(Step::Do(Effect::TakeSnapshot { volume })),
            }
        }
    }
}

/// Of a snapshot that never came about.
const NEVER_LISTED: &str = "Fly took the request several times and lists no new snapshot. Look at Fly's status page, and ask again by another task.";

fn made(request: &Request, snapshot: &SnapshotFact) -> Step {
    let result = TaskResult {
        snapshot_id: Some(snapshot.id.clone()),
        expiry_time: Some(whole_seconds(snapshot.expiry())),
    };
    let message = "The snapshot is made; `status.result` names it.";
    finish(request, TaskState::Completed, reason::COMPLETED, message, Some(result))
}

/// Looks again after a while, ever more seldom; the Runtime rests meanwhile as it would.
fn aside(now: Timestamp, facts: &Facts, request: &Request, rest: Rest) -> Step {
    let waited = request.created.duration_until(now);
    let pause = (waited / 4).clamp(SignedDuration::from_secs(1), SignedDuration::from_secs(15));
    let age = facts.known.since_look(Look::RequestedSnapshot, now);
    if age >= pause {
        return Step::Look(Look::RequestedSnapshot);
    }
    Step::Wait(Wait { what: Waiting::Aside(Box::new(rest)), again: pause - age })
}
