//! Effects for what a person asked for.

use fly_machines::ErrorClass;
use jiff::Timestamp;
use kube::{Api, ResourceExt};

use super::super::facts::{
    Attempt, Facts, Known, Refusal, RequestKind, SnapshotAsked, SnapshotReply, TroubleClass,
};
use super::super::step::{Effect, Finish};
use super::super::trouble::Failure;
use super::Failed;
use crate::api::RuntimeTask;
use crate::api::name_claim::RuntimeIdentity;
use crate::control::context::Context;
use crate::control::history::write;

/// Notes what is about to be asked for, since its reply may be lost.
pub fn begin(now: Timestamp, facts: &mut Facts, effect: &Effect) {
    if matches!(effect, Effect::SnapshotVolume { .. } | Effect::SnapshotBeforeUpgrade { .. }) {
        facts.known.snapshot_asked = Some(SnapshotAsked { at: now, reply: SnapshotReply::Lost });
        facts.known.snapshot = Known::Unknown;
    }
    if *effect == Effect::KillMachine {
        note_kill(now, facts);
    }
    let Some(request) = facts.cluster.request.clone() else { return };
    let started = facts.known.machine.present().and_then(|machine| machine.started);
    let pursuit = facts.known.pursuit_mut(&request);
    match (effect, request.kind) {
        (
            Effect::StopMachine | Effect::KillMachine | Effect::StartMachine | Effect::UpdateMachine(_),
            RequestKind::Restart,
        ) => {
            pursuit.ending.get_or_insert(started);
        }
        (Effect::TakeSnapshot { .. }, _) => {
            pursuit.asked = Some(now);
            pursuit.tries = pursuit.tries.saturating_add(1);
            pursuit.snapshot = Known::Unknown;
        }
        _ => {}
    }
}

/// Counts a kill, whether its answer comes or not.
fn note_kill(now: Timestamp, facts: &mut Facts) {
    let since = facts.known.machine.present().map(|machine| machine.since);
    let before = facts.known.killed.as_ref().filter(|asked| since.is_some_and(|since| asked.at >= since));
    let count = before.map_or(1, |asked| asked.count.saturating_add(1));
    facts.known.killed = Some(Attempt { at: now, count });
}

/// Makes a snapshot. One that is under way already is as good; a refusal is the request's, not the Runtime's.
pub(super) async fn take_snapshot(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    volume: &str,
) -> Result<(), Failed> {
    let Some(request) = facts.cluster.request.clone() else { return Ok(()) };
    match ctx.fly.volumes(&identity.app).create_snapshot(volume).await {
        Ok(()) => Ok(()),
        Err(error) if error.class() == ErrorClass::Settling => Ok(()),
        Err(error) => {
            let failure = Failure::from(error);
            if failure.class == TroubleClass::Transient {
                return Err(failure.into());
            }
            facts.known.pursuit_mut(&request).refusal = Some(Refusal::new(failure.reason, failure.message));
            Ok(())
        }
    }
}

/// Writes how a request ended. A task that has gone, or is another of the same name, needs no word.
pub(super) async fn finish(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    finish: &Finish,
) -> Result<(), Failure> {
    let namespace = facts.runtime.namespace().unwrap_or_default();
    let api: Api<RuntimeTask> = Api::namespaced(ctx.kube.clone(), &namespace);
    match write::finish(&api, now, finish).await? {
        Some(written) => ctx.history.book.wrote(&written),
        None => ctx.history.book.lost(&namespace, &finish.task, &finish.uid),
    }
    facts.known.pursuit = None;
    Ok(())
}
