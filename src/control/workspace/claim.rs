//! Writes the claims on a Workspace's names.

use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};
use serde_json::json;

use super::facts::Facts;
use super::step::Name;
use crate::api::NameClaimSpec;
use crate::api::condition::whole_seconds;
use crate::api::name_claim::Tombstone;
use crate::control::claim_writer;
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;
use crate::engine::hash::short_hash;

/// Claims a name. Creating what exists fails, which is the lock.
pub async fn create(ctx: &Context, facts: &Facts, name: Name) -> Result<(), Failure> {
    claim_writer::create(ctx, &facts.key(name), spec(facts, name)).await
}

/// Takes over a claim that the platform confirmed, or a freed one. A namespace keeps the id of its tenant.
pub async fn take_over(ctx: &Context, facts: &Facts, name: Name) -> Result<(), Failure> {
    let Some(standing) = facts.claim(name) else { return Ok(()) };
    let mut spec = json!({"holder": facts.holder(), "tombstone": null, "confirm": null});
    if name == Name::Namespace && standing.spec.tenant_id.is_none() {
        spec["tenantID"] = json!(tenant_id(facts));
    }
    // What stands then is decided on next.
    claim_writer::change(ctx, standing, spec).await.map(drop)
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
    match claim_writer::api(ctx).delete(&standing.name_any(), &params).await {
        Ok(_) => ctx.claims.remove(&standing.name_any()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
            claim_writer::reread(ctx, &standing.name_any()).await?;
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
    claim_writer::change(ctx, standing, json!({"tombstone": tombstone})).await.map(drop)
}

fn spec(facts: &Facts, name: Name) -> NameClaimSpec {
    NameClaimSpec {
        tenant_id: (name == Name::Namespace).then(|| tenant_id(facts)),
        ..NameClaimSpec::new(name.claim_type(), facts.name(name), facts.holder())
    }
}

/// Minted once, from the cluster and the first Workspace, and read from the claim ever after.
fn tenant_id(facts: &Facts) -> String {
    let uid = facts.workspace.metadata.uid.as_deref().unwrap_or_default();
    short_hash(&["tenant", &facts.cluster.settings.cluster_id, uid], 20)
}
