//! Effects of a move to another volume, and on what moves left behind.

use fly_machines::types as fly;
use fly_machines::types::{Guest, MachineDeletion};
use fly_machines::{ErrorClass, Outcome};
use jiff::Timestamp;

use super::super::desired;
use super::super::facts::{Facts, Known, Refusal};
use super::super::look::volume_fact;
use super::super::moving::{COPY_PAUSE, Grown, Sight};
use super::super::step::Clearing;
use super::super::trouble::Failure;
use super::super::volume_facts::LONGEST_KEPT;
use super::Failed;
use crate::api::name_claim::RuntimeIdentity;
use crate::api::reason;
use crate::api::replacement::{Replacement, ReplacementCause};
use crate::control::context::Context;

/// Makes the volume that takes the place of the recorded one.
pub(super) async fn make(ctx: &Context, facts: &mut Facts, identity: &RuntimeIdentity) -> Result<(), Failed> {
    let Some(replacement) = &identity.replacement else { return Ok(()) };
    let kept = keeping(ctx, facts, identity).await?;
    let volume = request(identity, replacement, desired::guest(&identity.pin.plan), kept);
    let made = ctx.fly.volumes(&identity.app).create(&volume).await?;
    facts.known.moving.fresh = Known::Present(volume_fact(&made));
    Ok(())
}

/// How a volume's snapshots are made and kept; `None` where Fly is left to its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Keeping {
    /// For how many days.
    days: Option<u32>,
    /// Whether one is made each day.
    daily: Option<bool>,
}

/// What holds for the volume whose place another takes, as Fly says now. One that is gone, or that nobody can ask about,
/// is no reason to go without its data: then counts what was known of it.
async fn keeping(ctx: &Context, facts: &Facts, identity: &RuntimeIdentity) -> Result<Keeping, Failed> {
    let Some(id) = &identity.volume_id else { return Ok(Keeping::default()) };
    let read = match ctx.fly.volumes(&identity.app).get(id).await {
        Ok(volume) => Some(Keeping { days: volume.snapshot_retention, daily: volume.auto_backup_enabled }),
        Err(error) => match error.class() {
            ErrorClass::NotFound | ErrorClass::VolumeMissing | ErrorClass::HostUnreachable => None,
            _ => return Err(error.into()),
        },
    };
    let known = facts.known.volume.present().filter(|volume| volume.id == *id);
    let standing =
        read.unwrap_or(Keeping { days: known.and_then(|volume| volume.snapshot_days), daily: None });
    // An upgrade raises it for its own snapshot, and notes what it was before.
    let before = identity.upgrade.as_ref().and_then(|upgrade| upgrade.snapshot_days);
    Ok(Keeping { days: before.or(standing.days), ..standing })
}

fn request(
    identity: &RuntimeIdentity,
    replacement: &Replacement,
    guest: Guest,
    kept: Keeping,
) -> fly::CreateVolume {
    let name = desired::named_volume(identity, replacement.incarnation);
    let region = identity.region.clone().unwrap_or_default();
    let made = match replacement.cause {
        ReplacementCause::Fork => {
            fly::CreateVolume { region: Some(region), ..fly::CreateVolume::fork(name, &replacement.source) }
        }
        ReplacementCause::Restore | ReplacementCause::Rollback | ReplacementCause::HostLoss => {
            let size_gb = Some(identity.volume_size().unsigned_abs());
            fly::CreateVolume { size_gb, ..fly::CreateVolume::restore(name, region, &replacement.source) }
        }
    };
    let made = fly::CreateVolume { snapshot_retention: kept.days, auto_backup_enabled: kept.daily, ..made };
    made.compute(guest)
}

/// What to make of a refusal to make it. What passes by itself is tried again; for the rest the move is given up.
pub(super) fn refused(
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    error: fly_machines::Error,
) -> Result<(), Failure> {
    let cause = identity.replacement.as_ref().map(|replacement| replacement.cause);
    let for_good = match error.class() {
        ErrorClass::Invalid | ErrorClass::VolumeMissing | ErrorClass::PolicyBlocked => true,
        ErrorClass::Capacity(_) | ErrorClass::Quota | ErrorClass::WrongState => {
            cause == Some(ReplacementCause::Fork)
        }
        _ => false,
    };
    if !for_good || error.outcome() == Outcome::Unknown {
        return Err(error.into());
    }
    match cause {
        // What passes when somebody has paid is no reason to do without the snapshot.
        Some(ReplacementCause::Rollback | ReplacementCause::HostLoss)
            if error.class() == ErrorClass::PolicyBlocked =>
        {
            Err(error.into())
        }
        // Another snapshot may do.
        Some(ReplacementCause::HostLoss) => {
            let source = identity.replacement.as_ref().map(|replacement| replacement.source.clone());
            facts.known.moving.refused_snapshots.extend(source);
            facts.known.moving.refused = Some(error.message().to_owned());
            Ok(())
        }
        Some(ReplacementCause::Fork | ReplacementCause::Restore | ReplacementCause::Rollback) => {
            let told = format!("{}: {}.", error.message(), error.remedy());
            tell_request(facts, identity, &told);
            facts.known.moving.refused = Some(told);
            facts.known.moving.no_copy_until = now.saturating_add(COPY_PAUSE).ok();
            Ok(())
        }
        None => Err(error.into()),
    }
}

/// Whoever asked for the restore learns why it can't be.
fn tell_request(facts: &mut Facts, identity: &RuntimeIdentity, told: &str) {
    let task = identity.replacement.as_ref().and_then(|replacement| replacement.task.clone());
    let Some(request) = facts.cluster.request.clone().filter(|request| Some(&request.uid) == task.as_ref())
    else {
        return;
    };
    facts.known.pursuit_mut(&request).refusal =
        Some(Refusal::new(reason::FLY_REFUSED, format!("Fly can't restore the snapshot. {told}")));
}

/// Makes the volume larger, unless an earlier request did.
pub(super) async fn extend(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    id: &str,
    size_gb: i32,
) -> Result<(), Failed> {
    let volumes = ctx.fly.volumes(&identity.app);
    let wanted = size_gb.unsigned_abs();
    let standing = volumes.get(id).await?;
    let volume = if standing.size_gb >= wanted {
        standing
    } else {
        let extended = volumes.extend(id, wanted).await?;
        let seen = if extended.needs_restart { Sight::AtNextStart } else { Sight::AtOnce };
        facts.known.moving.grown = Some(Grown { size_gb, seen });
        extended.volume
    };
    facts.known.volume = if volume.id == id { Known::Present(volume_fact(&volume)) } else { Known::Unknown };
    Ok(())
}

/// Clears something up. A failure is noted and tried again later: it holds up nothing else.
pub(super) async fn clear(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    what: &Clearing,
) -> Result<(), Failed> {
    let done = match what {
        Clearing::Stop(id) => stop(ctx, identity, id).await,
        Clearing::Machine(id) => ctx.fly.machines(&identity.app).delete(id, MachineDeletion::Force).await,
        Clearing::Snapshot(id) => snapshot(ctx, identity, id).await,
        Clearing::Volume(id) => ctx.fly.volumes(&identity.app).delete(id).await,
    };
    facts.known.moving.left = None;
    match done {
        Ok(()) => {
            note(facts, what);
            if matches!(what, Clearing::Snapshot(_)) {
                facts.known.moving.left_asked = Some(now);
            }
        }
        Err(error) if matches!(error.class(), ErrorClass::NotFound | ErrorClass::VolumeMissing) => {
            note(facts, what);
        }
        Err(error) => {
            tracing::info!(app = identity.app, %error, "what a move left behind can't be cleared up yet");
            let pause = if error.class() == ErrorClass::Settling {
                jiff::SignedDuration::from_secs(1)
            } else {
                facts.cluster.settings.slow_retry
            };
            facts.known.moving.left_next = now.saturating_add(pause).ok();
        }
    }
    Ok(())
}

fn note(facts: &mut Facts, what: &Clearing) {
    facts.known.moving.left_next = None;
    facts.known.moving.left_asked = None;
    match what {
        Clearing::Stop(id) | Clearing::Machine(id) => {
            facts.known.moving.cleared_machines.insert(id.clone());
        }
        Clearing::Volume(id) => {
            facts.known.removed_volumes.insert(id.clone());
        }
        Clearing::Snapshot(_) => {}
    }
}

async fn stop(ctx: &Context, identity: &RuntimeIdentity, id: &str) -> fly_machines::Result<()> {
    ctx.fly.machines(&identity.app).stop(id, &fly::StopMachine::default()).await
}

async fn snapshot(ctx: &Context, identity: &RuntimeIdentity, id: &str) -> fly_machines::Result<()> {
    let volumes = ctx.fly.volumes(&identity.app);
    let keep = fly::UpdateVolume { snapshot_retention: Some(LONGEST_KEPT), auto_backup_enabled: None };
    volumes.update(id, &keep).await?;
    volumes.create_snapshot(id).await
}
