//! The one place that writes a Workspace's status, and only when it changed.

use std::sync::Arc;

use super::facts::Facts;
use crate::api::Workspace;
use crate::api::workspace::WorkspaceStatus;
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;
use crate::control::status_writer;

/// Writes the status, unless it stands so already.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn record(ctx: &Context, facts: &mut Facts, new: WorkspaceStatus) -> Result<(), Failure> {
    if facts.workspace.status.as_ref() == Some(&new) {
        return Ok(());
    }
    let Some(written) = status_writer::write(ctx, &*facts.workspace, &new).await? else { return Ok(()) };
    ctx.metrics.status_written("Workspace");
    announce(ctx, facts, &written);
    facts.workspace = Arc::new(written);
    Ok(())
}

/// Tells whoever describes the Workspace what it came to.
fn announce(ctx: &Context, facts: &Facts, written: &Workspace) {
    let conditions = |workspace: &Workspace| {
        workspace.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default()
    };
    ctx.history.announcer.tell(written, &conditions(&facts.workspace), &conditions(written));
}
