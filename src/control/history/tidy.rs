//! Which tasks are to be removed, and which were left unfinished. Pure.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::book::{Maker, Row};
use super::draft::End;
use super::requests::Progress;
use crate::api::reason;
use crate::api::runtime::OperationType;
use crate::api::state::TaskState;

/// How long an unfinished task that nobody writes is left alone: its end may be on its way.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Finished tasks of one Runtime.
    pub per_runtime: usize,
    /// Age of a finished task.
    pub ttl: SignedDuration,
}

/// Something to be put in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chore {
    /// Remove the task of this name and UID.
    Remove(String, String),
    /// End the task of this name so.
    Finish(String, End),
    /// Say of the request of this name how far it is.
    Tell(String, Progress),
}

/// What is known of the Runtime of an unfinished task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The operation goes on, or is being written.
    GoesOn,
    /// The Runtime is there, and ended so.
    Ended(End),
    /// The Runtime isn't there.
    Gone,
}

/// What is to be done about the tasks of a namespace.
pub fn chores(
    now: Timestamp,
    limits: Limits,
    rows: &[(String, Row)],
    fate: impl Fn(&str, &Row) -> Fate,
) -> Vec<Chore> {
    let unfinished = rows.iter().filter(|(_, row)| !row.is_finished());
    let mut all: Vec<Chore> = unfinished
        .filter_map(|(name, row)| end(now, name, row, &fate).map(|end| Chore::Finish(name.clone(), end)))
        .collect();
    all.extend(superfluous(now, limits, rows));
    all
}

/// How an unfinished task is to be ended, if it is.
fn end(now: Timestamp, name: &str, row: &Row, fate: impl Fn(&str, &Row) -> Fate) -> Option<End> {
    if row.maker == Maker::Person {
        return None;
    }
    if row.maker == Maker::Another {
        let message = "A task with an `operationID` is a record that the operator keeps. To ask for something, create one without it.";
        return Some(ended(now, TaskState::Failed, reason::NOT_REQUESTABLE, message));
    }
    if row.began.duration_until(now) < PATIENCE {
        return None;
    }
    match fate(name, row) {
        Fate::GoesOn => None,
        Fate::Ended(end) => Some(end),
        Fate::Gone if row.type_ == OperationType::Destroy => {
            Some(ended(now, TaskState::Completed, reason::COMPLETED, "Done."))
        }
        Fate::Gone => Some(ended(now, TaskState::Cancelled, reason::SUPERSEDED, "Its Runtime has gone.")),
    }
}

pub(super) fn ended(at: Timestamp, state: TaskState, reason: &str, message: &str) -> End {
    End { state, reason: reason.to_owned(), message: message.to_owned(), at }
}

/// Finished tasks that are too old, or too many for their Runtime: the oldest go.
fn superfluous(now: Timestamp, limits: Limits, rows: &[(String, Row)]) -> Vec<Chore> {
    let mut by_runtime: HashMap<&str, Vec<&(String, Row)>> = HashMap::new();
    for entry in rows.iter().filter(|(_, row)| row.is_finished()) {
        by_runtime.entry(&entry.1.runtime).or_default().push(entry);
    }
    let mut removed = Vec::new();
    for mut finished in by_runtime.into_values() {
        finished.sort_by(|one, other| age(&other.1).cmp(&age(&one.1)).then_with(|| one.0.cmp(&other.0)));
        for (rank, (name, row)) in finished.into_iter().enumerate() {
            // What somebody asked for is kept for a while even where no history is.
            let most = limits.per_runtime.max(usize::from(row.maker == Maker::Person));
            if rank >= most || age(row).duration_until(now) > limits.ttl {
                removed.push(Chore::Remove(name.clone(), row.uid.clone()));
            }
        }
    }
    removed
}

/// When it ended; a task that doesn't say counts from its beginning.
fn age(row: &Row) -> Timestamp {
    row.finished.unwrap_or(row.began)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { per_runtime: 2, ttl: SignedDuration::from_secs(1_000) };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn row(runtime: &str, name: &str, state: TaskState, time: i64) -> (String, Row) {
        let row = Row {
            uid: format!("uid-{name}"),
            runtime: runtime.into(),
            type_: OperationType::Start,
            operation: "one".into(),
            state,
            began: at(time),
            finished: (state != TaskState::Running).then(|| at(time)),
            maker: Maker::Us,
            version: 0,
        };
        (name.to_owned(), row)
    }

    fn goes_on(_: &str, _: &Row) -> Fate {
        Fate::GoesOn
    }

    fn names(chores: Vec<Chore>) -> Vec<String> {
        let mut names: Vec<String> = chores
            .into_iter()
            .map(|chore| match chore {
                Chore::Remove(name, _) => format!("-{name}"),
                Chore::Finish(name, end) => format!("{name}={}", end.reason),
                Chore::Tell(name, progress) => format!("{name}: {progress:?}"),
            })
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_and_each_runtime_counts_for_itself() {
        let rows = [
            row("a", "a1", TaskState::Completed, 100),
            row("a", "a2", TaskState::Failed, 200),
            row("a", "a3", TaskState::Completed, 300),
            row("a", "a4", TaskState::Running, 50),
            row("b", "b1", TaskState::Completed, 100),
        ];
        assert_eq!(names(chores(at(400), LIMITS, &rows, goes_on)), ["-a1"]);
    }

    #[test]
    fn the_old_go_by_themselves_and_what_goes_on_stays() {
        let rows = [row("a", "a1", TaskState::Completed, 100), row("a", "a2", TaskState::Running, 100)];
        assert!(chores(at(1_100), LIMITS, &rows, goes_on).is_empty());
        assert_eq!(names(chores(at(1_101), LIMITS, &rows, goes_on)), ["-a1"]);
    }

    #[test]
    fn what_was_left_unfinished_ends_after_a_while() {
        let gone = |_: &str, _: &Row| Fate::Gone;
        let mut rows = [row("a", "a1", TaskState::Running, 100)];
        assert!(chores(at(159), LIMITS, &rows, gone).is_empty());
        assert_eq!(names(chores(at(160), LIMITS, &rows, gone)), ["a1=Superseded"]);
        rows[0].1.type_ = OperationType::Destroy;
        assert_eq!(names(chores(at(160), LIMITS, &rows, gone)), ["a1=Completed"]);
    }

    #[test]
    fn what_somebody_else_made_fails_at_once() {
        let mut rows = [row("a", "mine", TaskState::Pending, 100)];
        rows[0].1.maker = Maker::Another;
        assert_eq!(names(chores(at(100), LIMITS, &rows, goes_on)), ["mine=NotRequestable"]);
    }
}
