//! Compares answers with Fly's OpenAPI file, as far as the file can be believed.

use serde_json::Value;

/// The file, as Fly publishes it.
pub fn spec() -> Value {
    serde_json::from_str(include_str!("../../fixtures/fly-openapi.json")).unwrap()
}

/// Fields that the live API answers and the file lacks.
const UNLISTED: &[&str] = &[
    "App.app_role",
    "App.cname_target",
    "ListAppsResponse.next_cursor",
    "CreateAppResponse.id",
    "CreateAppResponse.created_at",
    "Machine.version",
    "Machine.cordoned",
    "Machine.lease",
    "fly.MachineService.force_instance_key",
    "IPAssignment.egress",
    "IPAssignment.network",
    "Volume.host_dedication_key",
    "OrgVolume.host_dedication_key",
];

/// Where the file is wrong on the wire: the schema's name, and a test for what really comes.
fn known_trap(name: &str, value: &Value) -> bool {
    match name {
        // An object and a short enumeration in the file; text such as "15s", and more codes, on the wire.
        "fly.Duration" | "main.statusCode" => value.is_string(),
        // PascalCase on the wire.
        "main.regionResponse" => value["Regions"].is_array() && value["Nearest"].is_string(),
        "main.getPlacementsResponse" => value["Regions"].as_array().is_some_and(|rows| {
            rows.iter()
                .all(|row| row["Region"].is_string() && row["Count"].is_u64() && row["Concurrency"].is_u64())
        }),
        // Flat in the file; in an envelope on the wire.
        "Lease" => value["status"] == "success" && value["data"].is_object(),
        _ => false,
    }
}

/// A field whose type is wrong in the file.
fn odd_field(path: &str, value: &Value) -> bool {
    path.ends_with(".autostop") && (value.is_boolean() || value == "suspend")
}

/// What doesn't fit, one line each.
pub fn misfits(spec: &Value, schema: &Value, value: &Value, path: &str, name: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        if known_trap(name, value) {
            return Vec::new();
        }
        return misfits(spec, &spec["components"]["schemas"][name], value, path, name);
    }
    if value.is_null() || odd_field(path, value) {
        return Vec::new();
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().flat_map(|part| misfits(spec, part, value, path, name)).collect();
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
        return vec![format!("{path}: {value} isn't one of {allowed:?}")];
    }
    match (schema["type"].as_str(), value) {
        (Some("object"), Value::Object(_)) => object(spec, schema, value, path, name),
        (Some("array"), Value::Array(items)) => {
            let each = items.iter().enumerate();
            each.flat_map(|(n, item)| misfits(spec, &schema["items"], item, &format!("{path}[{n}]"), ""))
                .collect()
        }
        (Some("string"), Value::String(_))
        | (Some("boolean"), Value::Bool(_))
        | (Some("number"), Value::Number(_))
        | (None, _) => Vec::new(),
        (Some("integer"), Value::Number(number)) if !number.is_f64() => Vec::new(),
        (Some(wanted), _) => vec![format!("{path}: {value} isn't of type {wanted}")],
    }
}

fn object(spec: &Value, schema: &Value, value: &Value, path: &str, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for required in schema["required"].as_array().into_iter().flatten() {
        if value[required.as_str().unwrap()].is_null() {
            found.push(format!("{path}: {required} is missing"));
        }
    }
    let extra = &schema["additionalProperties"];
    for (field, item) in value.as_object().unwrap() {
        let inner = format!("{path}.{field}");
        let known = &schema["properties"][field];
        if !known.is_null() {
            found.extend(misfits(spec, known, item, &inner, ""));
        } else if extra.is_object() {
            found.extend(misfits(spec, extra, item, &inner, ""));
        } else if schema["properties"].is_object() && !UNLISTED.contains(&format!("{name}.{field}").as_str())
        {
            found.push(format!("{inner}: the file has no such field in {name}"));
        }
    }
    found
}
