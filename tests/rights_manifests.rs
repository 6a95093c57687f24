//! `moorage manifests`: what it is told reaches what it prints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::process::Command;

use serde_json::Value;

fn manifests(arguments: &[&str]) -> Vec<Value> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_moorage")).arg("manifests").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    testbed::documents(&String::from_utf8(output.stdout).unwrap()).unwrap()
}

/// The value of a variable in every policy.
fn variable(documents: &[Value], name: &str) -> Vec<String> {
    let policies = documents.iter().filter(|document| document["kind"] == "ValidatingAdmissionPolicy");
    let values = policies.map(|policy| {
        let all = policy["spec"]["variables"].as_array().unwrap();
        let found = all.iter().find(|variable| variable["name"] == name).unwrap();
        found["expression"].as_str().unwrap().to_owned()
    });
    values.collect()
}

#[test]
fn the_platform_is_masters_unless_somebody_is_named() {
    let documents = manifests(&[]);
    assert!(variable(&documents, "platformUsers").iter().all(|users| users == "[]"));
    let groups = variable(&documents, "platformGroups");
    assert!(groups.len() >= 6 && groups.iter().all(|groups| groups == r#"["system:masters"]"#));
}

#[test]
fn everybody_who_is_named_is_in_every_policy() {
    let named = ["--platform-user", "ann", "--platform-user", "o'neil \"bo\" \\", "--platform-group", "crew"];
    let documents = manifests(&named);
    for users in variable(&documents, "platformUsers") {
        assert_eq!(serde_json::from_str::<Vec<String>>(&users).unwrap(), ["ann", "o'neil \"bo\" \\"]);
    }
    assert!(variable(&documents, "platformGroups").iter().all(|groups| groups == r#"["crew"]"#));
}

#[test]
fn everything_of_the_operator_is_in_its_namespace() {
    let documents = manifests(&["--namespace", "harbour"]);
    let text = serde_json::to_string(&documents).unwrap();
    assert!(!text.contains("moorage-system"));
    assert_eq!(documents[0]["kind"], "Namespace");
    assert_eq!(documents[0]["metadata"]["name"], "harbour");
    let operator = "request.userInfo.username == 'system:serviceaccount:harbour:moorage'";
    assert!(variable(&documents, "isOperator").iter().all(|expression| expression == operator));
    let bindings = documents.iter().filter(|document| document["subjects"].is_array());
    assert!(bindings.into_iter().all(|binding| binding["subjects"][0]["namespace"] == "harbour"));
}
