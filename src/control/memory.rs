//! What the operator remembers of each Runtime between visits. All of it can be found out again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::ResourceExt;

use super::resting::Kept;
use super::runtime::facts::{Compared, Knowledge, Known, MachineFact};
use crate::api::Runtime;

/// What is remembered, by UID.
#[derive(Debug, Default)]
pub struct Memory {
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    entries: HashMap<String, Kept>,
    /// Of whom news came while they were under visit: what the visit saw may be older.
    outdated: HashSet<String>,
    /// Whose secrets are to be compared with what their Machines were given, at the next visit.
    rotated: HashSet<String>,
    /// Whose apps are to be looked at as a whole, at the next visit.
    surveys: HashSet<String>,
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
    pub fn take(&self, uid: &str) -> Box<Entry> {
        let mut all = self.lock();
        all.outdated.remove(uid);
        let mut entry = all.entries.remove(uid).map(Kept::unpack).unwrap_or_default();
        if all.rotated.remove(uid) {
            entry.known.compared = Some(Compared::Never);
        }
        if all.surveys.remove(uid) {
            entry.known.survey.ask();
        }
        entry
    }

    /// Puts the entry back.
    pub fn put(&self, uid: &str, mut entry: Box<Entry>) {
        let mut all = self.lock();
        if all.outdated.remove(uid) {
            entry.known.machine = Known::Unknown;
        }
        all.entries.insert(uid.to_owned(), Kept::pack(entry));
    }

    /// Forgets an object that has gone.
    pub fn forget(&self, uid: &str) {
        let mut all = self.lock();
        all.outdated.remove(uid);
        all.rotated.remove(uid);
        all.surveys.remove(uid);
        all.entries.remove(uid);
    }

    /// Notes what the organisation's list tells of a Machine of which nothing else is known.
    pub fn note_listed(&self, uid: &str, machine: MachineFact) {
        let mut all = self.lock();
        let mut entry = all.entries.remove(uid).map(Kept::unpack).unwrap_or_default();
        if entry.known.machine == Known::Unknown {
            entry.known.machine = Known::Present(machine);
        }
        all.entries.insert(uid.to_owned(), Kept::pack(entry));
    }

    /// Whether a Runtime was visited and its Machine compared with what is declared.
    pub fn is_verified(&self, uid: &str) -> bool {
        let all = self.lock();
        let entry = all.entries.get(uid);
        entry.is_some_and(|entry| entry.is_visited() && *entry.machine() != Known::Unknown)
    }

    /// A Secret that the object refers to has changed, or may have.
    pub fn secrets_changed(&self, uid: &str) {
        self.lock().rotated.insert(uid.to_owned());
    }

    /// Everything in the object's app is to be looked at.
    pub fn survey(&self, uid: &str) {
        self.lock().surveys.insert(uid.to_owned());
    }

    /// Whether a Machine was found in the object's app that nobody recorded.
    pub fn knows_stranger(&self, uid: &str, machine: &str) -> bool {
        let all = self.lock();
        let found = all.entries.get(uid).and_then(Kept::found);
        found.is_some_and(|found| found.machines.iter().any(|id| id == machine))
    }

    /// How many Runtimes wait before the next try of something that failed.
    pub fn in_backoff(&self) -> usize {
        self.lock().entries.values().filter(|entry| entry.is_in_trouble()).count()
    }

    /// Lets the caller, who has news of the Machine, change an entry. One under visit has its Machine looked at
    /// again instead, once the visit is over.
    pub fn change(&self, uid: &str, change: impl FnOnce(&mut Entry)) {
        let mut all = self.lock();
        match all.entries.remove(uid).map(Kept::unpack) {
            Some(mut entry) => {
                change(&mut entry);
                all.entries.insert(uid.to_owned(), Kept::pack(entry));
            }
            None => drop(all.outdated.insert(uid.to_owned())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
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
