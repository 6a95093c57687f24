//! Slugs whose Runtime has gone without a trace.
//!
//! A finalizer can be stripped, so a Runtime may vanish while its app stands. Its claim then still says what stands at
//! Fly and what was to become of it. Once the owner is proved gone, the claim is finished from what it records: the
//! Machine is stopped, then all goes as under `Snapshot`, never as under `Delete`.
//!
//! A claim that was restored from a backup, and whose Runtime has yet to be, is none of these: nobody here has had it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::runtime::act::act;
use super::runtime::decide::decide;
use super::runtime::facts::Knowledge;
use super::runtime::look::look;
use super::runtime::observe::gather;
use super::runtime::step::{Effect, Rest, Step};
use super::runtime::trouble::note;
use crate::api::runtime::DeletionPolicy;
use crate::api::{FIELD_MANAGER, NameClaim, RUNTIME_FINALIZER, Runtime, RuntimeSpec};
use crate::engine::config::Mode;

/// Pause between two looks for orphans.
const PAUSE: Duration = Duration::from_secs(5);
/// Most steps for one orphan at a time.
const MAX_STEPS: usize = 64;

/// What is remembered of a claim without an owner.
#[derive(Debug)]
struct Orphan {
    missed: Timestamp,
    known: Knowledge,
}

/// Looks for claims without an owner, and finishes them, until `shutdown`.
pub async fn finish(ctx: Arc<Context>, shutdown: CancellationToken) {
    let mut orphans: HashMap<String, Orphan> = HashMap::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
        let missing: Vec<Arc<NameClaim>> =
            ctx.claims.held_slugs().into_iter().filter(|claim| !is_owned(&ctx, claim)).collect();
        orphans.retain(|key, _| missing.iter().any(|claim| claim.name_any() == *key));
        for claim in missing {
            let now = ctx.clock.now();
            let orphan = orphans
                .entry(claim.name_any())
                .or_insert_with(|| Orphan { missed: now, known: Knowledge::default() });
            if proved(&ctx, now, orphan, &claim).await {
                take_down(&ctx, &claim, orphan).await;
            }
        }
    }
}

/// Whether the cache has the object that holds the claim.
fn is_owned(ctx: &Context, claim: &NameClaim) -> bool {
    let holder = &claim.spec.holder;
    let reference = ObjectRef::<Runtime>::new(&holder.name).within(&holder.namespace);
    ctx.stores.runtimes.get(&reference).is_some_and(|runtime| runtime.uid().as_ref() == Some(&holder.uid))
}

/// The cache has missed it for longer than the grace, and asking for it says the same.
async fn proved(ctx: &Context, now: Timestamp, orphan: &Orphan, claim: &NameClaim) -> bool {
    let grace = SignedDuration::from_secs(ctx.config.timing.absence_grace_seconds.into());
    if orphan.missed.duration_until(now) < grace || ctx.config.mode == Mode::ReadOnly {
        return false;
    }
    let holder = &claim.spec.holder;
    let gone =
        match Api::<Runtime>::namespaced(ctx.kube.clone(), &holder.namespace).get_opt(&holder.name).await {
            // Another object of the same name has to be confirmed by the platform: what stands is kept for it.
            Ok(found) => found.is_none(),
            Err(error) => {
                tracing::debug!(claim = claim.name_any(), %error, "its owner can't be asked for");
                false
            }
        };
    gone && was_ours(ctx, claim).await
}

/// Whether we have written the claim as it stands: one that was restored has been written by somebody else only.
async fn was_ours(ctx: &Context, claim: &NameClaim) -> bool {
    match Api::<NameClaim>::all(ctx.kube.clone()).get_metadata(&claim.name_any()).await {
        Ok(found) => is_written_by_us(&found.metadata),
        Err(error) => {
            tracing::debug!(claim = claim.name_any(), %error, "it can't be asked for");
            false
        }
    }
}

/// A backup may bring back who wrote the object before, with the times of then.
fn is_written_by_us(metadata: &ObjectMeta) -> bool {
    let Some(made) = &metadata.creation_timestamp else { return false };
    metadata.managed_fields.iter().flatten().any(|entry| {
        let since = entry.time.as_ref().is_some_and(|time| time.0 >= made.0);
        since && entry.manager.as_deref() == Some(FIELD_MANAGER)
    })
}

/// Goes on as for a Runtime that is deleted under `Snapshot` (or `Retain`, if that was declared).
async fn take_down(ctx: &Context, claim: &NameClaim, orphan: &mut Orphan) {
    let stand_in = Arc::new(stand_in(claim, orphan.missed));
    for _ in 0..MAX_STEPS {
        let now = ctx.clock.now();
        let mut facts = gather(ctx, Arc::clone(&stand_in), std::mem::take(&mut orphan.known));
        // What tenants may ask for is no reason to lose data of which nobody can be asked any more.
        facts.cluster.policy.deletion = None;
        let step = decide(now, &facts);
        let done = match &step {
            Step::Look(what) => look(ctx, now, &mut facts, *what).await,
            // The object has gone already: with its claim released nothing is left to do.
            Step::Do(Effect::RemoveFinalizer) | Step::Rest(Rest::Gone) => {
                tracing::warn!(
                    claim = claim.name_any(),
                    "finished from its claim: its Runtime had gone without a trace"
                );
                return;
            }
            Step::Do(_) if !ctx.leadership.is_current() => return,
            Step::Do(effect) => act(ctx, now, &mut facts, effect).await,
            Step::Wait(_) | Step::Rest(_) => {
                orphan.known = facts.known;
                return;
            }
        };
        if let Err(failure) = done {
            tracing::info!(
                claim = claim.name_any(),
                reason = failure.reason,
                message = failure.message,
                "a step for an orphan failed"
            );
            note(now, &mut facts, failure);
            orphan.known = facts.known;
            return;
        }
        orphan.known = facts.known;
    }
}

/// The Runtime as the claim remembers it, deleted when it was first missed.
fn stand_in(claim: &NameClaim, missed: Timestamp) -> Runtime {
    let holder = &claim.spec.holder;
    let declared = claim.spec.runtime.as_ref().map(|runtime| runtime.deletion_policy).unwrap_or_default();
    let policy = if declared == DeletionPolicy::Delete { DeletionPolicy::Snapshot } else { declared };
    let spec = RuntimeSpec {
        slug: Some(claim.spec.name.clone()),
        deletion_policy: policy,
        ..RuntimeSpec::default()
    };
    let mut runtime = Runtime::new(&holder.name, spec);
    runtime.metadata.namespace = Some(holder.namespace.clone());
    runtime.metadata.uid = Some(holder.uid.clone());
    runtime.metadata.generation = Some(1);
    runtime.metadata.deletion_timestamp = Some(Time(missed));
    runtime.metadata.finalizers = Some(vec![RUNTIME_FINALIZER.into()]);
    runtime
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

    use super::*;

    fn written(by: &str, at: i64) -> ManagedFieldsEntry {
        let time = Some(Time(Timestamp::from_second(at).unwrap()));
        ManagedFieldsEntry { manager: Some(by.to_owned()), time, ..ManagedFieldsEntry::default() }
    }

    #[test]
    fn a_claim_that_was_restored_is_nobodys_until_we_have_written_it() {
        let made = |entries: Vec<ManagedFieldsEntry>| ObjectMeta {
            creation_timestamp: Some(Time(Timestamp::from_second(100).unwrap())),
            managed_fields: Some(entries),
            ..ObjectMeta::default()
        };
        assert!(is_written_by_us(&made(vec![written(FIELD_MANAGER, 100)])));
        assert!(is_written_by_us(&made(vec![written("kubectl-create", 100), written(FIELD_MANAGER, 160)])));
        assert!(!is_written_by_us(&made(vec![written("kubectl-create", 100)])));
        assert!(!is_written_by_us(&made(vec![written("velero-server", 101), written(FIELD_MANAGER, 40)])));
        assert!(!is_written_by_us(&made(Vec::new())));
    }
}
