//! One row of a table of rights.

use k8s_openapi::api::authorization::v1::ResourceAttributes;
use k8s_openapi::api::rbac::v1::PolicyRule;

/// What may be done, in the API server's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Read one by name.
    Get,
    /// Read all.
    List,
    /// Follow all.
    Watch,
    /// Make one.
    Create,
    /// Replace one.
    Update,
    /// Change one.
    Patch,
    /// Remove one.
    Delete,
    /// Remove many at once.
    DeleteCollection,
    /// Give a role to others without holding its rights.
    Bind,
    /// Say on a claim that a takeover or a deletion goes on.
    Confirm,
    /// Vouch by hand for a payment, or that money went back.
    Resolve,
}

/// Where a right holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// In all namespaces, and for kinds that have none.
    Cluster,
    /// In the operator's own namespace.
    OwnNamespace,
    /// In the namespace where the role is bound.
    BoundNamespace,
}

/// One row: verbs on a resource, where, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Resources, in the plural, with their subresource after a slash.
    pub resources: &'static [&'static str],
    /// What may be done.
    pub verbs: &'static [Verb],
    /// Names that it is limited to; empty for all.
    pub names: &'static [&'static str],
    /// Where it holds.
    pub scope: Scope,
    /// What it is needed for.
    pub why: &'static str,
}

impl Verb {
    /// The verb as RBAC writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
            Self::Bind => "bind",
            Self::Confirm => "confirm",
            Self::Resolve => "resolve",
        }
    }
}

impl Right {
    pub(super) fn rule(&self) -> PolicyRule {
        let strings = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
        PolicyRule {
            api_groups: Some(vec![self.group.into()]),
            resources: Some(strings(self.resources)),
            resource_names: (!self.names.is_empty()).then(|| strings(self.names)),
            verbs: self.verbs.iter().map(|verb| verb.as_str().to_owned()).collect(),
            ..PolicyRule::default()
        }
    }

    /// The questions to ask the API server (`SelfSubjectAccessReview`) to learn whether this right is held.
    ///
    /// `own_namespace` is the operator's. Rights bound to a namespace are asked for there too.
    pub fn access_reviews(&self, own_namespace: &str) -> Vec<ResourceAttributes> {
        let names = if self.names.is_empty() { &[""] } else { self.names };
        let mut reviews = Vec::new();
        for resource in self.resources {
            for verb in self.verbs {
                reviews.extend(names.iter().map(|name| self.review(own_namespace, resource, *verb, name)));
            }
        }
        reviews
    }

    fn review(&self, own_namespace: &str, resource: &str, verb: Verb, name: &str) -> ResourceAttributes {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        ResourceAttributes {
            group: given(self.group),
            resource: given(resource),
            subresource: given(subresource),
            verb: given(verb.as_str()),
            name: given(name),
            namespace: (self.scope != Scope::Cluster).then(|| own_namespace.to_owned()),
            ..ResourceAttributes::default()
        }
    }
}
