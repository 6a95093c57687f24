//! The examples for Flux and Argo CD.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use moorage::api::{Runtime, Workspace, WorkspacePolicy};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use testbed::repository;

use crate::tools::{argo, text, yaml};

fn examples() -> Vec<Value> {
    let mut folders = vec![repository().join("examples/gitops")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match path.extension() {
                None => folders.push(path),
                Some(extension) if extension == "yaml" => found.extend(yaml(&path)),
                Some(_) => {}
            }
        }
    }
    found
}

fn of_kind<'a>(all: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    all.iter().filter(move |object| object["kind"] == kind)
}

/// The object in its own type; a misspelt field of its spec would be lost on the way.
fn typed<T: DeserializeOwned + Serialize>(object: &Value) -> T {
    let typed: T = serde_json::from_value(object.clone()).unwrap();
    let back = serde_json::to_value(&typed).unwrap();
    for (field, value) in object["spec"].as_object().unwrap() {
        assert_eq!(&back["spec"][field], value, "{field}");
    }
    typed
}

#[test]
fn the_examples_parse_and_their_own_kinds_are_taken() {
    let all = examples();
    for object in &all {
        assert!(object["apiVersion"].is_string() && object["kind"].is_string(), "{object}");
    }
    let policies = yaml(&repository().join("examples/platform/policies.yaml"));
    let policy: WorkspacePolicy = serde_json::from_value(policies[0].clone()).unwrap();
    let namespace = of_kind(&all, "Namespace").find(|it| it["metadata"]["name"] == "acme").unwrap();
    for (key, value) in &policy.spec.selector.match_labels {
        assert_eq!(namespace["metadata"]["labels"][key], json!(value), "{key}");
    }
    let workspace: Workspace = typed(of_kind(&all, "Workspace").next().unwrap());
    let plan = workspace.spec.default_plan_ref.unwrap().name;
    assert!(policy.spec.allowed_plans.unwrap().contains(&plan));
    let runtime: Runtime = typed(of_kind(&all, "Runtime").next().unwrap());
    assert_eq!(runtime.metadata.namespace, workspace.metadata.namespace);
}

/// Who applies a tenant's repository isn't the platform; who applies Plans is.
#[test]
fn only_the_platforms_own_identity_is_on_its_list() {
    let all = examples();
    let release = of_kind(&all, "HelmRelease").next().unwrap();
    assert_eq!(
        release["spec"]["values"]["platform"]["users"],
        json!(["system:serviceaccount:flux-system:moorage-platform"])
    );
    let applies = |kind: &str, field: &str, identity: &str| -> BTreeSet<String> {
        let found = of_kind(&all, kind).filter(|it| it.pointer(field).is_some_and(|name| name == identity));
        found.map(|it| text(&it["metadata"]["name"])).collect()
    };
    let platform = BTreeSet::from(["moorage-platform".to_owned()]);
    assert_eq!(applies("Kustomization", "/spec/serviceAccountName", "moorage-platform"), platform);
    let operator =
        of_kind(&all, "Application").find(|it| it["metadata"]["name"] == "moorage-operator").unwrap();
    assert_eq!(
        operator["spec"]["source"]["helm"]["valuesObject"]["platform"]["users"],
        json!(["system:serviceaccount:argocd:moorage-platform"])
    );
    let account = "/spec/destinationServiceAccounts/0/defaultServiceAccount";
    assert_eq!(applies("AppProject", account, "argocd:moorage-platform"), platform);
    assert_eq!(applies("Application", "/spec/project", "moorage-platform"), platform);
}

/// Waves of Applications need their health.
#[test]
fn an_application_is_as_healthy_as_it_says() {
    let settings = yaml(&repository().join("examples/gitops/argocd/argocd-cm.yaml")).remove(0);
    let script = text(&settings["data"]["resource.customizations.health.argoproj.io_Application"]);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("application-health.lua");
    fs::write(&path, script).unwrap();
    let degraded = json!({"metadata": {"name": "a"}, "status": {"health": {"status": "Degraded"}}});
    assert_eq!(argo(&path, &degraded).0, "Degraded");
    assert_eq!(argo(&path, &json!({"metadata": {"name": "a"}})).0, "Progressing");
}
