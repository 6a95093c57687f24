//! Writes claims, for kinds that need no more of it: creating is the lock, and only what stands as it was read is
//! changed.

use std::collections::BTreeMap;

use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::context::Context;
use super::runtime::facts::TroubleClass;
use super::runtime::trouble::{Failure, Pace};
use crate::api::{FIELD_MANAGER, NameClaim, NameClaimSpec, label_key, reason};

/// Makes a claim. Creating what exists fails, which is the lock; what stands is then decided on next.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn create(ctx: &Context, key: &str, spec: NameClaimSpec) -> Result<(), Failure> {
    let claims = api(ctx);
    let mut claim = NameClaim::new(key, spec);
    claim.metadata.labels =
        Some(BTreeMap::from([(label_key::MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())]));
    let params = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
    let standing = match claims.create(&params, &claim).await {
        Ok(created) => created,
        Err(kube::Error::Api(status)) if status.is_already_exists() => claims.get(key).await?,
        Err(error) => return Err(error.into()),
    };
    ctx.claims.apply(standing);
    Ok(())
}

/// Whether a claim was changed.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was.
    Made,
    /// Another writer's change came first, or the claim has gone. What stands now is known.
    Overtaken,
}

impl Change {
    /// For those who can't go on without it.
    ///
    /// # Errors
    /// If it wasn't made: it is decided anew from what stands.
    pub fn made(self) -> Result<(), Failure> {
        match self {
            Self::Made => Ok(()),
            Self::Overtaken => Err(Failure {
                class: TroubleClass::Transient,
                reason: reason::KUBERNETES_UNAVAILABLE,
                message: "Something else was written about the name at the same time; it is tried again."
                    .into(),
                retry_after: None,
                pace: Pace::Soon,
            }),
        }
    }
}

/// Changes a claim, unless another writer's change came first: that is seen before anything else is done.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn change(ctx: &Context, standing: &NameClaim, spec: Value) -> Result<Change, Failure> {
    let key = standing.name_any();
    let patch = json!({"metadata": {"resourceVersion": standing.resource_version()}, "spec": spec});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    match api(ctx).patch(&key, &params, &Patch::Merge(&patch)).await {
        Ok(written) => {
            ctx.claims.apply(written);
            Ok(Change::Made)
        }
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {
            reread(ctx, &key).await?;
            Ok(Change::Overtaken)
        }
        Err(error) => Err(error.into()),
    }
}

/// The cache may be behind: what stands now is decided on next.
///
/// # Errors
/// If the API server can't be asked.
pub async fn reread(ctx: &Context, key: &str) -> Result<(), Failure> {
    match api(ctx).get_opt(key).await? {
        Some(standing) => ctx.claims.apply(standing),
        None => ctx.claims.remove(key),
    }
    Ok(())
}

/// The claims.
pub fn api(ctx: &Context) -> Api<NameClaim> {
    Api::all(ctx.kube.clone())
}
