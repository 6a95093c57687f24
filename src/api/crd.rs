//! The CustomResourceDefinitions as they are shipped.
//!
//! What the derive makes is brought to the API conventions here: no `nullable`, no unsigned or float formats,
//! and a status that says "not looked at yet" before the first visit, so that nothing looks current too early.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::{Blueprint, NameClaim, PaymentReceipt, Plan, Runtime, RuntimeTask, Workspace, WorkspacePolicy};

/// Every definition, in the order in which they are applied.
pub fn all() -> Vec<CustomResourceDefinition> {
    [
        Plan::crd(),
        Blueprint::crd(),
        WorkspacePolicy::crd(),
        NameClaim::crd(),
        PaymentReceipt::crd(),
        Workspace::crd(),
        Runtime::crd(),
        RuntimeTask::crd(),
    ]
    .into_iter()
    .map(shipped)
    .collect()
}

/// Brings a derived definition to the conventions.
fn shipped(crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let Ok(mut value) = serde_json::to_value(&crd) else { return crd };
    if let Some(versions) = value.pointer_mut("/spec/versions").and_then(Value::as_array_mut) {
        for schema in versions.iter_mut().filter_map(|version| version.pointer_mut("/schema/openAPIV3Schema"))
        {
            tidy(schema);
            default_status(schema);
        }
    }
    serde_json::from_value(value).unwrap_or(crd)
}

/// Removes what the conventions rule out, at every depth.
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
            fields.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// kstatus reads an object without conditions as current; a generation of -1 tells it to wait.
fn default_status(schema: &mut Value) {
    if let Some(status) = schema.pointer_mut("/properties/status").and_then(Value::as_object_mut) {
        status.insert("default".into(), json!({"observedGeneration": -1}));
        status.entry("description").or_insert_with(|| json!("What is observed of the object."));
    }
    if let Some(spec) = schema.pointer_mut("/properties/spec").and_then(Value::as_object_mut) {
        spec.entry("description").or_insert_with(|| json!("What is declared."));
    }
}
