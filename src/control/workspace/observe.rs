//! Gathers what the caches know at the start of a visit, and after each effect.

use std::sync::Arc;

use jiff::SignedDuration;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use super::facts::{Cluster, Facts, Knowledge, Settings};
use crate::api::{NameClaim, Runtime, Workspace};
use crate::control::context::Context;
use crate::control::runtime::facts::NamespaceFact;
use crate::control::runtime::observe::policy;
use crate::engine::config::Config;

/// The facts at the start of a visit.
pub fn gather(ctx: &Context, workspace: Arc<Workspace>, known: Knowledge) -> Facts {
    let cluster = cluster(ctx, &workspace);
    Facts { workspace, cluster, known }
}

/// What the caches say now.
pub fn cluster(ctx: &Context, workspace: &Workspace) -> Cluster {
    let namespace = workspace.namespace().unwrap_or_default();
    let meta = ctx.stores.namespaces.get(&ObjectRef::new(&namespace));
    let terminating = meta.as_ref().is_some_and(|meta| meta.metadata.deletion_timestamp.is_some());
    Cluster {
        namespace: if terminating { NamespaceFact::Terminating } else { NamespaceFact::Active },
        namespace_claim: ctx.claims.get(&NameClaim::namespace_key(&namespace)),
        subdomain_claim: ctx.claims.get(&NameClaim::label_key(&workspace.spec.subdomain)),
        policy: policy(ctx, &namespace, meta.as_deref()),
        orders: ctx.index.orders.count(&namespace),
        runtimes: ctx.index.runtimes.count(&namespace),
        settings: settings(&ctx.config),
    }
}

/// The Runtimes of a namespace, by name.
pub fn runtimes(ctx: &Context, namespace: &str) -> Vec<Arc<Runtime>> {
    let names = ctx.index.runtimes.in_namespace(namespace);
    names.iter().filter_map(|name| ctx.stores.runtimes.get(&ObjectRef::new(name).within(namespace))).collect()
}

fn settings(config: &Config) -> Settings {
    let seconds = |seconds: u32| SignedDuration::from_secs(i64::from(seconds));
    Settings {
        cluster_id: config.cluster_id.as_str().into(),
        mode: config.mode,
        tombstone: seconds(config.timing.tombstone_seconds),
        start_deadline: seconds(config.timing.start_deadline_seconds),
        destroy_deadline: seconds(config.timing.destroy_deadline_seconds),
        slow_retry: seconds(config.timing.slow_retry_seconds),
    }
}
