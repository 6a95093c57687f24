//! What every controller is given.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::Store;

use super::base_domain::BaseDomain;
use super::claims::Claims;
use super::domain::authority::Acme;
use super::domain::memory::Memory as DomainMemory;
use super::history::History;
use super::index::{Names, Specs};
use super::memory::Memory;
use super::order::memory::Memory as OrderMemory;
use super::order::providers::Providers;
use super::order::receipts::Receipts;
use super::rollout::board::Board;
use super::runtime::probe::Prober;
use super::workspace::memory::Memory as WorkspaceMemory;
use super::workspace::pace::News;
use super::{strays, warm};
use crate::api::{Blueprint, CustomDomain, Plan, Runtime, RuntimeOrder, Workspace, WorkspacePolicy};
use crate::domains::dns::Lookout;
use crate::engine::clock::Clock;
use crate::engine::config::Config;
use crate::engine::lease::Leadership;
use crate::engine::metrics::Metrics;
use crate::engine::watch::Trigger;

/// Clients, caches, configuration and memory, shared by all controllers.
pub struct Context {
    /// The API server.
    pub kube: Client,
    /// Fly.
    pub fly: fly_machines::Client,
    /// Asks gateways for their health at their URL.
    pub prober: Prober,
    /// The base domain, if there is one.
    pub base_domain: Option<BaseDomain>,
    /// The certificate authority for customers' hostnames, if one is configured.
    pub acme: Option<Acme>,
    /// Looks at customers' records in DNS.
    pub lookout: Lookout,
    /// The configuration file.
    pub config: Config,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// To be asked before each external effect.
    pub leadership: Leadership,
    /// Counters and gauges.
    pub metrics: Metrics,
    /// The caches.
    pub stores: Stores,
    /// Who holds which name.
    pub claims: Arc<Claims>,
    /// What is remembered of each Runtime.
    pub memory: Memory,
    /// What is remembered of each Workspace.
    pub workspaces: WorkspaceMemory,
    /// What is remembered of each order.
    pub orders: OrderMemory,
    /// What is remembered of each hostname.
    pub domains: DomainMemory,
    /// What was paid, by order.
    pub receipts: Receipts,
    /// Who takes payments here.
    pub providers: Providers,
    /// Who may be upgraded, and how rollouts go.
    pub rollouts: Board,
    /// Which objects are in which namespace.
    pub index: Index,
    /// What dashboards don't tell yet.
    pub news: News,
    /// What happened, as it is kept for people.
    pub history: History,
    /// Which warm apps serve already.
    pub warm: warm::Board,
    /// How many apps there are that nobody claims.
    pub strays: strays::Board,
    /// Asks for visits.
    pub triggers: Triggers,
}

/// The caches, one a kind.
pub struct Stores {
    /// Runtimes.
    pub runtimes: Store<Runtime>,
    /// Workspaces.
    pub workspaces: Store<Workspace>,
    /// RuntimeOrders.
    pub orders: Store<RuntimeOrder>,
    /// CustomDomains.
    pub domains: Store<CustomDomain>,
    /// Plans.
    pub plans: Store<Plan>,
    /// Blueprints.
    pub blueprints: Store<Blueprint>,
    /// WorkspacePolicies.
    pub policies: Store<WorkspacePolicy>,
    /// Namespaces, their metadata only.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
}

/// Asks for visits of objects of each kind that has a controller.
pub struct Triggers {
    /// Runtimes.
    pub runtimes: Trigger<Runtime>,
    /// Workspaces.
    pub workspaces: Trigger<Workspace>,
    /// RuntimeOrders.
    pub orders: Trigger<RuntimeOrder>,
    /// CustomDomains.
    pub domains: Trigger<CustomDomain>,
    /// Plans.
    pub plans: Trigger<Plan>,
    /// Blueprints.
    pub blueprints: Trigger<Blueprint>,
    /// WorkspacePolicies.
    pub policies: Trigger<WorkspacePolicy>,
}

/// Which objects are in which namespace, one a kind that is asked for so.
#[derive(Default)]
pub struct Index {
    /// Runtimes.
    pub runtimes: Names,
    /// Workspaces.
    pub workspaces: Names,
    /// Specs of Blueprints.
    pub specs: Specs,
    /// RuntimeOrders.
    pub orders: Names,
    /// CustomDomains.
    pub domains: Names,
    /// CustomDomains as `namespace/name`, by the name of the claim on their hostname.
    pub hostnames: Names,
}
