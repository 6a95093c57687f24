//! Watches: one a kind. Each fills a cache and tells what changed, so that controllers share both.

use std::fmt::Debug;

use futures::{Stream, StreamExt};
use kube::api::Api;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, reflector as reflect, watcher as watch};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

/// Objects of one page of a list. A page is decoded whole, managed fields and all: pages of 500 made a start among
/// 1,000 Runtimes take a quarter more memory than creating them.
const PAGE: u32 = 50;

/// What a watch saw.
#[derive(Debug)]
pub enum Change<'o, K> {
    /// An object came, or changed, or was listed.
    Applied(&'o K),
    /// An object went.
    Deleted(&'o K),
    /// A list begins: what isn't in it is gone.
    ListBegins,
    /// The list is complete.
    ListEnds,
}

/// A cache with the stream that fills it. The stream has to be driven, see [`drive`].
pub fn cached<K>(
    api: Api<K>,
    prune: fn(&mut K),
) -> (Store<K>, impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store();
    (reader, reflect(writer, uncached(api).modify(prune)))
}

/// A stream that fills no cache, for those who keep what they need of it themselves. It has to be driven, see
/// [`drive`].
pub fn uncached<K>(api: Api<K>) -> impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    watch(api, watcher::Config::default().page_size(PAGE))
        .default_backoff()
        .modify(|object| object.meta_mut().managed_fields = None)
}

/// Drives a watch for as long as the process lives, and tells every change.
pub async fn drive<K>(
    stream: impl Stream<Item = watcher::Result<Event<K>>> + Send,
    mut tell: impl FnMut(Change<'_, K>) + Send,
) where
    K: Resource<DynamicType = ()>,
{
    let mut stream = std::pin::pin!(stream);
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => tell(Change::Applied(&object)),
            Ok(Event::Delete(object)) => tell(Change::Deleted(&object)),
            Ok(Event::Init) => tell(Change::ListBegins),
            Ok(Event::InitDone) => tell(Change::ListEnds),
            Err(error) => {
                tracing::warn!(kind = %K::kind(&()), %error, "a watch was interrupted; it goes on by itself");
            }
        }
    }
}

/// Asks for visits of objects of one kind. Cheap to clone.
#[derive(Debug)]
pub struct Trigger<K: Resource<DynamicType = ()> + 'static> {
    sender: mpsc::UnboundedSender<reflector::ObjectRef<K>>,
}

impl<K: Resource<DynamicType = ()> + 'static> Clone for Trigger<K> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

impl<K> Trigger<K>
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    /// A trigger with the queue that it fills. The queue is as long as there are objects: asking twice for one that
    /// waits asks once.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<reflector::ObjectRef<K>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { sender }, receiver)
    }

    /// Asks for a visit of this object.
    pub fn visit(&self, object: &K) {
        self.visit_ref(reflector::ObjectRef::from_obj(object));
    }

    /// Asks for a visit of the object that is referred to.
    pub fn visit_ref(&self, reference: reflector::ObjectRef<K>) {
        // The receiver goes only when the process ends.
        let _ = self.sender.send(reference);
    }

    /// Asks for a visit of every cached object that `wanted` picks.
    pub fn visit_all(&self, store: &Store<K>, wanted: impl Fn(&K) -> bool)
    where
        K: ResourceExt,
    {
        store.state().iter().filter(|object| wanted(object)).for_each(|object| self.visit(object));
    }
}
