//! The tasks that stand in the cluster, from the watch: a few words of each, since there can be very many.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::Stream;
use jiff::Timestamp;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};

use super::draft::name;
use crate::api::runtime::OperationType;
use crate::api::state::TaskState;
use crate::api::workspace::TaskSummary;
use crate::api::{FIELD_MANAGER, RuntimeTask, label_key};
use crate::engine::watch::Change;

/// Every task, by namespace and name.
#[derive(Debug, Default)]
pub struct Book {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rows: HashMap<String, HashMap<String, Row>>,
    listed: Option<HashSet<String>>,
    version: u64,
}

/// A task, in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its UID.
    pub uid: String,
    /// Runtime that it is about.
    pub runtime: String,
    /// What is done.
    pub type_: OperationType,
    /// The operation that it records.
    pub operation: String,
    /// How far it is.
    pub state: TaskState,
    /// When it began, or was made.
    pub began: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Who made it.
    pub maker: Maker,
}

/// Who made a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// We did, as its name and label tell.
    Us,
    /// Somebody else.
    Another,
}

impl Row {
    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, TaskState::Completed | TaskState::Failed | TaskState::Cancelled)
    }
}

/// The watch on tasks.
pub fn watch(api: Api<RuntimeTask>) -> impl Stream<Item = watcher::Result<Event<RuntimeTask>>> + Send {
    watcher(api, watcher::Config::default().page_size(500)).default_backoff().modify(|task| {
        task.metadata.managed_fields = None;
        if let Some(status) = &mut task.status {
            status.log = Vec::new();
        }
    })
}

impl Book {
    /// Takes in what the watch saw.
    pub fn changed(&self, change: &Change<'_, RuntimeTask>) {
        let mut state = self.lock();
        state.version += 1;
        match change {
            Change::Applied(task) => state.apply(task),
            Change::Deleted(task) => state.remove(&namespace(task), &task.name_any()),
            Change::ListBegins => state.listed = Some(HashSet::new()),
            Change::ListEnds => state.list_ends(),
        }
    }

    /// The newest tasks of a namespace, newest first.
    pub fn recent(&self, namespace: &str, most: usize) -> Vec<TaskSummary> {
        let state = self.lock();
        let Some(rows) = state.rows.get(namespace) else { return Vec::new() };
        let mut newest: Vec<(&String, &Row)> = rows.iter().collect();
        let order = |one: &(&String, &Row), other: &(&String, &Row)| {
            other.1.began.cmp(&one.1.began).then_with(|| one.0.cmp(other.0))
        };
        if newest.len() > most {
            newest.select_nth_unstable_by(most, order);
            newest.truncate(most);
        }
        newest.sort_by(order);
        newest.into_iter().map(|(name, row)| summary(name, row)).collect()
    }

    /// Every namespace with its rows.
    pub fn rows(&self) -> Vec<(String, Vec<(String, Row)>)> {
        let state = self.lock();
        let rows = |rows: &HashMap<String, Row>| {
            rows.iter().map(|(name, row)| (name.clone(), row.clone())).collect::<Vec<_>>()
        };
        state.rows.iter().map(|(namespace, all)| (namespace.clone(), rows(all))).collect()
    }

    /// A number that grows with each change.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn apply(&mut self, task: &RuntimeTask) {
        let row = row(task);
        if let Some(listed) = &mut self.listed {
            listed.insert(row.uid.clone());
        }
        self.rows.entry(namespace(task)).or_default().insert(task.name_any(), row);
    }

    fn remove(&mut self, namespace: &str, name: &str) {
        if let Some(rows) = self.rows.get_mut(namespace) {
            rows.remove(name);
            if rows.is_empty() {
                self.rows.remove(namespace);
            }
        }
    }

    fn list_ends(&mut self) {
        let Some(listed) = self.listed.take() else { return };
        self.rows.retain(|_, rows| {
            rows.retain(|_, row| listed.contains(&row.uid));
            !rows.is_empty()
        });
    }
}

fn namespace(task: &RuntimeTask) -> String {
    task.namespace().unwrap_or_default()
}

fn row(task: &RuntimeTask) -> Row {
    let (spec, status) = (&task.spec, task.status.clone().unwrap_or_default());
    let made = task.creation_timestamp().map_or(Timestamp::MIN, |time| time.0);
    let ours = task.labels().get(label_key::MANAGED_BY).is_some_and(|by| by == FIELD_MANAGER)
        && task.name_any() == name(&spec.runtime_ref.name, spec.type_, &spec.operation_id);
    Row {
        uid: task.uid().unwrap_or_default(),
        runtime: spec.runtime_ref.name.clone(),
        type_: spec.type_,
        operation: spec.operation_id.clone(),
        state: status.state.unwrap_or_default(),
        began: status.start_time.unwrap_or(made),
        finished: status.finish_time,
        maker: if ours { Maker::Us } else { Maker::Another },
    }
}

fn summary(name: &str, row: &Row) -> TaskSummary {
    TaskSummary { name: name.to_owned(), runtime: row.runtime.clone(), type_: row.type_, state: row.state }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::api::{NameRef, RuntimeTaskSpec, RuntimeTaskStatus};

    fn task(id: &str, began: i64) -> RuntimeTask {
        let spec = RuntimeTaskSpec {
            runtime_ref: NameRef::new("ops"),
            type_: OperationType::Start,
            operation_id: id.into(),
        };
        let mut task = RuntimeTask::new(&name("ops", OperationType::Start, id), spec);
        task.metadata.namespace = Some("acme".into());
        task.metadata.uid = Some(format!("uid-{id}"));
        task.metadata.labels = Some(BTreeMap::from([(label_key::MANAGED_BY.into(), FIELD_MANAGER.into())]));
        let began = Timestamp::from_second(began).unwrap();
        task.status = Some(RuntimeTaskStatus { start_time: Some(began), ..RuntimeTaskStatus::default() });
        task
    }

    #[test]
    fn the_newest_come_first_and_are_few() {
        let book = Book::default();
        for n in 0..30 {
            book.changed(&Change::Applied(&task(&format!("{n:02}"), n)));
        }
        let names: Vec<_> = book.recent("acme", 3).into_iter().map(|task| task.name).collect();
        assert_eq!(names, ["ops-start-29", "ops-start-28", "ops-start-27"]);
        assert!(book.recent("other", 3).is_empty());
    }

    #[test]
    fn what_a_list_leaves_out_is_gone() {
        let book = Book::default();
        book.changed(&Change::Applied(&task("one", 1)));
        book.changed(&Change::ListBegins);
        book.changed(&Change::Applied(&task("two", 2)));
        book.changed(&Change::ListEnds);
        assert_eq!(book.recent("acme", 9).len(), 1);
        book.changed(&Change::Deleted(&task("two", 2)));
        assert!(book.rows().is_empty());
    }

    #[test]
    fn a_task_of_another_name_or_without_our_label_is_another_s() {
        assert_eq!(row(&task("one", 1)).maker, Maker::Us);
        let mut named = task("one", 1);
        named.metadata.name = Some("mine".into());
        assert_eq!(row(&named).maker, Maker::Another);
        let mut bare = task("one", 1);
        bare.metadata.labels = None;
        assert_eq!(row(&bare).maker, Maker::Another);
    }
}
