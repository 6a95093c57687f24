//! Who may do what, said once: the operator's rights, the roles of tenants and platform, and the admission
//! policies that name the writers of each kind.
//!
//! `moorage manifests`, the chart and the tests are all made from the tables in here. Rights (RBAC) add up, and a
//! tenant or an administrator may hold any of them; so what must hold whatever rights somebody holds stands in
//! [`policies`].

mod chart;
mod manifests;
pub mod operator;
mod page;
pub mod policies;
mod rbac;
mod right;
pub mod roles;

pub use chart::{Error as ChartError, write as write_chart};
pub use manifests::{external_dns_yaml, objects, yaml};
pub use page::page;
pub use right::{Right, Scope, Verb};
pub use roles::{OPERATOR_ROLE, OWNER_ROLE, VIEWER_ROLE, WORKSPACE_ROLES};

/// Name of the operator's ServiceAccount, `ClusterRole`, Role and bindings. One operator serves a cluster.
pub const NAME: &str = "moorage";
/// Namespace of the operator where none is named.
pub const NAMESPACE: &str = "moorage-system";
/// Group that is the platform where nobody is named.
pub const DEFAULT_PLATFORM_GROUP: &str = "system:masters";

/// What differs from one installation to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// Namespace of the operator.
    pub namespace: String,
    /// Who is the platform.
    pub platform: Platform,
}

/// Users and groups that are the platform, as the API server names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// User names; a ServiceAccount is `system:serviceaccount:{namespace}:{name}`.
    pub users: Vec<String>,
    /// Group names.
    pub groups: Vec<String>,
}

impl Installation {
    /// The user name under which the API server knows the operator.
    pub fn operator_user(&self) -> String {
        format!("system:serviceaccount:{}:{NAME}", self.namespace)
    }
}

impl Default for Installation {
    fn default() -> Self {
        Self { namespace: NAMESPACE.into(), platform: Platform::default() }
    }
}

impl Default for Platform {
    fn default() -> Self {
        Self { users: Vec::new(), groups: vec![DEFAULT_PLATFORM_GROUP.into()] }
    }
}
