//! The one place that writes a CustomDomain's status, and only when it changed.

use std::sync::Arc;

use super::facts::Facts;
use crate::api::{CustomDomain, CustomDomainStatus};
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;
use crate::control::status_writer;

/// Writes the status, unless it stands so already.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn record(ctx: &Context, facts: &mut Facts, new: CustomDomainStatus) -> Result<(), Failure> {
    if facts.domain.status.as_ref() == Some(&new) {
        return Ok(());
    }
    let Some(written) = status_writer::write(ctx, &*facts.domain, &new).await? else { return Ok(()) };
    ctx.metrics.status_written("CustomDomain");
    announce(ctx, facts, &written);
    facts.domain = Arc::new(written);
    Ok(())
}

/// Tells whoever describes it what it came to.
fn announce(ctx: &Context, facts: &Facts, written: &CustomDomain) {
    let conditions = |domain: &CustomDomain| {
        domain.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default()
    };
    ctx.history.announcer.tell(written, &conditions(&facts.domain), &conditions(written));
}
