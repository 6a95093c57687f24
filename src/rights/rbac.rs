//! The tables as RBAC objects.

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::{
    AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use super::roles::{AGGREGATE_TO_PLATFORM, Gathered, PLATFORM_ROLE, ROLES};
use super::{Installation, NAME, Right, Scope, operator, roles};

const RBAC_GROUP: &str = "rbac.authorization.k8s.io";
/// Name of the Role that is needed only with external-dns.
const DNS_ROLE: &str = "moorage-dns";
/// What the role is for, where people look for it.
const DESCRIPTION: &str = "moorage.dev/description";

/// Name and labels that everything of an installation carries.
pub(super) fn metadata(name: &str) -> ObjectMeta {
    let labels = [("app.kubernetes.io/name", NAME), ("app.kubernetes.io/part-of", NAME)];
    ObjectMeta {
        name: Some(name.into()),
        labels: Some(labels.map(|(key, value)| (key.into(), value.into())).into()),
        ..ObjectMeta::default()
    }
}

fn in_namespace(installation: &Installation) -> ObjectMeta {
    ObjectMeta { namespace: Some(installation.namespace.clone()), ..metadata(NAME) }
}

/// The operator's namespace, under the restricted Pod level.
pub(super) fn namespace(installation: &Installation) -> Namespace {
    let mut metadata = metadata(&installation.namespace);
    let labels = metadata.labels.get_or_insert_default();
    labels.insert("pod-security.kubernetes.io/enforce".into(), "restricted".into());
    Namespace { metadata, ..Namespace::default() }
}

/// The operator's ServiceAccount. Only the operator's own Pod mounts its token.
pub(super) fn service_account(installation: &Installation) -> ServiceAccount {
    ServiceAccount {
        metadata: in_namespace(installation),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

fn rules(rights: &[Right], scope: Scope) -> Vec<PolicyRule> {
    rights.iter().filter(|right| right.scope == scope).map(Right::rule).collect()
}

fn role_ref(kind: &str) -> RoleRef {
    role_ref_to(kind, NAME)
}

fn role_ref_to(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: Some(RBAC_GROUP.into()), kind: kind.into(), name: name.into() }
}

fn operator_subjects(installation: &Installation) -> Vec<Subject> {
    vec![Subject {
        kind: "ServiceAccount".into(),
        name: NAME.into(),
        namespace: Some(installation.namespace.clone()),
        ..Subject::default()
    }]
}

/// What the operator may do in the whole cluster.
pub(super) fn operator_cluster_role() -> ClusterRole {
    let rules = rules(operator::RIGHTS, Scope::Cluster);
    ClusterRole { metadata: metadata(NAME), rules: Some(rules), ..ClusterRole::default() }
}

pub(super) fn operator_cluster_role_binding(installation: &Installation) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: metadata(NAME),
        role_ref: role_ref("ClusterRole"),
        subjects: Some(operator_subjects(installation)),
    }
}

/// What the operator may do in its own namespace only.
pub(super) fn operator_role(installation: &Installation) -> Role {
    let rules = rules(operator::RIGHTS, Scope::OwnNamespace);
    Role { metadata: in_namespace(installation), rules: Some(rules) }
}

pub(super) fn operator_role_binding(installation: &Installation) -> RoleBinding {
    RoleBinding {
        metadata: in_namespace(installation),
        role_ref: role_ref("Role"),
        subjects: Some(operator_subjects(installation)),
    }
}

/// What the operator may do besides where external-dns keeps its records.
pub(super) fn dns_endpoint_role(installation: &Installation) -> Role {
    let rules = rules(operator::DNS_ENDPOINT_RIGHTS, Scope::OwnNamespace);
    Role { metadata: for_dns(installation), rules: Some(rules) }
}

pub(super) fn dns_endpoint_role_binding(installation: &Installation) -> RoleBinding {
    RoleBinding {
        metadata: for_dns(installation),
        role_ref: role_ref_to("Role", DNS_ROLE),
        subjects: Some(operator_subjects(installation)),
    }
}

fn for_dns(installation: &Installation) -> ObjectMeta {
    ObjectMeta { namespace: Some(installation.namespace.clone()), ..metadata(DNS_ROLE) }
}

/// The roles for people.
pub(super) fn shipped_roles() -> Vec<ClusterRole> {
    ROLES.iter().map(shipped_role).chain([platform_role()]).collect()
}

fn shipped_role(role: &roles::Role) -> ClusterRole {
    let mut metadata = described(role.name, role.purpose);
    if role.gathered == Gathered::ByPlatform {
        metadata.labels.get_or_insert_default().insert(AGGREGATE_TO_PLATFORM.into(), "true".into());
    }
    let rules = role.rights.iter().map(Right::rule).collect();
    ClusterRole { metadata, rules: Some(rules), ..ClusterRole::default() }
}

fn platform_role() -> ClusterRole {
    let gathered = LabelSelector {
        match_labels: Some([(AGGREGATE_TO_PLATFORM.into(), "true".into())].into()),
        ..LabelSelector::default()
    };
    ClusterRole {
        metadata: described(PLATFORM_ROLE, "The platform: whoever runs Moorage for its tenants"),
        aggregation_rule: Some(AggregationRule { cluster_role_selectors: Some(vec![gathered]) }),
        rules: None,
    }
}

fn described(name: &str, purpose: &str) -> ObjectMeta {
    let mut metadata = metadata(name);
    metadata.annotations.get_or_insert_default().insert(DESCRIPTION.into(), purpose.into());
    metadata
}
