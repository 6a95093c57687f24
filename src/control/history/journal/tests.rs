use super::*;
use crate::api::condition::Condition;
use crate::api::runtime::RuntimeSpec;
use crate::control::history::draft::SETTLE;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000 + second).unwrap()
}

fn runtime() -> Runtime {
    let mut runtime = Runtime::new("ops", RuntimeSpec::default());
    runtime.metadata.uid = Some("uid-1".into());
    runtime.metadata.namespace = Some("acme".into());
    runtime
}

fn status(operation: Option<(&str, OperationType)>, ready: ConditionStatus, reason: &str) -> RuntimeStatus {
    let condition = |type_, status| Condition {
        type_,
        status,
        observed_generation: 1,
        last_transition_time: at(0),
        reason: reason.into(),
        message: format!("message of {reason}").into(),
    };
    let mut conditions = vec![condition(ConditionType::Ready, ready)];
    if ready == ConditionStatus::False && !reason.starts_with("Awaiting") {
        conditions.push(condition(ConditionType::Stalled, ConditionStatus::True));
    }
    RuntimeStatus {
        operation: operation.map(|(id, type_)| Operation { id: id.into(), type_, step: String::new() }),
        conditions,
        ..RuntimeStatus::default()
    }
}

const PROVISION: Option<(&str, OperationType)> = Some(("one", OperationType::Provision));

fn working() -> RuntimeStatus {
    status(PROVISION, ConditionStatus::Unknown, "Provisioning")
}

fn running() -> RuntimeStatus {
    status(None, ConditionStatus::True, "Running")
}

/// Writes all that is due, as a cluster that takes everything would.
fn write_all(journal: &Journal, now: Timestamp) -> Vec<(String, Write, Option<TaskState>)> {
    let mut writes = Vec::new();
    loop {
        let due = journal.due(now, 1);
        let Some((uid, draft, write)) = due.into_iter().next() else { return writes };
        let name = draft.task.metadata.name.clone().unwrap();
        writes.push((name, write, draft.status().state));
        let how = match write {
            Write::Resume => Wrote::Read(Some(Box::default())),
            _ => Wrote::Done,
        };
        journal.wrote(&uid, &draft, write, how);
    }
}

fn lines(journal: &Journal) -> Vec<String> {
    journal.lock()["uid-1"].drafts[0].log.lines()
}

#[test]
fn an_operation_is_written_from_its_first_effect_to_its_end() {
    let journal = Journal::default();
    journal.line("uid-1", at(0), "ClaimSlug", None);
    journal.turn(at(1), &runtime(), &RuntimeStatus::default(), &working());
    journal.line("uid-1", at(2), "CreateApp", None);
    assert_eq!(lines(&journal).len(), 2);
    let made = write_all(&journal, at(1) + SETTLE);
    assert_eq!(made.iter().map(|it| it.1).collect::<Vec<_>>(), [Write::Make, Write::Status]);
    assert_eq!(made[1].2, Some(TaskState::Running));
    journal.turn(at(9), &runtime(), &working(), &running());
    let ended = write_all(&journal, at(9));
    assert_eq!(ended, [("ops-provision-one".to_owned(), Write::Status, Some(TaskState::Completed))]);
    assert!(journal.is_empty());
}

#[test]
fn a_failed_operation_is_told_once_and_may_still_succeed() {
    let journal = Journal::default();
    let stalled = status(PROVISION, ConditionStatus::False, "Capacity");
    journal.turn(at(0), &runtime(), &RuntimeStatus::default(), &working());
    journal.turn(at(5), &runtime(), &working(), &stalled);
    assert_eq!(write_all(&journal, at(5)).last().unwrap().2, Some(TaskState::Failed));
    journal.turn(at(6), &runtime(), &stalled, &stalled);
    assert!(write_all(&journal, at(6)).is_empty());
    journal.turn(at(7), &runtime(), &stalled, &running());
    assert_eq!(write_all(&journal, at(7)).last().unwrap().2, Some(TaskState::Completed));
    assert!(journal.is_empty());
}

#[test]
fn a_newer_operation_cancels_the_older() {
    let journal = Journal::default();
    let destroying = status(Some(("two", OperationType::Destroy)), ConditionStatus::Unknown, "Destroying");
    journal.turn(at(0), &runtime(), &RuntimeStatus::default(), &working());
    write_all(&journal, at(2));
    journal.turn(at(3), &runtime(), &working(), &destroying);
    assert_eq!(write_all(&journal, at(3)).last().unwrap().2, Some(TaskState::Cancelled));
    journal.gone(at(8), &runtime());
    let writes = write_all(&journal, at(8));
    assert_eq!(writes[0].0, "ops-destroy-two");
    assert_eq!(writes.last().unwrap().2, Some(TaskState::Completed));
    assert!(journal.is_empty());
}

#[test]
fn a_suspension_cancels_what_is_under_way() {
    let journal = Journal::default();
    journal.turn(at(0), &runtime(), &RuntimeStatus::default(), &working());
    let suspended = status(None, ConditionStatus::False, "AwaitingResume");
    journal.turn(at(2), &runtime(), &working(), &suspended);
    assert_eq!(write_all(&journal, at(2)).last().unwrap().2, Some(TaskState::Cancelled));
}

#[test]
fn what_an_earlier_process_began_is_read_before_it_is_ended() {
    let journal = Journal::default();
    journal.line("uid-1", at(0), "StartMachine", None);
    journal.turn(at(1), &runtime(), &working(), &running());
    let (uid, draft, write) = journal.due(at(1), 1).remove(0);
    assert_eq!(write, Write::Resume);
    let standing = RuntimeTaskStatus { log: vec!["earlier".into()], ..RuntimeTaskStatus::default() };
    journal.wrote(&uid, &draft, write, Wrote::Read(Some(Box::new(standing))));
    assert_eq!(lines(&journal)[0], "earlier");
    assert_eq!(lines(&journal).len(), 2);
    assert_eq!(write_all(&journal, at(1)).last().unwrap().2, Some(TaskState::Completed));
}

#[test]
fn an_operation_that_is_over_before_a_status_names_it_is_told_too() {
    let journal = Journal::default();
    journal.line("uid-1", at(0), "StopMachine", Some(OperationType::Stop));
    journal.turn(at(1), &runtime(), &running(), &status(None, ConditionStatus::True, "Stopped"));
    let writes = write_all(&journal, at(1));
    assert_eq!(writes.iter().map(|it| it.1).collect::<Vec<_>>(), [Write::Make, Write::Status]);
    assert!(writes[0].0.starts_with("ops-stop-"), "{writes:?}");
    let restarted = RuntimeStatus { last_handled_restart_at: Some("now".into()), ..running() };
    journal.line("uid-1", at(2), "UpdateMachine", Some(OperationType::Update));
    journal.turn(at(3), &runtime(), &running(), &restarted);
    assert!(write_all(&journal, at(3))[0].0.starts_with("ops-restart-"));
    journal.line("uid-1", at(4), "DeleteApp", Some(OperationType::Destroy));
    journal.gone(at(5), &runtime());
    assert!(write_all(&journal, at(5))[0].0.starts_with("ops-destroy-"));
    journal.line("uid-1", at(6), "EnsureToken", None);
    journal.turn(at(7), &runtime(), &running(), &running());
    assert!(write_all(&journal, at(7)).is_empty());
}

#[test]
fn a_task_that_cannot_be_written_is_dropped() {
    let journal = Journal::default();
    journal.turn(at(0), &runtime(), &RuntimeStatus::default(), &working());
    let (uid, draft, write) = journal.due(at(5), 1).remove(0);
    journal.wrote(&uid, &draft, write, Wrote::Dropped);
    assert!(journal.is_empty());
    journal.turn(at(0), &runtime(), &RuntimeStatus::default(), &working());
    for _ in 0..MAX_ATTEMPTS {
        let (uid, draft, write) = journal.due(at(5), 1).remove(0);
        journal.wrote(&uid, &draft, write, Wrote::Again);
    }
    assert!(journal.is_empty());
}

#[test]
fn it_is_bounded() {
    let journal = Journal::default();
    for n in 0..MAX_PAGES + 10 {
        journal.line(&format!("uid-{n}"), at(0), "CreateApp", None);
    }
    assert_eq!(journal.lock().len(), MAX_PAGES);
    let journal = Journal::default();
    let mut before = RuntimeStatus::default();
    for n in 0..40 {
        let id = format!("op-{n}");
        let next = status(Some((&id, OperationType::Update)), ConditionStatus::Unknown, "Starting");
        journal.turn(at(n), &runtime(), &before, &next);
        before = next;
    }
    assert_eq!(journal.lock()["uid-1"].drafts.len(), MAX_DRAFTS);
}

#[test]
fn what_is_done_at_rest_leaves_nothing_and_takes_nobodys_place() {
    let journal = Journal::default();
    for number in 0..2 * MAX_PAGES {
        let uid = format!("uid-{number}");
        journal.line(&uid, at(0), "EnsureToken", None);
        journal.rested(&uid);
    }
    assert!(journal.lock().is_empty());
    journal.turn(at(1), &runtime(), &RuntimeStatus::default(), &working());
    journal.line("uid-1", at(2), "CreateApp", None);
    journal.rested("uid-1");
    assert_eq!(lines(&journal).len(), 1, "an operation keeps what is written to it");
}
