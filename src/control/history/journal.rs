//! Operations that are to be written down, by Runtime. Noting something is quick and never waits.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::draft::{Draft, End, Write, Written};
use super::log::Log;
use crate::api::condition::{ConditionStatus, ConditionType, find, is_true};
use crate::api::runtime::{Operation, OperationType, RuntimeStatus};
use crate::api::state::TaskState;
use crate::api::{Runtime, RuntimeTaskStatus, reason};
use crate::engine::hash::short_hash;

/// Most Runtimes whose operations wait to be written; those of further ones are dropped.
const MAX_PAGES: usize = 4096;
/// Most operations of one Runtime that wait to be written.
const MAX_DRAFTS: usize = 16;
/// Most times that a write is tried.
const MAX_ATTEMPTS: u32 = 3;

/// What waits to be written.
#[derive(Debug, Default)]
pub struct Journal {
    pages: Mutex<HashMap<String, Page>>,
    /// Told when something may be due.
    pub due: Notify,
}

/// What waits to be written of one Runtime.
#[derive(Debug, Default)]
struct Page {
    /// Lines that belong to no operation yet: it is named a moment after its first effects, if it lasts.
    loose: Log,
    /// What kind of operation they seem to be of.
    seems: Option<OperationType>,
    drafts: Vec<Draft>,
}

/// How a write went.
#[derive(Debug)]
pub enum Wrote {
    /// It was done.
    Done,
    /// The task was read; this stood in it.
    Read(Option<Box<RuntimeTaskStatus>>),
    /// It can be tried again.
    Again,
    /// It can't be done, and is dropped.
    Dropped,
}

impl Journal {
    /// Adds a line to the operation that is under way, with the kind of operation that it is part of, if it tells.
    pub fn line(&self, uid: &str, now: Timestamp, text: &str, of: Option<OperationType>) {
        let mut pages = self.lock();
        if !pages.contains_key(uid) && pages.len() >= MAX_PAGES {
            return;
        }
        let page = pages.entry(uid.to_owned()).or_default();
        if let Some(draft) = page.drafts.iter_mut().rev().find(|draft| draft.end.is_none()) {
            draft.log.add(now, text);
        } else {
            page.loose.add(now, text);
            page.seems = page.seems.or(of);
        }
    }

    /// A status was written: operations may have begun or ended with it.
    pub fn turn(&self, now: Timestamp, runtime: &Runtime, old: &RuntimeStatus, new: &RuntimeStatus) {
        let Some(uid) = &runtime.metadata.uid else { return };
        let same = old.operation.as_ref().map(|it| &it.id) == new.operation.as_ref().map(|it| &it.id);
        let mut pages = self.lock();
        if pages.len() >= MAX_PAGES && !pages.contains_key(uid) {
            tracing::debug!(uid, "too much history waits to be written; some is dropped");
            return;
        }
        let page = pages.entry(uid.clone()).or_default();
        match (&old.operation, &new.operation) {
            (Some(before), None) => page.end(now, runtime, before, outcome(now, new)),
            (before, Some(after)) if !same => {
                if let Some(before) = before {
                    page.end(now, runtime, before, superseded(now));
                }
                page.begin(now, runtime, after);
            }
            (None, None) => page.quick(now, runtime, outcome(now, new), new, old),
            _ => {}
        }
        if let (Some(after), true) = (&new.operation, is_true(&new.conditions, ConditionType::Stalled)) {
            page.end(now, runtime, after, outcome(now, new));
        }
        if page.drafts.is_empty() && new.operation.is_none() {
            pages.remove(uid);
        }
        drop(pages);
        self.due.notify_one();
    }

    /// A Runtime is at rest and its status says so: what was done and belongs to no operation isn't worth telling.
    pub fn rested(&self, uid: &str) {
        let mut pages = self.lock();
        let Some(page) = pages.get_mut(uid) else { return };
        page.loose = Log::default();
        page.seems = None;
        if page.drafts.is_empty() {
            pages.remove(uid);
        }
    }

    /// A Runtime has gone: its removal is complete, and its other tasks go with it.
    pub fn gone(&self, now: Timestamp, runtime: &Runtime) {
        let Some(uid) = &runtime.metadata.uid else { return };
        let mut pages = self.lock();
        let Some(page) = pages.get_mut(uid) else { return };
        let told = page.drafts.iter().any(|draft| draft.task.spec.type_ == OperationType::Destroy);
        if !told && page.seems == Some(OperationType::Destroy) {
            page.begin(now, runtime, &operation(now, runtime, OperationType::Destroy));
        }
        page.drafts.retain(|draft| draft.task.spec.type_ == OperationType::Destroy);
        for draft in &mut page.drafts {
            draft.end = Some(completed(now));
        }
        if page.drafts.is_empty() {
            pages.remove(uid);
        }
        drop(pages);
        self.due.notify_one();
    }

    /// What is to be written now, at most so many.
    pub fn due(&self, now: Timestamp, most: usize) -> Vec<(String, Draft, Write)> {
        let pages = self.lock();
        let drafts = pages.iter().flat_map(|(uid, page)| page.drafts.iter().map(move |draft| (uid, draft)));
        drafts
            .filter_map(|(uid, draft)| draft.next(now).map(|write| (uid.clone(), draft.clone(), write)))
            .take(most)
            .collect()
    }

    /// Whether operations wait to be written.
    pub fn is_empty(&self) -> bool {
        self.lock().values().all(|page| page.drafts.is_empty())
    }

    /// Whether the task of that name is being written.
    pub fn writes(&self, namespace: &str, name: &str) -> bool {
        self.lock().values().flat_map(|page| &page.drafts).any(|draft| {
            draft.task.metadata.namespace.as_deref() == Some(namespace)
                && draft.task.metadata.name.as_deref() == Some(name)
        })
    }

    /// Notes how a write of what [`Self::due`] gave went.
    pub fn wrote(&self, uid: &str, draft: &Draft, write: Write, how: Wrote) {
        let mut pages = self.lock();
        let Some(page) = pages.get_mut(uid) else { return };
        page.wrote(draft, write, how);
        if page.drafts.is_empty() {
            pages.remove(uid);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Page {
    fn begin(&mut self, now: Timestamp, runtime: &Runtime, operation: &Operation) {
        if self.drafts.len() == MAX_DRAFTS {
            self.drafts.remove(0);
        }
        let log = std::mem::take(&mut self.loose);
        self.seems = None;
        self.drafts.push(Draft::new(now, runtime, operation, log));
    }

    /// An operation that was over before a status named it.
    fn quick(
        &mut self,
        now: Timestamp,
        runtime: &Runtime,
        end: End,
        new: &RuntimeStatus,
        old: &RuntimeStatus,
    ) {
        let restarted = new.last_handled_restart_at != old.last_handled_restart_at;
        let Some(type_) = self.seems.map(|seems| if restarted { OperationType::Restart } else { seems })
        else {
            return;
        };
        let operation = operation(now, runtime, type_);
        self.begin(now, runtime, &operation);
        self.end(now, runtime, &operation, end);
    }

    fn end(&mut self, now: Timestamp, runtime: &Runtime, operation: &Operation, end: End) {
        let known = self.drafts.iter_mut().find(|draft| draft.operation_id() == operation.id);
        if let Some(draft) = known {
            // A failure is told once, as it first was.
            if draft.end.as_ref().is_none_or(|known| known.state != end.state) {
                draft.end = Some(end);
            }
            return;
        }
        // An earlier process began it.
        let mut draft = Draft::new(now, runtime, operation, std::mem::take(&mut self.loose));
        draft.written = Written::Unread;
        draft.end = Some(end);
        self.drafts.push(draft);
    }

    fn wrote(&mut self, tried: &Draft, write: Write, how: Wrote) {
        let Some(at) = self.drafts.iter().position(|draft| draft.operation_id() == tried.operation_id())
        else {
            return;
        };
        let draft = &mut self.drafts[at];
        let keep = match (how, write) {
            (Wrote::Dropped | Wrote::Read(None), _) => false,
            (Wrote::Again, _) => {
                draft.attempts += 1;
                draft.attempts < MAX_ATTEMPTS
            }
            (Wrote::Read(Some(status)), _) => {
                draft.resume(*status);
                true
            }
            (Wrote::Done, Write::Status) => {
                draft.written = tried.end.as_ref().map_or(Written::Running, |end| Written::Ended(end.state));
                !draft.is_done()
            }
            (Wrote::Done, Write::Make | Write::Resume) => {
                draft.written = Written::Made;
                true
            }
        };
        if !keep {
            self.drafts.remove(at);
        }
    }
}

impl Draft {
    /// Goes on where an earlier process stopped.
    fn resume(&mut self, standing: RuntimeTaskStatus) {
        self.began = standing.start_time.unwrap_or(self.began);
        self.log = std::mem::take(&mut self.log).after(standing.log);
        self.written = Written::Made;
    }
}

/// An operation that no status named.
fn operation(now: Timestamp, runtime: &Runtime, type_: OperationType) -> Operation {
    let uid = runtime.metadata.uid.as_deref().unwrap_or_default();
    let id = short_hash(&[uid, &format!("{type_:?}"), &now.to_string()], 8);
    Operation { id, type_, step: String::new() }
}

/// How an operation ended, as the status tells.
pub fn outcome(now: Timestamp, status: &RuntimeStatus) -> End {
    let Some(ready) = find(&status.conditions, ConditionType::Ready) else { return superseded(now) };
    let stalled = is_true(&status.conditions, ConditionType::Stalled);
    let state = match (ready.status, stalled) {
        (ConditionStatus::True, _) => return completed(now),
        (_, true) => TaskState::Failed,
        (ConditionStatus::Unknown, false) => return superseded(now),
        (ConditionStatus::False, false) => TaskState::Cancelled,
    };
    End { state, reason: ready.reason.to_string(), message: ready.message.to_string(), at: now }
}

fn completed(now: Timestamp) -> End {
    let (reason, message) = (reason::COMPLETED.to_owned(), "Done.".to_owned());
    End { state: TaskState::Completed, reason, message, at: now }
}

fn superseded(now: Timestamp) -> End {
    let (reason, message) = (reason::SUPERSEDED.to_owned(), "A newer change took its place.".to_owned());
    End { state: TaskState::Cancelled, reason, message, at: now }
}

#[cfg(test)]
mod tests;
