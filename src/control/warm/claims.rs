//! Claims of warm apps: made before anything is made at Fly, and removed once nothing is left to be said.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, ResourceExt};
use rand::RngCore;
use serde_json::json;

use super::plan::Wanted;
use crate::api::name_claim::{ClaimType, Holder, RuntimeIdentity};
use crate::api::runtime::DeletionPolicy;
use crate::api::warm::{WarmApp, WarmPhase};
use crate::api::{FIELD_MANAGER, NameClaim, NameClaimSpec, label_key};
use crate::control::context::Context;
use crate::control::memory::Entry;
use crate::control::runtime::claim::put;
use crate::control::runtime::facts::{Absence, AbsenceKind, Knowledge, Known};
use crate::control::runtime::token::hexadecimal;
use crate::control::runtime::trouble::Failure;
use crate::engine::hash::short_hash;

/// Longest part of a Plan's name in the name of an app.
const MAX_PLAN: usize = 30;

/// A serial that no other warm app has.
pub fn serial() -> String {
    let mut bytes = [0_u8; 16];
    rand::rng().fill_bytes(&mut bytes);
    short_hash(&[&hexadecimal(&bytes)], 10)
}

/// Writes what is about to be made. The same serial makes the same claim: after a lost reply it is simply written
/// again.
pub async fn make(ctx: &Context, now: Timestamp, wanted: &Wanted, serial: &str) -> Result<(), Failure> {
    let claims: Api<NameClaim> = Api::all(ctx.kube.clone());
    let spec = spec(ctx, wanted, serial);
    let uid = spec.holder.uid.clone();
    let mut claim = NameClaim::new(&spec.key(), spec);
    claim.metadata.labels =
        Some(BTreeMap::from([(label_key::MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())]));
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    let made = match claims.create(&params, &claim).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => claims.get(&claim.name_any()).await?,
        made => {
            let made = made?;
            // Its identity was minted just now: nothing can exist under it.
            let app = Known::Missing(Absence::at(now, AbsenceKind::NotMade));
            let known = Knowledge { app, ..Knowledge::default() };
            ctx.memory.put(&uid, Box::new(Entry { known, ..Entry::default() }));
            made
        }
    };
    ctx.claims.apply(made);
    Ok(())
}

fn spec(ctx: &Context, wanted: &Wanted, serial: &str) -> NameClaimSpec {
    let plan = &wanted.pin.plan.name;
    let identity = short_hash(&[&ctx.config.cluster_id, "warm", plan, serial], 10);
    let short: String = plan.chars().take(MAX_PLAN).collect();
    let app = format!("{}{}-{identity}", ctx.config.fly.app_prefix, short.trim_end_matches('-'));
    let holder =
        Holder { namespace: ctx.config.namespace.clone(), name: plan.clone(), uid: identity.clone() };
    NameClaimSpec {
        warm: Some(WarmApp::kept(&wanted.region)),
        runtime: Some(RuntimeIdentity::new(identity, app, DeletionPolicy::Delete, wanted.pin.clone())),
        ..NameClaimSpec::new(ClaimType::Warm, format!("{plan}-{serial}"), holder)
    }
}

/// Writes that it goes, unless somebody has changed the claim since it was looked at.
pub async fn drop_it(ctx: &Context, claim: &NameClaim) -> Result<(), Failure> {
    let patch = json!({"spec": {"warm": {"phase": WarmPhase::Dropped}}});
    if let Some(standing) = put(ctx, &claim.name_any(), claim.resource_version(), patch).await? {
        ctx.claims.apply(standing);
    }
    Ok(())
}

/// Removes exactly the claim that was looked at.
pub async fn remove(ctx: &Context, claim: &NameClaim) {
    let exactly = Preconditions { uid: claim.uid(), resource_version: claim.resource_version() };
    let params = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
    let name = claim.name_any();
    match Api::<NameClaim>::all(ctx.kube.clone()).delete(&name, &params).await {
        Ok(_) => {
            ctx.claims.remove(&name);
            ctx.memory.forget(&claim.spec.holder.uid);
        }
        Err(error) => tracing::debug!(claim = name, %error, "can't be removed; it is tried again"),
    }
}
