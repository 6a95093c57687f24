//! What needs attention in a Workspace. Pure.

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::condition::{self, ConditionType, whole_seconds};
use crate::api::runtime::PowerState;
use crate::api::workspace::{Alert, AlertType};
use crate::api::{Condition, Runtime, reason};

/// Most alerts that are shown.
pub const MAX_ALERTS: usize = 20;
/// Longest cause, in characters.
const MAX_CAUSE: usize = 300;

/// The alerts, the unhealthy first, each by name.
pub fn alerts(now: Timestamp, runtimes: &[Arc<Runtime>], old: &[Alert]) -> Vec<Alert> {
    let unhealthy = runtimes.iter().filter_map(|runtime| unhealthy(runtime));
    let held = runtimes.iter().filter_map(|runtime| held(runtime));
    let degraded = runtimes.iter().filter_map(|runtime| degraded(now, runtime, old));
    held.chain(unhealthy).chain(degraded).take(MAX_ALERTS).collect()
}

/// Asked to run, and not available for good: a start that is under way is none until its deadline has passed.
fn unhealthy(runtime: &Runtime) -> Option<Alert> {
    let conditions = &runtime.status.as_ref()?.conditions;
    let wanted =
        runtime.spec.power_state == PowerState::Running && runtime.metadata.deletion_timestamp.is_none();
    let given_up = condition::is_true(conditions, ConditionType::Stalled);
    let available = condition::find(conditions, ConditionType::Available)?;
    if !wanted || !given_up || condition::is_true(conditions, ConditionType::Available) {
        return None;
    }
    let cause = condition::find(conditions, ConditionType::Ready).unwrap_or(available);
    Some(alert(runtime, AlertType::Unhealthy, available.last_transition_time, cause))
}

/// Its deletion is held, since very many go at once.
fn held(runtime: &Runtime) -> Option<Alert> {
    let ready = condition::find(&runtime.status.as_ref()?.conditions, ConditionType::Ready)?;
    let is_held = ready.reason == reason::AWAITING_CONFIRM;
    is_held.then(|| alert(runtime, AlertType::DeletionHeld, ready.last_transition_time, ready))
}

/// Serves with a failing check. The condition stays true all the while, so that the alert itself keeps since when.
fn degraded(now: Timestamp, runtime: &Runtime, old: &[Alert]) -> Option<Alert> {
    let conditions = &runtime.status.as_ref()?.conditions;
    let available = condition::find(conditions, ConditionType::Available)?;
    if !condition::is_true(conditions, ConditionType::Available) || available.reason != reason::DEGRADED {
        return None;
    }
    let name = runtime.name_any();
    let known = old.iter().find(|alert| alert.type_ == AlertType::Degraded && alert.runtime == name);
    let since = known.map_or_else(|| whole_seconds(now), |alert| alert.since);
    Some(alert(runtime, AlertType::Degraded, since, available))
}

fn alert(runtime: &Runtime, type_: AlertType, since: Timestamp, cause: &Condition) -> Alert {
    let text = if cause.message.is_empty() { &cause.reason } else { &cause.message };
    Alert { type_, runtime: runtime.name_any(), since, cause: text.chars().take(MAX_CAUSE).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::condition::ConditionStatus::{False, True, Unknown};
    use crate::api::condition::ConditionType::{Available, Ready, Reconciling, Stalled};
    use crate::control::workspace::samples::{at, runtime, with};

    fn stalled() -> Runtime {
        with(
            runtime("one"),
            &[(Stalled, True, "CrashLoop"), (Ready, False, "CrashLoop"), (Available, False, "CrashLoop")],
        )
    }

    fn of(runtime: Runtime) -> Vec<Alert> {
        alerts(at(900), &[Arc::new(runtime)], &[])
    }

    #[test]
    fn a_stalled_one_is_unhealthy_since_it_stopped_serving() {
        let found = of(stalled());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].type_, found[0].since), (AlertType::Unhealthy, at(100)));
        assert_eq!(found[0].cause, "message of CrashLoop");
    }

    #[test]
    fn a_start_under_way_a_stop_and_a_deletion_are_no_alerts() {
        let starting =
            [(Reconciling, True, "Starting"), (Ready, Unknown, "Starting"), (Available, False, "Starting")];
        assert!(of(with(runtime("one"), &starting)).is_empty());
        let mut stopped = stalled();
        stopped.spec.power_state = PowerState::Stopped;
        assert!(of(stopped).is_empty());
        let mut deleted = stalled();
        deleted.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(5)));
        assert!(of(deleted).is_empty());
        assert!(of(runtime("unvisited")).is_empty());
    }

    #[test]
    fn a_refused_change_of_one_that_serves_is_no_alert() {
        let serving =
            [(Stalled, True, "PlanTooSmall"), (Ready, False, "PlanTooSmall"), (Available, True, "Running")];
        assert!(of(with(runtime("one"), &serving)).is_empty());
    }

    #[test]
    fn a_degraded_one_keeps_since_when() {
        let degraded = with(runtime("one"), &[(Ready, True, "Running"), (Available, True, "Degraded")]);
        let first = of(degraded.clone());
        assert_eq!((first[0].type_, first[0].since), (AlertType::Degraded, at(900)));
        let again = alerts(at(2_000), &[Arc::new(degraded)], &first);
        assert_eq!(again, first);
    }

    #[test]
    fn they_are_bounded() {
        let many: Vec<_> = (0..100)
            .map(|n| {
                let mut one = stalled();
                one.metadata.name = Some(format!("r-{n:03}"));
                Arc::new(one)
            })
            .collect();
        let found = alerts(at(900), &many, &[]);
        assert_eq!((found.len(), found[0].runtime.as_str()), (MAX_ALERTS, "r-000"));
    }
}
