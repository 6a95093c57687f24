//! The examples are what a newcomer applies first.

use std::fs;
use std::path::{Path, PathBuf};

use kube::api::{Patch, PatchParams};
use moorage::api::blueprint::EnvType;
use moorage::api::{Blueprint, CustomDomain, Plan, Runtime, RuntimeOrder, Workspace, WorkspacePolicy};
use serde::de::DeserializeOwned;
use serde_json::Value;
use testbed::documents;

use crate::world::{api, kubectl, namespace};

const FOLDERS: [&str; 5] = ["platform", "quickstart", "order", "custom-domain", "minimal-workspace"];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// A folder as `kubectl apply -k` takes it.
async fn rendered(folder: &str) -> Vec<Value> {
    let path = examples().join(folder);
    documents(&kubectl(&["kustomize", path.to_str().unwrap()]).await).unwrap()
}

#[tokio::test]
async fn every_example_is_taken_as_it_stands() {
    for folder in FOLDERS {
        for document in rendered(folder).await {
            let (kind, name) =
                (document["kind"].as_str().unwrap(), document["metadata"]["name"].as_str().unwrap());
            let space = document["metadata"]["namespace"].as_str().unwrap_or_default();
            if kind == "Namespace" {
                namespace(name).await;
                continue;
            }
            let mut params = PatchParams::apply("newcomer").force();
            params.dry_run = true;
            // A misspelt field would else be dropped in silence.
            params.field_validation = Some(kube::api::ValidationDirective::Strict);
            let outcome = api(kind, space).await.patch(name, &params, &Patch::Apply(&document)).await;
            assert!(outcome.is_ok(), "{folder}: {kind} {name}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn every_file_of_an_example_is_in_its_kustomization() {
    for folder in FOLDERS {
        let listed = rendered(folder).await.len();
        let mut standing = 0;
        for entry in fs::read_dir(examples().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap() != "kustomization.yaml" {
                standing += documents(&fs::read_to_string(path).unwrap()).unwrap().len();
            }
        }
        assert_eq!(listed, standing, "{folder}");
    }
}

fn typed<T: DeserializeOwned>(all: &[Value], kind: &str) -> Vec<T> {
    let ours = all.iter().filter(|document| document["kind"] == kind);
    ours.map(|document| serde_json::from_value(document.clone()).unwrap()).collect()
}

#[tokio::test]
async fn the_quickstart_runs_without_an_order() {
    let platform = rendered("platform").await;
    let quickstart = rendered("quickstart").await;
    let plans: Vec<Plan> = typed(&platform, "Plan");
    let policy: &WorkspacePolicy = &typed(&platform, "WorkspacePolicy")[0];
    let workspace: &Workspace = &typed(&quickstart, "Workspace")[0];
    let runtime: &Runtime = &typed(&quickstart, "Runtime")[0];

    let plan_ref = workspace.spec.default_plan_ref.as_ref().unwrap();
    let plan = plans.iter().find(|plan| plan.metadata.name.as_ref() == Some(&plan_ref.name)).unwrap();
    assert!(!plan.spec.requires_order);
    assert!(policy.spec.allowed_plans.as_ref().unwrap().contains(&plan_ref.name));
    assert!(policy.spec.selector.namespaces.contains(runtime.metadata.namespace.as_ref().unwrap()));
    assert!(workspace.spec.default_region.is_some());
}

#[tokio::test]
async fn the_order_is_for_what_is_sold_to_a_customer_who_is_there() {
    let platform = rendered("platform").await;
    let quickstart = rendered("quickstart").await;
    let order: &RuntimeOrder = &typed(&rendered("order").await, "RuntimeOrder")[0];
    let workspace: &Workspace = &typed(&quickstart, "Workspace")[0];
    let policy: &WorkspacePolicy = &typed(&platform, "WorkspacePolicy")[0];
    assert_eq!(order.metadata.namespace, workspace.metadata.namespace);
    assert!(!workspace.spec.members.is_empty(), "nobody is asked to pay before there is a member");
    let plans: Vec<Plan> = typed(&platform, "Plan");
    let plan = plans.iter().find(|plan| plan.metadata.name.as_ref() == Some(&order.spec.plan_ref.name));
    assert!(plan.unwrap().spec.requires_order);
    assert!(policy.spec.allowed_plans.as_ref().unwrap().contains(&order.spec.plan_ref.name));
}

#[tokio::test]
async fn the_domain_is_for_the_runtime_of_the_quickstart() {
    let runtime: &Runtime = &typed(&rendered("quickstart").await, "Runtime")[0];
    let domain: &CustomDomain = &typed(&rendered("custom-domain").await, "CustomDomain")[0];
    assert_eq!(domain.metadata.namespace, runtime.metadata.namespace);
    assert_eq!(Some(&domain.spec.runtime_ref.name), runtime.metadata.name.as_ref());
}

#[tokio::test]
async fn what_is_sold_needs_an_order_and_is_large_enough() {
    let platform = rendered("platform").await;
    let blueprint: &Blueprint = &typed(&platform, "Blueprint")[0];
    for plan in typed::<Plan>(&platform, "Plan") {
        let name = plan.metadata.name.unwrap();
        assert_eq!(plan.spec.requires_order, name != "openclaw-trial", "{name}");
        assert_eq!(plan.spec.requires_order, plan.spec.amount > 0, "{name}");
        assert!(plan.spec.memory_mb >= blueprint.spec.minimum_memory_mb, "{name}");
    }
}

/// An edit of the shipped Blueprint reaches every customer: it is made in two places on purpose.
#[tokio::test]
async fn the_shipped_blueprint_is_the_one_that_was_agreed() {
    let platform = rendered("platform").await;
    let blueprint: Blueprint = typed(&platform, "Blueprint").remove(0);
    assert_eq!(blueprint.metadata.name.as_deref(), Some("openclaw"));
    let spec = blueprint.spec;
    assert_eq!(spec.image, "ghcr.io/openclaw/openclaw:2026.9.6");
    assert_eq!(
        spec.command.join(" "),
        "node dist/index.js gateway --allow-unconfigured --port 3000 --bind lan"
    );
    assert_eq!((spec.port, spec.mount_path.as_str(), spec.minimum_memory_mb), (3000, "/data", 2048));
    assert_eq!((spec.health_check.path.as_str(), spec.stop.timeout_seconds), ("/healthz", 300));
    assert_eq!(serde_json::to_value(spec.stop.signal).unwrap(), "SIGTERM");
    let env: Vec<String> = spec.env.iter().map(|env| format!("{}={}", env.name, env.value)).collect();
    let agreed = [
        "NODE_ENV=production",
        "NODE_OPTIONS=--max-old-space-size=1536",
        "OPENCLAW_STATE_DIR=/data",
        "OPENCLAW_DISABLE_BONJOUR=1",
        "OPENCLAW_NO_AUTO_UPDATE=1",
        "OPENCLAW_PREFER_PNPM=1",
    ];
    assert_eq!(env, agreed);
    assert_eq!(spec.gateway.trusted_proxies, ["172.16.0.0/12", "fdaa::/16"]);
}

#[tokio::test]
async fn whatever_is_called_a_key_or_a_token_is_a_secret() {
    let platform = rendered("platform").await;
    let blueprint: Blueprint = typed(&platform, "Blueprint").remove(0);
    for rule in blueprint.spec.env_schema {
        let named_so = ["_KEY", "_TOKEN", "_SECRET"].iter().any(|end| rule.name.ends_with(end));
        assert_eq!(rule.type_ == EnvType::Secret, named_so, "{}", rule.name);
    }
}
