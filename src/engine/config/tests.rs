use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

const SMALLEST: &str = "clusterID: demo\nfly: {organization: acme, tokenFile: /token}\n";

fn load(text: &str, overrides: &Overrides) -> Result<Config, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Config::load(file.path(), overrides).map_err(|error| error.to_string())
}

fn refusal(text: &str) -> String {
    load(text, &Overrides::default()).unwrap_err()
}

#[test]
fn the_smallest_file_is_complete() {
    let config = load(SMALLEST, &Overrides::default()).unwrap();
    assert_eq!(config.address, "127.0.0.1:8080");
    assert_eq!((config.mode, config.leader_election), (Mode::ReadWrite, LeaderElection::Lease));
    assert_eq!(config.timing.drain_seconds, 25);
}

#[test]
fn a_flag_wins_over_the_file() {
    let text = format!("{SMALLEST}mode: ReadWrite\naddress: 127.0.0.1:1\nlogging: {{level: warn}}\n");
    let overrides = Overrides {
        level: Some("debug".into()),
        format: Some(LogFormat::Pretty),
        address: Some("127.0.0.1:2".into()),
        mode: Some(Mode::ReadOnly),
    };
    let config = load(&text, &overrides).unwrap();
    assert_eq!((config.logging.level.as_str(), config.logging.format), ("debug", LogFormat::Pretty));
    assert_eq!((config.address.as_str(), config.mode), ("127.0.0.1:2", Mode::ReadOnly));
}

#[test]
fn what_is_wrong_is_named_with_what_would_be_right() {
    for (text, named) in [
        ("clusterID: Demo\nfly: {organization: acme, tokenFile: /token}\n".to_owned(), "clusterID"),
        ("clusterID: demo\nfly: {organization: \"\", tokenFile: /token}\n".to_owned(), "fly.organization"),
        (format!("{SMALLEST}adress: 127.0.0.1:1\n"), "adress"),
        (format!("{SMALLEST}address: localhost\n"), "`address`"),
        (format!("{SMALLEST}concurrency: 0\n"), "concurrency"),
        (format!("{SMALLEST}logging: {{level: moorage=loud}}\n"), "logging.level"),
        ("clusterID: demo\n".to_owned(), "fly"),
    ] {
        let error = refusal(&text);
        assert!(error.contains(named), "{named}: {error}");
    }
}

#[test]
fn a_wrong_override_is_refused_like_a_wrong_file() {
    let overrides = Overrides { address: Some("everywhere".into()), ..Overrides::default() };
    assert!(load(SMALLEST, &overrides).unwrap_err().contains("`address`"));
}

#[test]
fn the_documentation_names_every_field() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = std::fs::read_to_string(path).unwrap();
    let schema = serde_json::to_value(schemars::schema_for!(Config)).unwrap();
    let fields = fields(&schema, &schema, "");
    assert!(fields.contains("fly.edge.caFile") && fields.len() > 25, "{fields:?}");
    let missing: Vec<_> = fields.iter().filter(|field| !page.contains(&format!("| `{field}` |"))).collect();
    assert!(missing.is_empty(), "docs/configuration.md lacks {missing:?}");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let gone: Vec<_> = rows.filter(|row| !row.starts_with("--") && !fields.contains(*row)).collect();
    assert!(gone.is_empty(), "docs/configuration.md names fields that there are not: {gone:?}");
}

/// The dotted paths of all leaves.
fn fields(root: &Value, schema: &Value, path: &str) -> BTreeSet<String> {
    if let Some(name) = reference(schema) {
        return fields(root, &root["$defs"][name], path);
    }
    if let Some(choices) = choices(schema) {
        return choices.iter().flat_map(|choice| fields(root, choice, path)).collect();
    }
    let Some(properties) = schema["properties"].as_object() else { return [path.to_owned()].into() };
    let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    properties.iter().flat_map(|(name, field)| fields(root, field, &join(name))).collect()
}

/// The schemas one of which holds, if each is of an object: an enumeration of words is a leaf.
fn choices(schema: &Value) -> Option<Vec<&Value>> {
    let all = schema["oneOf"].as_array()?;
    let objects: Vec<&Value> = all.iter().filter(|one| one["properties"].is_object()).collect();
    (!objects.is_empty()).then_some(objects)
}

/// The definition that a schema refers to, directly or as the one that isn't null.
fn reference(schema: &Value) -> Option<&str> {
    let direct = schema["$ref"].as_str();
    let optional = || schema["anyOf"].as_array()?.iter().find_map(|one| one["$ref"].as_str());
    direct.or_else(optional)?.strip_prefix("#/$defs/")
}
