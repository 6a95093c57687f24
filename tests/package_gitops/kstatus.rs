//! The testbed's own reading of kstatus' rules against kstatus itself, on objects that nobody thought of.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::tools::kstatuses;

fn condition() -> impl Strategy<Value = Value> {
    let kinds = select(vec!["Ready", "Reconciling", "Stalled", "Available"]);
    (kinds, select(vec!["True", "False", "Unknown"]), option::of(1..4_i64)).prop_map(
        |(kind, status, seen)| {
            let mut condition =
                json!({"type": kind, "status": status, "reason": "Why", "message": "That is why."});
            if let Some(seen) = seen {
                condition["observedGeneration"] = json!(seen);
            }
            condition
        },
    )
}

/// Also conditions that contradict each other, and fields that the API server would always set.
fn object() -> impl Strategy<Value = Value> {
    let kinds = select(vec!["Workspace", "Runtime", "RuntimeTask", "RuntimeOrder", "Plan"]);
    let generations = (option::weighted(0.9, 1..4_i64), option::weighted(0.8, -1..4_i64));
    let leaving = option::weighted(0.1, Just("2026-11-21T08:00:00Z"));
    (kinds, generations, leaving, option::weighted(0.9, vec(condition(), 0..5))).prop_map(
        |(kind, (generation, observed), leaving, conditions)| {
            let (mut metadata, mut status) = (Map::new(), Map::new());
            metadata.insert("name".into(), json!("a"));
            metadata.extend(generation.map(|it| ("generation".into(), json!(it))));
            metadata.extend(leaving.map(|it| ("deletionTimestamp".into(), json!(it))));
            status.extend(observed.map(|it| ("observedGeneration".into(), json!(it))));
            status.extend(conditions.map(|it| ("conditions".into(), json!(it))));
            json!({"apiVersion": "moorage.dev/v1alpha1", "kind": kind, "metadata": metadata, "status": status})
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6) })]

    #[test]
    fn the_testbed_reads_the_rules_as_kstatus_does(objects in vec(object(), 1..500)) {
        kstatuses(&objects);
    }
}
