//! Definitions of moorage.dev: removed by the platform alone. And the policies themselves are sound.

use std::time::Duration;

use anyhow::ensure;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::Api;
use kube::api::ListParams;
use testbed::eventually;

use crate::world::{Kind, OUTSIDERS, PLATFORM, Try, Verdict, Who, policy};

pub const CRDS: Kind = Kind {
    api_version: "apiextensions.k8s.io/v1",
    name: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
    namespace: None,
};
const POLICY: &str = "moorage-definitions";

#[tokio::test]
async fn only_the_platform_removes_ours() {
    for what in [Try::Delete("nameclaims.moorage.dev"), Try::Delete("runtimes.moorage.dev")] {
        CRDS.expect(&PLATFORM, what.clone(), &Verdict::Allowed).await;
        CRDS.expect(&[Who::Operator], what.clone(), &policy(POLICY)).await;
        CRDS.expect(&OUTSIDERS, what.clone(), &policy(POLICY)).await;
        CRDS.expect(&[Who::Tenant], what, &Verdict::Rights).await;
    }
}

#[tokio::test]
async fn other_definitions_are_left_alone() {
    CRDS.expect(&OUTSIDERS, Try::Delete("boats.example.test"), &Verdict::Allowed).await;
}

/// The API server checks each expression against the schema of what it is about.
#[tokio::test]
async fn no_expression_names_a_field_that_does_not_exist() {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(Who::Masters.client().await);
    eventually("every policy to be checked", Duration::from_secs(20), async || {
        for policy in policies.list(&ListParams::default()).await? {
            let status = policy.status.unwrap_or_default();
            let name = policy.metadata.name.unwrap_or_default();
            ensure!(status.observed_generation == policy.metadata.generation, "{name} isn't checked yet");
            let warnings = status.type_checking.and_then(|checked| checked.expression_warnings);
            ensure!(warnings.unwrap_or_default().is_empty(), "{name} has warnings");
        }
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn every_policy_fails_closed_and_is_bound_to_deny() {
    let client = Who::Masters.client().await;
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(client);
    for expected in moorage::rights::policies::table() {
        let spec = policies.get(expected.name).await.unwrap().spec.unwrap();
        assert_eq!(spec.failure_policy.as_deref(), Some("Fail"), "{}", expected.name);
        let binding = bindings.get(expected.name).await.unwrap().spec;
        assert_eq!(binding.policy_name, expected.name);
        assert_eq!(binding.validation_actions, ["Deny"]);
        assert!(binding.match_resources.is_none(), "{} holds everywhere", expected.name);
    }
}
