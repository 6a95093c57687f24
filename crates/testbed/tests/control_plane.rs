//! The control plane is real: it serves CRDs, enforces RBAC, ends namespaces and collects garbage.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "test code")]

use std::time::Duration;

use anyhow::bail;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::json;
use testbed::{Audit, ControlPlane, ControlPlaneOptions, Identity, apply, eventually};

const CRD: &str = r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.example.test}
spec:
  group: example.test
  scope: Namespaced
  names: {kind: Boat, plural: boats}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

async fn cluster() -> ControlPlane {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("boats.yaml"), CRD).unwrap();
    let options = ControlPlaneOptions {
        audit: Audit::Requests,
        crds: Some(dir.path().to_owned()),
        ..Default::default()
    };
    ControlPlane::start(&options).await.unwrap()
}

#[tokio::test]
async fn a_deleted_owner_takes_what_it_owns_and_a_deleted_namespace_ends() {
    let cluster = cluster().await;
    let admin = cluster.client(&Identity::Admin).await.unwrap();
    apply(&admin, "{apiVersion: v1, kind: Namespace, metadata: {name: acme}}").await.unwrap();
    let boats =
        apply(&admin, "{apiVersion: example.test/v1, kind: Boat, metadata: {name: one, namespace: acme}}")
            .await
            .unwrap();
    let uid = boats[0].metadata.uid.clone().unwrap();
    let owner = json!([{"apiVersion": "example.test/v1", "kind": "Boat", "name": "one", "uid": uid}]);
    let dependant = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "owned", "namespace": "acme", "ownerReferences": owner}});
    apply(&admin, &dependant.to_string()).await.unwrap();

    let types = boats[0].types.clone().unwrap();
    let boat_api = testbed::api_for(&admin, &types, Some("acme")).await.unwrap();
    boat_api.delete("one", &DeleteParams::default()).await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(admin.clone(), "acme");
    gone("the owned ConfigMap", &maps, "owned").await;

    let namespaces: Api<Namespace> = Api::all(admin.clone());
    namespaces.delete("acme", &DeleteParams::default()).await.unwrap();
    gone("the namespace", &namespaces, "acme").await;
}

#[tokio::test]
async fn an_identity_may_do_what_its_rights_say_and_the_audit_log_tells() {
    let cluster = cluster().await;
    let admin = cluster.client(&Identity::Admin).await.unwrap();
    apply(&admin, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: robot, namespace: default}}")
        .await
        .unwrap();
    for identity in [Identity::user("ann", &["crew", "deck"]), Identity::service_account("default", "robot")]
    {
        let client = cluster.client(&identity).await.unwrap();
        let maps: Api<ConfigMap> = Api::default_namespaced(client);
        let refused = maps.list(&ListParams::default()).await.unwrap_err();
        assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused}");
    }
    apply(
        &admin,
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: crew},
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit},
        subjects: [{kind: Group, name: deck, apiGroup: rbac.authorization.k8s.io}]}",
    )
    .await
    .unwrap();
    let ann = cluster.client(&Identity::user("ann", &["crew", "deck"])).await.unwrap();
    let maps: Api<ConfigMap> = Api::default_namespaced(ann);
    let map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "by-ann"}})).unwrap();
    eventually("the binding to be seen", Duration::from_secs(10), async || {
        Ok(maps.create(&PostParams::default(), &map).await.map(drop)?)
    })
    .await
    .unwrap();

    let events = cluster.audit_events().unwrap();
    assert!(events.iter().any(|event| event.is_refused_right() && event.user.ends_with("default:robot")));
    assert!(events.iter().any(|event| event.is_write() && event.user == "ann" && event.name == "by-ann"));
}

async fn gone<K>(what: &str, api: &Api<K>, name: &str)
where
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    eventually(&format!("{what} gone"), Duration::from_secs(20), async || match api.get_opt(name).await? {
        None => Ok(()),
        Some(_) => bail!("still there"),
    })
    .await
    .unwrap();
}
