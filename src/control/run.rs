//! Starts the watches and the controllers, and keeps them until the end.

use std::sync::Arc;

use futures::Stream;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::base_domain::{self, BaseDomain};
use super::catalog::visit as catalog_visit;
use super::changes::{
    blueprint_changed, claim_changed, namespace_changed, plan_changed, policy_changed, runtime_changed,
    workspace_changed,
};
use super::claims::Claims;
use super::context::{Context, Index, Stores, Triggers};
use super::domain::authority::Acme;
use super::domain::memory::Memory as DomainMemory;
use super::domain::{
    account, leftover, rotation as domain_rotation, visit as domain_visit, wire as domain_wire,
};
use super::history::{History, book, worker};
use super::memory::Memory;
use super::order::memory::Memory as OrderMemory;
use super::order::providers::Providers;
use super::order::receipts::Receipts;
use super::order::{afterlife, visit as order_visit, wire as order_wire};
use super::rollout;
use super::runtime::probe::{Prober, ProberError};
use super::runtime::visit::visit;
use super::workspace::memory::Memory as WorkspaceMemory;
use super::workspace::pace::News;
use super::workspace::{visit as workspace_visit, wire};
use super::{feed, gauges, orphans, remains, rotation, strays, surveys, tombstones, warm};
use crate::api::{
    Blueprint, CustomDomain, NameClaim, PaymentReceipt, Plan, Runtime, RuntimeOrder, Workspace,
    WorkspacePolicy,
};
use crate::domains::DomainError;
use crate::domains::dns::{Lookout, Means};
use crate::domains::secret::Secrets;
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
    /// The certificate authority for customers' hostnames can't be used.
    #[error("the certificate authority for customers' hostnames can't be used: {0}")]
    Acme(#[from] DomainError),
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
    let (domains, domain_events) = cached(Api::<CustomDomain>::all(kube.clone()), |_| {});
    let (plans, plan_events) = cached(Api::<Plan>::all(kube.clone()), |_| {});
    let (blueprints, blueprint_events) = cached(Api::<Blueprint>::all(kube.clone()), |_| {});
    let (policies, policy_events) = cached(Api::<WorkspacePolicy>::all(kube.clone()), |_| {});
    let (namespaces, namespace_events) =
        cached(Api::<PartialObjectMeta<Namespace>>::all(kube.clone()), slim_namespace);
    let claim_events = uncached(Api::<NameClaim>::all(kube.clone()));
    let receipt_events = uncached(Api::<PaymentReceipt>::all(kube.clone()));

    let base_domain = base_domain(&parts)?;
    let (acme, lookout) = (acme(&parts)?, lookout(&parts));
    let providers = Providers::new(&parts.config.billing).map_err(RunError::Payments)?;
    let history = History::new(&parts.config.task_history);
    let domain_memory = DomainMemory::new(parts.config.concurrency);
    let ctx = Arc::new(Context {
        kube: parts.kube,
        fly: parts.fly,
        prober,
        base_domain,
        acme,
        lookout,
        config: parts.config,
        clock: parts.clock,
        leadership: parts.leadership,
        metrics: parts.metrics,
        stores: Stores { runtimes, workspaces, orders, domains, plans, blueprints, policies, namespaces },
        claims,
        memory,
        workspaces: WorkspaceMemory::default(),
        orders: OrderMemory::default(),
        domains: domain_memory,
        receipts: Receipts::default(),
        providers,
        rollouts: rollout::board::Board::default(),
        index: Index::default(),
        news: News::default(),
        history,
        warm: warm::Board::default(),
        strays: strays::Board::default(),
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
    // Runtimes and hostnames last: their first visits find every other cache filled.
    follow(&mut tasks, &ctx, runtime_events, runtime_changed);
    follow(&mut tasks, &ctx, domain_events, domain_wire::domain_changed);
    tokio::select! {
        _ = async { futures::join!(ctx.stores.runtimes.wait_until_ready(), ctx.stores.domains.wait_until_ready()) } => {}
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
    tasks.spawn(leftover::finish(on(), stop()));
    tasks.spawn(domain_rotation::follow(on(), stop()));
    tasks.spawn(account::keep(on(), stop()));
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

fn acme(parts: &Parts) -> Result<Option<Acme>, RunError> {
    let Some(settings) = parts.config.custom_domains.acme.clone() else { return Ok(None) };
    let secrets = Secrets::new(parts.kube.clone(), &parts.config.namespace);
    Ok(Some(Acme::new(settings, secrets)?))
}

/// Chains of CNAMEs end where the platform's own zone begins.
fn lookout(parts: &Parts) -> Lookout {
    let own = parts.config.base_domain.iter().map(|base| base.name.clone());
    Lookout::new(&parts.config.custom_domains.dns, own.collect())
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
    domains: Queue<CustomDomain>,
    plans: Queue<Plan>,
    blueprints: Queue<Blueprint>,
    policies: Queue<WorkspacePolicy>,
}

type Queue<K> = UnboundedReceiver<ObjectRef<K>>;

fn queues() -> (Triggers, Queues) {
    let (runtime_trigger, runtimes) = Trigger::channel();
    let (workspace_trigger, workspaces) = Trigger::channel();
    let (order_trigger, orders) = Trigger::channel();
    let (domain_trigger, domains) = Trigger::channel();
    let (plan_trigger, plans) = Trigger::channel();
    let (blueprint_trigger, blueprints) = Trigger::channel();
    let (policy_trigger, policies) = Trigger::channel();
    let triggers = Triggers {
        runtimes: runtime_trigger,
        workspaces: workspace_trigger,
        orders: order_trigger,
        domains: domain_trigger,
        plans: plan_trigger,
        blueprints: blueprint_trigger,
        policies: policy_trigger,
    };
    (triggers, Queues { runtimes, workspaces, orders, domains, plans, blueprints, policies })
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
    let given = Arc::clone(ctx);
    let visit_domain = move |domain| domain_visit::visit(Arc::clone(&given), domain);
    controllers.spawn(controller::run(
        stores.domains.clone(),
        queues.domains,
        concurrency,
        stop(),
        visit_domain,
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

/// What `kubectl apply` keeps for itself is as large as the spec; and lists that are read from JSON have room for more.
fn slim_runtime(runtime: &mut Runtime) {
    let meta = &mut runtime.metadata;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    meta.annotations = meta.annotations.take().filter(|annotations| !annotations.is_empty());
    if let Some(finalizers) = &mut meta.finalizers {
        finalizers.shrink_to_fit();
    }
    runtime.spec.regions.shrink_to_fit();
    runtime.spec.env.shrink_to_fit();
    if let Some(status) = &mut runtime.status {
        status.conditions.shrink_to_fit();
        status.env.shrink_to_fit();
        if let Some(external) = &mut status.external {
            external.addresses.shrink_to_fit();
        }
    }
}

fn slim_namespace(namespace: &mut PartialObjectMeta<Namespace>) {
    namespace.metadata.annotations = None;
}
