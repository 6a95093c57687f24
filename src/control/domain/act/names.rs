//! Names in the platform's zone, one for each hostname, with the addresses of the app that it leads to.

use std::net::IpAddr;

use super::super::facts::Facts;
use super::super::ownership::target;
use crate::control::base_domain::BaseDomain;
use crate::control::context::Context;
use crate::control::runtime::trouble::Failure;
use crate::domains::dns::Host;

/// Gives the name these addresses.
pub(super) async fn publish(
    ctx: &Context,
    facts: &mut Facts,
    label: &str,
    addresses: &[String],
) -> Result<(), Failure> {
    let parsed: Vec<IpAddr> = addresses.iter().filter_map(|one| one.parse().ok()).collect();
    if let Some((base, provider)) = base(ctx) {
        provider.set_addresses(&host(ctx, base, label), &parsed).await?;
    }
    facts.known.deeds.published = Some((label.to_owned(), addresses.to_vec()));
    facts.known.deeds.unpublished.remove(label);
    Ok(())
}

/// Removes the name with this first label.
///
/// # Errors
/// If whoever keeps the zone refuses or doesn't answer.
pub async fn unpublish(ctx: &Context, label: &str) -> Result<(), Failure> {
    if let Some((base, provider)) = base(ctx) {
        provider.remove_addresses(&host(ctx, base, label)).await?;
    }
    Ok(())
}

fn base(ctx: &Context) -> Option<(&BaseDomain, &dyn crate::domains::dns::Provider)> {
    let base = ctx.base_domain.as_ref()?;
    Some((base, base.provider()?))
}

/// The mark says which cluster's it is; the label is nobody else's.
fn host(ctx: &Context, base: &BaseDomain, label: &str) -> Host {
    Host {
        name: target(label, &base.settings().name),
        owner: format!("{}/domain/{label}", ctx.config.cluster_id),
    }
}
