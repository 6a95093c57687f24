//! Starts the watches and the controllers, and keeps them until the end.

use std::sync::Arc;

use futures::Stream;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource, ResourceExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::base_domain::{self, BaseDomain};
use super::catalog::decide::Offer;
use super::catalog::visit as catalog_visit;
use super::claims::Claims;
use super::context::{Context, Index, Stores, Triggers};
use super::history::{History, book, worker};
use super::memory::Memory;
use super::order::memory::Memory as OrderMemory;
use super::order::providers::Providers;
use super::order::receipts::Receipts;
use super::order::{afterlife, visit as order_visit, wire as order_wire};
use super::rollout;
use super::runtime::probe::{Prober, ProberError};
use super::runtime::resolve::plan_of;
use super::runtime::visit::visit;
use super::workspace::memory::{Memory as WorkspaceMemory, Spec};
use super::workspace::pace::News;
use super::workspace::{visit as workspace_visit, wire};
use super::{feed, gauges, orphans, remains, rotation, strays, surveys, tombstones, warm};
use crate::api::name_claim::ClaimType;
use crate::api::{
    Blueprint, NameClaim, PaymentReceipt, Plan, Runtime, RuntimeOrder, Workspace, WorkspacePolicy,
};
use crate::domains::dns::Means;
use crate::engine::controller;
use crate::engine::watch::{Change, Trigger, cached, drive, uncached};
use crate::process::Parts;

/// Why the controllers ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Gateways can't be asked.
    #[error(transparent)]
    Prober(#[from] ProberError),
    /// The provider of the base domain's records can't be reached at all.
    #[error("the HTTP client for the base domain's DNS provider can't be made: {0}")]
    Dns(#[from] reqwest::Error),
    /// Payment providers can't be reached at all.
    #[error("the HTTP client for payment providers can't be made: {0}")]
    Payments(#[source] reqwest::Error),
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
    let (triggers, queues) = queues();
    let memory = Memory::default();

    let kube = &parts.kube;
    let (runtimes, runtime_events) = cached(Api::<Runtime>::all(kube.clone()), slim_runtime);
    let (workspaces, workspace_events) = cached(Api::<Workspace>::all(kube.clone()), |_| {});
    let (orders, order_events) = cached(Api::<RuntimeOrder>::all(kube.clone()), |_| {});
    let (plans, plan_events) = cached(Api::<Plan>::all(kube.clone()), |_| {});
    let (blueprints, blueprint_events) = cached(Api::<Blueprint>::all(kube.clone()), |_| {});
    let (policies, policy_events) = cached(Api::<WorkspacePolicy>::all(kube.clone()), |_| {});
    let (namespaces, namespace_events) =
        cached(Api::<PartialObjectMeta<Namespace>>::all(kube.clone()), slim_namespace);
    let claim_events = uncached(Api::<NameClaim>::all(kube.clone()));
    let receipt_events = uncached(Api::<PaymentReceipt>::all(kube.clone()));

    let base_domain = base_domain(&parts)?;
    let providers = Providers::new(&parts.config.billing).map_err(RunError::Payments)?;
    let history = History::new(&parts.config.task_history);
    let ctx = Arc::new(Context {
        kube: parts.kube,
        fly: parts.fly,
        prober,
        base_domain,
        config: parts.config,
        clock: parts.clock,
        leadership: parts.leadership,
        metrics: parts.metrics,
        stores: Stores { runtimes, workspaces, orders, plans, blueprints, policies, namespaces },
        claims,
        memory,
        workspaces: WorkspaceMemory::default(),
        orders: OrderMemory::default(),
        receipts: Receipts::default(),
        providers,
        rollouts: rollout::board::Board::default(),
        index: Index::default(),
        news: News::default(),
        history,
        warm: warm::Board::default(),
        triggers,
    });

    follow(&mut tasks, &ctx, claim_events, claim_changed);
    follow(&mut tasks, &ctx, receipt_events, order_wire::receipt_changed);
    follow(&mut tasks, &ctx, order_events, order_wire::order_changed);
    follow(&mut tasks, &ctx, plan_events, plan_changed);
    follow(&mut tasks, &ctx, blueprint_events, blueprint_changed);
    follow(&mut tasks, &ctx, policy_events, policy_changed);
    follow(&mut tasks, &ctx, namespace_events, namespace_changed);
    follow(&mut tasks, &ctx, workspace_events, workspace_changed);
    tokio::select! {
        () = synced_up(&ctx) => {}
        () = shutdown.cancelled() => return Ok(()),
    }
    if let Some(base) = &ctx.base_domain {
        base_domain::load(&ctx, base).await;
    }
    // Runtimes last: their first visits find every other cache filled.
    follow(&mut tasks, &ctx, runtime_events, runtime_changed);
    tokio::select! {
        _ = ctx.stores.runtimes.wait_until_ready() => {}
        () = shutdown.cancelled() => return Ok(()),
    }
    gauges::count_unverified(&ctx);
    parts.health.caches_filled();
    control(&ctx, queues, tasks, &shutdown).await
}

/// Every cache is filled: the controllers, and what goes round beside them, until they are asked to stop.
async fn control(
    ctx: &Arc<Context>,
    queues: Queues,
    mut tasks: JoinSet<()>,
    shutdown: &CancellationToken,
) -> Result<(), RunError> {
    let feed = tokio::select! {
        feed = feed::begin(ctx) => feed,
        () = shutdown.cancelled() => return Ok(()),
    };
    // Before the first visit of a Blueprint, so that its status isn't written twice.
    rollout::worker::round(ctx);
    let controllers = start_controllers(ctx, queues, shutdown);
    keep_history(ctx, &mut tasks, shutdown);
    tasks.spawn(feed::follow(Arc::clone(ctx), feed, shutdown.clone()));
    keep_rounds(ctx, &mut tasks, shutdown);
    until_the_end(controllers, tasks, shutdown).await
}

/// Has a watch tell what it sees, for as long as the process lives.
fn follow<K>(
    tasks: &mut JoinSet<()>,
    ctx: &Arc<Context>,
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
    tell: fn(&Context, &Change<'_, K>),
) where
    K: Resource<DynamicType = ()> + Send + Sync + 'static,
{
    let on = Arc::clone(ctx);
    tasks.spawn(drive(events, move |change| tell(&on, &change)));
}

/// Starts what goes round by itself, beside the visits.
fn keep_rounds(ctx: &Arc<Context>, tasks: &mut JoinSet<()>, shutdown: &CancellationToken) {
    let (on, stop) = (|| Arc::clone(ctx), || shutdown.clone());
    tasks.spawn(feed::sweep(on(), stop()));
    tasks.spawn(rotation::follow(on(), stop()));
    tasks.spawn(orphans::finish(on(), stop()));
    tasks.spawn(afterlife::follow(on(), stop()));
    tasks.spawn(rollout::worker::run(on(), stop()));
    tasks.spawn(strays::count(on(), stop()));
    tasks.spawn(warm::keep(on(), stop()));
    tasks.spawn(gauges::keep(on(), stop()));
    tasks.spawn(base_domain::keep(on(), stop()));
    tasks.spawn(tombstones::free(on(), stop()));
    tasks.spawn(remains::clear(on(), stop()));
    tasks.spawn(surveys::go_round(on(), stop()));
}

/// Waits until it is asked to stop, and for the visits that are under way then.
async fn until_the_end(
    mut controllers: JoinSet<()>,
    mut tasks: JoinSet<()>,
    shutdown: &CancellationToken,
) -> Result<(), RunError> {
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

fn base_domain(parts: &Parts) -> Result<Option<BaseDomain>, RunError> {
    let Some(settings) = parts.config.base_domain.clone() else { return Ok(None) };
    let means = Means {
        kube: parts.kube.clone(),
        namespace: parts.config.namespace.clone(),
        clock: Arc::clone(&parts.clock),
    };
    Ok(Some(BaseDomain::new(settings, &means)?))
}

/// Starts what writes history in the background.
fn keep_history(ctx: &Arc<Context>, tasks: &mut JoinSet<()>, shutdown: &CancellationToken) {
    let (on, stop) = (Arc::clone(ctx), shutdown.clone());
    tasks.spawn(async move { on.history.announcer.run(on.kube.clone(), stop).await });
    let on = Arc::clone(ctx);
    let task_events = book::watch(Api::all(ctx.kube.clone()));
    tasks.spawn(drive(task_events, move |change| wire::task_changed(&on, &change)));
    tasks.spawn(worker::run(Arc::clone(ctx), shutdown.clone()));
}

/// The queues of the controllers.
struct Queues {
    runtimes: Queue<Runtime>,
    workspaces: Queue<Workspace>,
    orders: Queue<RuntimeOrder>,
    plans: Queue<Plan>,
    blueprints: Queue<Blueprint>,
    policies: Queue<WorkspacePolicy>,
}

type Queue<K> = UnboundedReceiver<ObjectRef<K>>;

fn queues() -> (Triggers, Queues) {
    let (runtime_trigger, runtimes) = Trigger::channel();
    let (workspace_trigger, workspaces) = Trigger::channel();
    let (order_trigger, orders) = Trigger::channel();
    let (plan_trigger, plans) = Trigger::channel();
    let (blueprint_trigger, blueprints) = Trigger::channel();
    let (policy_trigger, policies) = Trigger::channel();
    let triggers = Triggers {
        runtimes: runtime_trigger,
        workspaces: workspace_trigger,
        orders: order_trigger,
        plans: plan_trigger,
        blueprints: blueprint_trigger,
        policies: policy_trigger,
    };
    (triggers, Queues { runtimes, workspaces, orders, plans, blueprints, policies })
}

fn start_controllers(ctx: &Arc<Context>, queues: Queues, shutdown: &CancellationToken) -> JoinSet<()> {
    let mut controllers = JoinSet::new();
    let stores = &ctx.stores;
    let (concurrency, stop) = (ctx.config.concurrency, || shutdown.clone());
    let given = Arc::clone(ctx);
    let visit_runtime = move |runtime| visit(Arc::clone(&given), runtime);
    controllers.spawn(controller::run(
        stores.runtimes.clone(),
        queues.runtimes,
        concurrency,
        stop(),
        visit_runtime,
    ));
    let given = Arc::clone(ctx);
    let visit_workspace = move |workspace| workspace_visit::visit(Arc::clone(&given), workspace);
    controllers.spawn(controller::run(
        stores.workspaces.clone(),
        queues.workspaces,
        concurrency,
        stop(),
        visit_workspace,
    ));
    let given = Arc::clone(ctx);
    let visit_order = move |order| order_visit::visit(Arc::clone(&given), order);
    controllers.spawn(controller::run(
        stores.orders.clone(),
        queues.orders,
        concurrency,
        stop(),
        visit_order,
    ));
    controllers.spawn(catalog_visit::run(Arc::clone(ctx), stores.plans.clone(), queues.plans, stop()));
    let blueprints = stores.blueprints.clone();
    controllers.spawn(catalog_visit::run(Arc::clone(ctx), blueprints, queues.blueprints, stop()));
    controllers.spawn(catalog_visit::run(Arc::clone(ctx), stores.policies.clone(), queues.policies, stop()));
    controllers
}

/// Waits for the caches that visits read.
async fn synced_up(ctx: &Context) {
    let stores = &ctx.stores;
    let _ = futures::join!(
        stores.workspaces.wait_until_ready(),
        stores.orders.wait_until_ready(),
        stores.plans.wait_until_ready(),
        stores.blueprints.wait_until_ready(),
        stores.policies.wait_until_ready(),
        stores.namespaces.wait_until_ready(),
        ctx.claims.ready(),
        ctx.receipts.ready(),
    );
}

/// What `kubectl apply` keeps for itself is as large as the spec.
fn slim_runtime(runtime: &mut Runtime) {
    if let Some(annotations) = &mut runtime.metadata.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
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
            order_wire::claim_changed(ctx, claim);
        }
        Change::Applied(claim) => {
            let news = ctx.claims.get(&claim.name_any()).is_none_or(|known| known.spec != claim.spec);
            ctx.claims.apply(NameClaim::clone(claim));
            rollout::wire::claim_changed(ctx);
            if news {
                visit_holder(ctx, claim);
                order_wire::claim_changed(ctx, claim);
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

fn blueprint_changed(ctx: &Context, change: &Change<'_, Blueprint>) {
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

fn policy_changed(ctx: &Context, change: &Change<'_, WorkspacePolicy>) {
    if let Change::Applied(policy) = change {
        ctx.triggers.policies.visit(policy);
    }
    if is_news(change) {
        ctx.triggers.orders.visit_all(&ctx.stores.orders, |_| true);
        ctx.triggers.runtimes.visit_all(&ctx.stores.runtimes, |_| true);
        ctx.triggers.workspaces.visit_all(&ctx.stores.workspaces, |_| true);
    }
}

fn plan_changed(ctx: &Context, change: &Change<'_, Plan>) {
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

fn namespace_changed(ctx: &Context, change: &Change<'_, PartialObjectMeta<Namespace>>) {
    let Change::Applied(namespace) = change else { return };
    visit_namespace(ctx, &namespace.name_any());
    order_wire::visit_namespace(ctx, &namespace.name_any());
    wire::visit_namespace(ctx, &namespace.name_any());
}

fn workspace_changed(ctx: &Context, change: &Change<'_, Workspace>) {
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

fn runtime_changed(ctx: &Context, change: &Change<'_, Runtime>) {
    wire::runtime_changed(ctx, change);
    order_wire::runtime_changed(ctx, change);
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
