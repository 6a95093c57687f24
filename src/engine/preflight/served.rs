//! Whether the API server serves our kinds, and every field of theirs that this program knows.
//!
//! Read from the server's own OpenAPI document, which says what is really served and needs no right of its own. A
//! definition that has more than this program knows passes, so that definitions may be upgraded first and the
//! program rolled back; one that lacks a field doesn't, since the server would drop it from what is written.

use std::collections::{BTreeMap, HashMap};

use http::Request;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Check, Fault};
use crate::api::{GROUP, VERSION, crd};

/// Fields that are named when they are missing; the remedy is the same for all.
const NAMED: usize = 3;

#[derive(Deserialize)]
#[allow(
    clippy::zero_sized_map_values,
    reason = "serde reads the paths as a map, of which only the keys matter"
)]
struct Document {
    #[serde(default)]
    paths: HashMap<String, IgnoredAny>,
    #[serde(default)]
    components: Components,
}

#[derive(Default, Deserialize)]
struct Components {
    #[serde(default)]
    schemas: BTreeMap<String, Value>,
}

/// Compares what is served with what this program knows.
pub(super) async fn check(client: &Client) -> Result<(), Fault> {
    let document = read(client).await?;
    let problems: Vec<String> =
        crd::all().iter().filter_map(|known| problem(known, &document).err()).collect();
    if problems.is_empty() { Ok(()) } else { Err(fault(problems.join("; "))) }
}

async fn read(client: &Client) -> Result<Document, Fault> {
    let request = Request::get(format!("/openapi/v3/apis/{GROUP}/{VERSION}"))
        .body(Vec::new())
        .map_err(|error| fault(error.to_string()))?;
    // Its refusals aren't the API's usual ones: only their code says what they mean.
    let text = client.request_text(request).await.map_err(|error| match error {
        kube::Error::Api(status) if status.code == 404 => fault(format!("{GROUP}/{VERSION} is not served")),
        kube::Error::Api(status) if status.code == 403 => Fault::new(
            Check::CustomResources,
            "the API server's OpenAPI document may not be read",
            "bind the ClusterRole `system:discovery` to `system:authenticated`, as clusters do by default",
        ),
        error => Fault::new(
            Check::CustomResources,
            format!("the API server can't be asked: {error}"),
            "check the API server's address and this process's credentials",
        ),
    })?;
    serde_json::from_str(&text).map_err(|error| fault(format!("the OpenAPI document can't be read: {error}")))
}

fn fault(cause: String) -> Fault {
    let remedy = "install the CustomResourceDefinitions of this version: \
                  `moorage crds | kubectl apply --server-side -f -`";
    Fault::new(Check::CustomResources, cause, remedy)
}

/// What is wrong with one kind.
fn problem(known: &CustomResourceDefinition, served: &Document) -> Result<(), String> {
    let kind = &known.spec.names.kind;
    let schema = served
        .components
        .schemas
        .values()
        .find(|schema| is_kind(schema, kind))
        .ok_or_else(|| format!("{kind} is not served"))?;
    let version = known.spec.versions.first().ok_or_else(|| format!("{kind} has no version"))?;
    let ours = serde_json::to_value(&version.schema).map_err(|error| error.to_string())?;
    let mut missing = Vec::new();
    compare(&ours["openAPIV3Schema"], schema, &kind.to_lowercase(), &mut missing);
    let status = version.subresources.as_ref().is_some_and(|sub| sub.status.is_some());
    if status && !has_status(served, &known.spec.names.plural) {
        missing.push("the status subresource".to_owned());
    }
    if missing.is_empty() { Ok(()) } else { Err(lacks(kind, &missing)) }
}

fn lacks(kind: &str, missing: &[String]) -> String {
    let named = missing[..missing.len().min(NAMED)].join(", ");
    match missing.len().checked_sub(NAMED) {
        Some(more @ 1..) => format!("{kind} as served lacks {named} and {more} more"),
        _ => format!("{kind} as served lacks {named}"),
    }
}

fn is_kind(schema: &Value, kind: &str) -> bool {
    let kinds = schema["x-kubernetes-group-version-kind"].as_array();
    kinds.is_some_and(|kinds| kinds.iter().any(|one| one["kind"] == kind && one["version"] == VERSION))
}

fn has_status(served: &Document, plural: &str) -> bool {
    let end = format!("/{plural}/{{name}}/status");
    served.paths.keys().any(|path| path.ends_with(&end))
}

/// Names each field of `ours` that `served` lacks or has with another type.
fn compare(ours: &Value, served: &Value, path: &str, missing: &mut Vec<String>) {
    if ours["type"] != served["type"] {
        missing.push(format!("{path} as {}", ours["type"].as_str().unwrap_or("it is known")));
        return;
    }
    for (name, field) in ours["properties"].as_object().into_iter().flatten() {
        // The server has its own schema of the metadata.
        if name == "metadata" {
            continue;
        }
        match served["properties"].get(name) {
            Some(other) => compare(field, other, &format!("{path}.{name}"), missing),
            None => missing.push(format!("{path}.{name}")),
        }
    }
    for key in ["items", "additionalProperties"] {
        if ours[key].is_object() {
            compare(&ours[key], &served[key], &format!("{path}[]"), missing);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn missing(ours: &Value, served: &Value) -> Vec<String> {
        let mut missing = Vec::new();
        compare(ours, served, "boat", &mut missing);
        missing
    }

    fn schema() -> Value {
        json!({"type": "object", "properties": {
            "metadata": {"type": "object"},
            "spec": {"type": "object", "properties": {
                "sails": {"type": "array", "items": {"type": "object", "properties": {"area": {"type": "integer"}}}},
                "flags": {"type": "object", "additionalProperties": {"type": "string"}}}}}})
    }

    #[test]
    fn the_same_schema_or_a_richer_one_passes() {
        let mut richer = schema();
        richer["properties"]["spec"]["properties"]["engine"] = json!({"type": "string"});
        richer["properties"]["metadata"] = json!({"allOf": []});
        assert_eq!(missing(&schema(), &schema()), Vec::<String>::new());
        assert_eq!(missing(&schema(), &richer), Vec::<String>::new());
    }

    #[test]
    fn a_field_that_is_missing_or_of_another_type_is_named_at_any_depth() {
        let mut older = schema();
        older["properties"]["spec"]["properties"]["sails"]["items"]["properties"] = json!({});
        older["properties"]["spec"]["properties"]["flags"]["additionalProperties"]["type"] = json!("integer");
        assert_eq!(missing(&schema(), &older), ["boat.spec.flags[] as string", "boat.spec.sails[].area"]);
    }
}
