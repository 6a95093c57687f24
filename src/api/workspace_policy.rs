//! WorkspacePolicy: what the platform allows in which namespaces.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::plan::CatalogStatus;
use super::runtime::DeletionPolicy;

/// Limits for the namespaces that it selects. Where several match, the strictest of each field holds.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "moorage.dev",
    version = "v1alpha1",
    kind = "WorkspacePolicy",
    plural = "workspacepolicies",
    shortname = "mpol",
    category = "moorage",
    status = "CatalogStatus",
    derive = "PartialEq",
    doc = "What the platform allows in the namespaces that it selects. Several match: the strictest of each field.",
    printcolumn(
        name = "Max Runtimes",
        type_ = "integer",
        json_path = ".spec.maxRuntimes",
        description = "Most Runtimes in one namespace."
    ),
    printcolumn(
        name = "Suspended",
        type_ = "boolean",
        json_path = ".spec.suspended",
        description = "Whether everything is stopped."
    ),
    printcolumn(
        name = "Plans",
        type_ = "string",
        json_path = ".spec.allowedPlans",
        description = "Plans that may be used.",
        priority = "1"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether it is usable."
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct WorkspacePolicySpec {
    /// Which namespaces it holds for.
    pub selector: PolicySelector,
    /// Plans that may be used; an empty list allows none. Absent: every Plan that requires an order. A Plan that
    /// requires none must be listed.
    #[schemars(length(max = 64), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_plans: Option<Vec<String>>,
    /// Blueprints that may be used; an empty list allows none. Absent: all.
    #[schemars(length(max = 64), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_blueprints: Option<Vec<String>>,
    /// Fly regions that may be used; an empty list allows none. Absent: all.
    #[schemars(length(max = 64), inner(length(min = 3, max = 3), regex(pattern = "^[a-z]{3}$")))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_regions: Option<Vec<String>>,
    /// Deletion policies that may be used; an empty list allows none. Absent: all.
    #[schemars(length(max = 3))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_deletion_policies: Option<Vec<DeletionPolicy>>,
    /// Most Runtimes in one namespace, counted by the slugs that it holds. Absent: the operator's default.
    #[schemars(range(min = 0, max = 100_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_runtimes: Option<i32>,
    /// Most orders in one namespace that aren't paid and still may be. Absent: the operator's default.
    #[schemars(range(min = 0, max = 100_000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_open_orders: Option<i32>,
    /// Stops every Runtime of the namespaces, and keeps their data.
    #[serde(default)]
    pub suspended: bool,
}

/// Selects namespaces by name or by labels; either match is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.namespaces) || has(self.matchLabels)").message("must name `namespaces` or `matchLabels`"))]
pub struct PolicySelector {
    /// Names of namespaces.
    #[schemars(length(min = 1, max = 1000), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Labels of the Namespace object, all of which must be there. Only labels below `policy.moorage.dev/` count,
    /// since a tenant can set any other on its own Namespace.
    #[schemars(extend(
        "minProperties" = 1,
        "maxProperties" = 8,
        "additionalProperties" = {"type": "string", "maxLength": 63}
    ))]
    #[x_kube(validation = Rule::new("self.all(key, key.startsWith('policy.moorage.dev/'))").message("must use keys below `policy.moorage.dev/`: tenants can set every other label themselves"))]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
}
