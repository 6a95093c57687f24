//! What the operator remembers of each Workspace between visits. All of it can be found out again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::ResourceExt;

use super::facts::Knowledge;
use crate::api::Workspace;

/// What is remembered, by UID.
#[derive(Debug, Default)]
pub struct Memory {
    entries: Mutex<HashMap<String, Entry>>,
    generations: Mutex<HashMap<String, i64>>,
}

/// Whether a Workspace's spec changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spec {
    /// It is new, or another than it was.
    Changed,
    /// It is as it was: something else about the object changed.
    Same,
}

/// What is remembered of one Workspace.
#[derive(Debug, Default)]
pub struct Entry {
    /// What was read or went wrong.
    pub known: Knowledge,
    /// The object as our last write left it, until the cache has caught up.
    pub written: Option<Arc<Workspace>>,
    /// When its dashboard was last made.
    pub dashboard_at: Option<Timestamp>,
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

    /// Notes the generation of a Workspace's spec, and says whether it is another.
    pub fn note_generation(&self, workspace: &Workspace) -> Spec {
        let uid = workspace.uid().unwrap_or_default();
        let generation = workspace.metadata.generation.unwrap_or_default();
        let before = self.generations().insert(uid, generation);
        if before == Some(generation) { Spec::Same } else { Spec::Changed }
    }

    /// Forgets an object that has gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
        self.generations().remove(uid);
    }

    fn generations(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The newer of the cached object and the one that our last write left.
    pub fn newest(&mut self, cached: Arc<Workspace>) -> Arc<Workspace> {
        self.written.take().filter(|written| version(written) > version(&cached)).unwrap_or(cached)
    }
}

fn version(workspace: &Workspace) -> u64 {
    workspace.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}
