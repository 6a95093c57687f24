//! The one place that writes an order's status, and only when it changed.

use std::sync::Arc;

use super::facts::Facts;
use super::notices::warning;
use crate::api::RuntimeOrder;
use crate::api::runtime_order::RuntimeOrderStatus;
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;
use crate::control::status_writer;

/// Writes the status, unless it stands so already.
///
/// # Errors
/// If the API server refuses or can't be asked.
pub async fn record(ctx: &Context, facts: &mut Facts, new: RuntimeOrderStatus) -> Result<(), Failure> {
    if facts.order.status.as_ref() == Some(&new) {
        return Ok(());
    }
    let Some(written) = status_writer::write(ctx, &*facts.order, &new).await? else { return Ok(()) };
    ctx.metrics.status_written("RuntimeOrder");
    announce(ctx, facts, &written);
    facts.order = Arc::new(written);
    Ok(())
}

/// Tells whoever describes the order what it came to.
fn announce(ctx: &Context, facts: &Facts, written: &RuntimeOrder) {
    let conditions = |order: &RuntimeOrder| {
        order.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default()
    };
    ctx.history.announcer.tell(written, &conditions(&facts.order), &conditions(written));
    let old = facts.order.status.clone().unwrap_or_default();
    if let Some(news) = written.status.as_ref().and_then(|new| warning(&old, new)) {
        ctx.history.announcer.say(written, news);
    }
}
