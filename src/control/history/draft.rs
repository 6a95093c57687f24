//! One operation on its way into a RuntimeTask. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};

use super::log::Log;
use super::status;
use crate::api::runtime::{Operation, OperationType};
use crate::api::state::TaskState;
use crate::api::{
    FIELD_MANAGER, NameRef, Runtime, RuntimeTask, RuntimeTaskSpec, RuntimeTaskStatus, label_key,
};

/// Longest name of a task.
const MAX_NAME: usize = 63;
/// An operation that ends sooner costs two writes instead of three.
pub const SETTLE: SignedDuration = SignedDuration::from_secs(1);

/// An operation with what is known of it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The task as it is to be created.
    pub task: RuntimeTask,
    /// When the operation began.
    pub began: Timestamp,
    /// What was done.
    pub log: Log,
    /// How it ended.
    pub end: Option<End>,
    /// What is written already.
    pub written: Written,
    /// Writes that failed for a passing reason.
    pub attempts: u32,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// In the portal's word.
    pub state: TaskState,
    /// Why.
    pub reason: String,
    /// Cause and remedy.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// What is written of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Perhaps something, by an earlier process.
    Unread,
    /// Nothing.
    Nothing,
    /// The task, without status.
    Made,
    /// That it goes on.
    Running,
    /// That it ended so.
    Ended(TaskState),
}

/// The next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Read what an earlier process left.
    Resume,
    /// Create the task.
    Make,
    /// Write the status.
    Status,
}

impl Draft {
    /// A draft of an operation that begins now.
    pub fn new(now: Timestamp, runtime: &Runtime, operation: &Operation, log: Log) -> Self {
        let task = task(runtime, operation);
        Self { task, began: now, log, end: None, written: Written::Nothing, attempts: 0 }
    }

    /// Id of the operation.
    pub fn operation_id(&self) -> &str {
        self.task.spec.operation_id.as_deref().unwrap_or_default()
    }

    /// What is to be written next, if anything.
    pub fn next(&self, now: Timestamp) -> Option<Write> {
        match (self.written, &self.end) {
            (Written::Unread, _) => Some(Write::Resume),
            (Written::Nothing, Some(_)) => Some(Write::Make),
            (Written::Nothing, None) => (self.began.duration_until(now) >= SETTLE).then_some(Write::Make),
            (Written::Made, _) | (Written::Running, Some(_)) => Some(Write::Status),
            (Written::Running | Written::Ended(_), None) => None,
            (Written::Ended(state), Some(end)) => (state != end.state).then_some(Write::Status),
        }
    }

    /// Whether nothing more will come of it. A failed operation may still succeed.
    pub fn is_done(&self) -> bool {
        matches!(self.written, Written::Ended(TaskState::Completed | TaskState::Cancelled))
    }

    /// The status as it stands now.
    pub fn status(&self) -> RuntimeTaskStatus {
        let lines = self.log.lines();
        match &self.end {
            None => status::running(self.began, lines),
            Some(end) => status::ended(Some(self.began), end, lines),
        }
    }
}

/// The name of an operation's task.
pub fn name(runtime: &str, type_: OperationType, operation: &str) -> String {
    let kept = |text: &str| -> String {
        text.to_ascii_lowercase().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
    };
    let tail = format!("{}-{}", kept(&format!("{type_:?}")), kept(operation));
    let room = MAX_NAME.saturating_sub(tail.len() + 1);
    let head: String = runtime.chars().take(room).collect();
    format!("{}-{}", head.trim_end_matches(['-', '.']), tail.trim_end_matches('-'))
}

fn task(runtime: &Runtime, operation: &Operation) -> RuntimeTask {
    let runtime_name = runtime.name_any();
    let spec = RuntimeTaskSpec {
        runtime_ref: NameRef::new(&runtime_name),
        type_: operation.type_,
        operation_id: Some(operation.id.clone()),
        snapshot_id: None,
        domain_ref: None,
    };
    let mut task = RuntimeTask::new(&name(&runtime_name, operation.type_, &operation.id), spec);
    // The task of a removal outlives the Runtime, and ends by its age.
    let owner =
        (operation.type_ != OperationType::Destroy).then(|| runtime.controller_owner_ref(&())).flatten();
    task.metadata = ObjectMeta {
        name: task.metadata.name.take(),
        namespace: runtime.namespace(),
        labels: Some(BTreeMap::from([
            (label_key::RUNTIME.to_owned(), runtime_name.chars().take(MAX_NAME).collect()),
            (label_key::MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned()),
        ])),
        owner_references: owner.map(|owner| vec![owner]),
        ..ObjectMeta::default()
    };
    task
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::runtime::RuntimeSpec;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    fn draft(type_: OperationType) -> Draft {
        let mut runtime = Runtime::new("ops", RuntimeSpec::default());
        runtime.metadata.uid = Some("uid-1".into());
        runtime.metadata.namespace = Some("acme".into());
        let operation = Operation { id: "abcd2345".into(), type_, step: "CreateApp".into() };
        Draft::new(at(0), &runtime, &operation, Log::default())
    }

    fn ended(state: TaskState) -> End {
        End { state, reason: "Completed".into(), message: "Done.".into(), at: at(500) }
    }

    #[test]
    fn a_task_is_named_for_its_operation_and_owned_by_its_runtime_unless_that_goes() {
        let made = draft(OperationType::Provision).task;
        assert_eq!(made.name_any(), "ops-provision-abcd2345");
        assert_eq!(made.labels()[label_key::RUNTIME], "ops");
        assert_eq!(made.owner_references()[0].uid, "uid-1");
        assert!(draft(OperationType::Destroy).task.owner_references().is_empty());
    }

    #[test]
    fn a_short_operation_costs_two_writes() {
        let mut draft = draft(OperationType::Stop);
        assert_eq!(draft.next(at(900)), None);
        draft.end = Some(ended(TaskState::Completed));
        assert_eq!(draft.next(at(900)), Some(Write::Make));
        draft.written = Written::Made;
        assert_eq!(draft.next(at(900)), Some(Write::Status));
        draft.written = Written::Ended(TaskState::Completed);
        assert_eq!(draft.next(at(900)), None);
        assert!(draft.is_done());
    }

    #[test]
    fn a_long_operation_costs_three_writes_and_a_recovery_one_more() {
        let mut draft = draft(OperationType::Provision);
        assert_eq!(draft.next(at(1_000)), Some(Write::Make));
        draft.written = Written::Made;
        assert_eq!(draft.next(at(1_000)), Some(Write::Status));
        draft.written = Written::Running;
        assert_eq!(draft.next(at(9_000)), None);
        draft.end = Some(ended(TaskState::Failed));
        assert_eq!(draft.next(at(9_000)), Some(Write::Status));
        draft.written = Written::Ended(TaskState::Failed);
        assert_eq!((draft.next(at(9_000)), draft.is_done()), (None, false));
        draft.end = Some(ended(TaskState::Completed));
        assert_eq!(draft.next(at(9_000)), Some(Write::Status));
    }

    proptest! {
        #[test]
        fn a_name_is_always_one_that_the_api_server_takes(runtime in "[a-z0-9]([-a-z0-9]{0,80}[a-z0-9])?", id in "[a-z2-7]{1,32}") {
            let name = name(&runtime, OperationType::Provision, &id);
            prop_assert!(name.len() <= MAX_NAME);
            prop_assert!(name.starts_with(|c: char| c.is_ascii_alphanumeric()), "{}", name);
            prop_assert!(name.ends_with(|c: char| c.is_ascii_alphanumeric()), "{}", name);
            prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            let suffix = format!("provision-{id}");
            prop_assert!(name.ends_with(&suffix));
        }
    }
}
