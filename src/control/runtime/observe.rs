//! Gathers what is known: the caches at the start of a visit, and whatever the decision asks to look at.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::ObjectRef;

use super::facts::{ClaimFact, Cluster, Facts, Knowledge, NamespaceFact, Request, Settings, Warm};
use super::names::Name;
use super::resolve::{plan_of, slug};
use crate::api::name_claim::RuntimeIdentity;
use crate::api::order_record::OrderRecord;
use crate::api::{NameClaim, Runtime, Workspace};
use crate::control::context::Context;
use crate::control::order::funding;
use crate::control::policy::EffectivePolicy;
use crate::control::rollout::pick::Permit;
use crate::engine::config::Config;

/// The facts at the start of a visit.
pub fn gather(ctx: &Context, runtime: Arc<Runtime>, known: Knowledge) -> Facts {
    let cluster = cluster(ctx, &runtime);
    let mut facts = Facts { runtime, cluster, known };
    facts.align();
    facts
}

/// What the caches say now.
pub fn cluster(ctx: &Context, runtime: &Runtime) -> Cluster {
    let namespace = runtime.namespace().unwrap_or_default();
    let workspace = workspace(ctx, &namespace);
    let meta = ctx.stores.namespaces.get(&ObjectRef::new(&namespace));
    let claim = claim(ctx, runtime, workspace.as_deref());
    let own = match &claim {
        ClaimFact::Held(claim) => {
            i32::from(runtime.uid().as_ref() == Some(&claim.holder.uid) && claim.tombstone.is_none())
        }
        ClaimFact::Free => 0,
    };
    let blueprint = blueprint(ctx, runtime);
    let image = blueprint.as_ref().map(|(_, _, spec)| spec.image.as_str());
    Cluster {
        pinned_plan: pinned_plan(ctx, &claim),
        plan: plan(ctx, runtime, workspace.as_deref()),
        newest_image: image.and_then(|image| ctx.claims.newest_image(image)),
        permit: runtime.uid().map_or(Permit::None, |uid| ctx.rollouts.permit(&uid)),
        blueprint,
        policy: policy(ctx, &namespace, meta.as_deref()),
        warm: warm(ctx, runtime, workspace.as_deref(), &claim),
        other_slugs: ctx.claims.slugs_in(&namespace) - own,
        namespace: phase(meta.as_deref()),
        order: order(ctx, runtime, &claim),
        request: request(ctx, runtime, &namespace),
        base: ctx
            .base_domain
            .as_ref()
            .map(|base| base.offer(&slug_of(&claim, runtime, workspace.as_deref()))),
        names: recorded(&claim).map_or_else(Vec::new, |identity| names(ctx, identity)),
        settings: settings(&ctx.config),
        workspace,
        claim,
    }
}

/// The Workspace of a namespace: the one that holds the namespace's claim, or the oldest.
pub fn workspace(ctx: &Context, namespace: &str) -> Option<Arc<Workspace>> {
    let holder =
        ctx.claims.get(&NameClaim::namespace_key(namespace)).map(|claim| claim.spec.holder.uid.clone());
    let mut all = crate::control::workspace::wire::workspaces(ctx, namespace);
    all.sort_by_key(|workspace| {
        (workspace.uid() != holder, workspace.creation_timestamp().map(|time| time.0), workspace.name_any())
    });
    all.into_iter().next()
}

/// What the platform allows in a namespace.
pub fn policy(
    ctx: &Context,
    namespace: &str,
    meta: Option<&PartialObjectMeta<Namespace>>,
) -> EffectivePolicy {
    let empty = BTreeMap::new();
    let labels = meta.map_or(&empty, ResourceExt::labels);
    let policies = ctx.stores.policies.state();
    EffectivePolicy::of(
        policies.iter().map(|policy| &policy.spec),
        namespace,
        labels,
        ctx.config.defaults.max_runtimes,
    )
}

fn phase(meta: Option<&PartialObjectMeta<Namespace>>) -> NamespaceFact {
    match meta {
        Some(meta) if meta.metadata.deletion_timestamp.is_some() => NamespaceFact::Terminating,
        _ => NamespaceFact::Active,
    }
}

fn plan(
    ctx: &Context,
    runtime: &Runtime,
    workspace: Option<&Workspace>,
) -> Option<(String, crate::api::PlanSpec)> {
    let name = plan_of(runtime, workspace)?;
    let plan = ctx.stores.plans.get(&ObjectRef::new(name))?;
    Some((name.to_owned(), plan.spec.clone()))
}

fn pinned_plan(ctx: &Context, claim: &ClaimFact) -> Option<crate::api::PlanSpec> {
    let ClaimFact::Held(claim) = claim else { return None };
    let name = &claim.runtime.as_ref()?.pin.plan.name;
    ctx.stores.plans.get(&ObjectRef::new(name)).map(|plan| plan.spec.clone())
}

fn blueprint(ctx: &Context, runtime: &Runtime) -> Option<(String, i64, Arc<crate::api::BlueprintSpec>)> {
    let named = runtime.spec.blueprint_ref.as_ref().map(|reference| reference.name.as_str());
    let name = named.unwrap_or(&ctx.config.defaults.blueprint);
    let blueprint = ctx.stores.blueprints.get(&ObjectRef::new(name))?;
    let generation = blueprint.metadata.generation.unwrap_or_default();
    Some((name.to_owned(), generation, ctx.index.specs.of(name, &blueprint)))
}

/// The claim that the object holds, or else the one on the slug that it asks for.
fn claim(ctx: &Context, runtime: &Runtime, workspace: Option<&Workspace>) -> ClaimFact {
    let own = runtime.uid().and_then(|uid| ctx.claims.slug_of(&uid));
    let claim = own.or_else(|| ctx.claims.get(&NameClaim::label_key(&slug(runtime, workspace))));
    claim.map_or(ClaimFact::Free, |claim| ClaimFact::Held(Arc::new(claim.spec.clone())))
}

fn recorded(claim: &ClaimFact) -> Option<&RuntimeIdentity> {
    let ClaimFact::Held(claim) = claim else { return None };
    claim.runtime.as_ref()
}

/// Customers' hostnames that lead to its app.
pub fn names(ctx: &Context, identity: &RuntimeIdentity) -> Vec<Name> {
    let claims = ctx.claims.hostnames_of(&identity.app);
    let mut names: Vec<Name> = claims.iter().filter_map(|claim| Name::of(claim)).collect();
    names.sort_unstable();
    names
}

/// Apps that were made ahead for its Plan. One that has a slug has an app of its own.
fn warm(ctx: &Context, runtime: &Runtime, workspace: Option<&Workspace>, claim: &ClaimFact) -> Vec<Warm> {
    match (claim, plan_of(runtime, workspace)) {
        (ClaimFact::Free, Some(plan)) => ctx.warm.offers(&ctx.claims, plan, runtime.uid().as_deref()),
        _ => Vec::new(),
    }
}

/// The order with the best right to it: of those that are recorded to fund it, or the one that its own claim names,
/// which is how the funding survives a restore of the cluster. A claim that the platform gave it counts as its own: it is
/// taken over only by what may run.
fn order(ctx: &Context, runtime: &Runtime, claim: &ClaimFact) -> Option<Arc<OrderRecord>> {
    let uid = runtime.uid()?;
    let mut candidates = ctx.claims.orders_of_runtime(&uid);
    if let ClaimFact::Held(claim) = claim
        && (claim.holder.uid == uid || claim.takeover_confirmed(Some(&uid)))
    {
        let named = claim.runtime.as_ref().and_then(|identity| identity.order.as_deref());
        candidates.extend(named.and_then(|order| ctx.claims.get(&NameClaim::order_key(order))));
    }
    let best = funding::best(candidates)?;
    funding::record(&best).cloned().map(Arc::new)
}

/// The oldest request of this very Runtime: one that was made before it is about another of its name.
fn request(ctx: &Context, runtime: &Runtime, namespace: &str) -> Option<Request> {
    let made = runtime.creation_timestamp()?.0;
    ctx.history.book.request(namespace, &runtime.name_any(), made)
}

/// The slug that it holds, or else the one that it asks for.
fn slug_of(claim: &ClaimFact, runtime: &Runtime, workspace: Option<&Workspace>) -> String {
    match claim {
        ClaimFact::Held(claim) if runtime.uid().as_ref() == Some(&claim.holder.uid) => claim.name.clone(),
        _ => slug(runtime, workspace),
    }
}

/// What decisions need of the configuration.
pub fn settings(config: &Config) -> Settings {
    let seconds = |seconds: u32| SignedDuration::from_secs(i64::from(seconds));
    Settings {
        cluster_id: config.cluster_id.as_str().into(),
        app_prefix: config.fly.app_prefix.as_str().into(),
        default_blueprint: config.defaults.blueprint.as_str().into(),
        default_regions: config.defaults.regions.as_slice().into(),
        mode: config.mode,
        readiness: config.fly.readiness,
        deletion_brake: config.deletion_brake,
        absence_grace: seconds(config.timing.absence_grace_seconds),
        start_deadline: seconds(config.timing.start_deadline_seconds),
        stop_deadline: seconds(config.timing.stop_deadline_seconds),
        destroy_deadline: seconds(config.timing.destroy_deadline_seconds),
        slow_retry: seconds(config.timing.slow_retry_seconds),
        keep_displaced: seconds(config.timing.keep_displaced_seconds),
        seed: crate::gateway::seed::VERSION,
    }
}
