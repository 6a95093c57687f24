//! Writes the claims on a Workspace's names.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::facts::Facts;
use super::step::Name;
use crate::api::condition::whole_seconds;
use crate::api::name_claim::Tombstone;
use crate::api::{FIELD_MANAGER, NameClaim, NameClaimSpec, label_key};
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;
use crate::engine::hash::short_hash;

/// Claims a name. Creating what exists fails, which is the lock.
pub async fn create(ctx: &Context, facts: &Facts, name: Name) -> Result<(), Failure> {
    let claims = api(ctx);
    let mut claim = NameClaim::new(&facts.key(name), spec(facts, name));
    claim.metadata.labels =
        Some(BTreeMap::from([(label_key::MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())]));
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    let standing = match claims.create(&params, &claim).await {
        Ok(created) => created,
        Err(kube::Error::Api(status)) if status.is_already_exists() => claims.get(&facts.key(name)).await?,
        Err(error) => return Err(error.into()),
    };
    ctx.claims.apply(standing);
    Ok(())
}

/// Takes over a claim that the platform confirmed, or a freed one. A namespace keeps the id of its tenant.
pub async fn take_over(ctx: &Context, facts: &Facts, name: Name) -> Result<(), Failure> {
    let Some(standing) = facts.claim(name) else { return Ok(()) };
    let mut spec = json!({"holder": facts.holder(), "tombstone": null, "confirm": null});
    if name == Name::Namespace && standing.spec.tenant_id.is_none() {
        spec["tenantID"] = json!(tenant_id(facts));
    }
    write(ctx, standing, json!({"spec": spec})).await
}

/// Removes a freed claim of another type: a type can't be changed. Only as it was read.
pub async fn discard(ctx: &Context, facts: &Facts, name: Name) -> Result<(), Failure> {
    let Some(standing) = facts.claim(name) else { return Ok(()) };
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: standing.uid(),
            resource_version: standing.resource_version(),
        }),
        ..DeleteParams::default()
    };
    match api(ctx).delete(&standing.name_any(), &params).await {
        Ok(_) => ctx.claims.remove(&standing.name_any()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
            reread(ctx, &standing.name_any()).await?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Gives a name up; it is kept for this namespace for a while.
pub async fn release(ctx: &Context, now: Timestamp, facts: &Facts, name: Name) -> Result<(), Failure> {
    let Some(standing) = facts.claim(name) else { return Ok(()) };
    let message = "Nothing is left under this name.".to_owned();
    let tombstone = Tombstone { release_time: whole_seconds(now), message };
    write(ctx, standing, json!({"spec": {"tombstone": tombstone}})).await
}

/// Writes only what stands as it was read: another writer's change is seen first.
async fn write(ctx: &Context, standing: &NameClaim, mut patch: Value) -> Result<(), Failure> {
    let key = standing.name_any();
    patch["metadata"] = json!({"resourceVersion": standing.resource_version()});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    match api(ctx).patch(&key, &params, &Patch::Merge(&patch)).await {
        Ok(written) => ctx.claims.apply(written),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => reread(ctx, &key).await?,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The cache may be behind: what stands now is decided on next.
async fn reread(ctx: &Context, key: &str) -> Result<(), Failure> {
    match api(ctx).get_opt(key).await? {
        Some(standing) => ctx.claims.apply(standing),
        None => ctx.claims.remove(key),
    }
    Ok(())
}

fn spec(facts: &Facts, name: Name) -> NameClaimSpec {
    NameClaimSpec {
        type_: name.claim_type(),
        name: facts.name(name),
        holder: facts.holder(),
        confirm: None,
        tenant_id: (name == Name::Namespace).then(|| tenant_id(facts)),
        warm: None,
        runtime: None,
        deletion: None,
        tombstone: None,
    }
}

/// Minted once, from the cluster and the first Workspace, and read from the claim ever after.
fn tenant_id(facts: &Facts) -> String {
    let uid = facts.workspace.metadata.uid.as_deref().unwrap_or_default();
    short_hash(&["tenant", &facts.cluster.settings.cluster_id, uid], 20)
}

fn api(ctx: &Context) -> Api<NameClaim> {
    Api::all(ctx.kube.clone())
}
