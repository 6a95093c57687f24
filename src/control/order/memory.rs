//! What the operator remembers of each order between visits. All of it can be found out again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;

use super::facts::Knowledge;
use crate::api::RuntimeOrder;

/// What is remembered, by UID.
#[derive(Debug, Default)]
pub struct Memory {
    entries: Mutex<HashMap<String, Entry>>,
}

/// What is remembered of one order.
#[derive(Debug, Default)]
pub struct Entry {
    /// What was read or went wrong.
    pub known: Knowledge,
    /// The object as our last write left it, until the cache has caught up.
    pub written: Option<Arc<RuntimeOrder>>,
}

impl Memory {
    /// Takes the entry out. Visits of one object never overlap, so nobody else wants it meanwhile.
    pub fn take(&self, uid: &str) -> Entry {
        self.lock().remove(uid).unwrap_or_default()
    }

    /// Puts the entry back.
    pub fn put(&self, uid: &str, entry: Entry) {
        self.lock().insert(uid.to_owned(), entry);
    }

    /// Forgets an object that has gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The newer of the cached object and the one that our last write left.
    pub fn newest(&mut self, cached: Arc<RuntimeOrder>) -> Arc<RuntimeOrder> {
        self.written.take().filter(|written| version(written) > version(&cached)).unwrap_or(cached)
    }
}

fn version(order: &RuntimeOrder) -> u64 {
    order.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}
