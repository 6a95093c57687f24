//! The customer's dashboard, from the Runtimes and tasks of the namespace. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::Value;

use super::alerts::alerts;
use crate::api::Runtime;
use crate::api::condition::{ConditionType, is_true};
use crate::api::state::RuntimeState;
use crate::api::workspace::{Alert, RuntimeCounts, RuntimeSummary, TaskSummary, WorkspaceStatus};

/// Most Runtimes that are listed; the counts tell of all.
const MAX_RUNTIMES: usize = 50;
/// Most tasks that are listed.
pub const MAX_TASKS: usize = 10;

/// What a Workspace's status tells of its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dashboard {
    /// Runtimes by state.
    pub counts: Option<RuntimeCounts>,
    /// Runtimes, by name.
    pub list: Vec<RuntimeSummary>,
    /// What needs attention.
    pub alerts: Vec<Alert>,
    /// The most recent tasks, newest first.
    pub tasks: Vec<TaskSummary>,
}

impl Dashboard {
    /// What a status tells.
    pub fn of(status: &WorkspaceStatus) -> Self {
        Self {
            counts: status.runtimes.clone(),
            list: status.runtime_list.clone(),
            alerts: status.alerts.clone(),
            tasks: status.recent_tasks.clone(),
        }
    }
}

/// The dashboard of a namespace with these Runtimes, sorted by name, and these tasks, newest first.
pub fn dashboard(
    now: Timestamp,
    runtimes: &[Arc<Runtime>],
    tasks: Vec<TaskSummary>,
    old: &WorkspaceStatus,
) -> Dashboard {
    Dashboard {
        counts: Some(counts(runtimes)),
        list: runtimes.iter().take(MAX_RUNTIMES).map(|runtime| summary(runtime)).collect(),
        alerts: alerts(now, runtimes, &old.alerts),
        tasks,
    }
}

fn counts(runtimes: &[Arc<Runtime>]) -> RuntimeCounts {
    let mut by_state: BTreeMap<RuntimeState, i32> = BTreeMap::new();
    for runtime in runtimes {
        *by_state.entry(state(runtime)).or_default() += 1;
    }
    RuntimeCounts {
        total: i32::try_from(runtimes.len()).unwrap_or(i32::MAX),
        running: by_state.get(&RuntimeState::Running).copied().unwrap_or_default(),
        by_state: by_state.into_iter().map(|(state, count)| (word(state), count)).collect(),
    }
}

fn summary(runtime: &Runtime) -> RuntimeSummary {
    let status = runtime.status.as_ref();
    RuntimeSummary {
        name: runtime.name_any(),
        state: state(runtime),
        plan: status.and_then(|status| status.pinned.as_ref()).map(|pinned| pinned.plan.to_string()),
        ready: status.is_some_and(|status| is_true(&status.conditions, ConditionType::Ready)),
        url: status.and_then(|status| status.url.clone()),
    }
}

fn state(runtime: &Runtime) -> RuntimeState {
    runtime.status.as_ref().and_then(|status| status.state).unwrap_or_default()
}

/// The portal's word.
fn word(state: RuntimeState) -> String {
    match serde_json::to_value(state) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::workspace::samples::{at, in_state, runtime};

    #[test]
    fn it_counts_all_and_lists_the_first_by_name() {
        let mut all: Vec<_> = (0..60).map(|n| Arc::new(runtime(&format!("r-{n:02}")))).collect();
        all[0] = Arc::new(in_state("r-00", RuntimeState::Running));
        all[1] = Arc::new(in_state("r-01", RuntimeState::Error));
        let made = dashboard(at(1), &all, Vec::new(), &WorkspaceStatus::default());
        let counts = made.counts.unwrap();
        assert_eq!((counts.total, counts.running), (60, 1));
        assert_eq!(counts.by_state["running"], 1);
        assert_eq!(counts.by_state["error"], 1);
        assert_eq!(counts.by_state["provisioning"], 58);
        assert_eq!((made.list.len(), made.list[49].name.as_str()), (MAX_RUNTIMES, "r-49"));
    }

    #[test]
    fn the_same_namespace_makes_the_same_dashboard() {
        let all = vec![Arc::new(in_state("one", RuntimeState::Running))];
        let old = WorkspaceStatus::default();
        assert_eq!(dashboard(at(1), &all, Vec::new(), &old), dashboard(at(99), &all, Vec::new(), &old));
    }
}
