//! The definitions themselves, as the API server judges them.

use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use moorage::api::crd;

use crate::world::{client, kubectl};

/// A format that it doesn't know, or a pattern that it can't use, is a warning and no error.
#[tokio::test]
async fn they_are_taken_without_a_warning() {
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let arguments = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f"];
    let applied = kubectl(&[&arguments[..], &[crds.to_str().unwrap()]].concat()).await;
    assert_eq!(applied.lines().count(), crd::shipped().len(), "{applied}");
}

#[tokio::test]
async fn their_schemas_are_structural_and_their_names_are_free() {
    let api: Api<CustomResourceDefinition> = Api::all(client().await);
    for shipped in crd::all() {
        let name = shipped.metadata.name.unwrap();
        let conditions = api.get(&name).await.unwrap().status.unwrap().conditions.unwrap();
        let status = |type_: &str| {
            conditions.iter().find(|condition| condition.type_ == type_).map(|found| found.status.clone())
        };
        assert_eq!(status("NamesAccepted").as_deref(), Some("True"), "{name}");
        assert_eq!(status("Established").as_deref(), Some("True"), "{name}");
        assert_eq!(status("NonStructuralSchema"), None, "{name}");
    }
}
