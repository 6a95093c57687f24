//! What the operator remembers of each object of a kind between visits. All of it can be found out again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;

/// What is remembered of each object, by UID.
#[derive(Debug)]
pub struct Remembered<O, K> {
    entries: Mutex<HashMap<String, Entry<O, K>>>,
}

/// What is remembered of one object.
#[derive(Debug)]
pub struct Entry<O, K> {
    /// What was seen, done or went wrong.
    pub known: K,
    /// The object as our last write left it, until the cache has caught up.
    pub written: Option<Arc<O>>,
}

impl<O, K> Default for Remembered<O, K> {
    fn default() -> Self {
        Self { entries: Mutex::default() }
    }
}

impl<O, K: Default> Default for Entry<O, K> {
    fn default() -> Self {
        Self { known: K::default(), written: None }
    }
}

impl<O, K: Default> Remembered<O, K> {
    /// Takes the entry out. Visits of one object never overlap, so nobody else wants it meanwhile.
    pub fn take(&self, uid: &str) -> Entry<O, K> {
        self.lock().remove(uid).unwrap_or_default()
    }

    /// Puts the entry back.
    pub fn put(&self, uid: &str, entry: Entry<O, K>) {
        self.lock().insert(uid.to_owned(), entry);
    }

    /// Forgets an object that has gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry<O, K>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: ResourceExt, K> Entry<O, K> {
    /// The newer of the cached object and the one that our last write left.
    pub fn newest(&mut self, cached: Arc<O>) -> Arc<O> {
        self.written.take().filter(|written| version(&**written) > version(&*cached)).unwrap_or(cached)
    }
}

fn version(object: &impl ResourceExt) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}
