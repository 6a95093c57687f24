//! The one place that writes an order's status, and only when it changed.

use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::facts::Facts;
use crate::api::runtime_order::RuntimeOrderStatus;
use crate::api::{FIELD_MANAGER, RuntimeOrder};
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;

/// Writes the status, unless it stands so already.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn record(ctx: &Context, facts: &mut Facts, new: RuntimeOrderStatus) -> Result<(), Failure> {
    if facts.order.status.as_ref() == Some(&new) {
        return Ok(());
    }
    let api: Api<RuntimeOrder> =
        Api::namespaced(ctx.kube.clone(), &facts.order.namespace().unwrap_or_default());
    let patch: json_patch::Patch = serde_json::from_value(json!([
        {"op": "test", "path": "/metadata/uid", "value": facts.order.uid()},
        {"op": "add", "path": "/status", "value": new},
    ]))
    .unwrap_or_default();
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    match api.patch_status(&facts.order.name_any(), &params, &Patch::Json::<()>(patch)).await {
        Ok(mut written) => {
            written.metadata.managed_fields = None;
            announce(ctx, facts, &written);
            facts.order = Arc::new(written);
            ctx.metrics.status_written("RuntimeOrder");
            Ok(())
        }
        // The object has gone, or is another of the same name: nothing is left to say about it.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 422) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Tells whoever describes the order what it came to.
fn announce(ctx: &Context, facts: &Facts, written: &RuntimeOrder) {
    let conditions = |order: &RuntimeOrder| {
        order.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default()
    };
    ctx.history.announcer.tell(written, &conditions(&facts.order), &conditions(written));
}
