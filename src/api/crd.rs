//! The CustomResourceDefinitions as they are shipped.
//!
//! What the derive makes is brought to the API conventions here: no `nullable`, no unsigned or float formats,
//! and a status that says "not looked at yet" before the first visit, so that nothing looks current too early.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use super::{
    Blueprint, CustomDomain, NameClaim, PaymentReceipt, Plan, Runtime, RuntimeOrder, RuntimeTask, Workspace,
    WorkspacePolicy,
};

/// Every definition as it is shipped, in the order in which they are applied.
pub fn shipped() -> Vec<Value> {
    [
        Plan::crd(),
        Blueprint::crd(),
        WorkspacePolicy::crd(),
        NameClaim::crd(),
        PaymentReceipt::crd(),
        Workspace::crd(),
        Runtime::crd(),
        RuntimeTask::crd(),
        RuntimeOrder::crd(),
        CustomDomain::crd(),
    ]
    .iter()
    .map(conventional)
    .collect()
}

/// Every definition, in the order in which they are applied.
pub fn all() -> Vec<CustomResourceDefinition> {
    shipped().into_iter().filter_map(|crd| serde_json::from_value(crd).ok()).collect()
}

/// Brings a derived definition to the conventions. The types always serialise, so null is never shipped; a
/// test reads each definition back.
fn conventional(crd: &CustomResourceDefinition) -> Value {
    let mut value = serde_json::to_value(crd).unwrap_or_default();
    for version in value.pointer_mut("/spec/versions").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(columns) = version.pointer_mut("/additionalPrinterColumns").and_then(Value::as_array_mut)
        {
            columns.iter_mut().filter_map(Value::as_object_mut).for_each(describe_column);
        }
        if let Some(schema) = version.pointer_mut("/schema/openAPIV3Schema") {
            tidy(schema);
            default_status(schema);
        }
    }
    value
}

/// The same two columns stand in nearly every table: they are described once, here.
fn describe_column(column: &mut Map<String, Value>) {
    let text = match column.get("name").and_then(Value::as_str) {
        Some("Age") => "Time since it was created.",
        Some("Message") => "Cause and remedy.",
        Some("Ready") => "Whether the spec is realised.",
        _ => return,
    };
    column.entry("description").or_insert_with(|| json!(text));
}

/// Removes what the conventions rule out, at every depth, and writes whole numbers as such: the derive has
/// bounds as floating-point numbers. Descriptions lose the line breaks of the source, which `kubectl explain` keeps.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.remove("nullable");
            let unwanted = fields
                .get("format")
                .and_then(Value::as_str)
                .is_some_and(|format| format.starts_with("uint") || matches!(format, "double" | "float"));
            if unwanted {
                fields.remove("format");
            }
            for bound in ["minimum", "maximum"] {
                if let Some(whole) = fields.get(bound).and_then(Value::as_f64).and_then(whole) {
                    fields.insert(bound.into(), json!(whole));
                }
            }
            if let Some(text) = fields.get("description").and_then(Value::as_str).map(unwrapped) {
                fields.insert("description".into(), json!(text));
            }
            fields.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// A text without line breaks, save those between paragraphs.
fn unwrapped(text: &str) -> String {
    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

/// The number as an integer, if it is one that a floating-point number holds exactly.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn whole(number: f64) -> Option<i64> {
    let exact = number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0;
    exact.then_some(number as i64)
}

/// kstatus reads an object without conditions as current; a generation of -1 tells it to wait.
fn default_status(schema: &mut Value) {
    if let Some(status) = schema.pointer_mut("/properties/status").and_then(Value::as_object_mut) {
        status.insert("default".into(), json!({"observedGeneration": -1}));
        status.entry("description").or_insert_with(|| json!("What is observed of the object."));
    }
    if let Some(generation) =
        schema.pointer_mut("/properties/status/properties/observedGeneration").and_then(Value::as_object_mut)
    {
        generation.insert("default".into(), json!(-1));
    }
    if let Some(spec) = schema.pointer_mut("/properties/spec").and_then(Value::as_object_mut) {
        spec.entry("description").or_insert_with(|| json!("What is declared."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_definition_is_read_back_by_kubernetes_own_type() {
        assert_eq!(all().len(), shipped().len());
    }

    #[test]
    fn paragraphs_stay_and_lines_are_joined() {
        let mut schema = json!({"description": "One\nline.\n\nAnother."});
        tidy(&mut schema);
        assert_eq!(schema["description"], "One line.\n\nAnother.");
    }

    #[test]
    fn only_whole_numbers_become_integers() {
        let mut schema = json!({"minimum": 1.0, "maximum": 1.5});
        tidy(&mut schema);
        assert_eq!(schema, json!({"minimum": 1, "maximum": 1.5}));
    }
}
