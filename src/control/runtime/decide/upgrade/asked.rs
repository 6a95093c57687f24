//! A person's request for an upgrade.

use jiff::{SignedDuration, Timestamp};

use super::super::super::facts::{Facts, Request};
use super::super::super::step::{Effect, Rest, Step, Wait, Waiting};
use super::super::request;
use crate::api::condition::whole_seconds;
use crate::api::name_claim::{FailedUpgrade, RuntimeIdentity, Upgrade, UpgradePhase};
use crate::api::reason;
use crate::api::state::TaskState;
use crate::control::rollout::target::Update;
use crate::control::rollout::tell;

/// Time in which an edit of the Blueprint reaches us. The edit and the request come by different watches.
const SETTLED: SignedDuration = SignedDuration::from_secs(5);

/// The step for a person's request, once the Runtime rests; else the Runtime's own.
pub(in super::super) fn attended(now: Timestamp, facts: &Facts, request: &Request, step: Step) -> Step {
    let Some(identity) = facts.own_claim().and_then(|claim| claim.runtime.as_ref()) else { return step };
    if let Some(failed) = taken_back(identity, request) {
        return request::failed(
            request,
            reason::UPDATE_FAILED,
            format!("It was taken back: {}", failed.message),
        );
    }
    if request::is_late(now, request) {
        return request::given_up(request, facts, &step);
    }
    let Step::Rest(rest) = &step else { return step };
    let trial = match &identity.upgrade {
        // One that is off and was moved before, by whomever it was asked.
        Some(upgrade) if upgrade.phase == UpgradePhase::Trial && is_off(rest) => Some(upgrade),
        Some(_) if !is_lost(rest) => return step,
        _ => None,
    };
    match (tell::update(facts), rest) {
        (_, Rest::Refused(refusal, _)) if is_lost(rest) => {
            request::failed(request, refusal.reason, refusal.message.clone())
        }
        (None, _) if trial.is_some() => {
            completed(request, "It is off and has been moved; it proves itself at its next start.")
        }
        (None, rest) => up_to_date(now, request, rest),
        (Some(update), _) if !update.fits() => request::failed(
            request,
            reason::PLAN_TOO_SMALL,
            "The Blueprint as it is now needs more memory than the Plan has. Choose a larger Plan.",
        ),
        (Some(update), _) if tell::failed(facts, &update).is_some() => {
            let message = tell::failed(facts, &update).map(|failed| failed.message.clone());
            let message = format!("It was taken back: {}", message.unwrap_or_default());
            request::failed(request, reason::UPDATE_FAILED, message)
        }
        (Some(_), Rest::Refused(refusal, _)) => {
            request::failed(request, refusal.reason, refusal.message.clone())
        }
        (Some(update), _) => trial.map_or(step, |trial| moved_on(now, identity, trial, update, request)),
    }
}

fn is_off(rest: &Rest) -> bool {
    matches!(rest, Rest::Sleeping | Rest::Stopped | Rest::Awaiting(_))
}

/// Whether its volume is gone: nothing comes of an upgrade then.
fn is_lost(rest: &Rest) -> bool {
    matches!(rest, Rest::Refused(refusal, _) if refusal.reason == reason::VOLUME_LOST)
}

/// One that is off and hasn't proved what it was moved to yet is moved to what is newer still. What it goes back to, if
/// it fails, stays what has served.
fn moved_on(
    now: Timestamp,
    identity: &RuntimeIdentity,
    trial: &Upgrade,
    update: Update,
    request: &Request,
) -> Step {
    let request = Some(request.uid.clone());
    let trial = Upgrade { begin_time: whole_seconds(now), request, ..trial.clone() };
    let moved = RuntimeIdentity { pin: update.pin, upgrade: Some(trial), ..identity.clone() };
    Step::Do(Effect::BeginUpgrade(Box::new(moved)))
}

/// There is nothing to move to, once an edit that was made just before the request would have been seen.
fn up_to_date(now: Timestamp, request: &Request, rest: &Rest) -> Step {
    let age = request.created.duration_until(now);
    if age < SETTLED {
        return Step::Wait(Wait { what: Waiting::Aside(Box::new(rest.clone())), again: SETTLED - age });
    }
    completed(request, "It runs the Blueprint as it is now.")
}

/// The failure of what this very request asked for, once nothing more is taken back.
fn taken_back<'i>(identity: &'i RuntimeIdentity, request: &Request) -> Option<&'i FailedUpgrade> {
    let failed = identity.failed_upgrade.as_ref().filter(|_| identity.upgrade.is_none())?;
    (failed.request.as_ref() == Some(&request.uid)).then_some(failed)
}

fn completed(request: &Request, message: &str) -> Step {
    request::finish(request, TaskState::Completed, reason::COMPLETED, message, None)
}
