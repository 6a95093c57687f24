//! The stages from nothing to a Machine: app, addresses, token, environment, volume, Machine.

use jiff::{SignedDuration, Timestamp};

use super::super::facts::{
    AbsenceKind, EnvFact, Facts, Family, Known, Origin, Refusal, Token, VolumeFact, VolumePhase,
};
use super::super::resolve::{Power, Resolved};
use super::super::step::{Effect, Launch, Look, Rest, Step};
use super::super::{desired, env_marks};
use super::{Reached, absence_proved, power, refused, seen};
use crate::api::name_claim::RuntimeIdentity;
use crate::api::reason;

/// The app exists and is ours.
pub(super) fn app(now: Timestamp, facts: &Facts) -> Reached<()> {
    if facts.known.machine_exists() {
        return Ok(());
    }
    match &facts.known.app {
        Known::Present(_) => Ok(()),
        Known::Unknown => Err(Step::Look(Look::App)),
        Known::Missing(absence) => {
            absence_proved(now, facts, *absence, Look::App, "app")?;
            Err(Step::Do(Effect::CreateApp))
        }
    }
}

/// The app has an IPv6 and an IPv4 address: without them nothing reaches it, and its configuration names them.
pub(super) fn addresses(now: Timestamp, facts: &Facts) -> Reached<()> {
    let missed = [&facts.known.v6, &facts.known.v4].iter().any(|known| matches!(known, Known::Missing(_)));
    if !missed && facts.known.machine.present().is_some_and(|machine| machine.addresses.len() >= 2) {
        return Ok(());
    }
    address(now, facts, &facts.known.v6, Family::V6)?;
    address(now, facts, &facts.known.v4, Family::V4)
}

fn address(now: Timestamp, facts: &Facts, known: &Known<String>, family: Family) -> Reached<()> {
    match known {
        Known::Present(_) => Ok(()),
        Known::Unknown => Err(Step::Look(Look::Addresses)),
        Known::Missing(absence) => {
            absence_proved(now, facts, *absence, Look::Addresses, "addresses")?;
            Err(Step::Do(Effect::AllocateAddress(family)))
        }
    }
}

/// The token is known, if something is going to need it.
pub(super) fn token(facts: &Facts) -> Reached<()> {
    match &facts.known.token {
        Token::Known(_) => Ok(()),
        Token::Unknown
            if facts.known.machine_exists() && shows_a_token(facts) && !env_marks::is_due(facts) =>
        {
            Ok(())
        }
        Token::Unknown => Err(Step::Do(Effect::EnsureToken)),
        Token::Invalid => Err(refused(
            facts,
            Refusal::new(
                reason::SECRET_VALUE_INVALID,
                "The Secret with the gateway's token holds no usable token (key `token`, 32 to 128 letters and digits). Delete the Secret and a new one is made.",
            ),
        )),
    }
}

/// A token that was made or read just now is compared with what the Machine has.
fn fresh_token(facts: &Facts) -> bool {
    matches!(facts.known.token, Token::Known(_))
}

/// An object that took a Machine over has no Secret of its own yet.
fn shows_a_token(facts: &Facts) -> bool {
    facts.runtime.status.as_ref().is_some_and(|status| status.gateway.is_some())
}

/// The environment's secret values are read, if something is going to need them.
pub(super) fn env(facts: &Facts, resolved: &Resolved) -> Reached<()> {
    match &facts.known.env {
        EnvFact::Unknown
            if fresh_token(facts)
                || env_marks::is_due(facts)
                || !power::config_is_applied(facts, resolved) =>
        {
            Err(Step::Look(Look::Env))
        }
        EnvFact::Known(_) | EnvFact::Unknown => Ok(()),
        EnvFact::Refused(refusal) => {
            let soon = SignedDuration::from_secs(30).min(facts.cluster.settings.slow_retry);
            Err(Step::Rest(Rest::Refused(refusal.clone(), soon)))
        }
    }
}

/// The volume exists; the claim knows it before a Machine boots on it, or learns of both in one write.
pub(super) fn volume(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    resolved: &Resolved,
) -> Reached<()> {
    if facts.known.machine_exists() && identity.volume_id.is_some() {
        return spares(facts, identity);
    }
    let volume = match &facts.known.volume {
        Known::Unknown => return Err(Step::Look(Look::Volume)),
        Known::Present(volume) if identity.spare_volume_ids.contains(&volume.id) => {
            return Err(Step::Look(Look::Volume));
        }
        Known::Present(volume) if volume.phase == VolumePhase::Usable => volume,
        Known::Present(_) => return Err(lost(facts, identity)),
        Known::Missing(absence) => {
            absence_proved(now, facts, *absence, Look::Volume, "volume")?;
            return Err(absent_volume(now, facts, identity, resolved));
        }
    };
    if let Some(step) = give_up_full(now, facts, identity, volume, resolved) {
        return Err(step);
    }
    if identity.volume_id.as_deref() == Some(volume.id.as_str()) || is_recorded_with_machine(facts, identity)
    {
        return Ok(());
    }
    let recorded = RuntimeIdentity {
        volume_id: Some(volume.id.clone()),
        region: Some(volume.region.clone()),
        volume_gb: Some(volume.size_gb),
        ..identity.clone()
    };
    Err(Step::Do(Effect::RecordIdentity(Box::new(recorded))))
}

/// In an app that we made just now, the first volume is recorded together with its Machine, in one write. Should that
/// write be lost, the volume is found by its name in our own app, and the Machine that booted on it by its own.
fn is_recorded_with_machine(facts: &Facts, identity: &RuntimeIdentity) -> bool {
    let made = facts.known.app == Known::Present(Origin::Made);
    made && identity.volume_id.is_none() && facts.known.full_volume.is_none()
}

/// A Runtime that once had a volume never gets an empty one by itself; one that never had gets one where there
/// is room.
fn absent_volume(now: Timestamp, facts: &Facts, identity: &RuntimeIdentity, resolved: &Resolved) -> Step {
    if identity.volume_id.is_some() {
        return lost(facts, identity);
    }
    match region_with_room(now, facts, resolved) {
        Some(region) => Step::Do(Effect::CreateVolume { region }),
        None => no_room(now, facts, resolved),
    }
}

pub(super) fn lost(facts: &Facts, identity: &RuntimeIdentity) -> Step {
    refused(
        facts,
        Refusal::new(
            reason::VOLUME_LOST,
            format!(
                "The volume {} of this Runtime is gone at Fly. It gets no empty one by itself. Restore its newest snapshot by `echo '{}' | kubectl create -f -`, or delete this Runtime and declare a new one.",
                identity.volume_id.as_deref().unwrap_or("recorded"),
                restore_task(facts)
            ),
        ),
    )
}

/// The task that asks for a Restore of the newest snapshot.
fn restore_task(facts: &Facts) -> serde_json::Value {
    let metadata = &facts.runtime.metadata;
    let name = metadata.name.as_deref().unwrap_or_default();
    serde_json::json!({
        "apiVersion": "moorage.dev/v1alpha1",
        "kind": "RuntimeTask",
        "metadata": {"generateName": format!("{name}-restore-"), "namespace": metadata.namespace},
        "spec": {"runtimeRef": {"name": name}, "type": "Restore"},
    })
}

/// A volume on a full host, that never booted, is given up for another.
fn give_up_full(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    volume: &VolumeFact,
    resolved: &Resolved,
) -> Option<Step> {
    let ours = identity.volume_id.as_ref().is_none_or(|recorded| *recorded == volume.id);
    // What was copied or restored holds data, booted or not.
    let never_booted = identity.machine_id.is_none() && identity.incarnation == 0 && ours;
    let full = facts.known.full_volume.as_deref() == Some(volume.id.as_str());
    if !never_booted || !full || volume.attached.is_some() {
        return None;
    }
    if region_with_room(now, facts, resolved).is_none() {
        return Some(no_room(now, facts, resolved));
    }
    let mut given_up = RuntimeIdentity { volume_id: None, region: None, volume_gb: None, ..identity.clone() };
    given_up.spare_volume_ids.push(volume.id.clone());
    Some(Step::Do(Effect::RecordIdentity(Box::new(given_up))))
}

/// The first region that isn't known to be full.
fn region_with_room(now: Timestamp, facts: &Facts, resolved: &Resolved) -> Option<String> {
    let full = |region: &str| facts.known.full_regions.get(region).is_some_and(|until| *until > now);
    resolved.regions.iter().find(|region| !full(region)).cloned()
}

fn no_room(now: Timestamp, facts: &Facts, resolved: &Resolved) -> Step {
    let soonest = facts.known.full_regions.values().min().copied().unwrap_or(now);
    let again = now.duration_until(soonest).max(SignedDuration::from_secs(1));
    Step::Rest(Rest::Refused(
        Refusal::new(
            reason::CAPACITY,
            format!(
                "Fly has no room in {}. It is tried again by itself; more regions in `spec.regions` help.",
                resolved.regions.join(", ")
            ),
        ),
        again.min(facts.cluster.settings.slow_retry),
    ))
}

/// Volumes that were given up before they booted are removed once the Machine stands on another.
fn spares(facts: &Facts, identity: &RuntimeIdentity) -> Reached<()> {
    let Some(id) = identity.spare_volume_ids.first() else { return Ok(()) };
    if facts.known.removed_volumes.contains(id) {
        let rest = identity.spare_volume_ids.iter().filter(|other| *other != id).cloned().collect();
        let cleared = RuntimeIdentity { spare_volume_ids: rest, ..identity.clone() };
        return Err(Step::Do(Effect::RecordIdentity(Box::new(cleared))));
    }
    Err(Step::Do(Effect::DeleteVolume { id: id.clone() }))
}

/// The Machine exists. Making it twice is impossible: its name is unique in its app.
pub(super) fn machine(
    now: Timestamp,
    facts: &Facts,
    identity: &RuntimeIdentity,
    resolved: &Resolved,
) -> Reached<()> {
    if seen(&facts.known.machine, Look::Machine)?.is_some() {
        return Ok(());
    }
    if let (Known::Missing(absence), Some(_)) = (&facts.known.machine, &identity.machine_id)
        && absence.kind == AbsenceKind::NotFound
    {
        absence_proved(now, facts, *absence, Look::Machine, "Machine")?;
    }
    token_for_launch(facts)?;
    // Those that were set may be of a spec that was edited since.
    let wanted = desired::secrets_hash(facts);
    let set = facts.known.secrets.as_ref().map(|secrets| &secrets.hash);
    if set.is_none() || wanted.is_some() && set != wanted.as_ref() {
        return Err(Step::Do(Effect::SetSecrets));
    }
    let launch = if resolved.power == Power::Run { Launch::Start } else { Launch::Skip };
    Err(Step::Do(Effect::CreateMachine(launch)))
}

/// Whatever launches a Machine anew needs the token and the environment.
pub(super) fn token_for_launch(facts: &Facts) -> Reached<()> {
    if matches!(facts.known.token, Token::Unknown) {
        return Err(Step::Do(Effect::EnsureToken));
    }
    if matches!(facts.known.env, EnvFact::Unknown) {
        return Err(Step::Look(Look::Env));
    }
    Ok(())
}
