//! Whether generic tools take an object for done: the rules of kstatus, which Flux, `helm --wait` and
//! others share, for every version of every object that a test sees. A test holds them to kstatus itself.

use serde_json::Value;

/// What kstatus says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kstatus {
    /// Done.
    Current,
    /// On its way; waits go on.
    InProgress,
    /// Given up; waits end with an error.
    Failed,
    /// Being deleted.
    Terminating,
}

/// The verdict of kstatus on a custom resource, in its own order of questions.
pub fn kstatus(object: &Value) -> Kstatus {
    if object.pointer("/metadata/deletionTimestamp").is_some_and(|time| !time.is_null()) {
        return Kstatus::Terminating;
    }
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    let observed = object.pointer("/status/observedGeneration").and_then(Value::as_i64);
    if generation.is_some() && observed.is_some() && observed != generation {
        return Kstatus::InProgress;
    }
    let conditions =
        object.pointer("/status/conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let abnormal =
        conditions.iter().filter(|condition| condition["status"] == "True").find_map(|condition| {
            match condition["type"].as_str() {
                Some("Reconciling") => Some(Kstatus::InProgress),
                Some("Stalled") => Some(Kstatus::Failed),
                _ => None,
            }
        });
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
    match (abnormal, ready) {
        (Some(verdict), _) => verdict,
        (None, Some(ready)) if ready["status"] != "True" => Kstatus::InProgress,
        // An object without any condition counts as done, hence the default status in the schemas.
        (None, _) => Kstatus::Current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verdict(generation: i64, observed: i64, conditions: &[(&str, &str)]) -> Kstatus {
        let list: Vec<Value> =
            conditions.iter().map(|(kind, status)| json!({"type": kind, "status": status})).collect();
        kstatus(&json!({"metadata": {"generation": generation},
            "status": {"observedGeneration": observed, "conditions": list}}))
    }

    #[test]
    fn verdicts_follow_the_order_of_questions() {
        assert_eq!(verdict(1, -1, &[]), Kstatus::InProgress);
        assert_eq!(verdict(1, 1, &[("Ready", "True")]), Kstatus::Current);
        assert_eq!(verdict(2, 1, &[("Ready", "True")]), Kstatus::InProgress);
        assert_eq!(verdict(1, 1, &[("Ready", "False")]), Kstatus::InProgress);
        assert_eq!(verdict(1, 1, &[("Stalled", "True"), ("Ready", "False")]), Kstatus::Failed);
        assert_eq!(verdict(1, 1, &[("Reconciling", "True"), ("Ready", "Unknown")]), Kstatus::InProgress);
    }

    #[test]
    fn deletion_comes_before_everything() {
        let leaving = json!({"metadata": {"generation": 2, "deletionTimestamp": "2026-11-21T08:00:00Z"},
            "status": {"observedGeneration": 1}});
        assert_eq!(kstatus(&leaving), Kstatus::Terminating);
    }

    #[test]
    fn no_conditions_at_all_means_done() {
        assert_eq!(kstatus(&json!({"metadata": {"generation": 1}})), Kstatus::Current);
    }
}
