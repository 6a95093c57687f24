//! One cluster for all tests here, and what is done with it. What is only tried is a server-side dry run.

use std::process::Command;

use kube::api::{DynamicObject, Patch, PatchParams, PostParams, TypeMeta};
use kube::{Api, Client, Error};
use serde_json::{Value, json};
use testbed::{ControlPlane, Identity, api_for, apply};

pub const API_VERSION: &str = "moorage.dev/v1alpha1";

pub async fn cluster() -> &'static ControlPlane {
    ControlPlane::shared().await.unwrap()
}

pub async fn client() -> Client {
    cluster().await.client(&Identity::Admin).await.unwrap()
}

pub async fn namespace(name: &str) {
    apply(&client().await, &format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}"))
        .await
        .unwrap();
}

/// The API of one of our kinds; a cluster-scoped one ignores the namespace.
pub async fn api(kind: &str, namespace: &str) -> Api<DynamicObject> {
    let types = TypeMeta { api_version: API_VERSION.into(), kind: kind.into() };
    api_for(&client().await, &types, Some(namespace)).await.unwrap()
}

pub fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// Creates an object, for real.
pub async fn create(namespace: &str, object: &Value) -> DynamicObject {
    let api = api(object["kind"].as_str().unwrap(), namespace).await;
    let typed = serde_json::from_value(object.clone()).unwrap();
    api.create(&PostParams::default(), &typed).await.unwrap_or_else(|error| panic!("{object}: {error}"))
}

/// Writes an object's status, for real.
pub async fn write_status(namespace: &str, kind: &str, name: &str, status: &Value) {
    let patch = Patch::Merge(json!({"status": status}));
    let api = api(kind, namespace).await;
    api.patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

/// Whether the API server would create it; else what it says.
pub async fn try_create(namespace: &str, object: &Value) -> Result<(), String> {
    let api = api(object["kind"].as_str().unwrap(), namespace).await;
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let typed = serde_json::from_value(object.clone()).unwrap();
    said(api.create(&params, &typed).await)
}

/// Whether the API server would take a merge patch; else what it says.
pub async fn try_patch(namespace: &str, kind: &str, name: &str, patch: &Value) -> Result<(), String> {
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    said(api(kind, namespace).await.patch(name, &params, &Patch::Merge(patch)).await)
}

fn said(outcome: kube::Result<DynamicObject>) -> Result<(), String> {
    match outcome {
        Ok(_) => Ok(()),
        Err(Error::Api(status)) if status.code == 422 => Err(status.message.clone()),
        Err(error) => panic!("neither taken nor refused as invalid: {error}"),
    }
}

/// Applies a merge patch (RFC 7386) to a value.
pub fn merge(target: &mut Value, patch: &Value) {
    let Some(changes) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, change) in changes {
        if change.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], change);
        }
    }
}

/// What `kubectl` prints; it must succeed.
pub async fn kubectl(arguments: &[&str]) -> String {
    let cluster = cluster().await;
    let kubeconfig = cluster.kubeconfig(&Identity::Admin).await.unwrap();
    let output = Command::new(cluster.kubectl())
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(arguments)
        .output()
        .expect("kubectl runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {arguments:?}: {errors}");
    assert!(!errors.contains("Warning"), "kubectl {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
