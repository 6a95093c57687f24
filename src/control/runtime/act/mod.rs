//! Performs one effect and takes what came of it into the facts.

mod app;
mod hostname;
mod machine;
mod replace;
mod request;
mod upgrade;
mod volume;
mod warm;

use std::sync::Arc;

pub use app::remove_empty_app;
pub use request::begin;

use fly_machines::{CapacityScope, ErrorClass};
use jiff::{SignedDuration, Timestamp};

use super::claim;
use super::desired;
use super::facts::{Absence, AbsenceKind, Facts, Known, Survey};
use super::look::identity;
use super::resolve::{Resolved, resolve};
use super::step::Effect;
use super::trouble::Failure;
use super::volume_facts::LONGEST_KEPT;
use crate::api::name_claim::RuntimeIdentity;
use crate::api::{RUNTIME_FINALIZER, reason};

use crate::control::context::Context;
use crate::control::finalizers;
use crate::control::history::announce::{News, Tone};

/// Time for which a region that had no room isn't asked again.
const FULL: SignedDuration = SignedDuration::from_secs(60);

/// Performs the effect.
///
/// # Errors
/// What went wrong. The facts then say again "unknown" of what the effect may have changed.
pub async fn act(ctx: &Context, now: Timestamp, facts: &mut Facts, effect: &Effect) -> Result<(), Failure> {
    match effect {
        Effect::AddFinalizer => finalizers::add(ctx, &mut facts.runtime, RUNTIME_FINALIZER).await,
        Effect::RemoveFinalizer => finalizers::remove(ctx, &mut facts.runtime, RUNTIME_FINALIZER).await,
        Effect::TakeWarm(name) => warm::take(ctx, facts, name).await,
        Effect::ClaimSlug(new) => claim::create(ctx, facts, new).await,
        Effect::TakeOverClaim(new) => claim::take_over(ctx, facts, new).await,
        Effect::RecordIdentity(identity) => {
            let before = facts.own_claim().and_then(|claim| claim.runtime.clone());
            upgrade::record(ctx, facts, identity).await?;
            facts.recorded(now, before.as_ref(), identity);
            Ok(())
        }
        Effect::BeginDeletion => claim::begin_deletion(ctx, now, facts).await,
        Effect::BeginUpgrade(identity) => upgrade::begin(ctx, facts, identity).await,
        Effect::ReleaseClaim(release) => claim::release(ctx, facts, release).await,
        // The visit writes the status whenever a step asks for it.
        Effect::RecordIntent => Ok(()),
        Effect::EnsureToken => {
            facts.known.token = warm::token(ctx, facts).await?;
            Ok(())
        }
        Effect::FinishTask(finish) => request::finish(ctx, now, facts, finish).await,
        at_fly => {
            let identity = identity(facts)?;
            begin(now, facts, at_fly);
            let done = on_fly(ctx, now, facts, &identity, at_fly).await;
            done.or_else(|failed| failed.into_failure(now, facts, &identity, at_fly))
        }
    }
}

/// Why an effect at Fly failed.
enum Failed {
    /// Fly's answer, or the lack of one.
    Fly(fly_machines::Error),
    /// It couldn't be asked for.
    Ours(Failure),
}

impl From<fly_machines::Error> for Failed {
    fn from(error: fly_machines::Error) -> Self {
        Self::Fly(error)
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self::Ours(failure)
    }
}

async fn on_fly(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    effect: &Effect,
) -> Result<(), Failed> {
    match effect {
        Effect::CreateApp => app::create_app(ctx, now, facts, identity).await,
        Effect::AllocateAddress(family) => app::allocate(ctx, facts, identity, *family).await,
        Effect::ReleaseAddress(ip) => app::release_address(ctx, now, facts, identity, ip).await,
        Effect::SetSecrets => app::set_secrets(ctx, facts, identity).await,
        Effect::SetRecords(record) => hostname::set_records(ctx, facts, identity, record).await,
        Effect::RemoveRecords(name) => hostname::remove_records(ctx, facts, identity, name).await,
        Effect::ImportCertificate(record) => {
            hostname::import_certificate(ctx, now, facts, identity, record).await
        }
        Effect::DetachHostname(name) => hostname::detach(ctx, facts, identity, name).await,
        Effect::VacateName(key) => hostname::vacate(ctx, facts, identity, key).await,
        Effect::CreateVolume { region } => volume::create_volume(ctx, facts, identity, region).await,
        Effect::ReplaceVolume => replace::make(ctx, facts, identity).await,
        Effect::ExtendVolume { id, size_gb } => replace::extend(ctx, facts, identity, id, *size_gb).await,
        Effect::Clear(what) => replace::clear(ctx, now, facts, identity, what).await,
        Effect::DeleteVolume { id } => volume::delete_volume(ctx, facts, identity, id).await,
        Effect::SnapshotVolume { id } => {
            volume::keep_snapshots(ctx, facts, identity, id, LONGEST_KEPT).await?;
            volume::snapshot(ctx, now, facts, identity, id).await
        }
        Effect::KeepSnapshots { volume, days } => {
            volume::keep_snapshots(ctx, facts, identity, volume, *days).await
        }
        Effect::TakeSnapshot { volume } => request::take_snapshot(ctx, facts, identity, volume).await,
        Effect::SnapshotBeforeUpgrade { id } => upgrade::snapshot(ctx, now, facts, identity, id).await,
        Effect::CreateMachine(launch) => machine::create_machine(ctx, now, facts, identity, *launch).await,
        Effect::UpdateMachine(launch) => machine::update_machine(ctx, now, facts, identity, *launch).await,
        Effect::MarkConfig => machine::mark_config(ctx, facts, identity).await,
        Effect::MarkSecrets => machine::mark_secrets(ctx, facts, identity).await,
        Effect::MarkDigests => machine::mark_digests(ctx, facts, identity).await,
        Effect::MarkSpelling => machine::mark_spelling(ctx, facts, identity).await,
        Effect::MarkOwner => machine::mark_owner(ctx, facts, identity).await,
        Effect::KeepOff => machine::keep_off(ctx, now, facts, identity).await,
        Effect::DetachServices => machine::detach(ctx, now, facts, identity).await,
        Effect::StartMachine => machine::start(ctx, now, facts, identity).await,
        Effect::StopMachine => machine::stop(ctx, now, facts, identity).await,
        Effect::KillMachine => machine::kill(ctx, now, facts, identity).await,
        Effect::DestroyMachine => machine::destroy(ctx, now, facts, identity).await,
        Effect::DeleteApp => app::delete_app(ctx, now, facts, identity).await,
        _ => Ok(()),
    }
}

/// Tells of what somebody else changed, and what was done about it.
fn tell(ctx: &Context, facts: &Facts, note: &str) {
    let news = News { tone: Tone::Warning, reason: reason::DRIFTED.into(), note: note.to_owned() };
    ctx.history.announcer.say(&*facts.runtime, news);
}

fn resolved(facts: &Facts) -> Result<Resolved, Failed> {
    resolve(facts).map_err(|refusal| Failed::Ours(refusal.into()))
}

impl Failed {
    /// Forgets what the effect may have changed. Some refusals are facts rather than failures.
    fn into_failure(
        self,
        now: Timestamp,
        facts: &mut Facts,
        identity: &RuntimeIdentity,
        effect: &Effect,
    ) -> Result<(), Failure> {
        let error = match self {
            Self::Ours(failure) => return Err(failure),
            Self::Fly(error) => error,
        };
        forget(facts, effect);
        match (effect, error.class()) {
            (Effect::CreateApp | Effect::CreateMachine(_), ErrorClass::NameTaken)
            | (Effect::AllocateAddress(_), ErrorClass::AlreadyExists | ErrorClass::Conflict) => Ok(()),
            (Effect::CreateMachine(_), ErrorClass::VolumeMissing) => {
                facts.known.volume = Known::Unknown;
                Ok(())
            }
            (Effect::CreateVolume { region }, ErrorClass::Capacity(_)) => {
                full(now, facts, region);
                facts.known.volume = Known::Missing(Absence::at(now, AbsenceKind::NotMade));
                Ok(())
            }
            (Effect::ReplaceVolume, _) => replace::refused(now, facts, identity, error),
            (Effect::CreateMachine(_), ErrorClass::Capacity(scope))
                if identity.machine_id.is_none() && identity.incarnation == 0 =>
            {
                let identity = desired::with_volume(facts, identity);
                facts.known.full_volume.clone_from(&identity.volume_id);
                let region = identity.region.clone().unwrap_or_default();
                if scope == CapacityScope::Region || identity.spare_volume_ids.len() > 1 {
                    full(now, facts, &region);
                }
                facts.known.machine = Known::Missing(Absence::at(now, AbsenceKind::NotMade));
                facts.known.volume = Known::Unknown;
                Ok(())
            }
            (
                Effect::CreateMachine(_)
                | Effect::UpdateMachine(_)
                | Effect::StartMachine
                | Effect::ExtendVolume { .. },
                ErrorClass::Capacity(_),
            ) => {
                facts.known.moving.no_room = facts.known.moving.no_room.saturating_add(1);
                Err(error.into())
            }
            _ => Err(error.into()),
        }
    }
}

fn full(now: Timestamp, facts: &mut Facts, region: &str) {
    let until = now.saturating_add(FULL).unwrap_or(now);
    facts.known.full_regions.insert(region.to_owned(), until);
}

/// What the effect may have changed has to be looked at again.
pub fn forget(facts: &mut Facts, effect: &Effect) {
    let known = &mut facts.known;
    match effect {
        Effect::CreateApp | Effect::DeleteApp => known.app = Known::Unknown,
        Effect::AllocateAddress(_) | Effect::ReleaseAddress(_) => {
            known.v6 = Known::Unknown;
            known.v4 = Known::Unknown;
            // A Machine that knows two addresses would be taken at its word.
            if known.machine_exists() {
                known.survey = Survey::Due;
            }
        }
        Effect::SetSecrets => known.secrets = None,
        // Each is simply done again. Since when a Machine is on its way to a stop is known of the last look at it.
        Effect::KillMachine
        | Effect::SetRecords(_)
        | Effect::RemoveRecords(_)
        | Effect::ImportCertificate(_)
        | Effect::DetachHostname(_)
        | Effect::VacateName(_)
        | Effect::FinishTask(_) => {}
        Effect::CreateVolume { .. }
        | Effect::DeleteVolume { .. }
        | Effect::ExtendVolume { .. }
        | Effect::KeepSnapshots { .. } => known.volume = Known::Unknown,
        Effect::SnapshotVolume { .. } | Effect::SnapshotBeforeUpgrade { .. } => {
            known.snapshot = Known::Unknown;
            known.volume = Known::Unknown;
        }
        Effect::TakeSnapshot { .. } => {
            known.pursuit.iter_mut().for_each(|pursuit| pursuit.snapshot = Known::Unknown);
        }
        Effect::ReplaceVolume => known.moving.fresh = Known::Unknown,
        Effect::Clear(_) => known.moving.left = None,
        _ => known.machine = Known::Unknown,
    }
}

/// The facts after the claim changed under them.
pub fn with_claim(facts: &mut Facts, claim: &crate::api::NameClaimSpec) {
    facts.cluster.claim = super::facts::ClaimFact::Held(Arc::new(claim.clone()));
}
