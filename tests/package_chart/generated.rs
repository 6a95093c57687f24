//! What the chart has from the code is what the code says today.

use std::fs;
use std::path::Path;

use moorage::rights::{Installation, Platform, objects, write_chart};
use serde_json::Value;

use crate::helm::{NAMESPACE, chart, documents, full_values};

/// `make crds` writes these files.
#[test]
fn the_generated_files_are_up_to_date() {
    let fresh = tempfile::tempdir().unwrap();
    write_chart(fresh.path()).unwrap();
    let mut seen = 0;
    for file in files(fresh.path()) {
        let name = file.strip_prefix(fresh.path()).unwrap();
        let committed = fs::read_to_string(chart().join(name)).unwrap_or_default();
        let now = fs::read_to_string(&file).unwrap();
        let differing = committed.lines().zip(now.lines()).find(|(old, new)| old != new);
        assert!(committed == now, "{} is stale; `make crds` writes it: {differing:?}", name.display());
        seen += 1;
    }
    assert_eq!(files(&chart().join("files")).len(), seen - 4, "a definition is left over");
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Rights and policies as `moorage manifests` prints them, but for the namespace, which Helm makes.
fn manifests(users: &[&str], groups: &[&str]) -> Vec<Value> {
    let strings = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect();
    let platform = Platform { users: strings(users), groups: strings(groups) };
    let mut all = objects(&Installation { namespace: NAMESPACE.into(), platform }).unwrap();
    all.retain(|object| object["kind"] != "Namespace");
    all
}

fn assert_contains(rendered: &[Value], expected: &[Value]) {
    for object in expected {
        let same = |other: &&Value| {
            other["kind"] == object["kind"] && other["metadata"]["name"] == object["metadata"]["name"]
        };
        let found = rendered.iter().find(same);
        assert_eq!(found, Some(object), "{} {}", object["kind"], object["metadata"]["name"]);
    }
}

#[test]
fn rights_and_policies_are_those_that_the_program_prints() {
    assert_contains(&documents(&[]), &manifests(&[], &["system:masters"]));
}

#[test]
fn the_platforms_list_reaches_the_policies_whatever_is_in_it() {
    let users = ["paula@example.com", "system:serviceaccount:infra:platform"];
    let expected = manifests(&users, &["platform's \"own\" team"]);
    assert_contains(&documents(&["--values", &full_values()]), &expected);
}

/// Nothing else in the chart gives rights.
#[test]
fn the_chart_gives_no_rights_besides() {
    let kinds = [
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ];
    let count =
        |all: &[Value]| all.iter().filter(|object| kinds.contains(&object["kind"].as_str().unwrap())).count();
    let expected = manifests(&[], &["system:masters"]);
    assert_eq!(count(&documents(&[])), count(&expected));
}

#[test]
fn the_right_to_endpoints_is_given_only_to_who_uses_them() {
    let role = |arguments: &[&str]| {
        let all = documents(arguments);
        let names = all.iter().filter(|object| object["metadata"]["name"] == "moorage-dns");
        names.map(|object| object["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let domain = [
        "--set",
        "config.baseDomain.name=example.dev",
        "--set",
        "config.baseDomain.certificate.secret.name=tls",
    ];
    assert!(role(&[]).is_empty());
    let word = ["--set", "config.baseDomain.dns=none"];
    assert!(role(&[&domain[..], &word[..]].concat()).is_empty());
    let other = [
        "--set",
        "config.baseDomain.dns.cloudflare.zoneID=0123",
        "--set",
        "config.baseDomain.dns.cloudflare.token.file=/token",
    ];
    assert!(role(&[&domain[..], &other[..]].concat()).is_empty());
    let theirs = ["--set-json", r#"config.baseDomain.dns={"dnsEndpoint": {}}"#];
    assert_eq!(role(&[&domain[..], &theirs[..]].concat()), ["Role", "RoleBinding"]);
}
