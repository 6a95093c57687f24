//! What the operator remembers of each Runtime between visits. All of it can be found out again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::ResourceExt;

use super::runtime::facts::Knowledge;
use crate::api::Runtime;

/// What is remembered, by UID.
#[derive(Debug, Default)]
pub struct Memory {
    entries: Mutex<HashMap<String, Entry>>,
}

/// What is remembered of one Runtime.
#[derive(Debug, Default)]
pub struct Entry {
    /// What is known of Fly.
    pub known: Knowledge,
    /// The object as our last write left it, until the cache has caught up.
    pub written: Option<Arc<Runtime>>,
    /// When its status was last written.
    pub written_at: Option<Timestamp>,
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

    /// How many Runtimes wait before the next try of something that failed.
    pub fn in_backoff(&self) -> usize {
        self.lock().values().filter(|entry| entry.known.trouble.is_some()).count()
    }

    /// Lets the caller change an entry that is there and not under visit.
    pub fn change(&self, uid: &str, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.lock().get_mut(uid) {
            change(entry);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The newer of the cached object and the one that our last write left.
    pub fn newest(&mut self, cached: Arc<Runtime>) -> Arc<Runtime> {
        match self.written.take() {
            Some(written) if version(&written) > version(&cached) => {
                self.written = Some(Arc::clone(&written));
                written
            }
            _ => cached,
        }
    }
}

fn version(runtime: &Runtime) -> u64 {
    runtime.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}
