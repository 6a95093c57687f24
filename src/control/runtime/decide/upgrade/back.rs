//! The way back from an upgrade that failed: why it did, and what goes back.

use jiff::Timestamp;

use super::super::super::facts::{Facts, Refusal, TroubleClass};
use super::super::super::resolve::{Power, Resolved};
use super::super::super::step::{Look, Step};
use super::super::power;
use super::super::replace::{self, record};
use super::{too_late, used};
use crate::api::condition::whole_seconds;
use crate::api::name_claim::{FailedUpgrade, Pin, RuntimeIdentity, SnapshotRecord, Upgrade, UpgradePhase};
use crate::api::reason;
use crate::api::replacement::ReplacementCause;
use crate::control::rollout::target::Update;

/// How often Fly has to refuse a Machine before that is believed: an image that was just pushed takes some seconds.
const REFUSALS: u32 = 3;
/// Longest cause of a failure that a claim carries, in characters.
const MOST_SAID: usize = 512;

/// Why the new pin can't be: Fly refuses the Machine or can't boot it, or it ended by itself.
pub(super) fn refused(
    now: Timestamp,
    facts: &Facts,
    upgrade: &Upgrade,
    resolved: &Resolved,
) -> Option<Refusal> {
    // Somebody destroyed the Machine, and it can't be made of the new pin.
    let Some(machine) = facts.known.machine.present() else { return refused_by_fly(facts, upgrade) };
    if !power::config_is_applied(facts, resolved) {
        let late = upgrade.begin_time.duration_until(now) > facts.cluster.settings.start_deadline;
        return refused_by_fly(facts, upgrade).or_else(|| late.then(|| too_late(facts)));
    }
    if resolved.power != Power::Run {
        return None;
    }
    // One that Fly couldn't boot gets another start: its host may have been the cause.
    let tried = facts.known.started.as_ref().is_some_and(|attempt| attempt.count > 0);
    (machine.exit.is_some() || tried).then(|| power::ended(facts, machine)).flatten().map(|(why, _)| why)
}

/// Only refusals that came since the pin was moved are about it.
fn refused_by_fly(facts: &Facts, upgrade: &Upgrade) -> Option<Refusal> {
    let trouble = facts.known.trouble.as_ref()?;
    let about_it = matches!(trouble.reason, reason::IMAGE_NOT_FOUND | reason::FLY_REFUSED | reason::INVALID);
    let often = trouble.class == TroubleClass::Human && trouble.attempts >= REFUSALS;
    let since = trouble.since >= upgrade.begin_time;
    (about_it && often && since).then(|| Refusal::new(trouble.reason, trouble.message.clone()))
}

/// Back to the old pin, and to the snapshot if the new one may have touched the volume.
pub(super) fn go_back(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    resolved: &Resolved,
    refusal: &Refusal,
) -> Step {
    let Some(upgrade) = &identity.upgrade else { return Step::Look(Look::Machine) };
    let tried = Update::between(&upgrade.from, identity.pin.clone());
    let way = way_back(now, facts, identity, upgrade, resolved);
    let mut failed = failure(&tried, upgrade, refusal);
    if let WayBack::ImageAlone(why) = way {
        failed.message = without_snapshot(&failed.message, why);
    }
    let back = RuntimeIdentity {
        pin: Pin { plan: identity.pin.plan.clone(), ..upgrade.from.clone() },
        upgrade: Some(Upgrade {
            phase: UpgradePhase::Rollback,
            begin_time: whole_seconds(now),
            ..upgrade.clone()
        }),
        failed_upgrade: Some(failed),
        ..identity.clone()
    };
    let WayBack::Snapshot(snapshot) = way else { return record(back) };
    record(replace::begun(
        now,
        &back,
        replace::Origin {
            cause: ReplacementCause::Rollback,
            source: snapshot.id.clone(),
            snapshot_time: Some(upgrade.begin_time),
            task: upgrade.request.clone(),
        },
    ))
}

/// What goes back with the image.
#[derive(Clone, Copy, Debug)]
enum WayBack<'u> {
    /// The volume as this snapshot has it.
    Snapshot(&'u SnapshotRecord),
    /// The new version never ran on the volume, which is as it was.
    Untouched,
    /// Nothing, for this reason.
    ImageAlone(&'static str),
}

fn way_back<'u>(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    upgrade: &'u Upgrade,
    resolved: &Resolved,
) -> WayBack<'u> {
    let untouched = facts.known.machine.present().is_some_and(|machine| {
        let same = machine.image_digest.is_some() && machine.image_digest == upgrade.from.image_digest;
        same && !power::config_is_applied(facts, resolved)
    });
    match &upgrade.snapshot {
        _ if untouched => WayBack::Untouched,
        None => WayBack::ImageAlone("No snapshot was made before it (the rollout's `snapshotFirst`)"),
        Some(snapshot) if snapshot.expiry_time <= now => {
            WayBack::ImageAlone("Fly has removed its snapshot meanwhile")
        }
        Some(_) if used::may_have_been(now, facts, upgrade) => WayBack::ImageAlone(
            "The new version had been in use, and the snapshot made before it would undo what was done since (a RuntimeTask of type `Restore` restores it)",
        ),
        Some(_) if replace::is_crowded(identity) => WayBack::ImageAlone(
            "Its snapshot wasn't restored, since too many earlier volumes wait to be removed",
        ),
        Some(snapshot) => WayBack::Snapshot(snapshot),
    }
}

/// What is told of a failure after which the volume didn't go back.
pub(in super::super) fn without_snapshot(cause: &str, why: &str) -> String {
    format!(
        "{cause} {why}: only the image went back, and what the new version changed on the volume is still there."
    )
}

/// What is remembered of an upgrade that failed.
pub(super) fn failure(update: &Update, upgrade: &Upgrade, refusal: &Refusal) -> FailedUpgrade {
    FailedUpgrade {
        target: update.target(),
        blueprint_generation: update.pin.blueprint_generation,
        image: update.pin.spec.image.clone(),
        reason: refusal.reason.to_owned(),
        message: refusal.message.chars().take(MOST_SAID).collect(),
        request: upgrade.request.clone(),
    }
}
