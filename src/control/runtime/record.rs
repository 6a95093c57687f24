//! The one place that writes a Runtime's status, and only when it changed.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::facts::Facts;
use super::step::{Effect, Step};
use super::trouble::Failure;
use super::view::{PROGRESS_PAUSE, is_passing, view};
use crate::api::condition::{self, ConditionType};
use crate::api::runtime::RuntimeStatus;
use crate::api::{FIELD_MANAGER, Runtime};
use crate::control::context::Context;
use crate::control::memory::Entry;

/// Writes what the step comes to.
///
/// # Errors
/// If the API server refuses or can't be asked, or if another replica acts now.
pub async fn record(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    entry: &mut Entry,
    step: &Step,
) -> Result<(), Failure> {
    let old = facts.runtime.status.clone().unwrap_or_default();
    let new = view(now, facts, step, &old);
    if new == old || can_wait(now, entry, step, &old, &new) {
        return Ok(());
    }
    if !ctx.leadership.is_current() {
        return Err(Failure::deposed());
    }
    let api: Api<Runtime> = Api::namespaced(ctx.kube.clone(), &facts.runtime.namespace().unwrap_or_default());
    let patch: json_patch::Patch = serde_json::from_value(json!([
        {"op": "test", "path": "/metadata/uid", "value": facts.runtime.uid()},
        {"op": "add", "path": "/status", "value": new},
    ]))
    .unwrap_or_default();
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
    match api.patch_status(&facts.runtime.name_any(), &params, &Patch::Json::<()>(patch)).await {
        Ok(mut written) => {
            written.metadata.managed_fields = None;
            facts.runtime = Arc::new(written);
            entry.written_at = Some(now);
            ctx.metrics.status_written("Runtime");
            measure(ctx, now, facts, &old);
            ctx.history.recorded(now, &facts.runtime, &old);
            Ok(())
        }
        // The object has gone, or is another of the same name: nothing is left to say about it.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 422) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The first time that it is ready tells how long customers wait.
fn measure(ctx: &Context, now: Timestamp, facts: &Facts, old: &RuntimeStatus) {
    let ready = |status: &RuntimeStatus| condition::is_true(&status.conditions, ConditionType::Ready);
    let first = old.observed_generation < 1 && facts.runtime.status.as_ref().is_some_and(ready);
    if let (true, Some(created)) = (first, facts.runtime.creation_timestamp()) {
        ctx.metrics.became_ready(Duration::try_from(created.0.duration_until(now)).unwrap_or_default());
    }
}

/// How far a change is may be said a little later; what it is, and how it ends, at once.
fn can_wait(now: Timestamp, entry: &Entry, step: &Step, old: &RuntimeStatus, new: &RuntimeStatus) -> bool {
    let intent = matches!(step, Step::Do(Effect::RecordIntent));
    let recent = entry.written_at.is_some_and(|at| at.duration_until(now) < PROGRESS_PAUSE);
    let same_operation = old.operation.as_ref().map(|it| &it.id) == new.operation.as_ref().map(|it| &it.id);
    !intent && recent && same_operation && old.operation.is_some() && is_passing(old) && is_passing(new)
}
