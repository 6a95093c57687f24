//! Has a hostname lead nowhere because its Runtime goes, whoever holds the name.

use kube::ResourceExt;
use serde_json::json;

use super::{detach, unpublish};
use crate::control::claim_writer;
use crate::control::context::Context;
use crate::control::domain::wire;
use crate::control::runtime::trouble::Failure;

/// Takes the hostname of this claim away from the app that it leads to. The name in DNS goes first, so that no visitor
/// comes to somebody else.
///
/// # Errors
/// If whoever is asked refuses or doesn't answer.
pub async fn vacate(ctx: &Context, key: &str) -> Result<(), Failure> {
    let _guard = ctx.domains.alone(key).await;
    let Some(claim) = ctx.claims.get(key) else { return Ok(()) };
    let Some(record) = &claim.spec.domain else { return Ok(()) };
    let Some(route) = &record.route else { return Ok(()) };
    unpublish(ctx, &record.label).await?;
    detach(ctx, &route.app, &claim.spec.name).await?;
    let domain = json!({"route": null, "certificate": null, "serviceTime": null});
    claim_writer::change(ctx, &claim, json!({"domain": domain})).await?.made()?;
    wire::wrote(ctx, &claim.name_any());
    Ok(())
}
