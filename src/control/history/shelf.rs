//! The rows of the book, packed: there may be several for each of very many Runtimes.

use std::collections::HashMap;

use jiff::Timestamp;

use super::book::{Maker, Row};
use crate::api::runtime::OperationType;
use crate::api::state::TaskState;
use crate::api::workspace::TaskSummary;

/// The tasks of one namespace, by Runtime, sorted by name.
type Tasks = HashMap<Box<str>, Vec<Packed>>;

/// Every task, by namespace, Runtime and name.
#[derive(Debug, Default)]
pub struct Shelf {
    namespaces: HashMap<String, Tasks>,
    /// Grows with each list; what isn't listed keeps an older one.
    round: u32,
}

/// A row without what its place says, and to the second, as the API has times.
#[derive(Debug)]
struct Packed {
    name: Box<str>,
    uid: Uid,
    /// Of one that has ended nobody asks for it.
    operation: Box<str>,
    began: i64,
    finished: Option<i64>,
    version: u64,
    round: u32,
    type_: OperationType,
    state: TaskState,
    maker: Maker,
}

/// A UID in as few bytes as it has, or as text if it isn't written in the usual way.
#[derive(Debug)]
enum Uid {
    Number([u8; 16]),
    Text(Box<str>),
}

impl Shelf {
    /// The version of a task that is known.
    pub fn version(&self, namespace: &str, row: &Row, name: &str) -> Option<u64> {
        self.find(namespace, &row.runtime, name).map(|task| task.version)
    }

    /// Whether a task is there.
    pub fn holds(&self, namespace: &str, runtime: &str, name: &str) -> bool {
        self.find(namespace, runtime, name).is_some()
    }

    /// Puts a row in the place of the one of its name.
    pub fn put(&mut self, namespace: &str, name: &str, row: &Row) {
        let packed = Packed::of(name, row, self.round);
        let tasks = entry(&mut self.namespaces, namespace).entry(row.runtime.as_str().into()).or_default();
        match tasks.binary_search_by(|task| (*task.name).cmp(name)) {
            Ok(place) => tasks[place] = packed,
            Err(place) => {
                // Few come to one Runtime: room for more would be most of what they take.
                if tasks.len() < 8 {
                    tasks.reserve_exact(1);
                }
                tasks.insert(place, packed);
            }
        }
    }

    /// Notes that a list has shown a task of which something newer is known.
    pub fn listed(&mut self, namespace: &str, row: &Row, name: &str) {
        let round = self.round;
        let tasks = self.namespaces.get_mut(namespace).and_then(|all| all.get_mut(row.runtime.as_str()));
        if let Some(task) = tasks.and_then(|all| all.iter_mut().find(|task| *task.name == *name)) {
            task.round = round;
        }
    }

    /// Takes a task out.
    pub fn remove(&mut self, namespace: &str, runtime: &str, name: &str) {
        let Some(all) = self.namespaces.get_mut(namespace) else { return };
        if let Some(tasks) = all.get_mut(runtime) {
            tasks.retain(|task| *task.name != *name);
            if tasks.is_empty() {
                all.remove(runtime);
            }
        }
        if all.is_empty() {
            self.namespaces.remove(namespace);
        }
    }

    /// A list begins.
    pub fn round_begins(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// A list has ended: what it didn't show is gone.
    pub fn round_ends(&mut self) {
        let round = self.round;
        self.namespaces.retain(|_, all| {
            all.retain(|_, tasks| {
                tasks.retain(|task| task.round == round);
                !tasks.is_empty()
            });
            !all.is_empty()
        });
    }

    /// The namespaces that have tasks.
    pub fn namespaces(&self) -> Vec<String> {
        self.namespaces.keys().cloned().collect()
    }

    /// A namespace's rows, with their names.
    pub fn rows(&self, namespace: &str) -> Vec<(String, Row)> {
        self.tasks(namespace).map(|(runtime, task)| (task.name.to_string(), task.row(runtime))).collect()
    }

    /// The newest tasks of a namespace, newest first.
    pub fn recent(&self, namespace: &str, most: usize) -> Vec<TaskSummary> {
        let mut newest: Vec<(&str, &Packed)> = self.tasks(namespace).collect();
        let order = |one: &(&str, &Packed), other: &(&str, &Packed)| {
            other.1.began.cmp(&one.1.began).then_with(|| one.1.name.cmp(&other.1.name))
        };
        if newest.len() > most {
            newest.select_nth_unstable_by(most, order);
            newest.truncate(most);
        }
        newest.sort_by(order);
        newest.into_iter().map(|(runtime, task)| task.summary(runtime)).collect()
    }

    fn find(&self, namespace: &str, runtime: &str, name: &str) -> Option<&Packed> {
        let tasks = self.namespaces.get(namespace)?.get(runtime)?;
        let place = tasks.binary_search_by(|task| (*task.name).cmp(name)).ok()?;
        tasks.get(place)
    }

    fn tasks(&self, namespace: &str) -> impl Iterator<Item = (&str, &Packed)> {
        let all = self.namespaces.get(namespace).into_iter().flatten();
        all.flat_map(|(runtime, tasks)| tasks.iter().map(move |task| (&**runtime, task)))
    }
}

fn entry<'m>(namespaces: &'m mut HashMap<String, Tasks>, namespace: &str) -> &'m mut Tasks {
    namespaces.entry(namespace.to_owned()).or_default()
}

impl Packed {
    fn of(name: &str, row: &Row, round: u32) -> Self {
        let operation = if row.is_finished() { "" } else { row.operation.as_str() };
        Self {
            name: name.into(),
            uid: Uid::of(&row.uid),
            operation: operation.into(),
            began: row.began.as_second(),
            finished: row.finished.map(Timestamp::as_second),
            version: row.version,
            round,
            type_: row.type_,
            state: row.state,
            maker: row.maker,
        }
    }

    fn row(&self, runtime: &str) -> Row {
        let time = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
        Row {
            uid: self.uid.text(),
            runtime: runtime.to_owned(),
            type_: self.type_,
            operation: self.operation.to_string(),
            state: self.state,
            began: time(self.began),
            finished: self.finished.map(time),
            maker: self.maker,
            version: self.version,
        }
    }

    fn summary(&self, runtime: &str) -> TaskSummary {
        TaskSummary {
            name: self.name.to_string(),
            runtime: runtime.to_owned(),
            type_: self.type_,
            state: self.state,
        }
    }
}

impl Uid {
    fn of(text: &str) -> Self {
        let number = u128::from_str_radix(&text.replace('-', ""), 16).unwrap_or_default();
        let packed = Self::Number(number.to_be_bytes());
        if packed.text() == text { packed } else { Self::Text(text.into()) }
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Number(bytes) => {
                let digits = format!("{:032x}", u128::from_be_bytes(*bytes));
                let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
                [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(uid: &str, state: TaskState) -> Row {
        Row {
            uid: uid.into(),
            runtime: "ops".into(),
            type_: OperationType::Update,
            operation: "one".into(),
            state,
            began: Timestamp::from_second(100).unwrap(),
            finished: Some(Timestamp::from_second(200).unwrap()),
            maker: Maker::Us,
            version: 7,
        }
    }

    #[test]
    fn a_row_comes_back_as_it_was_put_in() {
        let mut shelf = Shelf::default();
        for uid in
            ["0f0e3c1a-9a5e-4c7a-8e21-00000000beef", "uid-1", "0F0E3C1A-9a5e-4c7a-8e21-00000000beef", ""]
        {
            let put = row(uid, TaskState::Running);
            shelf.put("acme", "a", &put);
            assert_eq!(shelf.rows("acme"), [("a".to_owned(), put)]);
        }
        assert_eq!(shelf.version("acme", &row("", TaskState::Running), "a"), Some(7));
        shelf.remove("acme", "ops", "a");
        assert!(shelf.namespaces().is_empty());
    }

    #[test]
    fn of_one_that_has_ended_the_operation_is_not_kept() {
        let mut shelf = Shelf::default();
        shelf.put("acme", "a", &row("uid-1", TaskState::Completed));
        assert_eq!(shelf.rows("acme")[0].1.operation, "");
    }

    #[test]
    fn what_a_list_shows_in_an_older_version_stays() {
        let mut shelf = Shelf::default();
        for name in ["b", "c", "a"] {
            shelf.put("acme", name, &row(name, TaskState::Completed));
        }
        shelf.round_begins();
        shelf.listed("acme", &row("a", TaskState::Running), "a");
        shelf.put("acme", "b", &row("b", TaskState::Completed));
        shelf.round_ends();
        let names: Vec<_> = shelf.rows("acme").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
