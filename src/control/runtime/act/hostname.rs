//! Effects on the hostname: its records in DNS, its certificate at the app.

use std::net::IpAddr;

use fly_machines::types as fly;
use jiff::Timestamp;

use super::super::facts::Facts;
use super::super::hostname::Records;
use super::super::survey::Standing;
use super::super::trouble::{Failure, Pace};
use super::{Failed, tell};
use crate::api::name_claim::{HostnameRecord, RuntimeIdentity};
use crate::control::base_domain::BaseDomain;
use crate::control::context::Context;
use crate::control::domain;
use crate::control::domain::edge::Hosted;
use crate::control::runtime::facts::TroubleClass;
use crate::control::runtime::observe;
use crate::domains::dns::{Host, Provider};
use crate::domains::{DomainClass, DomainError};

pub(super) async fn set_records(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    record: &HostnameRecord,
) -> Result<(), Failed> {
    let Some(provider) = provider(ctx) else { return Ok(()) };
    let addresses: Vec<IpAddr> = record.addresses.iter().filter_map(|one| one.parse().ok()).collect();
    provider.set_addresses(&host(ctx, identity, &record.name), &addresses).await?;
    facts.known.hostname.note(&record.name, |standing| standing.addresses.clone_from(&record.addresses));
    Ok(())
}

pub(super) async fn remove_records(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    name: &str,
) -> Result<(), Failed> {
    if let Some(provider) = provider(ctx) {
        provider.remove_addresses(&host(ctx, identity, name)).await?;
    }
    facts.known.hostname.unrecorded.insert(name.to_owned());
    Ok(())
}

pub(super) async fn import_certificate(
    ctx: &Context,
    now: Timestamp,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    record: &HostnameRecord,
) -> Result<(), Failed> {
    let offered = ctx.base_domain.as_ref().and_then(BaseDomain::certificate);
    let Some(certificate) = offered.filter(|it| Some(&it.fingerprint) == record.certificate.as_ref()) else {
        // Another has taken its place meanwhile: decided anew.
        return Ok(());
    };
    let import = fly::CustomCertificate {
        hostname: record.name.clone(),
        fullchain: certificate.chain.clone(),
        private_key: certificate.key.clone(),
    };
    let detail = ctx.fly.certificates(&identity.app).import(&import).await?;
    if facts.known.survey.found().is_some_and(|found| found.certificate == Standing::Changed) {
        tell(ctx, facts, "The hostname's certificate was gone from the app at Fly; it is there again.");
    }
    facts.known.survey.mended(|found| found.certificate = Standing::AsMade);
    facts.known.hostname.turn = None;
    let records = facts.cluster.base.as_ref().map_or(Records::Kept, |base| base.records);
    let deeds = &mut facts.known.hostname;
    deeds.note(&record.name, |standing| standing.certificate.clone_from(&record.certificate));
    // What Fly doesn't show yet is looked at next.
    let _ = deeds.take(&certificate.fingerprint, &Hosted::of(&detail, now), records);
    Ok(())
}

/// Takes the hostname with its certificate from the app.
pub(super) async fn detach(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    name: &str,
) -> Result<(), Failed> {
    match ctx.fly.certificates(&identity.app).delete(name).await {
        Err(error) if !error.is_not_found() => return Err(error.into()),
        _ => {}
    }
    facts.known.hostname.detached.insert(name.to_owned());
    Ok(())
}

/// Has a customer's hostname lead nowhere.
pub(super) async fn vacate(
    ctx: &Context,
    facts: &mut Facts,
    identity: &RuntimeIdentity,
    key: &str,
) -> Result<(), Failed> {
    domain::act::vacate(ctx, key).await?;
    facts.cluster.names = observe::names(ctx, identity);
    Ok(())
}

fn provider(ctx: &Context) -> Option<&dyn Provider> {
    ctx.base_domain.as_ref().and_then(BaseDomain::provider)
}

/// The mark says which cluster's which Runtime it is.
fn host(ctx: &Context, identity: &RuntimeIdentity, name: &str) -> Host {
    Host { name: name.to_owned(), owner: format!("{}/{}", ctx.config.cluster_id, identity.identity) }
}

impl From<DomainError> for Failed {
    fn from(error: DomainError) -> Self {
        Self::Ours(error.into())
    }
}

impl From<DomainError> for Failure {
    fn from(error: DomainError) -> Self {
        let class = match error.class {
            DomainClass::Transient => TroubleClass::Transient,
            DomainClass::Human => TroubleClass::Human,
        };
        let retry_after = error.retry_after;
        Self { class, reason: error.reason, message: error.message, retry_after, pace: Pace::Backoff }
    }
}
