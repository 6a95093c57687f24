//! Requests: tasks that people made, and what is said of them until they are carried out. Pure.
//!
//! The Runtime's own visit carries a request out and says how it ended. Here is told what goes on meanwhile, and
//! those are ended that can never be carried out.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::draft::End;
use super::tidy::{Chore, ended};
use crate::api::runtime::OperationType;
use crate::api::state::TaskState;
use crate::api::{RuntimeTaskSpec, reason};
use crate::control::runtime::facts::{Origin, RequestKind};

/// Time that a Runtime may take to appear after a task that names it: both may be applied together.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);
/// Most open requests of one Runtime.
const MAX_OPEN: usize = 8;

/// A request that isn't finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// UID of its task.
    pub uid: String,
    /// Runtime that it is about.
    pub runtime: String,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it was made in this process's life.
    pub origin: Origin,
    /// What is asked for.
    pub kind: Kind,
    /// What its task says of it now; empty if nothing.
    pub said: String,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something of its Runtime, which carries out one after the other.
    Runtime(RequestKind),
    /// A look at the records of the CustomDomain of this name.
    Domain(String),
}

/// How far a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waits for others.
    Pending(String),
    /// It is being carried out.
    Running,
}

/// What is known of the Runtime that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// It isn't there.
    Missing,
    /// It is being deleted.
    Going,
    /// It is there, since then.
    There(Timestamp),
}

/// What a task asks for; `None` of a record.
pub fn kind_of(spec: &RuntimeTaskSpec) -> Option<Kind> {
    if spec.operation_id.is_some() {
        return None;
    }
    Some(Kind::Runtime(match spec.type_ {
        OperationType::Restart => RequestKind::Restart,
        OperationType::Snapshot => RequestKind::Snapshot,
        OperationType::Restore => RequestKind::Restore { snapshot: spec.snapshot_id.clone() },
        OperationType::Upgrade => RequestKind::Upgrade,
        OperationType::VerifyDomain => {
            return spec.domain_ref.as_ref().map(|it| Kind::Domain(it.name.clone()));
        }
        _ => return None,
    }))
}

impl Progress {
    /// What the task says.
    pub fn message(&self) -> &str {
        match self {
            Self::Pending(message) => message,
            Self::Running => "It is being carried out.",
        }
    }
}

/// What is to be said of the open requests of a namespace.
pub fn chores(now: Timestamp, open: &[(String, Open)], subject: impl Fn(&str) -> Subject) -> Vec<Chore> {
    let mut by_runtime: HashMap<&str, Vec<&(String, Open)>> = HashMap::new();
    for entry in open.iter().filter(|(_, open)| matches!(open.kind, Kind::Runtime(_))) {
        by_runtime.entry(&entry.1.runtime).or_default().push(entry);
    }
    let each = by_runtime.into_iter().flat_map(|(runtime, mut queue)| {
        queue.sort_by_key(|(name, open)| (open.created, name));
        of_runtime(now, runtime, subject(runtime), &queue)
    });
    each.collect()
}

fn of_runtime(now: Timestamp, runtime: &str, subject: Subject, queue: &[&(String, Open)]) -> Vec<Chore> {
    let mut first: Option<&str> = None;
    let mut place = 0;
    let mut chores = Vec::new();
    for (name, open) in queue {
        if let Some(end) = hopeless(now, runtime, subject, open) {
            chores.push(Chore::Finish(name.clone(), end));
            continue;
        }
        if let Subject::Missing = subject {
            continue;
        }
        place += 1;
        if place > MAX_OPEN {
            let message = format!(
                "{MAX_OPEN} requests of the Runtime `{runtime}` are open already. Wait until some are done, or delete them."
            );
            chores.push(Chore::Finish(
                name.clone(),
                ended(now, TaskState::Failed, reason::TOO_MANY_REQUESTS, &message),
            ));
            continue;
        }
        let progress = match first {
            None => Progress::Running,
            Some(first) => {
                Progress::Pending(format!("It waits for the task `{first}`, which is carried out first."))
            }
        };
        first = first.or(Some(name));
        if open.said != progress.message() {
            chores.push(Chore::Tell(name.clone(), progress));
        }
    }
    chores
}

/// How a request ends that can never be carried out.
fn hopeless(now: Timestamp, runtime: &str, subject: Subject, open: &Open) -> Option<End> {
    match subject {
        Subject::Missing if open.created.duration_until(now) >= PATIENCE => {
            let message = format!(
                "There is no Runtime `{runtime}` in this namespace. Create it, then ask again by another task."
            );
            Some(ended(now, TaskState::Failed, reason::RUNTIME_NOT_FOUND, &message))
        }
        Subject::Going => {
            Some(ended(now, TaskState::Cancelled, reason::SUPERSEDED, "Its Runtime is being deleted."))
        }
        Subject::There(since) if open.created < since => {
            let message = "It was made before this Runtime was: it was meant for an earlier one of the name. Ask again by another task.";
            Some(ended(now, TaskState::Cancelled, reason::SUPERSEDED, message))
        }
        Subject::Missing | Subject::There(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn open(name: &str, created: i64) -> (String, Open) {
        let open = Open {
            uid: format!("uid-{name}"),
            runtime: "ops".into(),
            created: at(created),
            origin: Origin::Made,
            kind: Kind::Runtime(RequestKind::Restart),
            said: String::new(),
        };
        (name.to_owned(), open)
    }

    fn told(now: i64, open: &[(String, Open)], subject: Subject) -> Vec<String> {
        let mut all: Vec<String> = chores(at(now), open, |_| subject)
            .into_iter()
            .map(|chore| match chore {
                Chore::Finish(name, end) => format!("{name}={}", end.reason),
                Chore::Tell(name, progress) => format!("{name}: {}", progress.message()),
                Chore::Remove(..) => "removed".into(),
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn the_oldest_is_carried_out_and_the_others_say_for_which_they_wait() {
        let mut all = [open("b", 101), open("a", 101), open("c", 100)];
        let there = Subject::There(at(1));
        let first = told(102, &all, there);
        let waits = "It waits for the task `c`, which is carried out first.";
        assert_eq!(
            first,
            [format!("a: {waits}"), format!("b: {waits}"), "c: It is being carried out.".into()]
        );
        all[0].1.said = waits.into();
        all[1].1.said = waits.into();
        all[2].1.said = Progress::Running.message().into();
        assert!(told(103, &all, there).is_empty(), "what is said already is said again");
        assert_eq!(told(104, &all[..2], there).len(), 2, "who comes next isn't told");
    }

    #[test]
    fn a_missing_runtime_gets_a_moment_to_appear() {
        let all = [open("a", 100)];
        assert!(told(109, &all, Subject::Missing).is_empty());
        assert_eq!(told(110, &all, Subject::Missing), ["a=RuntimeNotFound"]);
    }

    #[test]
    fn what_was_meant_for_another_or_goes_with_its_runtime_is_cancelled() {
        let all = [open("a", 100)];
        assert_eq!(told(101, &all, Subject::Going), ["a=Superseded"]);
        assert_eq!(told(101, &all, Subject::There(at(101))), ["a=Superseded"]);
        assert_eq!(told(101, &all, Subject::There(at(100))), ["a: It is being carried out."]);
    }

    #[test]
    fn there_are_never_more_open_than_eight() {
        let all: Vec<_> = (0..10).map(|n| open(&format!("r{n}"), 100 + n)).collect();
        let failed: Vec<String> = told(200, &all, Subject::There(at(1)))
            .into_iter()
            .filter(|it| it.ends_with("=TooManyRequests"))
            .collect();
        assert_eq!(failed, ["r8=TooManyRequests", "r9=TooManyRequests"]);
    }
}
