//! Starts the watches and the controllers, and keeps them until the end.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use tokio::task::JoinSet;

use super::claims::Claims;
use super::context::{Context, Index, Stores, Triggers};
use super::feed;
use super::memory::Memory;
use super::runtime::probe::{Prober, ProberError};
use super::runtime::resolve::plan_of;
use super::runtime::visit::visit;
use super::workspace::memory::{Memory as WorkspaceMemory, Spec};
use super::workspace::pace::News;
use super::workspace::{visit as workspace_visit, wire};
use crate::api::{Blueprint, NameClaim, Plan, Runtime, Workspace, WorkspacePolicy};
use crate::engine::controller;
use crate::engine::watch::{Change, Trigger, cached, drive};
use crate::process::Parts;

/// Why the controllers ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Gateways can't be asked.
    #[error(transparent)]
    Prober(#[from] ProberError),
    /// A part ended that should have gone on.
    #[error("a part of the operator ended by itself")]
    Ended,
}

/// Runs every controller until it is asked to stop.
///
/// # Errors
/// If a part can't start, or ends by itself.
pub async fn run(parts: Parts) -> Result<(), RunError> {
    let shutdown = parts.stop.clone();
    let prober = Prober::new(parts.config.fly.edge.as_ref())?;
    let mut tasks = JoinSet::new();
    let claims = Arc::new(Claims::default());
    let (runtime_trigger, runtime_queue) = Trigger::channel();
    let (workspace_trigger, workspace_queue) = Trigger::<Workspace>::channel();
    let memory = Memory::default();

    let kube = &parts.kube;
    let (runtimes, runtime_events) = cached(Api::<Runtime>::all(kube.clone()), |_| {});
    let (workspaces, workspace_events) = cached(Api::<Workspace>::all(kube.clone()), |_| {});
    let (plans, plan_events) = cached(Api::<Plan>::all(kube.clone()), |_| {});
    let (blueprints, blueprint_events) = cached(Api::<Blueprint>::all(kube.clone()), |_| {});
    let (policies, policy_events) = cached(Api::<WorkspacePolicy>::all(kube.clone()), |_| {});
    let (namespaces, namespace_events) =
        cached(Api::<PartialObjectMeta<Namespace>>::all(kube.clone()), slim_namespace);
    let (_, claim_events) = cached(Api::<NameClaim>::all(kube.clone()), |_| {});

    let concurrency = parts.config.concurrency;
    let ctx = Arc::new(Context {
        kube: parts.kube,
        fly: parts.fly,
        prober,
        config: parts.config,
        clock: parts.clock,
        leadership: parts.leadership,
        metrics: parts.metrics,
        stores: Stores { runtimes, workspaces, plans, blueprints, policies, namespaces },
        claims,
        memory,
        workspaces: WorkspaceMemory::default(),
        index: Index::default(),
        news: News::default(),
        triggers: Triggers { runtimes: runtime_trigger, workspaces: workspace_trigger },
    });

    let on = Arc::clone(&ctx);
    tasks.spawn(drive(claim_events, move |change| claim_changed(&on, &change)));
    let on = Arc::clone(&ctx);
    tasks.spawn(drive(plan_events, move |change| plan_changed(&on, &change)));
    let on = Arc::clone(&ctx);
    tasks.spawn(drive(blueprint_events, move |change| {
        if let Change::Applied(_) | Change::Deleted(_) = change {
            visit_unsettled(&on);
        }
    }));
    let on = Arc::clone(&ctx);
    tasks.spawn(drive(policy_events, move |change| {
        if let Change::Applied(_) | Change::Deleted(_) = change {
            on.triggers.runtimes.visit_all(&on.stores.runtimes, |_| true);
            on.triggers.workspaces.visit_all(&on.stores.workspaces, |_| true);
        }
    }));
    let on = Arc::clone(&ctx);
    tasks.spawn(drive(namespace_events, move |change| namespace_changed(&on, &change)));
    let on = Arc::clone(&ctx);
    tasks.spawn(drive(workspace_events, move |change| workspace_changed(&on, &change)));
    tokio::select! {
        () = synced_up(&ctx) => {}
        () = shutdown.cancelled() => return Ok(()),
    }
    // Runtimes last: their first visits find every other cache filled.
    let on = Arc::clone(&ctx);
    tasks.spawn(drive(runtime_events, move |change| runtime_changed(&on, &change)));
    let _ = ctx.stores.runtimes.wait_until_ready().await;
    parts.health.caches_filled();

    let mut controllers = JoinSet::new();
    let given = Arc::clone(&ctx);
    controllers.spawn(controller::run(
        ctx.stores.runtimes.clone(),
        runtime_queue,
        concurrency,
        shutdown.clone(),
        move |runtime| visit(Arc::clone(&given), runtime),
    ));
    let given = Arc::clone(&ctx);
    controllers.spawn(controller::run(
        ctx.stores.workspaces.clone(),
        workspace_queue,
        concurrency,
        shutdown.clone(),
        move |workspace| workspace_visit::visit(Arc::clone(&given), workspace),
    ));
    tasks.spawn(feed::follow(Arc::clone(&ctx), shutdown.clone()));
    tasks.spawn(feed::sweep(Arc::clone(&ctx), shutdown.clone()));

    tokio::select! {
        _ = controllers.join_next() => {}
        _ = tasks.join_next() => {}
    }
    if !shutdown.is_cancelled() {
        return Err(RunError::Ended);
    }
    // Visits under way come to their end; the process bounds how long that may take.
    while controllers.join_next().await.is_some() {}
    Ok(())
}

/// Waits for the caches that visits read.
async fn synced_up(ctx: &Context) {
    let stores = &ctx.stores;
    let _ = futures::join!(
        stores.workspaces.wait_until_ready(),
        stores.plans.wait_until_ready(),
        stores.blueprints.wait_until_ready(),
        stores.policies.wait_until_ready(),
        stores.namespaces.wait_until_ready(),
        ctx.claims.ready(),
    );
}

fn slim_namespace(namespace: &mut PartialObjectMeta<Namespace>) {
    namespace.metadata.annotations = None;
}

fn claim_changed(ctx: &Context, change: &Change<'_, NameClaim>) {
    match change {
        Change::ListBegins => ctx.claims.list_begins(),
        Change::ListEnds => ctx.claims.list_ends(),
        Change::Deleted(claim) => {
            ctx.claims.remove(&claim.name_any());
            visit_holder(ctx, claim);
        }
        Change::Applied(claim) => {
            let news = ctx.claims.get(&claim.name_any()).is_none_or(|known| known.spec != claim.spec);
            ctx.claims.apply(NameClaim::clone(claim));
            if news {
                visit_holder(ctx, claim);
            }
        }
    }
}

fn visit_holder(ctx: &Context, claim: &NameClaim) {
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
    ctx.triggers.runtimes.visit_all(&ctx.stores.runtimes, |runtime| {
        !runtime.status.as_ref().is_some_and(|status| is_true(&status.conditions, ConditionType::Ready))
    });
}

fn plan_changed(ctx: &Context, change: &Change<'_, Plan>) {
    let (Change::Applied(plan) | Change::Deleted(plan)) = change else { return };
    let name = plan.name_any();
    ctx.triggers.runtimes.visit_all(&ctx.stores.runtimes, |runtime| {
        let workspace = super::runtime::observe::workspace(ctx, &runtime.namespace().unwrap_or_default());
        plan_of(runtime, workspace.as_deref()) == Some(&name)
    });
}

fn namespace_changed(ctx: &Context, change: &Change<'_, PartialObjectMeta<Namespace>>) {
    let Change::Applied(namespace) = change else { return };
    visit_namespace(ctx, &namespace.name_any());
    wire::visit_namespace(ctx, &namespace.name_any());
}

fn workspace_changed(ctx: &Context, change: &Change<'_, Workspace>) {
    wire::workspace_changed(ctx, change);
    let (Change::Applied(workspace) | Change::Deleted(workspace)) = change else { return };
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

fn runtime_changed(ctx: &Context, change: &Change<'_, Runtime>) {
    wire::runtime_changed(ctx, change);
    match change {
        Change::Applied(runtime) => {
            ctx.triggers.runtimes.visit(runtime);
        }
        Change::Deleted(runtime) => {
            if let Some(uid) = runtime.uid() {
                ctx.memory.forget(&uid);
            }
        }
        Change::ListBegins | Change::ListEnds => {}
    }
}
