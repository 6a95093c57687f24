//! The roles that are shipped for people: three for the members of a Workspace, one for the platform, and one for
//! whoever may see what is on offer.

use super::NAME;
use super::right::Verb::{
    Confirm, Create, Delete, DeleteCollection, Get, List, Patch, Resolve, Update, Watch,
};
use super::right::{Right, Scope, Verb};
use crate::api::GROUP;

/// `ClusterRole` of a Workspace's owners, and name of their RoleBinding in its namespace.
pub const OWNER_ROLE: &str = "moorage-owner";
/// `ClusterRole` of a Workspace's operators, and name of their RoleBinding in its namespace.
pub const OPERATOR_ROLE: &str = "moorage-operator";
/// `ClusterRole` of a Workspace's viewers, and name of their RoleBinding in its namespace.
pub const VIEWER_ROLE: &str = "moorage-viewer";
/// The three roles that the operator may bind, and no other.
pub const WORKSPACE_ROLES: [&str; 3] = [OWNER_ROLE, OPERATOR_ROLE, VIEWER_ROLE];
/// `ClusterRole` of the platform, aggregated from every `ClusterRole` that carries [`AGGREGATE_TO_PLATFORM`].
pub const PLATFORM_ROLE: &str = "moorage-platform";
/// Label of the `ClusterRoles` whose rights the platform's role gathers; its value is `true`.
pub const AGGREGATE_TO_PLATFORM: &str = "moorage.dev/aggregate-to-platform";

const READ: &[Verb] = &[Get, List, Watch];
const ALL: &[Verb] = &[Get, List, Watch, Create, Update, Patch, Delete, DeleteCollection];

/// A role as it is shipped.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// Name of its `ClusterRole`.
    pub name: &'static str,
    /// Who is meant to hold it.
    pub purpose: &'static str,
    /// What it allows.
    pub rights: &'static [Right],
    /// Whether the platform's role gathers it.
    pub gathered: Gathered,
}

/// Whether the platform's role gathers a role's rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gathered {
    /// It does.
    ByPlatform,
    /// It doesn't.
    Alone,
}

/// Every role but the platform's, which has no rights of its own.
pub const ROLES: &[Role] = &[OWNER, OPERATOR, VIEWER, CATALOG, PLATFORM_RIGHTS];

const OWNER: Role = Role {
    name: OWNER_ROLE,
    purpose: "Everything in a Workspace's namespace, members and Secrets included",
    rights: &[
        Right {
            resources: &["workspaces", "runtimes", "runtimeorders", "customdomains"],
            verbs: ALL,
            ..bound("declare them, members included")
        },
        REQUESTS,
        Right { group: "", resources: &["secrets"], verbs: ALL, ..bound("keep the keys that Runtimes use") },
        Right {
            group: "rbac.authorization.k8s.io",
            resources: &["rolebindings"],
            verbs: READ,
            ..bound("see who is bound; members are changed on the Workspace")
        },
        EVENTS,
        CORE_EVENTS,
    ],
    gathered: Gathered::Alone,
};

const OPERATOR: Role = Role {
    name: OPERATOR_ROLE,
    purpose: "Change and operate Runtimes; read the Workspace, whose members it must not change; no Secrets",
    rights: &[
        Right {
            resources: &["runtimes", "customdomains"],
            verbs: ALL,
            ..bound("declare and operate Runtimes and their hostnames")
        },
        Right { resources: &["runtimeorders"], verbs: READ, ..bound("see what is paid for") },
        Right { resources: &["workspaces"], verbs: READ, ..bound("see the dashboard") },
        REQUESTS,
        EVENTS,
        CORE_EVENTS,
    ],
    gathered: Gathered::Alone,
};

const VIEWER: Role = Role {
    name: VIEWER_ROLE,
    purpose: "Read a Workspace and its Runtimes; no Secrets",
    rights: &[
        Right {
            resources: &["workspaces", "runtimes", "runtimeorders", "customdomains"],
            verbs: READ,
            ..bound("see the dashboard")
        },
        TASKS,
        EVENTS,
        CORE_EVENTS,
    ],
    gathered: Gathered::Alone,
};

const CATALOG: Role = Role {
    name: "moorage-catalog",
    purpose: "Read Plans and Blueprints: for customers who choose one by kubectl; bound to nobody",
    rights: &[Right { resources: &["plans", "blueprints"], verbs: READ, ..cluster("see what is on offer") }],
    gathered: Gathered::ByPlatform,
};

const PLATFORM_RIGHTS: Role = Role {
    name: "moorage-platform-rights",
    purpose: "What the platform's role gathers; bind moorage-platform instead",
    rights: &[
        Right {
            resources: &["plans", "blueprints", "workspacepolicies"],
            verbs: ALL,
            ..cluster("say what is on offer, and to whom")
        },
        Right {
            resources: &["nameclaims"],
            verbs: &[Get, List, Watch, Create, Update, Patch, Confirm],
            ..cluster("confirm takeovers and held deletions, and create claims for a restore")
        },
        Right {
            resources: &["paymentreceipts"],
            verbs: &[Get, List, Watch, Create, Update, Patch, Resolve],
            ..cluster("approve by hand; an apply that changes nothing is an update")
        },
        Right {
            resources: &["workspaces", "runtimes", "runtimeorders", "customdomains"],
            verbs: ALL,
            ..cluster("help tenants, and pause what needs it")
        },
        Right { scope: Scope::Cluster, ..REQUESTS },
        Right {
            group: "",
            resources: &["namespaces"],
            verbs: &[Get, List, Watch, Create, Update, Patch],
            ..cluster("make tenants' namespaces, and set their policy labels")
        },
        Right {
            group: "coordination.k8s.io",
            resources: &["leases"],
            verbs: &[Get],
            names: &[NAME],
            ..cluster("see which replica of the operator acts")
        },
        Right {
            group: "",
            resources: &["configmaps"],
            verbs: &[Get],
            names: &[NAME],
            ..cluster("see the operator's configuration, which holds no secret")
        },
        Right { scope: Scope::Cluster, ..EVENTS },
        Right { scope: Scope::Cluster, ..CORE_EVENTS },
    ],
    gathered: Gathered::ByPlatform,
};

const TASKS: Right = Right { resources: &["runtimetasks"], verbs: READ, ..bound("see what was done") };
const REQUESTS: Right = Right {
    resources: &["runtimetasks"],
    verbs: &[Get, List, Watch, Create, Delete],
    ..bound("ask for restarts, snapshots and the like, and see what was done")
};
const EVENTS: Right =
    Right { group: "events.k8s.io", resources: &["events"], verbs: READ, ..bound("see what happened") };

/// The same events under their older name, by which `kubectl describe` asks for them.
const CORE_EVENTS: Right = Right { group: "", ..EVENTS };

const fn bound(why: &'static str) -> Right {
    Right { group: GROUP, resources: &[], verbs: &[], names: &[], scope: Scope::BoundNamespace, why }
}

const fn cluster(why: &'static str) -> Right {
    Right { scope: Scope::Cluster, ..bound(why) }
}
