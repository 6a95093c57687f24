//! Writes the slug's claim.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::act::with_claim;
use super::decide::claim::limit_reached;
use super::facts::{Absence, AbsenceKind, Facts, Known, Refusal};
use super::step::{NewClaim, Release};
use super::trouble::Failure;
use crate::api::condition::whole_seconds;
use crate::api::name_claim::{ClaimType, Deletion, DeletionPhase, Holder, RuntimeIdentity};
use crate::api::{FIELD_MANAGER, NameClaim, NameClaimSpec, label_key, reason};
use crate::control::brake::Room;
use crate::control::context::Context;
use crate::control::order::wire::slug_taken;

/// Claims the slug. Creating what exists fails, which is the lock.
pub async fn create(ctx: &Context, facts: &mut Facts, new: &NewClaim) -> Result<(), Failure> {
    let namespace = facts.runtime.namespace().unwrap_or_default();
    let Some(reservation) = ctx.claims.reserve(&namespace, new.limit) else {
        return Err(limit_reached(new.limit).into());
    };
    let claims: Api<NameClaim> = Api::all(ctx.kube.clone());
    let mut claim = NameClaim::new(&NameClaim::label_key(&new.slug), spec(facts, new));
    claim.metadata.labels =
        Some(BTreeMap::from([(label_key::MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())]));
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    let standing = match claims.create(&params, &claim).await {
        Ok(created) => {
            // An identity that was minted just now: nothing can exist under it.
            if new.identity.from_pool.is_none() {
                facts.known.app = Known::Missing(Absence::at(ctx.clock.now(), AbsenceKind::NotMade));
            }
            created
        }
        Err(kube::Error::Api(status)) if status.is_already_exists() => claims.get(&claim.name_any()).await?,
        Err(error) => return Err(error.into()),
    };
    drop(reservation);
    take_in(ctx, facts, standing);
    slug_taken(ctx, &new.slug);
    Ok(())
}

/// Takes over a claim that the platform confirmed, or a freed one of this namespace.
pub async fn take_over(ctx: &Context, facts: &mut Facts, new: &NewClaim) -> Result<(), Failure> {
    let patch = json!({"spec": {
        "type": ClaimType::Slug,
        "holder": holder(facts),
        "runtime": new.identity,
        "tombstone": null,
        "confirm": null,
    }});
    let counted = facts.cluster.claim_counts();
    let namespace = facts.runtime.namespace().unwrap_or_default();
    let reservation = if counted { None } else { ctx.claims.reserve(&namespace, new.limit) };
    if !counted && reservation.is_none() {
        return Err(limit_reached(new.limit).into());
    }
    facts.known = super::facts::Knowledge::default();
    let written = write(ctx, facts, &NameClaim::label_key(&new.slug), patch).await;
    drop(reservation);
    written
}

/// Writes what stands at Fly.
pub async fn record(ctx: &Context, facts: &mut Facts, identity: &RuntimeIdentity) -> Result<(), Failure> {
    let Some(claim) = facts.own_claim() else { return Ok(()) };
    let key = claim.key();
    let mut runtime = json!(identity);
    remove_absent(&json!(claim.runtime), &mut runtime);
    write(ctx, facts, &key, json!({"spec": {"runtime": runtime}})).await
}

/// A merge patch keeps what it doesn't name: what stood and stands no more is named as null.
fn remove_absent(standing: &serde_json::Value, wanted: &mut serde_json::Value) {
    let (Some(standing), Some(wanted)) = (standing.as_object(), wanted.as_object_mut()) else { return };
    for (field, old) in standing {
        remove_absent(old, wanted.entry(field.as_str()).or_insert(serde_json::Value::Null));
    }
}

/// Writes that the deletion begins, if not too many go at once; else that it is held.
pub async fn begin_deletion(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let Some(claim) = facts.own_claim() else { return Ok(()) };
    let (key, uid) = (claim.key(), claim.holder.uid.clone());
    let brake = ctx.config.deletion_brake;
    let phase = if claim.deletion_confirmed() {
        DeletionPhase::Confirmed
    } else if ctx.claims.begin_deletion(&key, now, brake) == Room::Free {
        DeletionPhase::Begun
    } else {
        DeletionPhase::Held
    };
    let deletion = Deletion { uid, time: whole_seconds(now), phase };
    write(ctx, facts, &key, json!({"spec": {"deletion": deletion}})).await
}

/// Gives the slug up. What is left at Fly stays recorded.
pub async fn release(ctx: &Context, facts: &mut Facts, release: &Release) -> Result<(), Failure> {
    let Some(claim) = facts.own_claim() else { return Ok(()) };
    let key = claim.key();
    let mut patch = json!({"spec": {"tombstone": release.tombstone}});
    if release.left.is_none() {
        patch["spec"]["runtime"] = serde_json::Value::Null;
    }
    write(ctx, facts, &key, patch).await
}

async fn write(ctx: &Context, facts: &mut Facts, key: &str, patch: serde_json::Value) -> Result<(), Failure> {
    let version = ctx.claims.get(key).and_then(|claim| claim.resource_version());
    match put(ctx, key, version, patch).await? {
        Some(standing) => {
            take_in(ctx, facts, standing);
            Ok(())
        }
        None => Err(Refusal::new(reason::INTERNAL_ERROR, "The claim is gone; it is read again.").into()),
    }
}

/// Writes only what stands in this version: another writer's change is seen first. Returns the claim as it stands then;
/// `None` if it is gone.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn put(
    ctx: &Context,
    key: &str,
    version: Option<String>,
    mut patch: serde_json::Value,
) -> Result<Option<NameClaim>, Failure> {
    let claims: Api<NameClaim> = Api::all(ctx.kube.clone());
    if let Some(version) = version {
        patch["metadata"] = json!({"resourceVersion": version});
    }
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    match claims.patch(key, &params, &Patch::Merge(&patch)).await {
        Ok(written) => Ok(Some(written)),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(claims.get_opt(key).await?),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn take_in(ctx: &Context, facts: &mut Facts, claim: NameClaim) {
    with_claim(facts, &claim.spec);
    ctx.claims.apply(claim);
    crate::control::rollout::wire::claim_changed(ctx);
}

/// The Runtime as the holder of a name.
pub fn holder(facts: &Facts) -> Holder {
    Holder {
        namespace: facts.runtime.namespace().unwrap_or_default(),
        name: facts.runtime.name_any(),
        uid: facts.runtime.uid().unwrap_or_default(),
    }
}

fn spec(facts: &Facts, new: &NewClaim) -> NameClaimSpec {
    NameClaimSpec {
        runtime: Some(new.identity.clone()),
        ..NameClaimSpec::new(ClaimType::Slug, new.slug.clone(), holder(facts))
    }
}
