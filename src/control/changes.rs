//! Whom a change concerns that a watch tells of.

use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};

use super::catalog::decide::Offer;
use super::context::Context;
use super::domain::wire as domain_wire;
use super::order::wire as order_wire;
use super::rollout;
use super::runtime::resolve::plan_of;
use super::workspace::memory::Spec;
use super::workspace::wire;
use crate::api::name_claim::ClaimType;
use crate::api::{Blueprint, NameClaim, Plan, Runtime, Workspace, WorkspacePolicy};
use crate::engine::watch::Change;

/// Takes in a changed claim, and tells whom it concerns.
pub(super) fn claim_changed(ctx: &Context, change: &Change<'_, NameClaim>) {
    match change {
        Change::ListBegins => ctx.claims.list_begins(),
        Change::ListEnds => ctx.claims.list_ends(),
        Change::Deleted(claim) => {
            ctx.claims.remove(&claim.name_any());
            visit_holder(ctx, claim);
            order_wire::claim_changed(ctx, claim);
            domain_wire::claim_changed(ctx, claim);
        }
        Change::Applied(claim) => {
            let news = ctx.claims.get(&claim.name_any()).is_none_or(|known| known.spec != claim.spec);
            ctx.claims.apply(NameClaim::clone(claim));
            rollout::wire::claim_changed(ctx);
            if news {
                visit_holder(ctx, claim);
                order_wire::claim_changed(ctx, claim);
                domain_wire::claim_changed(ctx, claim);
            }
        }
    }
}

fn visit_holder(ctx: &Context, claim: &NameClaim) {
    // A warm app is nobody's that could be visited.
    if claim.spec.type_ == ClaimType::Warm {
        return;
    }
    let holder = &claim.spec.holder;
    ctx.triggers.runtimes.visit_ref(ObjectRef::new(&holder.name).within(&holder.namespace));
    ctx.triggers.workspaces.visit_ref(ObjectRef::new(&holder.name).within(&holder.namespace));
    if claim.spec.tombstone.is_some() {
        visit_unsettled(ctx);
    }
}

/// Whatever isn't at rest may have waited for just this.
fn visit_unsettled(ctx: &Context) {
    use crate::api::condition::{ConditionType, is_true};
    wire::visit_unsettled(ctx);
    order_wire::visit_unsettled(ctx);
    ctx.triggers.runtimes.visit_all(&ctx.stores.runtimes, |runtime| {
        !runtime.status.as_ref().is_some_and(|status| is_true(&status.conditions, ConditionType::Ready))
    });
}

/// Whether others have to hear of it: not of what we wrote of it ourselves.
fn is_news<K: Offer + Resource>(change: &Change<'_, K>) -> bool {
    match change {
        Change::Applied(offer) => {
            offer.observed().map(|(generation, _)| generation) != offer.meta().generation
        }
        Change::Deleted(_) => true,
        Change::ListBegins | Change::ListEnds => false,
    }
}

/// Has a changed Blueprint visited, and what may have waited for it.
pub(super) fn blueprint_changed(ctx: &Context, change: &Change<'_, Blueprint>) {
    if let Change::Applied(blueprint) = change {
        ctx.triggers.blueprints.visit(blueprint);
    }
    if is_news(change) {
        visit_unsettled(ctx);
    }
    if is_news(change) {
        ctx.rollouts.tell();
    }
    if let (true, Change::Applied(blueprint)) = (is_news(change), change) {
        rollout::wire::blueprint_changed(ctx, blueprint);
    }
}

/// Has a changed WorkspacePolicy visited, and whatever it may be about.
pub(super) fn policy_changed(ctx: &Context, change: &Change<'_, WorkspacePolicy>) {
    if let Change::Applied(policy) = change {
        ctx.triggers.policies.visit(policy);
    }
    if is_news(change) {
        ctx.triggers.orders.visit_all(&ctx.stores.orders, |_| true);
        ctx.triggers.runtimes.visit_all(&ctx.stores.runtimes, |_| true);
        ctx.triggers.workspaces.visit_all(&ctx.stores.workspaces, |_| true);
    }
}

/// Has a changed Plan visited, and whatever is of that Plan.
pub(super) fn plan_changed(ctx: &Context, change: &Change<'_, Plan>) {
    if let Change::Applied(plan) = change {
        ctx.triggers.plans.visit(plan);
    }
    let (Change::Applied(plan) | Change::Deleted(plan)) = change else { return };
    if !is_news(change) {
        return;
    }
    let name = plan.name_any();
    ctx.triggers.orders.visit_all(&ctx.stores.orders, |order| order.spec.plan_ref.name == name);
    ctx.triggers.runtimes.visit_all(&ctx.stores.runtimes, |runtime| {
        let workspace = super::runtime::observe::workspace(ctx, &runtime.namespace().unwrap_or_default());
        plan_of(runtime, workspace.as_deref()) == Some(&name)
    });
}

/// Has everything of a changed Namespace visited.
pub(super) fn namespace_changed(ctx: &Context, change: &Change<'_, PartialObjectMeta<Namespace>>) {
    let Change::Applied(namespace) = change else { return };
    visit_namespace(ctx, &namespace.name_any());
    order_wire::visit_namespace(ctx, &namespace.name_any());
    domain_wire::visit_namespace(ctx, &namespace.name_any());
    wire::visit_namespace(ctx, &namespace.name_any());
}

/// Has a changed Workspace visited, and what is in its namespace.
pub(super) fn workspace_changed(ctx: &Context, change: &Change<'_, Workspace>) {
    wire::workspace_changed(ctx, change);
    let (Change::Applied(workspace) | Change::Deleted(workspace)) = change else { return };
    order_wire::visit_namespace(ctx, &workspace.namespace().unwrap_or_default());
    ctx.triggers.workspaces.visit(workspace);
    // A dashboard that tells of Runtimes is no news to them.
    if matches!(change, Change::Deleted(_)) || ctx.workspaces.note_generation(workspace) == Spec::Changed {
        visit_namespace(ctx, &workspace.namespace().unwrap_or_default());
    }
}

fn visit_namespace(ctx: &Context, namespace: &str) {
    ctx.triggers
        .runtimes
        .visit_all(&ctx.stores.runtimes, |runtime| runtime.namespace().as_deref() == Some(namespace));
}

/// Has a changed Runtime visited, and forgets one that has gone.
pub(super) fn runtime_changed(ctx: &Context, change: &Change<'_, Runtime>) {
    wire::runtime_changed(ctx, change);
    order_wire::runtime_changed(ctx, change);
    domain_wire::runtime_changed(ctx, change);
    match change {
        Change::Applied(runtime) => {
            ctx.triggers.runtimes.visit(runtime);
        }
        Change::Deleted(runtime) => {
            if let Some(uid) = runtime.uid() {
                ctx.memory.forget(&uid);
                ctx.rollouts.forget(&uid);
            }
            ctx.history.gone(ctx.clock.now(), runtime);
        }
        Change::ListBegins | Change::ListEnds => {}
    }
}
