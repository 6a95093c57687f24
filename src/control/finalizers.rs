//! Puts a finalizer of ours on an object and takes it off, whatever its kind.

use std::fmt::Debug;
use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::context::Context;
use super::runtime::trouble::Failure;
use crate::api::FIELD_MANAGER;

/// Adds a finalizer, beside those of others.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn add<K>(ctx: &Context, object: &mut Arc<K>, finalizer: &str) -> Result<(), Failure>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let mut finalizers = object.finalizers().to_vec();
    finalizers.push(finalizer.to_owned());
    write(ctx, object, finalizers).await
}

/// Takes a finalizer off, and leaves those of others. An object that has gone already is as good.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn remove<K>(ctx: &Context, object: &mut Arc<K>, finalizer: &str) -> Result<(), Failure>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let others = object.finalizers().iter().filter(|name| *name != finalizer).cloned().collect();
    write(ctx, object, others).await
}

async fn write<K>(ctx: &Context, object: &mut Arc<K>, finalizers: Vec<String>) -> Result<(), Failure>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let name = object.name_any();
    let api: Api<K> = Api::namespaced(ctx.kube.clone(), &object.namespace().unwrap_or_default());
    let patch = json!({"metadata": {
        "finalizers": finalizers,
        "resourceVersion": object.resource_version(),
        "uid": object.uid(),
    }});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    let standing = match api.patch(&name, &params, &Patch::Merge(&patch)).await {
        Ok(written) => Some(written),
        Err(kube::Error::Api(status)) if status.code == 404 => None,
        Err(kube::Error::Api(status)) if status.code == 409 => api.get_opt(&name).await?,
        Err(error) => return Err(error.into()),
    };
    match standing.filter(|standing| standing.uid() == object.uid()) {
        Some(mut standing) => {
            standing.meta_mut().managed_fields = None;
            *object = Arc::new(standing);
        }
        // It has gone: nothing is on it any more.
        None => Arc::make_mut(object).meta_mut().finalizers = Some(finalizers),
    }
    Ok(())
}
