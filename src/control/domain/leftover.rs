//! Hostnames whose CustomDomain has gone without a trace, as where its finalizer was taken off: their claims say what
//! stands, and it is taken away from there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use tokio_util::sync::CancellationToken;

use super::act::act;
use super::decide::decide;
use super::facts::Knowledge;
use super::look::look;
use super::observe::gather;
use super::step::{Effect, Rest, Step};
use crate::api::custom_domain::CertificateSpec;
use crate::api::{CustomDomain, CustomDomainSpec, DOMAIN_FINALIZER, NameClaim, NameRef};
use crate::control::context::Context;
use crate::control::orphans::was_ours;
use crate::engine::config::Mode;

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_secs(10);
/// Most steps for one hostname at a time.
const MAX_STEPS: usize = 16;

/// What is remembered of a claim without an owner.
struct Left {
    missed: Timestamp,
    known: Knowledge,
}

/// Takes away what nobody is left for, until `shutdown`.
pub async fn finish(ctx: Arc<Context>, shutdown: CancellationToken) {
    let mut left: HashMap<String, Left> = HashMap::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
        if ctx.config.mode == Mode::ReadOnly || !ctx.leadership.is_current() {
            continue;
        }
        let missing: Vec<_> =
            ctx.claims.of_hostnames().into_iter().filter(|it| !is_owned(&ctx, it)).collect();
        left.retain(|key, _| missing.iter().any(|claim| claim.name_any() == *key));
        for claim in missing {
            let now = ctx.clock.now();
            let entry = left
                .entry(claim.name_any())
                .or_insert_with(|| Left { missed: now, known: Knowledge::default() });
            if proved(&ctx, now, entry.missed, &claim).await {
                take_down(&ctx, &claim, entry).await;
            }
        }
    }
}

fn is_owned(ctx: &Context, claim: &NameClaim) -> bool {
    let holder = &claim.spec.holder;
    let reference = ObjectRef::<CustomDomain>::new(&holder.name).within(&holder.namespace);
    let standing = ctx.stores.domains.get(&reference);
    claim.spec.tombstone.is_some()
        || standing.is_some_and(|domain| domain.uid().as_ref() == Some(&holder.uid))
}

/// The cache has missed it for longer than the grace, and asking for it says the same. Another object of its name has to
/// be confirmed by the platform: what stands is kept for it.
async fn proved(ctx: &Context, now: Timestamp, missed: Timestamp, claim: &NameClaim) -> bool {
    let grace = SignedDuration::from_secs(ctx.config.timing.absence_grace_seconds.into());
    if missed.duration_until(now) < grace {
        return false;
    }
    let holder = &claim.spec.holder;
    let api = Api::<CustomDomain>::namespaced(ctx.kube.clone(), &holder.namespace);
    match api.get_metadata_opt(&holder.name).await {
        Ok(found) => found.is_none() && was_ours(ctx, claim).await,
        Err(error) => {
            tracing::debug!(claim = claim.name_any(), %error, "its owner can't be asked for");
            false
        }
    }
}

/// Goes on as for a CustomDomain that is deleted.
async fn take_down(ctx: &Context, claim: &NameClaim, left: &mut Left) {
    let stand_in = Arc::new(stand_in(claim, left.missed));
    for _ in 0..MAX_STEPS {
        let now = ctx.clock.now();
        let mut facts = gather(ctx, now, Arc::clone(&stand_in), std::mem::take(&mut left.known));
        let step = decide(now, &facts);
        let done = match &step {
            Step::Look(what) => look(ctx, now, &mut facts, *what).await,
            Step::Do(Effect::RemoveFinalizer) | Step::Rest(Rest::Gone) => {
                tracing::warn!(
                    claim = claim.name_any(),
                    "taken away by its claim: its CustomDomain had gone without a trace"
                );
                return;
            }
            Step::Do(_) if !ctx.leadership.is_current() => return,
            Step::Do(effect) => act(ctx, now, &mut facts, effect).await,
            Step::Wait(_) | Step::Rest(_) => Ok(()),
        };
        left.known = facts.known;
        match done {
            Ok(()) if matches!(step, Step::Wait(_) | Step::Rest(_)) => return,
            Ok(()) => {}
            Err(failure) => {
                tracing::info!(
                    claim = claim.name_any(),
                    reason = failure.reason,
                    message = failure.message,
                    "a hostname that nobody is left for can't be taken away yet; it is tried again"
                );
                return;
            }
        }
    }
}

/// The CustomDomain as the claim remembers it, deleted when it was first missed.
fn stand_in(claim: &NameClaim, missed: Timestamp) -> CustomDomain {
    let holder = &claim.spec.holder;
    let spec = CustomDomainSpec {
        runtime_ref: NameRef::new("unknown"),
        hostname: claim.spec.name.clone(),
        certificate: CertificateSpec::default(),
    };
    let mut domain = CustomDomain::new(&holder.name, spec);
    domain.metadata.namespace = Some(holder.namespace.clone());
    domain.metadata.uid = Some(holder.uid.clone());
    domain.metadata.generation = Some(1);
    domain.metadata.deletion_timestamp = Some(Time(missed));
    domain.metadata.finalizers = Some(vec![DOMAIN_FINALIZER.into()]);
    domain
}
