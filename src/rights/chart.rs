//! The parts of the Helm chart that are made from the tables: its rights, policies, definitions and the
//! schema of its values.

use std::io;
use std::path::Path;

use schemars::schema_for;
use serde_json::{Map, Value};

use super::{Installation, Platform, manifests};
use crate::engine::config::Config;
use crate::generate;

/// Stand for what only Helm knows. Each is a text that nothing else contains.
const NAMESPACE: &str = "release-namespace";
const USERS: &str = "platform-users";
const GROUPS: &str = "platform-groups";

/// Why the chart couldn't be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be written.
    #[error("can't write the chart's file {path}: {source}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The objects can't be written, which is a fault of the program.
    #[error("can't write the chart's objects: {0}")]
    Render(String),
}

/// The schema of the values, but for that of the configuration file.
const VALUES: &str = include_str!("values.schema.json");
/// Fields of the configuration that the chart sets itself.
const CHART_SETS: [&str; 2] = ["namespace", "address"];
/// The same by the name of what they are in.
const CHART_SETS_WITHIN: [(&str, &[&str]); 5] = [
    ("FlyConfig", &["tokenFile"]),
    ("Billing", &["webhookAddress"]),
    ("Http01", &["listen"]),
    ("StripeAccount", &["secretKeyFile", "webhookSecretFiles"]),
    ("PayAppMerchant", &["linkKeyFile", "linkValueFile"]),
];

/// Writes `templates/rights.yaml`, `templates/policies.yaml`, `values.schema.json` and `files/crds/` of the chart in
/// `dir`.
///
/// # Errors
/// If a file can't be written.
pub fn write(dir: &Path) -> Result<(), Error> {
    for (file, text) in files()? {
        let path = dir.join(&file);
        let outcome = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        outcome
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|source| Error::Write { path: path.display().to_string(), source })?;
    }
    Ok(())
}

/// The generated files with their paths in the chart.
fn files() -> Result<Vec<(String, String)>, Error> {
    let render = |error: &dyn std::error::Error| Error::Render(error.to_string());
    let installation = Installation {
        namespace: NAMESPACE.into(),
        platform: Platform { users: vec![USERS.into()], groups: vec![GROUPS.into()] },
    };
    let rights = manifests::rights(&installation).map_err(|error| render(&error))?;
    let admission = manifests::admission(&installation).map_err(|error| render(&error))?;
    let mut files = Vec::new();
    for (file, objects) in [("rights.yaml", rights), ("policies.yaml", admission)] {
        let text = manifests::stream(&objects).map_err(|error| render(&error))?;
        files.push((format!("templates/{file}"), template(&text)));
    }
    let dns = manifests::dns_endpoint_rights(&installation).map_err(|error| render(&error))?;
    let text = manifests::stream(&dns).map_err(|error| render(&error))?;
    files.push(("templates/dns-rights.yaml".into(), with_dns_endpoints(&template(&text))));
    for (file, text) in generate::crds().map_err(|error| render(&error))? {
        files.push((format!("files/crds/{file}"), kept(&text)));
    }
    let schema = values_schema().map_err(|error| render(&error))?;
    files.push(("values.schema.json".into(), schema));
    Ok(files)
}

/// The schema of the values: the configuration file's is the program's own, less what the chart sets.
fn values_schema() -> Result<String, serde_json::Error> {
    let mut schema: Value = serde_json::from_str(VALUES)?;
    let mut config = schema_for!(Config).to_value();
    let mut definitions = take_object(&mut config, "$defs");
    without(&mut config, &CHART_SETS);
    for (name, fields) in CHART_SETS_WITHIN {
        if let Some(definition) = definitions.get_mut(name) {
            without(definition, fields);
        }
    }
    if let Some(fields) = config.as_object_mut() {
        fields.remove("$schema");
    }
    definitions.insert("Config".into(), config);
    if let Some(all) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        all.extend(definitions);
    }
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}

fn take_object(value: &mut Value, field: &str) -> Map<String, Value> {
    match value.as_object_mut().and_then(|fields| fields.remove(field)) {
        Some(Value::Object(taken)) => taken,
        _ => Map::new(),
    }
}

/// Removes properties from an object's schema.
fn without(schema: &mut Value, fields: &[&str]) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.retain(|name, _| !fields.contains(&name.as_str()));
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name.as_str().is_none_or(|name| !fields.contains(&name)));
    }
}

/// Puts Helm's expressions in the place of what stands for them.
fn template(text: &str) -> String {
    let list = |values: &str| format!("{{{{ .Values.platform.{values} | toJson | quote }}}}");
    let text = text
        .replace(&format!(r#""[\"{USERS}\"]""#), &list("users"))
        .replace(&format!(r#""[\"{GROUPS}\"]""#), &list("groups"))
        .replace(NAMESPACE, "{{ .Release.Namespace }}");
    format!("{{{{- /* Generated by `moorage chart`; change src/rights instead. */ -}}}}\n{text}")
}

/// Only where the configuration names external-dns. `dns` may be a word, which has no fields to look into.
fn with_dns_endpoints(text: &str) -> String {
    format!(
        "{{{{- with (.Values.config.baseDomain).dns }}}}{{{{- if and (kindIs \"map\" .) (hasKey . \"dnsEndpoint\") }}}}{{{{- with $ }}}}\n{text}{{{{- end }}}}{{{{- end }}}}{{{{- end }}}}\n"
    )
}

/// A definition that stays when the release is removed: with it would go every object of its kind.
fn kept(crd: &str) -> String {
    crd.replacen("metadata:\n", "metadata:\n  annotations:\n    helm.sh/resource-policy: keep\n", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_stands_for_a_value_is_left_in_a_template() {
        for (file, text) in files().unwrap() {
            for stand_in in [NAMESPACE, USERS, GROUPS] {
                assert!(!text.contains(stand_in), "{file} still has {stand_in}");
            }
        }
    }

    #[test]
    fn every_definition_is_kept_when_the_release_goes() {
        let files = files().unwrap();
        let crds: Vec<_> = files.iter().filter(|(file, _)| file.starts_with("files/crds/")).collect();
        assert!(crds.len() >= 8);
        for (file, text) in crds {
            assert_eq!(text.matches("helm.sh/resource-policy: keep").count(), 1, "{file}");
        }
    }
}
