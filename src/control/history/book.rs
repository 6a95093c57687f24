//! The tasks that stand in the cluster, from the watch: a few words of each, since there can be very many.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::Stream;
use jiff::Timestamp;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt};

use super::draft::name;
use super::requests::{Kind, Open, kind_of};
use super::shelf::Shelf;
use crate::api::condition::{ConditionType, find};
use crate::api::runtime::OperationType;
use crate::api::state::TaskState;
use crate::api::workspace::TaskSummary;
use crate::api::{FIELD_MANAGER, RuntimeTask, label_key};
use crate::control::runtime::facts::{Origin, Request};
use crate::engine::watch::Change;

/// Tasks of one page of a list: small ones, so that a start among very many doesn't take memory for decoding them.
const PAGE: u32 = 100;

/// Every task, by namespace and name.
#[derive(Debug, Default)]
pub struct Book {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    shelf: Shelf,
    /// Requests that aren't finished, by namespace and name: few, at any time.
    open: HashMap<String, HashMap<String, Open>>,
    list: List,
    version: u64,
}

/// How far lists are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum List {
    /// The first isn't complete.
    #[default]
    First,
    /// Another is being read.
    Again,
    /// The last is complete.
    Done,
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
    /// Its resource version.
    pub version: u64,
}

/// Who made a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// We did, as its name and label tell.
    Us,
    /// A person did, who asks for something.
    Person,
    /// Somebody else, who made it look like a record.
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
    watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff().modify(|task| {
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
            Change::Deleted(task) => {
                state.remove(&namespace(task), &task.spec.runtime_ref.name, &task.name_any());
            }
            Change::ListBegins => state.list_begins(),
            Change::ListEnds => state.list_ends(),
        }
    }

    /// Takes in what we wrote ourselves, before the watch tells of it.
    pub fn wrote(&self, task: &RuntimeTask) {
        let mut state = self.lock();
        state.version += 1;
        state.apply(task);
    }

    /// Forgets a request that isn't there any more.
    pub fn lost(&self, namespace: &str, name: &str, uid: &str) {
        let mut state = self.lock();
        let open = state.open.get(namespace).and_then(|all| all.get(name));
        if let Some(runtime) = open.filter(|open| open.uid == uid).map(|open| open.runtime.clone()) {
            state.version += 1;
            state.remove(namespace, &runtime, name);
        }
    }

    /// The oldest open request of a Runtime that was made at `since`.
    pub fn request(&self, namespace: &str, runtime: &str, since: Timestamp) -> Option<Request> {
        let state = self.lock();
        let ((name, open), kind) = state
            .open
            .get(namespace)?
            .iter()
            .filter(|(_, open)| open.runtime == runtime && open.created >= since)
            .filter_map(|(name, open)| match &open.kind {
                Kind::Runtime(kind) => Some((name, open, kind)),
                Kind::Domain(_) => None,
            })
            .min_by_key(|(name, open, _)| (open.created, *name))
            .map(|(name, open, kind)| ((name, open), kind))?;
        Some(Request {
            task: name.clone(),
            uid: open.uid.clone(),
            created: open.created,
            origin: open.origin,
            kind: kind.clone(),
        })
    }

    /// Every namespace with its open requests.
    pub fn open(&self) -> Vec<(String, Vec<(String, Open)>)> {
        let state = self.lock();
        let each = |all: &HashMap<String, Open>| {
            all.iter().map(|(name, open)| (name.clone(), open.clone())).collect::<Vec<_>>()
        };
        state.open.iter().map(|(namespace, all)| (namespace.clone(), each(all))).collect()
    }

    /// The newest tasks of a namespace, newest first; `None` while not all of them are known.
    pub fn recent(&self, namespace: &str, most: usize) -> Option<Vec<TaskSummary>> {
        let state = self.lock();
        (state.list != List::First).then(|| state.shelf.recent(namespace, most))
    }

    /// The namespaces that have tasks.
    pub fn namespaces(&self) -> Vec<String> {
        self.lock().shelf.namespaces()
    }

    /// A namespace's rows.
    pub fn rows(&self, namespace: &str) -> Vec<(String, Row)> {
        self.lock().shelf.rows(namespace)
    }

    /// Notes that something changed that concerns open requests.
    pub fn stir(&self) {
        self.lock().version += 1;
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
        let (namespace, name) = (namespace(task), task.name_any());
        if self.shelf.version(&namespace, &row, &name).is_some_and(|known| known > row.version) {
            self.shelf.listed(&namespace, &row, &name);
            return;
        }
        // What a first list holds, an earlier process may have worked on.
        let known = self.open.get(&namespace).and_then(|all| all.get(&name));
        let origin = match known.filter(|open| open.uid == row.uid) {
            Some(open) => open.origin,
            None if self.list == List::Done => Origin::Made,
            None => Origin::Found,
        };
        match open(task, &row, origin) {
            Some(open) => drop(entry(&mut self.open, &namespace).insert(name.clone(), open)),
            None => self.close(&namespace, &name),
        }
        self.shelf.put(&namespace, &name, &row);
    }

    fn remove(&mut self, namespace: &str, runtime: &str, name: &str) {
        self.shelf.remove(namespace, runtime, name);
        self.close(namespace, name);
    }

    fn close(&mut self, namespace: &str, name: &str) {
        if let Some(all) = self.open.get_mut(namespace) {
            all.remove(name);
            if all.is_empty() {
                self.open.remove(namespace);
            }
        }
    }

    fn list_begins(&mut self) {
        if self.list == List::Done {
            self.list = List::Again;
        }
        self.shelf.round_begins();
    }

    fn list_ends(&mut self) {
        self.list = List::Done;
        self.shelf.round_ends();
        let rows = &self.shelf;
        self.open.retain(|namespace, all| {
            all.retain(|name, open| rows.holds(namespace, &open.runtime, name));
            !all.is_empty()
        });
    }
}

fn entry<'m, V>(
    all: &'m mut HashMap<String, HashMap<String, V>>,
    namespace: &str,
) -> &'m mut HashMap<String, V> {
    all.entry(namespace.to_owned()).or_default()
}

/// What is kept of a request until it is finished.
fn open(task: &RuntimeTask, row: &Row, origin: Origin) -> Option<Open> {
    let kind = kind_of(&task.spec).filter(|_| !row.is_finished())?;
    let said = task.status.as_ref().and_then(|status| find(&status.conditions, ConditionType::Ready));
    Some(Open {
        uid: row.uid.clone(),
        runtime: row.runtime.clone(),
        created: task.creation_timestamp().map_or(Timestamp::MIN, |time| time.0),
        origin,
        kind,
        said: said.map(|ready| ready.message.to_string()).unwrap_or_default(),
    })
}

fn namespace(task: &RuntimeTask) -> String {
    task.namespace().unwrap_or_default()
}

fn row(task: &RuntimeTask) -> Row {
    let (spec, status) = (&task.spec, task.status.clone().unwrap_or_default());
    let made = task.creation_timestamp().map_or(Timestamp::MIN, |time| time.0);
    let operation = spec.operation_id.as_deref();
    let ours = |operation: &str| {
        task.labels().get(label_key::MANAGED_BY).is_some_and(|by| by == FIELD_MANAGER)
            && task.name_any() == name(&spec.runtime_ref.name, spec.type_, operation)
    };
    let maker = match operation {
        None => Maker::Person,
        Some(operation) if ours(operation) => Maker::Us,
        Some(_) => Maker::Another,
    };
    Row {
        uid: task.uid().unwrap_or_default(),
        runtime: spec.runtime_ref.name.clone(),
        type_: spec.type_,
        operation: operation.unwrap_or_default().to_owned(),
        state: status.state.unwrap_or_default(),
        began: status.start_time.unwrap_or(made),
        finished: status.finish_time,
        maker,
        version: task.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default(),
    }
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
            operation_id: Some(id.into()),
            snapshot_id: None,
            domain_ref: None,
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
        book.changed(&Change::ListBegins);
        for n in 0..30 {
            book.changed(&Change::Applied(&task(&format!("{n:02}"), n)));
        }
        assert_eq!(book.recent("acme", 3), None, "there may be newer ones");
        book.changed(&Change::ListEnds);
        let names: Vec<_> = book.recent("acme", 3).unwrap().into_iter().map(|task| task.name).collect();
        assert_eq!(names, ["ops-start-29", "ops-start-28", "ops-start-27"]);
        assert_eq!(book.recent("other", 3), Some(Vec::new()));
    }

    #[test]
    fn what_a_list_leaves_out_is_gone() {
        let book = Book::default();
        book.changed(&Change::Applied(&task("one", 1)));
        book.changed(&Change::ListBegins);
        book.changed(&Change::Applied(&task("two", 2)));
        book.changed(&Change::ListEnds);
        assert_eq!(book.recent("acme", 9).unwrap().len(), 1);
        book.changed(&Change::Deleted(&task("two", 2)));
        assert!(book.namespaces().is_empty());
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
