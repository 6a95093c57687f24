//! Puts our finalizer on a Runtime and takes it off.

use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::facts::Facts;
use super::trouble::Failure;
use crate::api::{FIELD_MANAGER, RUNTIME_FINALIZER, Runtime};
use crate::control::context::Context;

/// Adds our finalizer, beside those of others.
pub async fn add_finalizer(ctx: &Context, facts: &mut Facts) -> Result<(), Failure> {
    let mut finalizers = facts.runtime.finalizers().to_vec();
    finalizers.push(RUNTIME_FINALIZER.to_owned());
    write(ctx, facts, finalizers).await
}

/// Takes our finalizer off, and leaves those of others. An object that has gone already is as good.
pub async fn remove_finalizer(ctx: &Context, facts: &mut Facts) -> Result<(), Failure> {
    let others =
        facts.runtime.finalizers().iter().filter(|name| *name != RUNTIME_FINALIZER).cloned().collect();
    write(ctx, facts, others).await
}

async fn write(ctx: &Context, facts: &mut Facts, finalizers: Vec<String>) -> Result<(), Failure> {
    let api: Api<Runtime> = Api::namespaced(ctx.kube.clone(), &facts.runtime.namespace().unwrap_or_default());
    let patch = json!({"metadata": {
        "finalizers": finalizers,
        "resourceVersion": facts.runtime.resource_version(),
        "uid": facts.runtime.uid(),
    }});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    match api.patch(&facts.runtime.name_any(), &params, &Patch::Merge(&patch)).await {
        Ok(mut written) => {
            written.metadata.managed_fields = None;
            facts.runtime = Arc::new(written);
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.code == 404 => {
            gone(facts, finalizers);
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.code == 409 => {
            match api.get_opt(&facts.runtime.name_any()).await? {
                Some(mut standing) if standing.uid() == facts.runtime.uid() => {
                    standing.metadata.managed_fields = None;
                    facts.runtime = Arc::new(standing);
                }
                _ => gone(facts, finalizers),
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn gone(facts: &mut Facts, finalizers: Vec<String>) {
    let runtime = Arc::make_mut(&mut facts.runtime);
    runtime.metadata.finalizers = Some(finalizers);
}
