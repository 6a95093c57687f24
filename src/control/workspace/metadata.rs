//! Puts our finalizer on a Workspace and takes it off.

use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::facts::Facts;
use crate::api::{FIELD_MANAGER, WORKSPACE_FINALIZER, Workspace};
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;

/// Adds our finalizer, beside those of others.
pub async fn add_finalizer(ctx: &Context, facts: &mut Facts) -> Result<(), Failure> {
    let mut finalizers = facts.workspace.finalizers().to_vec();
    finalizers.push(WORKSPACE_FINALIZER.to_owned());
    write(ctx, facts, finalizers).await
}

/// Takes our finalizer off, and leaves those of others. An object that has gone already is as good.
pub async fn remove_finalizer(ctx: &Context, facts: &mut Facts) -> Result<(), Failure> {
    let others =
        facts.workspace.finalizers().iter().filter(|name| *name != WORKSPACE_FINALIZER).cloned().collect();
    write(ctx, facts, others).await
}

async fn write(ctx: &Context, facts: &mut Facts, finalizers: Vec<String>) -> Result<(), Failure> {
    let name = facts.workspace.name_any();
    let api: Api<Workspace> =
        Api::namespaced(ctx.kube.clone(), &facts.workspace.namespace().unwrap_or_default());
    let patch = json!({"metadata": {
        "finalizers": finalizers,
        "resourceVersion": facts.workspace.resource_version(),
        "uid": facts.workspace.uid(),
    }});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    let standing = match api.patch(&name, &params, &Patch::Merge(&patch)).await {
        Ok(written) => Some(written),
        Err(kube::Error::Api(status)) if status.code == 404 => None,
        Err(kube::Error::Api(status)) if status.code == 409 => api.get_opt(&name).await?,
        Err(error) => return Err(error.into()),
    };
    match standing.filter(|standing| standing.uid() == facts.workspace.uid()) {
        Some(mut standing) => {
            standing.metadata.managed_fields = None;
            facts.workspace = Arc::new(standing);
        }
        // It has gone: nothing is on it any more.
        None => Arc::make_mut(&mut facts.workspace).metadata.finalizers = Some(finalizers),
    }
    Ok(())
}
