//! Performs one effect.

mod claim;
mod hosting;
mod names;
mod vacate;

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

use super::facts::Facts;
use super::failing::Issued;
use super::step::Effect;
use super::{counting, failing, ordered};
use crate::api::{DOMAIN_FINALIZER, NameClaim};
use crate::control::context::Context;
use crate::control::finalizers;
use crate::control::runtime::trouble::Failure;

pub use hosting::detach;
pub use names::unpublish;
pub use vacate::vacate;

/// Performs the effect while nothing else is done for the hostname, unless its claim has changed since that was decided.
/// Whoever acts, acts by this: two objects that want one name, or one and what is left of another, don't undo each other's
/// deeds.
///
/// # Errors
/// If whoever is asked refuses or doesn't answer. Whatever an effect may have changed is looked at again.
pub async fn act(ctx: &Context, now: Timestamp, facts: &mut Facts, effect: &Effect) -> Result<(), Failure> {
    let Ok(host) = &facts.host else { return perform(ctx, now, facts, effect).await };
    let key = NameClaim::hostname_key(host.as_str());
    let _guard = ctx.domains.alone(&key).await;
    let version = |claim: Option<Arc<NameClaim>>| claim.and_then(|claim| claim.resource_version());
    if version(ctx.claims.get(&key)) != version(facts.cluster.claim.clone()) {
        return Ok(());
    }
    perform(ctx, now, facts, effect).await
}

async fn perform(ctx: &Context, now: Timestamp, facts: &mut Facts, effect: &Effect) -> Result<(), Failure> {
    match effect {
        Effect::AddFinalizer => finalizers::add(ctx, &mut facts.domain, DOMAIN_FINALIZER).await,
        Effect::RemoveFinalizer => finalizers::remove(ctx, &mut facts.domain, DOMAIN_FINALIZER).await,
        Effect::Claim(record) => claim::create(ctx, facts, record).await,
        Effect::TakeOver => claim::take_over(ctx, facts).await,
        Effect::Reclaim(record) => claim::reclaim(ctx, facts, record).await,
        Effect::RecordContest(contest) => claim::contest(ctx, facts, contest.as_ref()).await,
        Effect::RecordMissing(since) => claim::missing(ctx, facts, *since).await,
        Effect::RecordShown(method) => claim::shown(ctx, facts, *method).await,
        Effect::RecordAstray(since) => claim::astray(ctx, facts, *since).await,
        Effect::RecordRoute(app) => claim::route(ctx, facts, app.as_deref()).await,
        Effect::RecordStanding(standing) => claim::standing(ctx, facts, standing).await,
        Effect::Release => claim::release(ctx, now, facts).await,
        Effect::Publish { label, addresses } => names::publish(ctx, facts, label, addresses).await,
        Effect::Unpublish(label) => {
            unpublish(ctx, label).await?;
            facts.known.deeds.unpublished.insert(label.clone());
            facts.known.deeds.published = None;
            Ok(())
        }
        Effect::RequestCertificate => hosting::request(ctx, now, facts).await,
        Effect::CheckHostname => hosting::check(ctx, now, facts).await,
        Effect::Import => hosting::import(ctx, now, facts).await,
        Effect::DropImport => hosting::drop_import(ctx, now, facts).await,
        Effect::DropIssued => hosting::drop_issued(ctx, now, facts).await,
        Effect::Detach(app) => hosting::take_away(ctx, facts, app).await,
        Effect::CountOrder => counting::count(ctx, now, facts).await,
        Effect::BeginOrder => ordered::begin(ctx, now, facts).await,
        Effect::ShowProofs(proofs) => ordered::show(ctx, now, facts, proofs).await,
        Effect::Answer => ordered::answer(ctx, now, facts).await,
        Effect::Finalize => ordered::finalize(ctx, now, facts).await,
        Effect::Collect => ordered::collect(ctx, now, facts).await,
        Effect::Copy => {
            ordered::copy(ctx, now, facts).await;
            Ok(())
        }
        Effect::Abandon(error) => failing::abandon(ctx, now, facts, error, Issued::No).await,
        Effect::Clean => ordered::clean(ctx, facts).await,
        Effect::DropStored => ordered::drop_stored(ctx, facts).await,
    }
}
