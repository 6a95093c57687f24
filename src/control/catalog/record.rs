//! The one place that writes the status of what is on offer, and only when it changed.

use std::fmt::Debug;

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::decide::Offer;
use crate::api::FIELD_MANAGER;
use crate::control::context::Context;

/// Writes the status, unless it stands so already.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn record<K>(ctx: &Context, object: &K, status: &K::Status) -> kube::Result<()>
where
    K: Offer + Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope>,
    K: Clone + Debug + DeserializeOwned,
{
    if object.standing() == Some(status) {
        return Ok(());
    }
    let api: Api<K> = Api::all(ctx.kube.clone());
    let patch: json_patch::Patch = serde_json::from_value(json!([
        {"op": "test", "path": "/metadata/uid", "value": object.uid()},
        {"op": "add", "path": "/status", "value": status},
    ]))
    .unwrap_or_default();
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    match api.patch_status(&object.name_any(), &params, &Patch::Json::<()>(patch)).await {
        Ok(_) => Ok(()),
        // The object has gone, or is another of the same name: nothing is left to say about it.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 422) => Ok(()),
        Err(error) => Err(error),
    }
}
