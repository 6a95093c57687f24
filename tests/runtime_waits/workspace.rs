use kube::api::DeleteParams;
use serde_json::{Value, json};
use testbed::{apply, eventually};

use crate::support::{SOON, Tenant, condition, reason, text};
use crate::tenant;
use crate::waits::Waits;

const VERSION: &str = "moorage.dev/v1alpha1";

async fn declare(tenant: &Tenant<'_>, name: &str) {
    let spec = json!({"displayName": "Acme", "subdomain": tenant.slug(name), "defaultPlanRef": {"name": "small"},
        "members": [{"kind": "User", "name": "ann@example.com", "role": "Owner"}]});
    tenant.apply(VERSION, "Workspace", name, json!({"spec": spec})).await.unwrap();
}

/// Waits until a Workspace is in this state, for this reason.
async fn state(tenant: &Tenant<'_>, name: &str, state: &str, why: &str) -> Value {
    let api = tenant.api(VERSION, "Workspace").await.unwrap();
    eventually(&format!("the Workspace {name} to be {state}"), SOON, async || {
        let object: Value = serde_json::to_value(api.get(name).await?)?;
        let is = text(&object, "/status/state") == state && (why.is_empty() || reason(&object) == why);
        anyhow::ensure!(is, "{:#}", object["status"]);
        Ok(object)
    })
    .await
    .unwrap()
}

async fn begin(tenant: &Tenant<'_>, name: &str) -> Waits {
    Waits::begin(tenant, "Workspace", name).await
}

async fn policy(tenant: &Tenant<'_>, suspended: &str) {
    let name = &tenant.namespace;
    let policy = format!(
        "{{apiVersion: {VERSION}, kind: WorkspacePolicy, metadata: {{name: {name}}}, \
         spec: {{selector: {{namespaces: [{name}]}}, suspended: {suspended}}}}}"
    );
    apply(&tenant.client, &policy).await.unwrap();
}

async fn suspended_goes_on_until_the_platform_lets_it_and_its_runtimes_go() {
    let tenant = tenant("waits-held").await;
    declare(&tenant, "main").await;
    begin(&tenant, "main").await.end_well().await;
    tenant.declare("ops", json!({})).await.unwrap();
    tenant.wait_ready("ops", "running").await.unwrap();
    policy(&tenant, "true").await;
    state(&tenant, "main", "suspended", "AwaitingResume").await;
    tenant.wait_reason("ops", "AwaitingResume").await.unwrap();
    let mut workspace = begin(&tenant, "main").await;
    let mut runtime = Waits::begin(&tenant, "Runtime", "ops").await;
    workspace.go_on().await;
    runtime.go_on().await;
    policy(&tenant, "false").await;
    workspace.end_well().await;
    runtime.end_well().await;
}

async fn a_second_one_in_the_namespace_fails() {
    let tenant = tenant("waits-two").await;
    declare(&tenant, "main").await;
    state(&tenant, "main", "active", "").await;
    declare(&tenant, "second").await;
    state(&tenant, "second", "error", "NamespaceTaken").await;
    begin(&tenant, "second").await.end_in_failure().await;
}

/// A webhook that can't be called keeps the members from being bound.
async fn pending_goes_on_until_it_is_active() {
    let tenant = tenant("waits-pend").await;
    let webhook = "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, \
        metadata: {name: waits-pend}, webhooks: [{name: none.example.com, admissionReviewVersions: [v1], \
        sideEffects: None, clientConfig: {url: 'https://127.0.0.1:1/'}, \
        namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: waits-pend}}, \
        rules: [{apiGroups: [rbac.authorization.k8s.io], apiVersions: [v1], operations: [CREATE], \
        resources: [rolebindings]}]}]}";
    apply(&tenant.client, webhook).await.unwrap();
    declare(&tenant, "main").await;
    let pending = state(&tenant, "main", "pending", "KubernetesUnavailable").await;
    let told = condition(&pending, "Ready");
    assert!(text(&told, "/message").contains("admission webhook"), "{told}");
    let mut waits = begin(&tenant, "main").await;
    waits.go_on().await;
    let types = kube::api::TypeMeta {
        api_version: "admissionregistration.k8s.io/v1".into(),
        kind: "ValidatingWebhookConfiguration".into(),
    };
    let webhooks = testbed::api_for(&tenant.client, &types, None).await.unwrap();
    webhooks.delete("waits-pend", &DeleteParams::default()).await.unwrap();
    waits.end_well().await;
}

/// Side by side, as the tests of Runtimes.
#[tokio::test]
async fn a_workspace_in_each_situation() {
    tokio::join!(
        suspended_goes_on_until_the_platform_lets_it_and_its_runtimes_go(),
        a_second_one_in_the_namespace_fails(),
        pending_goes_on_until_it_is_active()
    );
}
