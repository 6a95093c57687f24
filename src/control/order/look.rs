//! Looks at what a decision asks for.

use jiff::Timestamp;
use kube::{Api, ResourceExt};

use super::facts::Facts;
use crate::api::Runtime;
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;

/// Asks the API server for the Runtime.
///
/// # Errors
/// If it can't be asked.
pub async fn look(ctx: &Context, now: Timestamp, facts: &mut Facts) -> Result<(), Failure> {
    let api: Api<Runtime> = Api::namespaced(ctx.kube.clone(), &facts.order.namespace().unwrap_or_default());
    let found = api.get_opt(facts.runtime_name()).await?;
    facts.known.runtime_missing_at = found.is_none().then_some(now);
    if let Some(mut runtime) = found {
        runtime.metadata.managed_fields = None;
        facts.cluster.runtime = Some(runtime.into());
    }
    Ok(())
}
