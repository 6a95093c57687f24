//! A real API server takes what the chart renders, with the restricted Pod level enforced in its namespace.

use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use kube::{Client, Error};
use moorage::api::Plan;
use serde_json::{Value, json};
use testbed::{Audit, ControlPlane, ControlPlaneOptions, Identity, apply, eventually};

use crate::helm::{NAMESPACE, chart, full_values, helm, render};

const RESTRICTED: &str = "{apiVersion: v1, kind: Namespace, metadata: {name: moorage-system,
    labels: {pod-security.kubernetes.io/enforce: restricted}}}";

/// A cluster without anything of ours, as a chart finds it.
async fn cluster() -> (ControlPlane, Client) {
    let options = ControlPlaneOptions { audit: Audit::Off, ..Default::default() };
    let cluster = ControlPlane::start(&options).await.unwrap();
    let admin = cluster.client(&Identity::Admin).await.unwrap();
    apply(&admin, RESTRICTED).await.unwrap();
    (cluster, admin)
}

/// The Pod that the Deployment would have made.
async fn pod(client: &Client, change: impl FnOnce(&mut Value)) -> kube::Result<Pod> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    let template = deployments.get("moorage").await.unwrap().spec.unwrap().template;
    let mut pod = serde_json::to_value(&template).unwrap();
    pod["metadata"]["name"] = json!("moorage-0");
    change(&mut pod);
    let pod = serde_json::from_value(pod).unwrap();
    let params = PostParams { dry_run: true, ..PostParams::default() };
    Api::namespaced(client.clone(), NAMESPACE).create(&params, &pod).await
}

async fn assert_restricted(client: &Client) {
    // The ServiceAccount is seen by admission a moment after it is made.
    eventually("the Pod to be admitted", Duration::from_secs(10), async || Ok(pod(client, |_| ()).await?))
        .await
        .unwrap();
    for (path, value) in [
        ("/spec/securityContext/runAsNonRoot", json!(false)),
        ("/spec/containers/0/securityContext/allowPrivilegeEscalation", json!(true)),
        ("/spec/containers/0/securityContext/capabilities/drop", json!([])),
        ("/spec/securityContext/seccompProfile/type", json!("Unconfined")),
    ] {
        let refused = pod(client, |pod| *pod.pointer_mut(path).unwrap() = value).await;
        assert!(matches!(&refused, Err(Error::Api(status)) if status.code == 403), "{path}: {refused:?}");
    }
}

#[tokio::test]
async fn the_default_render_installs_and_its_pod_is_restricted() {
    let (_cluster, admin) = cluster().await;
    apply(&admin, &render(&[]).unwrap()).await.unwrap();
    assert_restricted(&admin).await;
}

#[tokio::test]
async fn the_full_render_installs_upgrades_and_its_pod_is_restricted() {
    let (_cluster, admin) = cluster().await;
    let priority = "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass,
        metadata: {name: harbour}, value: 1000}";
    apply(&admin, priority).await.unwrap();
    let values = full_values();
    let full = ["--values", values.as_str(), "--set", "priorityClassName=harbour"];
    apply(&admin, &render(&full).unwrap()).await.unwrap();
    assert_restricted(&admin).await;
    apply(&admin, &render(&[]).unwrap()).await.unwrap();
    apply(&admin, &render(&full).unwrap()).await.unwrap();
}

/// Helm itself, as a person would: the release goes, and what it was there for stays.
#[tokio::test]
async fn a_release_installs_upgrades_and_leaves_the_objects_when_it_goes() {
    let (cluster, admin) = cluster().await;
    let kubeconfig = cluster.kubeconfig(&Identity::Admin).await.unwrap().display().to_string();
    let chart = chart().display().to_string();
    let run = |arguments: &[&str]| {
        let common = ["--namespace", NAMESPACE, "--kubeconfig", &kubeconfig];
        let output = helm(&[arguments, &common].concat());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["install", "moorage", &chart]);
    apply(&admin, PLAN).await.unwrap();
    run(&["upgrade", "moorage", &chart, "--set", "config.clusterID=harbour-1,replicas=2"]);
    let deployments: Api<Deployment> = Api::namespaced(admin.clone(), NAMESPACE);
    assert_eq!(deployments.get("moorage").await.unwrap().spec.unwrap().replicas, Some(2));
    run(&["uninstall", "moorage"]);
    assert!(deployments.get_opt("moorage").await.unwrap().is_none());
    let plans: Api<Plan> = Api::all(admin.clone());
    assert!(plans.get_opt("small").await.unwrap().is_some(), "the Plan outlives the release");
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(admin);
    assert!(policies.get_opt("moorage-catalog").await.unwrap().is_none());
}

const PLAN: &str =
    "{apiVersion: moorage.dev/v1alpha1, kind: Plan, metadata: {name: small}, spec: {cpuKind: Shared,
    cpus: 1, memoryMB: 2048, volumeGB: 10, amount: 900, currency: EUR, interval: Month}}";
