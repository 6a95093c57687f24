//! Which `RoleBindings` a Workspace's members come to, and whether a standing one is as it should be. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};

use super::facts::BindingFact;
use crate::api::workspace::{Member, MemberKind, Role};
use crate::api::{FIELD_MANAGER, Workspace, label_key, reason};
use crate::control::runtime::facts::Refusal;
use crate::engine::hash::short_hash;
use crate::rights::roles::{OPERATOR_ROLE, OWNER_ROLE, VIEWER_ROLE};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Every role that a member can have.
pub const ROLES: [Role; 3] = [Role::Owner, Role::Operator, Role::Viewer];

/// Name of a role's `ClusterRole`, and of the `RoleBinding` to it.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Owner => OWNER_ROLE,
        Role::Operator => OPERATOR_ROLE,
        Role::Viewer => VIEWER_ROLE,
    }
}

/// The members that may not be bound, if there are any. The schema refuses them first.
pub fn refused(workspace: &Workspace) -> Option<Refusal> {
    let names: Vec<String> = workspace
        .spec
        .members
        .iter()
        .filter(|member| !may_be_bound(member))
        .map(|member| format!("`{}`", member.name))
        .collect();
    (!names.is_empty()).then(|| {
        Refusal::new(
            reason::MEMBER_NOT_ALLOWED,
            format!(
                "These members can't be bound: {}. Name users and groups of people, or ServiceAccounts of this namespace.",
                names.join(", ")
            ),
        )
    })
}

/// Neither a subject of the system's own, nor a `ServiceAccount` of another namespace by its long name.
fn may_be_bound(member: &Member) -> bool {
    let plain = !member.name.is_empty() && !member.name.starts_with("system:");
    plain && (member.kind != MemberKind::ServiceAccount || !member.name.contains(':'))
}

/// The `RoleBinding` that a role should have; none if nobody holds the role.
pub fn binding(workspace: &Workspace, role: Role) -> Option<RoleBinding> {
    let subjects = subjects(workspace, role);
    if subjects.is_empty() {
        return None;
    }
    Some(RoleBinding {
        metadata: ObjectMeta {
            name: Some(role_name(role).to_owned()),
            namespace: workspace.namespace(),
            labels: Some(BTreeMap::from([(label_key::MANAGED_BY.to_owned(), FIELD_MANAGER.to_owned())])),
            owner_references: workspace.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        role_ref: RoleRef {
            api_group: Some(RBAC.to_owned()),
            kind: "ClusterRole".to_owned(),
            name: role_name(role).to_owned(),
        },
        subjects: Some(subjects),
    })
}

fn subjects(workspace: &Workspace, role: Role) -> Vec<Subject> {
    let members = workspace.spec.members.iter();
    let chosen = members.filter(|member| member.role == role && may_be_bound(member));
    let mut subjects: Vec<Subject> = chosen.map(|member| subject(workspace, member)).collect();
    subjects.sort_by(|one, other| (&one.kind, &one.name).cmp(&(&other.kind, &other.name)));
    subjects
}

fn subject(workspace: &Workspace, member: &Member) -> Subject {
    let (kind, api_group, namespace) = match member.kind {
        MemberKind::User => ("User", Some(RBAC.to_owned()), None),
        MemberKind::Group => ("Group", Some(RBAC.to_owned()), None),
        MemberKind::ServiceAccount => ("ServiceAccount", None, workspace.namespace()),
    };
    Subject { kind: kind.to_owned(), api_group, namespace, name: member.name.clone() }
}

/// What a standing `RoleBinding` of the role's name is.
pub fn judge(role: Role, standing: Option<&RoleBinding>) -> BindingFact {
    let Some(standing) = standing else { return BindingFact::Missing };
    let binds = &standing.role_ref;
    if binds.kind == "ClusterRole" && binds.name == role_name(role) {
        BindingFact::Ours(fingerprint(standing))
    } else {
        BindingFact::Foreign
    }
}

/// A hash of whom it binds and who owns it, whatever the order.
pub fn fingerprint(binding: &RoleBinding) -> String {
    let owners = binding.owner_references().iter().map(|owner| format!("owner/{}", owner.uid));
    let subjects = binding.subjects.iter().flatten().map(|subject| {
        let namespace = subject.namespace.as_deref().unwrap_or_default();
        format!("{}/{namespace}/{}", subject.kind, subject.name)
    });
    let mut parts: Vec<String> = owners.chain(subjects).collect();
    parts.sort();
    short_hash(&parts.iter().map(String::as_str).collect::<Vec<_>>(), 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::workspace::samples::{member, workspace};

    #[test]
    fn each_role_binds_its_members_alone() {
        let mut acme = workspace();
        acme.spec.members = vec![
            member(MemberKind::User, "zoe", Role::Owner),
            member(MemberKind::Group, "staff", Role::Viewer),
            member(MemberKind::ServiceAccount, "bot", Role::Owner),
        ];
        let owners = binding(&acme, Role::Owner).unwrap();
        assert_eq!(owners.role_ref.name, OWNER_ROLE);
        let names: Vec<_> = owners.subjects.unwrap().into_iter().map(|it| (it.name, it.namespace)).collect();
        assert_eq!(names, [("bot".to_owned(), Some("acme".to_owned())), ("zoe".to_owned(), None)]);
        assert!(binding(&acme, Role::Operator).is_none());
        assert_eq!(binding(&acme, Role::Viewer).unwrap().subjects.unwrap().len(), 1);
    }

    #[test]
    fn system_subjects_and_foreign_service_accounts_are_left_out_and_named() {
        let mut acme = workspace();
        acme.spec.members = vec![
            member(MemberKind::Group, "system:authenticated", Role::Owner),
            member(MemberKind::ServiceAccount, "kube-system:default", Role::Owner),
        ];
        assert!(binding(&acme, Role::Owner).is_none());
        let refusal = refused(&acme).unwrap();
        assert_eq!(refusal.reason, reason::MEMBER_NOT_ALLOWED);
        assert!(refusal.message.contains("`system:authenticated`, `kube-system:default`"), "{refusal:?}");
    }

    #[test]
    fn order_does_not_matter_and_one_subject_more_does() {
        let mut acme = workspace();
        acme.spec.members =
            vec![member(MemberKind::User, "a", Role::Owner), member(MemberKind::User, "b", Role::Owner)];
        let wanted = binding(&acme, Role::Owner).unwrap();
        let mut standing = wanted.clone();
        standing.subjects.as_mut().unwrap().reverse();
        assert_eq!(fingerprint(&wanted), fingerprint(&standing));
        let extra = standing.subjects.as_ref().unwrap()[0].clone();
        standing.subjects.as_mut().unwrap().push(Subject { name: "mallory".into(), ..extra });
        assert_ne!(fingerprint(&wanted), fingerprint(&standing));
    }

    #[test]
    fn a_binding_to_another_role_is_foreign() {
        let mut acme = workspace();
        acme.spec.members = vec![member(MemberKind::User, "a", Role::Owner)];
        let mut standing = binding(&acme, Role::Owner).unwrap();
        assert!(matches!(judge(Role::Owner, Some(&standing)), BindingFact::Ours(_)));
        standing.role_ref.name = "cluster-admin".into();
        assert_eq!(judge(Role::Owner, Some(&standing)), BindingFact::Foreign);
        assert_eq!(judge(Role::Owner, None), BindingFact::Missing);
    }
}
