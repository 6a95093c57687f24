//! Writes a status, for kinds that need no more of it: whole, and only to the very object that was looked at.

use std::fmt::Debug;

use kube::api::{Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::context::Context;
use super::runtime::trouble::Failure;
use crate::api::FIELD_MANAGER;

/// Writes the status of an object in a namespace. What was written; `None` if the object has gone, or is another of the
/// same name: nothing is left to say about it.
///
/// # Errors
/// If the API server refuses or can't be asked, or if another replica acts now.
pub async fn write<K>(ctx: &Context, object: &K, status: &impl Serialize) -> Result<Option<K>, Failure>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    if !ctx.leadership.is_current() {
        return Err(Failure::deposed());
    }
    let api: Api<K> = Api::namespaced(ctx.kube.clone(), &object.namespace().unwrap_or_default());
    Ok(patch(&api, object, status).await?)
}

/// The same, by an API that reaches the object.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn patch<K>(api: &Api<K>, object: &K, status: &impl Serialize) -> kube::Result<Option<K>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let patch: json_patch::Patch = serde_json::from_value(json!([
        {"op": "test", "path": "/metadata/uid", "value": object.uid()},
        {"op": "add", "path": "/status", "value": status},
    ]))
    .unwrap_or_default();
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    match api.patch_status(&object.name_any(), &params, &Patch::Json::<()>(patch)).await {
        Ok(mut written) => {
            written.meta_mut().managed_fields = None;
            Ok(Some(written))
        }
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 422) => Ok(None),
        Err(error) => Err(error),
    }
}
