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
use crate::engine::backoff::Backoff;
use crate::engine::config::Mode;

/// Pause between two looks for orphans.
const PAUSE: Duration = Duration::from_secs(5);
/// Most steps for one orphan at a time.
const MAX_STEPS: usize = 64;
/// Most that are attended to in one round.
const MOST: usize = 50;
/// Pauses before an owner that wasn't proved gone is asked for again: after a restore thousands may wait for theirs, for
/// days.
const UNPROVED: Backoff = Backoff::between(PAUSE, Duration::from_mins(10));

/// What is remembered of a claim without an owner.
#[derive(Debug)]
struct Orphan {
    missed: Timestamp,
    /// When it is attended to again, at the earliest.
    next: Timestamp,
    /// How often its owner was asked for and not proved gone.
    asked: u32,
    known: Knowledge,
}

impl Orphan {
    /// Missed for the first time. It isn't attended to before the grace is over.
    fn missed(now: Timestamp, grace: SignedDuration) -> Self {
        let next = now.saturating_add(grace).unwrap_or(Timestamp::MAX);
        Self { missed: now, next, asked: 0, known: Knowledge::default() }
    }

    fn put_off(&mut self, now: Timestamp, key: &str) {
        self.asked = self.asked.saturating_add(1);
        self.next = now.saturating_add(UNPROVED.pause(key, self.asked)).unwrap_or(Timestamp::MAX);
    }
}

/// Looks for claims without an owner, and finishes them, until `shutdown`.
pub async fn finish(ctx: Arc<Context>, shutdown: CancellationToken) {
    let mut orphans: HashMap<String, Orphan> = HashMap::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
        if ctx.config.mode != Mode::ReadOnly {
            round(&ctx, &mut orphans).await;
        }
    }
}

async fn round(ctx: &Context, orphans: &mut HashMap<String, Orphan>) {
    let (now, grace) =
        (ctx.clock.now(), SignedDuration::from_secs(ctx.config.timing.absence_grace_seconds.into()));
    let missing = ctx.claims.held_slugs().into_iter().filter(|claim| !is_owned(ctx, claim));
    let missing: HashMap<String, Arc<NameClaim>> = missing.map(|claim| (claim.name_any(), claim)).collect();
    orphans.retain(|key, _| missing.contains_key(key));
    for key in missing.keys().filter(|key| !orphans.contains_key(*key)).cloned().collect::<Vec<_>>() {
        orphans.insert(key, Orphan::missed(now, grace));
    }
    for key in due(now, orphans) {
        let (Some(claim), Some(orphan)) = (missing.get(&key), orphans.get_mut(&key)) else { continue };
        if proved(ctx, claim).await {
            orphan.asked = 0;
            take_down(ctx, claim, orphan).await;
        } else {
            orphan.put_off(now, &key);
        }
    }
}

/// Those whose turn it is, the longest overdue first.
fn due(now: Timestamp, orphans: &HashMap<String, Orphan>) -> Vec<String> {
    let mut due: Vec<_> = orphans.iter().filter(|(_, orphan)| orphan.next <= now).collect();
    due.sort_by_key(|(key, orphan)| (orphan.next, *key));
    due.into_iter().take(MOST).map(|(key, _)| key.clone()).collect()
}

/// Whether the cache has the object that holds the claim.
fn is_owned(ctx: &Context, claim: &NameClaim) -> bool {
    let uid = &claim.spec.holder.uid;
    ctx.stores.runtimes.get(&owner(claim)).is_some_and(|runtime| runtime.uid().as_ref() == Some(uid))
}

/// The cache has missed it for longer than the grace, and asking for it says the same.
async fn proved(ctx: &Context, claim: &NameClaim) -> bool {
    let holder = &claim.spec.holder;
    // Another object of the same name has to be confirmed by the platform: what stands is kept for it.
    if ctx.stores.runtimes.get(&owner(claim)).is_some() {
        return false;
    }
    let gone =
        match Api::<Runtime>::namespaced(ctx.kube.clone(), &holder.namespace).get_opt(&holder.name).await {
            Ok(found) => found.is_none(),
            Err(error) => {
                tracing::debug!(claim = claim.name_any(), %error, "its owner can't be asked for");
                false
            }
        };
    gone && was_ours(ctx, claim).await
}

fn owner(claim: &NameClaim) -> ObjectRef<Runtime> {
    ObjectRef::new(&claim.spec.holder.name).within(&claim.spec.holder.namespace)
}

/// Whether we have written the claim as it stands: one that was restored has been written by somebody else only.
pub(super) async fn was_ours(ctx: &Context, claim: &NameClaim) -> bool {
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
    fn an_owner_who_is_waited_for_is_asked_for_ever_more_seldom_and_only_some_at_once() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let grace = SignedDuration::from_secs(30);
        let mut orphans: HashMap<String, Orphan> =
            (0..200).map(|number| (format!("label.r{number}"), Orphan::missed(at(0), grace))).collect();
        assert_eq!(due(at(29), &orphans), [""; 0], "within the grace");
        let (mut asked, mut most) = (0, 0);
        for second in (30..3630).step_by(5) {
            let due = due(at(second), &orphans);
            most = most.max(due.len());
            asked += due.len();
            for key in due {
                orphans.get_mut(&key).unwrap().put_off(at(second), &key);
            }
        }
        assert_eq!(most, MOST);
        assert!(orphans.values().all(|orphan| (8..=14).contains(&orphan.asked)), "{asked} in an hour");
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
