//! One visit of something on offer: judge it, and write its status if that changed.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::decide::{Around, Offer, status};
use super::record::record;
use crate::control::context::Context;
use crate::control::strays::Strays;
use crate::engine::controller;

/// Few change at once.
const CONCURRENCY: u16 = 2;
/// Pause after a status that couldn't be written.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Visits the objects of one kind until `shutdown`.
pub async fn run<K>(
    ctx: Arc<Context>,
    store: Store<K>,
    queue: UnboundedReceiver<kube::runtime::reflector::ObjectRef<K>>,
    shutdown: CancellationToken,
) where
    K: Offer + Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope>,
    K: Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let visit = move |object: Arc<K>| visit(Arc::clone(&ctx), object);
    controller::run(store, queue, CONCURRENCY, shutdown, visit).await;
}

async fn visit<K>(ctx: Arc<Context>, object: Arc<K>) -> Action
where
    K: Offer + Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope>,
    K: Clone + Debug + DeserializeOwned,
{
    if !ctx.leadership.is_current() {
        return Action::requeue(AFTER_FAILURE);
    }
    let generation = object.meta().generation.unwrap_or_default();
    let status = status(ctx.clock.now(), generation, &*object, &around(&ctx, &object.name_any()));
    match record(&ctx, &*object, &status).await {
        Ok(()) => Action::await_change(),
        Err(error) => {
            tracing::info!(kind = %K::kind(&()), name = object.name_any(), %error, "the status can't be written; it is tried again");
            Action::requeue(AFTER_FAILURE)
        }
    }
}

/// What the status of the object of this name tells of. Only a Blueprint tells any of it.
fn around(ctx: &Context, name: &str) -> Around {
    let default = name == ctx.config.defaults.blueprint;
    Around {
        report: ctx.rollouts.report(name),
        strays: if default { ctx.strays.counted() } else { Strays::Elsewhere },
    }
}
