//! Runs the visits of one kind: bounded, each in a task of its own, a panic marking one object and no other.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::controller::{self, Action, ReconcileRequest, applier};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Pause after a visit that panicked: the fault is ours, and hot retries won't mend it.
const AFTER_PANIC: Duration = Duration::from_mins(1);

/// A visit never fails as far as the queue is concerned: what went wrong is in the object's status.
#[derive(Debug, thiserror::Error)]
#[error("a visit panicked")]
pub struct Panicked;

/// Works through the queue until `shutdown`, then lets the visits under way end.
pub async fn run<K, V, F>(
    store: Store<K>,
    mut queue: mpsc::UnboundedReceiver<ObjectRef<K>>,
    concurrency: u16,
    shutdown: CancellationToken,
    visit: V,
) where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
    V: Fn(Arc<K>) -> F + Send + Sync + 'static,
    F: Future<Output = Action> + Send + 'static,
{
    let requests = futures::stream::poll_fn(move |task| queue.poll_recv(task))
        .map(|reference| Ok::<ReconcileRequest<K>, Infallible>(reference.into()))
        .take_until(shutdown.cancelled_owned());
    let visit = move |object: Arc<K>, _context: Arc<()>| {
        let name = object.name_any();
        let visiting = AbortOnDropHandle::new(tokio::spawn(visit(object)));
        Box::pin(async move {
            visiting.await.map_err(|error| {
                tracing::error!(kind = %K::kind(&()), name, %error, "a visit panicked");
                Panicked
            })
        })
    };
    let config = controller::Config::default().concurrency(concurrency);
    applier(visit, |_, _, _| Action::requeue(AFTER_PANIC), Arc::new(()), store, requests, config)
        .for_each(|_| std::future::ready(()))
        .await;
}
