//! What the status says: a pure function of the facts and the step that was reached.

use jiff::{SignedDuration, Timestamp};

use super::conditions::{Outcome, conditions, serves};
use super::decide::is_deleted;
use super::desired;
use super::env_marks;
use super::facts::{Facts, Known, MachinePhase, Refusal, Token, TroubleClass};
use super::hostname;
use super::operation::{is_upgrading, operation_type};
use super::resolve::{Power, resolve};
use super::sleep;
use super::step::{Clearing, Effect, Look, Rest, Step, Wait, Waiting};
use crate::api::condition::{self, ConditionStatus, ConditionType, whole_seconds};
use crate::api::runtime::{
    EnvEffect, EnvOrigin, EnvStatus, EnvVar, External, GatewayStatus, LastError, Operation, OperationType,
    Pinned, RestoredFrom, RuntimeStatus,
};
use crate::api::state::RuntimeState;
use crate::api::{NameRef, reason};
use crate::control::rollout::pick::Standing;
use crate::engine::hash::short_hash;

/// The status to write, given the one that stands.
pub fn view(now: Timestamp, facts: &Facts, step: &Step, old: &RuntimeStatus) -> RuntimeStatus {
    if keeps_its_word(facts, step, old) {
        return old.clone();
    }
    let outcome = outcome(now, facts, step, old);
    let generation = facts.runtime.metadata.generation.unwrap_or_default();
    let settled = !matches!(outcome, Outcome::Progress { .. } | Outcome::Waking);
    let identity = facts.own_claim().and_then(|claim| claim.runtime.as_ref());
    RuntimeStatus {
        observed_generation: if settled { generation } else { old.observed_generation },
        state: Some(outcome.state(facts, old)),
        url: identity.map(|identity| hostname::url(facts, identity)),
        operation: operation(facts, step, &outcome, old),
        pinned: pinned(facts),
        external: external(facts, old),
        gateway: gateway(facts, old),
        env: env(facts),
        last_error: last_error(now, facts, &outcome, old),
        last_handled_restart_at: handled_restart(facts, &outcome, old),
        conditions: condition::merge(&old.conditions, conditions(facts, &outcome), generation, now),
    }
}

/// What was at rest stays so while Fly can't be asked: an outage of its API says nothing of what runs there. A refusal
/// is no outage, and a Machine that was seen to be off doesn't serve.
fn keeps_its_word(facts: &Facts, step: &Step, old: &RuntimeStatus) -> bool {
    let retrying = matches!(step, Step::Wait(wait) if wait.what == Waiting::Retry);
    let current = facts.runtime.metadata.generation == Some(old.observed_generation);
    retrying
        && current
        && condition::is_true(&old.conditions, ConditionType::Ready)
        && !is_deleted(&facts.runtime)
        && is_outage(facts)
        && !is_seen_down(facts, old)
}

/// Whether what went wrong concerns everybody and not this Runtime.
fn is_outage(facts: &Facts) -> bool {
    let trouble = facts.known.trouble.as_ref();
    trouble.is_none_or(|trouble| {
        trouble.class == TroubleClass::Transient || trouble.reason == reason::FLY_UNAUTHORIZED
    })
}

/// Whether the status calls it running, and its Machine was seen not to be.
fn is_seen_down(facts: &Facts, old: &RuntimeStatus) -> bool {
    let is_up = match &facts.known.machine {
        Known::Present(machine) => machine.phase == MachinePhase::Started,
        Known::Unknown => true,
        Known::Missing(_) => false,
    };
    matches!(old.state, Some(RuntimeState::Running)) && !is_up
}

fn outcome(now: Timestamp, facts: &Facts, step: &Step, old: &RuntimeStatus) -> Outcome {
    match step {
        Step::Rest(Rest::Running) => Outcome::Running,
        Step::Rest(Rest::Degraded(_)) => Outcome::Degraded,
        Step::Rest(Rest::Sleeping) => Outcome::Sleeping,
        Step::Rest(Rest::Stopped) => Outcome::Stopped,
        Step::Rest(Rest::Awaiting(refusal)) => Outcome::Awaiting(refusal.clone()),
        Step::Rest(Rest::Refused(refusal, _)) => Outcome::Stalled(refusal.clone()),
        Step::Wait(Wait { what: Waiting::Aside(rest), .. }) => {
            outcome(now, facts, &Step::Rest((**rest).clone()), old)
        }
        Step::Rest(Rest::Gone) | Step::Look(_) | Step::Do(_) | Step::Wait(_) => {
            progress(now, facts, step, old)
        }
    }
}

/// Something is under way, unless it went wrong for good or takes too long.
fn progress(now: Timestamp, facts: &Facts, step: &Step, old: &RuntimeStatus) -> Outcome {
    let kind = operation_type(now, facts, old);
    let trouble = facts.known.trouble.as_ref();
    if let Some(trouble) = trouble.filter(|trouble| trouble.class == TroubleClass::Human) {
        return Outcome::Stalled(Refusal::new(trouble.reason, trouble.message.clone()));
    }
    let doing = doing(step);
    if overdue(now, facts, kind, old) {
        let cause = trouble.map_or_else(|| doing.to_owned(), |trouble| trouble.message.clone());
        return Outcome::Stalled(Refusal::new(
            reason::DEADLINE_EXCEEDED,
            format!(
                "It takes longer than it should. {cause} It is tried further by itself, ever more slowly."
            ),
        ));
    }
    if let (None, Some(outcome)) = (trouble, sleep::passing(facts, step, old)) {
        return outcome;
    }
    let message = trouble.map_or_else(|| doing.to_owned(), |trouble| trouble.message.clone());
    Outcome::Progress { kind, state: transitional(facts, kind), message }
}

/// Whether what is under way has been so for longer than it may.
fn overdue(now: Timestamp, facts: &Facts, kind: OperationType, old: &RuntimeStatus) -> bool {
    let Some(ready) = condition::find(&old.conditions, ConditionType::Ready) else { return false };
    let generation = facts.runtime.metadata.generation.unwrap_or_default();
    let settings = &facts.cluster.settings;
    let deadline = match kind {
        OperationType::Destroy => settings.destroy_deadline,
        OperationType::Stop => settings.stop_deadline,
        // It has a stop, a snapshot and a start, and ends by itself.
        _ if is_upgrading(facts) => settings.stop_deadline + settings.start_deadline * 2,
        _ => settings.start_deadline,
    };
    match ready.status {
        ConditionStatus::Unknown => ready.last_transition_time.duration_until(now) > deadline,
        ConditionStatus::False => {
            ready.reason == reason::DEADLINE_EXCEEDED && ready.observed_generation == generation
        }
        ConditionStatus::True => false,
    }
}

fn transitional(facts: &Facts, kind: OperationType) -> RuntimeState {
    match (kind, &facts.known.machine) {
        (OperationType::Destroy, _) => RuntimeState::Destroying,
        (OperationType::Stop, _) => RuntimeState::Stopping,
        (OperationType::Provision, Known::Present(machine)) if machine.phase != MachinePhase::Preparing => {
            RuntimeState::Starting
        }
        (OperationType::Provision, _) => RuntimeState::Provisioning,
        (
            OperationType::Start
            | OperationType::Restart
            | OperationType::Update
            | OperationType::Snapshot
            | OperationType::Upgrade
            | OperationType::VerifyDomain,
            _,
        ) => RuntimeState::Starting,
        (OperationType::Resize | OperationType::Restore | OperationType::Move, _) => changing(facts),
    }
}

/// The state of one whose volume or size changes: on its way to what it is to be in the end.
fn changing(facts: &Facts) -> RuntimeState {
    match resolve(facts).map(|resolved| resolved.power) {
        Ok(Power::Stop | Power::Unfunded | Power::Suspended) => RuntimeState::Stopping,
        Ok(Power::Run) | Err(_) => RuntimeState::Starting,
    }
}

fn operation(facts: &Facts, step: &Step, outcome: &Outcome, old: &RuntimeStatus) -> Option<Operation> {
    let kind = match outcome {
        Outcome::Progress { kind, .. } => *kind,
        // A change that stalled on its way isn't over.
        Outcome::Stalled(_) => old.operation.as_ref()?.type_,
        _ => return None,
    };
    let kept = old.operation.as_ref().filter(|operation| operation.type_ == kind);
    let id = kept.map_or_else(|| operation_id(facts, kind), |operation| operation.id.clone());
    Some(Operation { id, type_: kind, step: step_name(step).to_owned() })
}

fn operation_id(facts: &Facts, kind: OperationType) -> String {
    let metadata = &facts.runtime.metadata;
    let generation = metadata.generation.unwrap_or_default().to_string();
    let restart = resolve(facts).ok().and_then(|resolved| resolved.restarted_at).unwrap_or_default();
    let version = facts.known.machine.present().map(|machine| machine.version.clone()).unwrap_or_default();
    let uid = metadata.uid.as_deref().unwrap_or_default();
    short_hash(&[uid, &generation, &format!("{kind:?}"), &restart, &version], 8)
}

fn pinned(facts: &Facts) -> Option<Pinned> {
    let pin = facts.pin()?;
    Some(Pinned {
        plan: pin.plan.name.as_str().into(),
        blueprint: pin.blueprint.as_str().into(),
        blueprint_generation: pin.blueprint_generation,
        image: pin.spec.image.as_str().into(),
        image_digest: pin.image_digest.as_deref().map(Into::into),
    })
}

fn external(facts: &Facts, old: &RuntimeStatus) -> Option<External> {
    let identity = facts.own_claim()?.runtime.as_ref()?;
    let before = old.external.as_ref().filter(|external| external.app == identity.app);
    let machine = facts.known.machine.present();
    let addresses = facts.known.addresses();
    Some(External {
        app: identity.app.clone(),
        machine_id: machine.map(|machine| machine.id.clone()).or_else(|| identity.machine_id.clone()),
        machine_state: match &facts.known.machine {
            Known::Present(machine) => Some(machine.state.clone()),
            Known::Unknown => before.and_then(|external| external.machine_state.clone()),
            Known::Missing(_) => None,
        },
        volume_id: identity.volume_id.clone(),
        region: identity.region.clone(),
        volume_gb: identity.volume_id.as_ref().map(|_| identity.volume_size()),
        restored_from: identity.restored.as_ref().map(|restored| RestoredFrom {
            snapshot_id: restored.snapshot_id.clone(),
            snapshot_time: restored.snapshot_time,
        }),
        addresses: match (addresses.is_empty(), before) {
            (true, Some(external)) if matches!(facts.known.v6, Known::Unknown) => external.addresses.clone(),
            _ => addresses,
        },
    })
}

fn gateway(facts: &Facts, old: &RuntimeStatus) -> Option<GatewayStatus> {
    facts.own_claim()?;
    let before = old.gateway.as_ref();
    if before.is_none() && !matches!(facts.known.token, Token::Known(_)) && !facts.known.machine_exists() {
        return None;
    }
    let name = facts.runtime.metadata.name.as_deref().unwrap_or_default();
    let version = facts.known.machine.present().and_then(|machine| machine.image_version.clone());
    Some(GatewayStatus {
        version: version.or_else(|| before.and_then(|gateway| gateway.version.clone())),
        token_secret_ref: NameRef::new(desired::token_secret(name)),
    })
}

/// Names and sources, never values.
fn env(facts: &Facts) -> Vec<EnvStatus> {
    let pending = env_marks::pending(facts);
    let one = |env: &EnvVar| {
        let secret = env.value_from.as_ref().map(|source| source.secret_key_ref.clone());
        EnvStatus {
            name: env.name.clone(),
            source: if secret.is_some() { EnvOrigin::Secret } else { EnvOrigin::Literal },
            secret_key_ref: secret,
            effective: pending.contains(&env.name).then_some(EnvEffect::NextStart),
        }
    };
    facts.runtime.spec.env.iter().map(one).collect()
}

fn last_error(now: Timestamp, facts: &Facts, outcome: &Outcome, old: &RuntimeStatus) -> Option<LastError> {
    let (reason, message) = match outcome {
        Outcome::Running | Outcome::Sleeping | Outcome::Stopped | Outcome::Awaiting(_) => return None,
        Outcome::Degraded | Outcome::Waking => return old.last_error.clone(),
        Outcome::Stalled(refusal) => (refusal.reason, refusal.message.clone()),
        Outcome::Progress { .. } => match &facts.known.trouble {
            Some(trouble) => (trouble.reason, trouble.message.clone()),
            None => return old.last_error.clone(),
        },
    };
    let same = old.last_error.as_ref().filter(|error| error.reason == reason);
    let at = same.map_or_else(|| whole_seconds(now), |error| error.at);
    Some(LastError { reason: reason.to_owned(), message, at })
}

fn handled_restart(facts: &Facts, outcome: &Outcome, old: &RuntimeStatus) -> Option<String> {
    match (outcome, facts.known.machine.present()) {
        (Outcome::Running | Outcome::Degraded | Outcome::Sleeping | Outcome::Stopped, Some(machine)) => {
            machine.restarted_at.clone()
        }
        _ => old.last_handled_restart_at.clone(),
    }
}

/// The step in one word, for `status.operation.step`.
pub fn step_name(step: &Step) -> &'static str {
    match step {
        Step::Look(look) => look_name(*look),
        Step::Do(effect) => effect_name(effect),
        Step::Wait(wait) => wait_name(&wait.what),
        Step::Rest(_) => "Rest",
    }
}

fn look_name(look: Look) -> &'static str {
    match look {
        Look::App => "ReadApp",
        Look::Addresses => "ReadAddresses",
        Look::Volume => "ReadVolume",
        Look::Machine => "ReadMachine",
        Look::Snapshot => "ReadSnapshot",
        Look::RequestedSnapshot => "ReadRequestedSnapshot",
        Look::NewVolume => "ReadNewVolume",
        Look::Snapshots => "ReadSnapshots",
        Look::Displaced => "ReadDisplacedVolume",
        Look::Surroundings => "ReadSurroundings",
        Look::Remains => "ReadRemains",
        Look::Env => "ReadEnvironment",
        Look::Probe => "ProbeGateway",
        Look::Turn => "AwaitTurn",
        Look::Hostname => "CheckHostname",
    }
}

/// The effect in one word, for `status.operation.step`, tasks and logs.
pub fn effect_name(effect: &Effect) -> &'static str {
    match effect {
        Effect::AddFinalizer => "AddFinalizer",
        Effect::RemoveFinalizer => "RemoveFinalizer",
        Effect::ClaimSlug(_) => "ClaimSlug",
        Effect::TakeOverClaim(_) => "TakeOverClaim",
        Effect::RecordIdentity(_) => "RecordIdentity",
        Effect::BeginDeletion => "BeginDeletion",
        Effect::BeginUpgrade(_) => "BeginUpgrade",
        Effect::ReleaseClaim(_) => "ReleaseClaim",
        Effect::RecordIntent => "RecordIntent",
        Effect::EnsureToken => "EnsureToken",
        Effect::CreateApp => "CreateApp",
        Effect::AllocateAddress(_) => "AllocateAddress",
        Effect::ReleaseAddress(_) => "ReleaseAddress",
        Effect::SetSecrets => "SetSecrets",
        Effect::SetRecords(_) => "SetRecords",
        Effect::RemoveRecords(_) => "RemoveRecords",
        Effect::ImportCertificate(_) => "ImportCertificate",
        Effect::DetachHostname(_) => "DetachHostname",
        Effect::MarkConfig => "MarkConfig",
        Effect::MarkSecrets => "MarkSecrets",
        Effect::MarkDigests => "MarkDigests",
        Effect::MarkSpelling => "MarkSpelling",
        Effect::TakeWarm(_) => "TakeWarm",
        Effect::MarkOwner => "MarkOwner",
        Effect::VacateName(_) => "VacateName",
        Effect::CreateVolume { .. } => "CreateVolume",
        Effect::ReplaceVolume => "ReplaceVolume",
        Effect::ExtendVolume { .. } => "ExtendVolume",
        Effect::Clear(Clearing::Stop(_)) => "StopDisplacedMachine",
        Effect::Clear(Clearing::Machine(_)) => "DestroyDisplacedMachine",
        Effect::Clear(Clearing::Snapshot(_)) => "SnapshotDisplacedVolume",
        Effect::Clear(Clearing::Volume(_)) => "DeleteDisplacedVolume",
        Effect::DeleteVolume { .. } => "DeleteVolume",
        Effect::SnapshotVolume { .. } => "SnapshotVolume",
        Effect::KeepSnapshots { .. } => "KeepSnapshots",
        Effect::TakeSnapshot { .. } => "TakeSnapshot",
        Effect::FinishTask(_) => "FinishTask",
        Effect::SnapshotBeforeUpgrade { .. } => "SnapshotBeforeUpgrade",
        Effect::CreateMachine(_) => "CreateMachine",
        Effect::UpdateMachine(_) => "UpdateMachine",
        Effect::KeepOff => "KeepOff",
        Effect::DetachServices => "DetachServices",
        Effect::StartMachine => "StartMachine",
        Effect::StopMachine => "StopMachine",
        Effect::KillMachine => "KillMachine",
        Effect::DestroyMachine => "DestroyMachine",
        Effect::DeleteApp => "DeleteApp",
    }
}

fn wait_name(waiting: &Waiting) -> &'static str {
    match waiting {
        Waiting::Absence(_) => "ProveAbsence",
        Waiting::Image => "WaitForImage",
        Waiting::Boot => "WaitForBoot",
        Waiting::Gateway => "WaitForGateway",
        Waiting::Stop => "WaitForStop",
        Waiting::Kill => "WaitForKill",
        Waiting::StuckStop => "WaitForStuckStop",
        Waiting::Replacement => "WaitForReplacement",
        Waiting::MachineGone => "WaitForMachineGone",
        Waiting::VolumeGone => "WaitForVolumeGone",
        Waiting::AppGone => "WaitForAppGone",
        Waiting::Snapshot => "WaitForSnapshot",
        Waiting::NewVolume => "WaitForNewVolume",
        Waiting::Filled => "WaitForCopy",
        Waiting::Displaced => "WaitForDisplaced",
        Waiting::Retry => "WaitForRetry",
        Waiting::Aside(_) => "WaitForRequest",
    }
}

/// Of a Machine that nothing ends.
const STUCK_STOP: &str = "Fly has left the Machine on its way to a stop, and killing it several times didn't end it. Look at Fly's status page. A task of type Restart (`moorage recover`) has it killed further; `fly machine destroy --force` with its id removes it: its data is on the volume, and it is made anew.";

/// The step in a sentence, for people.
fn doing(step: &Step) -> &'static str {
    match step {
        Step::Wait(wait) => match wait.what {
            Waiting::Absence(_) => "Making sure that what Fly doesn't list is really not there.",
            Waiting::Image => "Fly fetches the image.",
            Waiting::Boot => "The Machine boots.",
            Waiting::Gateway => "The gateway starts; it doesn't answer yet.",
            Waiting::Stop => "The gateway finishes its work and stops.",
            Waiting::Kill => "Fly has left the Machine on its way to a stop for minutes; it was killed.",
            Waiting::StuckStop => STUCK_STOP,
            Waiting::Replacement => "Fly puts the new configuration in place.",
            Waiting::MachineGone => "Fly removes the Machine.",
            Waiting::VolumeGone => "Fly removes the volume.",
            Waiting::AppGone => "Fly removes the app.",
            Waiting::NewVolume => "Fly fills the new volume.",
            Waiting::Filled => {
                "Fly still copies to the volume what it was made from; what comes next needs all of it."
            }
            Waiting::Displaced => "Waiting for the host of what an earlier move left behind.",
            Waiting::Snapshot => "Fly makes the snapshot.",
            Waiting::Retry => "Waiting before the next try.",
            Waiting::Aside(_) => "Carrying out what was asked for.",
        },
        Step::Do(Effect::CreateApp | Effect::RecordIntent | Effect::AllocateAddress(_)) => "Making the app.",
        Step::Do(Effect::CreateVolume { .. }) => "Making the volume.",
        Step::Do(Effect::SetRecords(_) | Effect::ImportCertificate(_)) => "Setting up the hostname.",
        Step::Do(Effect::RemoveRecords(_) | Effect::DetachHostname(_)) => "Taking the hostname away.",
        Step::Do(Effect::ReplaceVolume) => "Making the volume that takes the place of the old one.",
        Step::Do(Effect::ExtendVolume { .. }) => "Making the volume larger.",
        Step::Do(Effect::CreateMachine(_)) => "Making the Machine.",
        Step::Do(Effect::KillMachine) => "Killing the Machine, which Fly has left on its way to a stop.",
        _ => "Working on it.",
    }
}

/// Whether the Runtime serves, for the rollouts; `None` while Fly can't be asked, which says nothing of it.
pub fn standing(facts: &Facts, step: &Step) -> Option<Standing> {
    let should = resolve(facts).is_ok_and(|resolved| resolved.power == Power::Run);
    let rest = match step {
        Step::Rest(rest) => rest,
        Step::Wait(wait) => match &wait.what {
            Waiting::Aside(rest) => rest,
            Waiting::Retry if is_outage(facts) => return None,
            Waiting::Retry if serves(facts) => return Some(Standing::Serving),
            _ => return Some(Standing::Down),
        },
        Step::Look(_) | Step::Do(_) => return Some(Standing::Down),
    };
    Some(match rest {
        Rest::Running | Rest::Degraded(_) => Standing::Serving,
        Rest::Sleeping | Rest::Stopped | Rest::Gone => Standing::Off,
        Rest::Awaiting(_) | Rest::Refused(..) if serves(facts) => Standing::Serving,
        Rest::Awaiting(_) if !should => Standing::Off,
        Rest::Awaiting(_) | Rest::Refused(..) => Standing::Down,
    })
}

/// Whether a status at `state` is one that passes by itself.
pub fn is_passing(status: &RuntimeStatus) -> bool {
    condition::find(&status.conditions, ConditionType::Ready)
        .is_none_or(|ready| ready.status == ConditionStatus::Unknown)
}

/// The shortest time between two writes of a status that only says how far something is.
pub const PROGRESS_PAUSE: SignedDuration = SignedDuration::from_secs(2);
