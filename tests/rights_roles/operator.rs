//! The operator's ServiceAccount.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, RoleBinding};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::Status;
use kube::{Api, Client, Error};
use moorage::rights::{Scope, WORKSPACE_ROLES, operator::RIGHTS};
use serde_json::{Value, json};
use testbed::Identity;

use crate::world::{allowed, attributes, cluster, may, operator};

const VERBS: [&str; 11] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "bind",
    "escalate",
    "impersonate",
];

/// What every authenticated identity may ask about itself.
const EVERYBODY: [&str; 3] = ["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"];

#[test]
fn the_table_has_no_wildcard_and_never_lists_secrets() {
    for right in RIGHTS {
        let words = right.resources.iter().chain(right.names).chain([&right.group]);
        assert!(words.into_iter().all(|word| !word.contains('*')), "{right:?}");
        assert!(!right.why.is_empty(), "{right:?} says what it is for");
        if right.resources.contains(&"secrets") {
            let verbs: Vec<_> = right.verbs.iter().map(|verb| verb.as_str()).collect();
            // It forgets its own, and removes nobody else's.
            let own = right.scope == Scope::OwnNamespace;
            assert_eq!(verbs, if own { vec!["delete"] } else { vec!["get", "create", "patch"] });
        }
    }
}

#[tokio::test]
async fn it_may_do_all_that_its_table_says() {
    let client = operator().await;
    for right in RIGHTS {
        for what in right.access_reviews("moorage-system") {
            assert!(may(&client, what.clone()).await, "{what:?}");
        }
    }
}

/// Every resource that the server knows, with every verb, in another namespace and in its own.
#[tokio::test]
async fn it_may_do_nothing_besides() {
    let client = operator().await;
    let resources = resources(&cluster().await.client(&Identity::Admin).await.unwrap()).await;
    assert!(resources.len() > 80, "{}", resources.len());
    for (namespace, scopes) in
        [("other", vec![Scope::Cluster]), ("moorage-system", vec![Scope::Cluster, Scope::OwnNamespace])]
    {
        let granted = granted(&scopes);
        let asked = resources
            .iter()
            .flat_map(|(group, resource)| {
                VERBS.map(|verb| (group.clone(), resource.clone(), verb.to_owned()))
            })
            .filter(|one| !granted.contains(one) && !EVERYBODY.contains(&one.1.as_str()))
            .map(|(group, resource, verb)| attributes(&group, &resource, &verb, Some(namespace)));
        let surplus = allowed(&client, asked.collect()).await;
        assert!(surplus.is_empty(), "in {namespace} it may also: {surplus:#?}");
    }
}

#[tokio::test]
async fn what_is_limited_by_name_is_refused_for_other_names() {
    let client = operator().await;
    let group = "rbac.authorization.k8s.io";
    for (resource, verb) in [
        ("rolebindings", "get"),
        ("rolebindings", "patch"),
        ("rolebindings", "delete"),
        ("clusterroles", "bind"),
    ] {
        let named = |name: &str| ResourceAttributes {
            name: Some(name.into()),
            ..attributes(group, resource, verb, None)
        };
        for role in WORKSPACE_ROLES {
            assert!(may(&client, named(role)).await, "{verb} {resource} {role}");
        }
        for other in ["cluster-admin", "admin", "edit", "moorage-platform", "moorage"] {
            assert!(!may(&client, named(other)).await, "{verb} {resource} {other}");
        }
    }
}

/// Type, group, resource, verb of what holds for every name in these scopes.
fn granted(scopes: &[Scope]) -> BTreeSet<(String, String, String)> {
    let rights = RIGHTS.iter().filter(|right| scopes.contains(&right.scope) && right.names.is_empty());
    rights
        .flat_map(|right| {
            right.resources.iter().flat_map(|resource| {
                right
                    .verbs
                    .iter()
                    .map(|verb| (right.group.to_owned(), (*resource).to_owned(), verb.as_str().to_owned()))
            })
        })
        .collect()
}

/// Group and resource, subresources included, of all that is served, and some that only authorization knows.
async fn resources(client: &Client) -> BTreeSet<(String, String)> {
    let mut all: BTreeSet<(String, String)> =
        [("", "users"), ("", "groups"), ("*", "*"), ("", "*"), ("moorage.dev", "*")]
            .map(|(group, resource)| (group.to_owned(), resource.to_owned()))
            .into();
    let core = client.list_core_api_resources("v1").await.unwrap();
    all.extend(core.resources.into_iter().map(|resource| (String::new(), resource.name)));
    for group in client.list_api_groups().await.unwrap().groups {
        for version in &group.versions {
            let list = client.list_api_group_resources(&version.group_version).await.unwrap();
            all.extend(list.resources.into_iter().map(|resource| (group.name.clone(), resource.name)));
        }
    }
    all
}

fn bound(name: &str, role: &str) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name},
        "subjects": [{"kind": "User", "name": "ann", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}})
}

async fn apply(api: &Api<RoleBinding>, name: &str, role: &str) -> kube::Result<RoleBinding> {
    api.patch(name, &PatchParams::apply("moorage"), &Patch::Apply(bound(name, role))).await
}

fn refused<T: std::fmt::Debug>(outcome: kube::Result<T>) -> Box<Status> {
    match outcome {
        Err(Error::Api(status)) if status.code == 403 => status,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn it_binds_the_three_roles_and_no_other() {
    let api: Api<RoleBinding> = Api::namespaced(operator().await, "other");
    for role in WORKSPACE_ROLES {
        apply(&api, role, role).await.unwrap();
        apply(&api, role, role).await.unwrap();
        api.delete(role, &DeleteParams::default()).await.unwrap();
    }
    for role in ["cluster-admin", "admin", "moorage-platform"] {
        let status = refused(apply(&api, WORKSPACE_ROLES[0], role).await);
        assert!(status.message.contains("attempting to grant RBAC permissions"), "{}", status.message);
    }
}

#[tokio::test]
async fn it_makes_bindings_under_the_names_of_the_roles_and_no_other() {
    let api: Api<RoleBinding> = Api::namespaced(operator().await, "other");
    refused(apply(&api, "early", WORKSPACE_ROLES[2]).await);
    let post = bound("early", WORKSPACE_ROLES[2]);
    refused(api.create(&PostParams::default(), &serde_json::from_value(post).unwrap()).await);
}

#[tokio::test]
async fn it_reads_a_secret_by_name_and_never_all() {
    let secrets: Api<Secret> = Api::namespaced(operator().await, "other");
    let secret: Secret = serde_json::from_value(json!({"metadata": {"name": "gateway"}})).unwrap();
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    secrets.get("gateway").await.unwrap();
    refused(secrets.list(&ListParams::default()).await);
    refused(secrets.delete("gateway", &DeleteParams::default()).await);
}

/// The shipped object says what the table says: no rule was lost or widened on its way.
#[tokio::test]
async fn its_cluster_role_is_the_table() {
    let admin = cluster().await.client(&Identity::Admin).await.unwrap();
    let shipped: Api<ClusterRole> = Api::all(admin);
    let rules = shipped.get("moorage").await.unwrap().rules.unwrap();
    let expected: Vec<_> = RIGHTS.iter().filter(|right| right.scope == Scope::Cluster).collect();
    assert_eq!(rules.len(), expected.len());
    for (rule, right) in rules.iter().zip(expected) {
        let PolicyRule { resources, resource_names, verbs, .. } = rule;
        assert_eq!(json!(resources), json!(right.resources));
        assert_eq!(json!(resource_names.clone().unwrap_or_default()), json!(right.names));
        let words: Vec<Value> = right.verbs.iter().map(|verb| json!(verb.as_str())).collect();
        assert_eq!(json!(verbs), json!(words));
    }
}
