//! The shipped CustomResourceDefinitions keep to the API conventions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use moorage::api::crd;
use serde_json::Value;

/// Kinds whose facts all stand in the spec: a status would be lost in a restore.
const WITHOUT_STATUS: &[&str] = &["NameClaim", "PaymentReceipt"];

fn kind(crd: &Value) -> &str {
    crd.pointer("/spec/names/kind").and_then(Value::as_str).unwrap()
}

fn versions(crd: &Value) -> impl Iterator<Item = &Value> {
    crd.pointer("/spec/versions").and_then(Value::as_array).unwrap().iter()
}

fn schema(version: &Value) -> &Value {
    version.pointer("/schema/openAPIV3Schema").unwrap()
}

/// What a walk over a schema has found so far.
struct Findings(Vec<String>);

impl Findings {
    fn require(&mut self, path: &str, holds: impl Into<Option<bool>>, what: &str) {
        if !holds.into().unwrap_or(false) {
            self.0.push(format!("{path}: {what}"));
        }
    }
}

#[test]
fn schemas_are_bounded_described_and_free_of_what_kubernetes_discourages() {
    let mut found = Findings(Vec::new());
    for crd in crd::shipped() {
        for version in versions(&crd) {
            walk(schema(version), kind(&crd), &mut found);
        }
    }
    assert!(found.0.is_empty(), "{} findings:\n{}", found.0.len(), found.0.join("\n"));
}

fn walk(node: &Value, path: &str, found: &mut Findings) {
    every_node(node, path, found);
    match node["type"].as_str() {
        Some("string") => string(node, path, found),
        Some("array") => array(node, path, found),
        Some("object") => object(node, path, found),
        Some("integer") => integer(node, path, found),
        Some("boolean") => {}
        other => found.0.push(format!("{path}: type {other:?} is none of ours")),
    }
}

fn every_node(node: &Value, path: &str, found: &mut Findings) {
    found.require(path, node.get("nullable").is_none(), "`nullable` breaks merge patches");
    found.require(path, node.get("oneOf").is_none() && node.get("anyOf").is_none(), "a union of schemas");
    let rules = node.get("x-kubernetes-validations").and_then(Value::as_array);
    for rule in rules.into_iter().flatten() {
        let message = rule["message"].as_str().unwrap_or_default();
        found.require(path, message.contains("must "), &format!("rule {} has no `must …`", rule["rule"]));
    }
    if let Some(description) = node.get("description").and_then(Value::as_str) {
        let sentence = description.ends_with('.') && description.starts_with(|c: char| !c.is_lowercase());
        found.require(path, sentence, &format!("{description:?} isn't a sentence"));
    }
}

fn string(node: &Value, path: &str, found: &mut Findings) {
    let bounded = ["maxLength", "enum", "format"].iter().any(|bound| node.get(bound).is_some());
    found.require(path, bounded, "a string without maxLength, enum or format");
    if let Some(format) = node.get("format") {
        found.require(path, format == "date-time", &format!("format {format}"));
    }
}

fn array(node: &Value, path: &str, found: &mut Findings) {
    found.require(path, node["maxItems"].is_u64(), "a list without maxItems");
    let list_type = node["x-kubernetes-list-type"].as_str();
    found.require(path, list_type.is_some(), "a list without x-kubernetes-list-type");
    if list_type == Some("map") {
        let keys = node["x-kubernetes-list-map-keys"].as_array().unwrap();
        let required = node.pointer("/items/required").and_then(Value::as_array).unwrap();
        found.require(path, keys.iter().all(|key| required.contains(key)), "a map key that may be absent");
    }
    walk(&node["items"], &format!("{path}[]"), found);
}

fn object(node: &Value, path: &str, found: &mut Findings) {
    if let Some(values) = node.get("additionalProperties") {
        found.require(path, node["maxProperties"].is_u64(), "a map without maxProperties");
        return walk(values, &format!("{path}{{}}"), found);
    }
    let fields = node["properties"].as_object();
    found.require(path, fields.is_some(), "an object without fields keeps nothing");
    for (name, field) in fields.into_iter().flatten() {
        let path = format!("{path}.{name}");
        found.require(&path, field["description"].is_string(), "no description");
        walk(field, &path, found);
    }
}

fn integer(node: &Value, path: &str, found: &mut Findings) {
    let signed = node["format"].as_str().is_some_and(|format| matches!(format, "int32" | "int64"));
    found.require(path, signed, &format!("format {} isn't int32 or int64", node["format"]));
    for bound in ["minimum", "maximum"] {
        if let Some(value) = node.get(bound) {
            found.require(path, value.is_i64(), &format!("{bound} {value} isn't an integer"));
        }
    }
    found.require(path, node.get("minimum").is_some(), "an integer without a minimum");
}

#[test]
fn a_status_says_that_nothing_was_looked_at_until_something_was() {
    for crd in crd::shipped() {
        let kind = kind(&crd);
        for version in versions(&crd) {
            let status = schema(version).pointer("/properties/status");
            if WITHOUT_STATUS.contains(&kind) {
                assert!(status.is_none() && version.get("subresources").is_none(), "{kind} has a status");
                continue;
            }
            let status = status.unwrap();
            assert_eq!(status["default"], serde_json::json!({"observedGeneration": -1}), "{kind}");
            assert_eq!(status["properties"]["observedGeneration"]["default"], -1, "{kind}");
            assert!(version.pointer("/subresources/status").is_some(), "{kind} has no status subresource");
            let keys = status.pointer("/properties/conditions/x-kubernetes-list-map-keys").unwrap();
            assert_eq!(keys, &serde_json::json!(["type"]), "{kind}");
        }
    }
}

#[test]
fn every_kind_has_a_category_and_a_short_name_of_its_own() {
    let mut short_names = BTreeSet::new();
    for crd in crd::shipped() {
        let names = crd.pointer("/spec/names").unwrap();
        assert_eq!(names["categories"], serde_json::json!(["moorage"]), "{}", kind(&crd));
        for short in names["shortNames"].as_array().unwrap() {
            assert!(short_names.insert(short.to_string()), "{short} stands twice");
        }
    }
    assert_eq!(short_names.len(), crd::shipped().len());
}

#[test]
fn printer_columns_are_described_and_end_with_the_age() {
    for crd in crd::shipped() {
        let kind = kind(&crd);
        for version in versions(&crd) {
            let columns = version["additionalPrinterColumns"].as_array().unwrap();
            assert_eq!(columns.last().unwrap()["name"], "Age", "{kind}");
            for column in columns {
                let described = column["description"].as_str().is_some_and(|text| text.ends_with('.'));
                assert!(described, "{kind}: column {} has no description", column["name"]);
            }
            let shown = columns.iter().filter(|column| column.get("priority").is_none()).count();
            assert!(shown <= 9, "{kind}: {shown} columns don't fit a terminal");
        }
    }
}

#[test]
fn columns_and_selectable_fields_point_at_fields_that_exist() {
    for crd in crd::shipped() {
        for version in versions(&crd) {
            let columns = version["additionalPrinterColumns"].as_array().into_iter().flatten();
            let selectable = version.get("selectableFields").and_then(Value::as_array).into_iter().flatten();
            for path in columns.chain(selectable).map(|entry| entry["jsonPath"].as_str().unwrap()) {
                let known = path.starts_with(".metadata.") || exists(schema(version), path);
                assert!(known, "{}: {path} points at nothing", kind(&crd));
            }
        }
    }
}

/// Follows a simple JSON path through a schema; a filter stands for any item.
fn exists(schema: &Value, path: &str) -> bool {
    let mut node = Some(schema);
    let simple = path.split_once("[?").map_or_else(
        || path.to_owned(),
        |(list, rest)| format!("{list}.[]{}", rest.split_once(']').unwrap().1),
    );
    for step in simple.trim_start_matches('.').split('.') {
        node = match step {
            "[]" => node.and_then(|node| node.get("items")),
            field => node.and_then(|node| node.pointer(&format!("/properties/{field}"))),
        };
    }
    node.is_some()
}

/// An absent field is not the same as null to an API server: `has()` is true of null.
#[test]
fn optional_fields_are_left_out_and_never_null() {
    let mut checked = 0;
    for path in files_under(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api")) {
        let text = fs::read_to_string(&path).unwrap();
        let mut attributes = String::new();
        for line in text.lines().map(str::trim) {
            if line.starts_with("pub ") && line.contains(": Option<") && line.ends_with(',') {
                checked += 1;
                let skipped = attributes.contains("skip_serializing_if = \"Option::is_none\"");
                assert!(skipped, "{}: `{line}` is written as null", path.display());
            }
            if line.starts_with("pub ") || line == "}" {
                attributes.clear();
            } else {
                attributes.push_str(line);
            }
        }
    }
    assert!(checked > 20, "only {checked} optional fields were found");
}

fn files_under(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] }).collect()
}
