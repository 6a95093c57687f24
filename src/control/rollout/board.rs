//! Who may begin an upgrade, who serves, and what is said of each rollout: kept in memory, beside the claims.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::pick::{Permit, Proof, Standing};
use super::report::Report;

/// Most Runtimes of one Blueprint that are remembered for what failed on them.
const MOST_FALLEN: usize = 16;

/// What is kept of rollouts. All of it can be found out again.
#[derive(Debug, Default)]
pub struct Board {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    permits: HashMap<String, Use>,
    standings: HashMap<String, Standing>,
    reports: HashMap<String, Report>,
    /// What was last seen to serve of each Blueprint.
    proved: HashMap<String, String>,
    /// Of each Blueprint, what failed, and the Runtimes on which it did, by UID.
    fallen: HashMap<String, (String, BTreeMap<String, String>)>,
    /// How many failures were recorded.
    failures: Failures,
}

/// Failures up to some moment: permits for what was picked without a later one aren't given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures(u64);

/// Whether a permit is taken back safely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// It wasn't used: it may be taken back.
    Unused,
    /// Its upgrade is being recorded right now.
    Recording,
}

impl Board {
    /// Something changed that rollouts depend on.
    pub fn tell(&self) {
        self.news.notify_one();
    }

    /// Waits until something changed.
    pub async fn changed(&self) {
        self.news.notified().await;
    }

    /// Notes whether a Runtime serves, as its last visit saw it.
    pub fn note(&self, uid: &str, standing: Standing) {
        let mut state = self.lock();
        if state.standings.get(uid) != Some(&standing) {
            state.standings.insert(uid.to_owned(), standing);
            drop(state);
            self.tell();
        }
    }

    /// Forgets a Runtime that has gone.
    pub fn forget(&self, uid: &str) {
        let mut state = self.lock();
        state.standings.remove(uid);
        state.permits.remove(uid);
    }

    /// Whether a Runtime serves, as its last visit saw it.
    pub fn standing(&self, uid: &str) -> Standing {
        self.lock().standings.get(uid).copied().unwrap_or(Standing::Unknown)
    }

    /// Whether a Runtime may begin.
    pub fn permit(&self, uid: &str) -> Permit {
        if self.lock().permits.contains_key(uid) { Permit::Granted } else { Permit::None }
    }

    /// Lets a Runtime begin, unless an upgrade has failed since those that may were picked.
    pub fn grant(&self, uid: &str, known: Failures) {
        let mut state = self.lock();
        if state.failures == known {
            state.permits.entry(uid.to_owned()).or_insert(Use::Unused);
        }
    }

    /// The failures that are known so far.
    pub fn failures(&self) -> Failures {
        self.lock().failures
    }

    /// An upgrade failed, and its claim says so: whoever hasn't begun is picked anew, in the light of that.
    pub fn failure(&self) {
        let mut state = self.lock();
        state.failures.0 = state.failures.0.wrapping_add(1);
        state.permits.retain(|_, used| *used != Use::Unused);
        drop(state);
        self.tell();
    }

    /// Those on which this of a Blueprint failed and that aren't there any more, with their names; `failed` are remembered
    /// for when they are gone.
    pub fn fallen(
        &self,
        blueprint: &str,
        mark: &str,
        present: &HashSet<&str>,
        failed: impl Iterator<Item = (String, String)>,
    ) -> BTreeMap<String, String> {
        let mut state = self.lock();
        let (of, fallen) = state.fallen.entry(blueprint.to_owned()).or_default();
        if of != mark {
            fallen.clear();
            mark.clone_into(of);
        }
        fallen.retain(|uid, _| !present.contains(uid.as_str()));
        let gone = fallen.clone();
        fallen.extend(failed.take(MOST_FALLEN.saturating_sub(gone.len())));
        gone
    }

    /// Forgets what failed of a Blueprint on Runtimes that aren't there any more.
    pub fn forgive(&self, blueprint: &str) {
        self.lock().fallen.remove(blueprint);
    }

    /// Takes a permit back, unless it is being used.
    pub fn withdraw(&self, uid: &str) {
        let mut state = self.lock();
        if state.permits.get(uid) == Some(&Use::Unused) {
            state.permits.remove(uid);
        }
    }

    /// Begins to use a permit: from now on it can't be taken back. `None` if there is none.
    pub fn begin(&self, uid: &str) -> Option<()> {
        let mut state = self.lock();
        *state.permits.get_mut(uid)? = Use::Recording;
        // Until its next visit has ended it isn't known to be anything.
        state.standings.insert(uid.to_owned(), Standing::Down);
        Some(())
    }

    /// The upgrade is recorded: the claim counts instead of the permit.
    pub fn recorded(&self, uid: &str) {
        self.lock().permits.remove(uid);
    }

    /// The upgrade couldn't be recorded: the permit can be taken back again.
    pub fn failed(&self, uid: &str) {
        if let Some(used) = self.lock().permits.get_mut(uid) {
            *used = Use::Unused;
        }
    }

    /// Notes that this of a Blueprint serves somewhere.
    pub fn prove(&self, blueprint: &str, mark: String) {
        self.lock().proved.insert(blueprint.to_owned(), mark);
    }

    /// Whether this of a Blueprint was seen to serve.
    pub fn proof(&self, blueprint: &str, mark: &str) -> Proof {
        match self.lock().proved.get(blueprint) {
            Some(seen) if seen == mark => Proof::Proved,
            _ => Proof::None,
        }
    }

    /// What is said of a Blueprint's rollout.
    pub fn report(&self, blueprint: &str) -> Report {
        self.lock().reports.get(blueprint).cloned().unwrap_or_default()
    }

    /// Says something else of it, and tells whether that is news.
    pub fn say(&self, blueprint: &str, report: Report) -> News {
        let mut state = self.lock();
        if state.reports.get(blueprint) == Some(&report) {
            return News::None;
        }
        state.reports.insert(blueprint.to_owned(), report);
        News::Some
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether something new was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing.
    None,
    /// Something.
    Some,
}
