//! The survey sees every object of the group, and only what breaks the contract.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use testbed::{ControlPlane, ControlPlaneOptions, Identity, Moment, apply, survey};

const CRD: &str = r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.moorage.dev}
spec:
  group: moorage.dev
  scope: Namespaced
  names: {kind: Boat, plural: boats}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

fn status(ready: &str) -> Value {
    json!({"status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": ready,
        "reason": "Afloat", "message": "It floats.", "observedGeneration": 1,
        "lastTransitionTime": "2026-11-21T08:00:00Z"}]}})
}

async fn set_status(api: &Api<DynamicObject>, status: &Value) {
    api.patch_status("one", &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
}

#[tokio::test]
async fn a_broken_condition_is_found_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("boats.yaml"), CRD).unwrap();
    let options = ControlPlaneOptions { crds: Some(dir.path().to_owned()), ..Default::default() };
    let cluster = ControlPlane::start(&options).await.unwrap();
    let client = cluster.client(&Identity::Admin).await.unwrap();
    let boats =
        apply(&client, "{apiVersion: moorage.dev/v1, kind: Boat, metadata: {name: one}}").await.unwrap();
    let api = testbed::api_for(&client, &boats[0].types.clone().unwrap(), None).await.unwrap();

    set_status(&api, &status("True")).await;
    let broken = survey::broken_conditions(&client, &["default"], Moment::AtRest).await.unwrap();
    assert!(broken.is_empty(), "{broken:?}");

    set_status(&api, &status("Unknown")).await;
    let broken = survey::broken_conditions(&client, &["default"], Moment::AtRest).await.unwrap();
    assert_eq!(broken, ["Boat default/one: Ready=Unknown must go with Reconciling"]);
    assert!(survey::broken_conditions(&client, &["other"], Moment::AtRest).await.unwrap().is_empty());
}
