//! What a task's status says. Pure.

use jiff::Timestamp;

use super::draft::End;
use super::requests::Progress;
use crate::api::condition::{Condition, ConditionStatus, ConditionType, whole_seconds};
use crate::api::state::TaskState;
use crate::api::{RuntimeTaskStatus, reason};

/// A task's spec never changes.
const GENERATION: i64 = 1;

/// The status of a task that goes on.
pub fn running(began: Timestamp, log: Vec<String>) -> RuntimeTaskStatus {
    let said = |type_, status| condition(type_, status, reason::IN_PROGRESS, "The operation goes on.", began);
    RuntimeTaskStatus {
        observed_generation: GENERATION,
        state: Some(TaskState::Running),
        start_time: Some(whole_seconds(began)),
        finish_time: None,
        log,
        result: None,
        conditions: vec![
            said(ConditionType::Reconciling, ConditionStatus::True),
            said(ConditionType::Ready, ConditionStatus::Unknown),
        ],
    }
}

/// The status of a request that isn't finished.
pub fn progress(now: Timestamp, progress: &Progress, standing: RuntimeTaskStatus) -> RuntimeTaskStatus {
    let (state, reason, start_time) = match progress {
        Progress::Pending(_) => (TaskState::Pending, reason::PENDING, None),
        Progress::Running => (TaskState::Running, reason::IN_PROGRESS, Some(whole_seconds(now))),
    };
    let said = |type_, status| condition(type_, status, reason, progress.message(), now);
    RuntimeTaskStatus {
        observed_generation: GENERATION,
        state: Some(state),
        start_time: standing.start_time.or(start_time),
        conditions: vec![
            said(ConditionType::Reconciling, ConditionStatus::True),
            said(ConditionType::Ready, ConditionStatus::Unknown),
        ],
        ..standing
    }
}

/// The status of a task that ended.
pub fn ended(began: Option<Timestamp>, end: &End, log: Vec<String>) -> RuntimeTaskStatus {
    let said = |type_, status| condition(type_, status, &end.reason, &end.message, end.at);
    let conditions = match end.state {
        TaskState::Completed => vec![said(ConditionType::Ready, ConditionStatus::True)],
        _ => vec![
            said(ConditionType::Stalled, ConditionStatus::True),
            said(ConditionType::Ready, ConditionStatus::False),
        ],
    };
    RuntimeTaskStatus {
        observed_generation: GENERATION,
        state: Some(end.state),
        start_time: began.map(whole_seconds),
        finish_time: Some(whole_seconds(end.at)),
        log,
        result: None,
        conditions,
    }
}

fn condition(
    type_: ConditionType,
    status: ConditionStatus,
    reason: &str,
    message: &str,
    at: Timestamp,
) -> Condition {
    Condition {
        type_,
        status,
        observed_generation: GENERATION,
        last_transition_time: whole_seconds(at),
        reason: reason.into(),
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use testbed::{Moment, check_conditions};

    use super::*;

    #[test]
    fn each_row_keeps_the_contract_of_conditions() {
        let at = Timestamp::from_second(5).unwrap();
        let end = |state| End { state, reason: "Capacity".into(), message: "No room.".into(), at };
        let rows = [
            running(at, Vec::new()),
            ended(Some(at), &end(TaskState::Completed), Vec::new()),
            ended(Some(at), &end(TaskState::Failed), Vec::new()),
            ended(None, &end(TaskState::Cancelled), Vec::new()),
            progress(at, &Progress::Running, RuntimeTaskStatus::default()),
            progress(at, &Progress::Pending("It waits.".into()), RuntimeTaskStatus::default()),
        ];
        for status in rows {
            let object = json!({"metadata": {"generation": 1}, "status": status});
            assert_eq!(check_conditions(&object, Moment::AtRest), Vec::<String>::new(), "{status:?}");
        }
    }
}
