//! The operator's rights: each with what it is needed for, and none besides.

use super::NAME;
use super::right::Verb::{Bind, Create, Delete, Get, List, Patch, Update, Watch};
use super::right::{Right, Scope};
use super::roles::WORKSPACE_ROLES;
use crate::api::GROUP;
use crate::control::domain::answers::CONFIG_MAP as ANSWERS;

/// The whole table.
pub const RIGHTS: &[Right] = &[
    Right {
        resources: &["runtimes", "workspaces", "runtimeorders", "customdomains"],
        verbs: &[Get, List, Watch, Update, Patch],
        ..moorage("reconcile them, and set and remove the operator's finalizers")
    },
    Right {
        resources: &["runtimes/status", "workspaces/status", "runtimeorders/status", "customdomains/status"],
        verbs: &[Get, Update, Patch],
        ..moorage("say where they stand")
    },
    Right {
        resources: &["runtimes"],
        verbs: &[Create, Delete],
        ..moorage(
            "make the Runtime that a paid order asks for, and delete it once it wasn't paid for too long",
        )
    },
    Right {
        resources: &["runtimes/finalizers", "workspaces/finalizers", "customdomains/finalizers"],
        verbs: &[Update],
        ..moorage("own Secrets, RoleBindings and tasks where clusters ask owners for this right")
    },
    Right {
        resources: &["runtimetasks"],
        verbs: &[Get, List, Watch, Create, Patch, Delete],
        ..moorage("keep a bounded history of operations")
    },
    Right {
        resources: &["runtimetasks/status"],
        verbs: &[Get, Update, Patch],
        ..moorage("say how far an operation is")
    },
    Right {
        resources: &["plans", "blueprints", "workspacepolicies"],
        verbs: &[Get, List, Watch],
        ..moorage("know sizes, images and limits")
    },
    Right {
        resources: &["plans/status", "blueprints/status", "workspacepolicies/status"],
        verbs: &[Get, Update, Patch],
        ..moorage("say whether they are usable")
    },
    Right {
        resources: &["nameclaims"],
        verbs: &[Get, List, Watch, Create, Update, Patch, Delete],
        ..moorage("hold names, and record what stands at Fly under them")
    },
    Right {
        resources: &["paymentreceipts"],
        verbs: &[Get, List, Watch, Create],
        ..moorage("know what is paid for, and store what payment providers tell")
    },
    Right {
        resources: &["namespaces"],
        verbs: &[Get, List, Watch],
        ..core("match WorkspacePolicies by label, and see that a namespace ends")
    },
    Right {
        resources: &["secrets"],
        verbs: &[Get, Create, Patch],
        ..core(
            "read by name what a Runtime or a CustomDomain refers to, and keep gateways' tokens and certificates; never list or watch",
        )
    },
    Right {
        group: "",
        resources: &["secrets"],
        verbs: &[Delete],
        names: &[],
        scope: Scope::OwnNamespace,
        why: "forget keys and orders of a hostname's certificates once it is given up, and an account that the certificate authority has forgotten",
    },
    Right {
        group: "",
        resources: &["configmaps"],
        verbs: &[Get, Create, Patch],
        names: &[ANSWERS],
        scope: Scope::OwnNamespace,
        why: "keep the answers to a certificate authority's HTTP-01 challenges; none of them is secret",
    },
    // A create by name is one by server-side apply: a POST has no name that RBAC could see.
    Right {
        group: "rbac.authorization.k8s.io",
        resources: &["rolebindings"],
        verbs: &[Get, Create, Patch, Delete],
        names: &WORKSPACE_ROLES,
        scope: Scope::Cluster,
        why: "keep a Workspace's members bound; each binding bears the name of its role, and is applied by it",
    },
    Right {
        group: "rbac.authorization.k8s.io",
        resources: &["clusterroles"],
        verbs: &[Bind],
        names: &WORKSPACE_ROLES,
        scope: Scope::Cluster,
        why: "give members these three roles, whose Secret rights the operator doesn't hold itself",
    },
    Right {
        group: "events.k8s.io",
        resources: &["events"],
        verbs: &[Create, Patch],
        names: &[],
        scope: Scope::Cluster,
        why: "tell what happens to an object",
    },
    Right {
        group: "coordination.k8s.io",
        resources: &["leases"],
        verbs: &[Get, Update, Patch],
        names: &[NAME],
        scope: Scope::OwnNamespace,
        why: "decide which replica acts",
    },
    Right {
        group: "coordination.k8s.io",
        resources: &["leases"],
        verbs: &[Create],
        names: &[],
        scope: Scope::OwnNamespace,
        why: "make that lease; RBAC can't limit a create by name",
    },
];

/// What is needed besides, only where external-dns keeps the base domain's records.
pub const DNS_ENDPOINT_RIGHTS: &[Right] = &[Right {
    group: "externaldns.k8s.io",
    resources: &["dnsendpoints"],
    verbs: &[Get, Create, Patch, Delete],
    names: &[],
    scope: Scope::OwnNamespace,
    why: "have external-dns keep the records of hostnames",
}];

const fn moorage(why: &'static str) -> Right {
    Right { group: GROUP, resources: &[], verbs: &[], names: &[], scope: Scope::Cluster, why }
}

const fn core(why: &'static str) -> Right {
    Right { group: "", ..moorage(why) }
}
