//! Workspace: the access and billing boundary of one namespace, and the customer's dashboard.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Conditions;
use super::label;
use super::refs::NameRef;
use super::runtime::OperationType;
use super::state::{RuntimeState, TaskState, WorkspaceState};

/// What a customer declares of a Workspace. One for each namespace.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "moorage.dev",
    version = "v1alpha1",
    kind = "Workspace",
    plural = "workspaces",
    shortname = "mws",
    category = "moorage",
    namespaced,
    status = "WorkspaceStatus",
    derive = "PartialEq",
    doc = "The access and billing boundary of a namespace: name, subdomain, defaults, members. Its status is the dashboard.",
    selectable = ".status.state",
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "Where it stands, in the portal's word."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the spec is realised."
    ),
    printcolumn(
        name = "Subdomain",
        type_ = "string",
        json_path = ".spec.subdomain",
        description = "Its name in hostnames."
    ),
    printcolumn(
        name = "Runtimes",
        type_ = "integer",
        json_path = ".status.runtimes.total",
        description = "Number of Runtimes."
    ),
    printcolumn(
        name = "Running",
        type_ = "integer",
        json_path = ".status.runtimes.running",
        description = "How many of them serve."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is as it is."
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        description = "Cause and remedy.",
        priority = "1"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[kube(validation = Rule::new("self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')").message("`metadata.name` must be at most 63 characters of a-z, 0-9 and `-`, so that it can be referred to"))]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceSpec {
    /// Name shown to people.
    #[schemars(length(min = 1, max = 100))]
    #[x_kube(validation = Rule::new("!self.matches('[\\\\n\\\\r]')").message("must be a single line"))]
    pub display_name: String,
    /// Its name in hostnames, unique in the cluster. Runtimes that name no slug get one that begins with it.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("must not change: hostnames are made from it"))]
    #[x_kube(validation = Rule::new(label::not_reserved_rule()).message("must not be a reserved word, nor begin with `xn--`"))]
    pub subdomain: String,
    /// Plan of Runtimes that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_plan_ref: Option<NameRef>,
    /// Fly region, such as `fra`, of Runtimes that name none.
    #[schemars(length(min = 3, max = 3), regex(pattern = "^[a-z]{3}$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_region: Option<String>,
    /// Who may do what here. Each member becomes a RoleBinding.
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
}

/// One member with its role.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.kind != 'ServiceAccount' || self.name.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message("`name` must be that of a ServiceAccount in this namespace"))]
pub struct Member {
    /// What kind of subject it is: a `User`, a `Group`, or a `ServiceAccount` of the same namespace.
    pub kind: MemberKind,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("!self.startsWith('system:')").message("must not be a system subject such as `system:authenticated`, or a ServiceAccount of another namespace"))]
    pub name: String,
    /// What it may do: an `Owner` everything here, members and Secrets included; an `Operator` change and operate
    /// Runtimes; a `Viewer` read. The latter two see no Secrets.
    pub role: Role,
}

/// What kind of subject a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
pub enum MemberKind {
    /// A person.
    User,
    /// A group of people.
    Group,
    /// A program in this namespace.
    ServiceAccount,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Role {
    /// Everything here, members and Secrets included.
    Owner,
    /// Change and operate Runtimes; no Secrets.
    Operator,
    /// Read; no Secrets.
    Viewer,
}

/// What is observed of the Workspace: the customer's dashboard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceStatus {
    /// Generation that was last brought to an end; -1 before the first visit.
    #[schemars(range(min = -1))]
    #[serde(default)]
    pub observed_generation: i64,
    /// Where it stands, in the portal's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<WorkspaceState>,
    /// What the platform allows here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Runtimes by state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtimes: Option<RuntimeCounts>,
    /// Runtimes, by name; at most 50.
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runtime_list: Vec<RuntimeSummary>,
    /// What needs attention; at most 20.
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Alert>,
    /// The most recent tasks, newest first; at most 10.
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent_tasks: Vec<TaskSummary>,
    /// What is known about it. `Ready` says whether the spec is realised; `Reconciling` and `Stalled` are there only
    /// while true.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Conditions,
}

/// What the platform allows in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Most Runtimes.
    #[schemars(range(min = 0))]
    pub max_runtimes: i32,
    /// Plans that may be used. Absent: every Plan that requires an order.
    #[schemars(length(max = 64), inner(length(max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_plans: Option<Vec<String>>,
    /// Whether the platform has suspended the namespace.
    pub suspended: bool,
}

/// How many Runtimes there are, in all and by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeCounts {
    /// All of them.
    #[schemars(range(min = 0))]
    pub total: i32,
    /// Those that serve.
    #[schemars(range(min = 0))]
    pub running: i32,
    /// All of them, by state.
    #[schemars(extend(
        "maxProperties" = 16,
        "additionalProperties" = {"type": "integer", "format": "int32", "minimum": 0}
    ))]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_state: BTreeMap<String, i32>,
}

/// One Runtime on the dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeSummary {
    /// Name of the Runtime.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Where it stands.
    pub state: RuntimeState,
    /// Its Plan.
    #[schemars(length(max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Whether its spec is realised.
    pub ready: bool,
    /// Where it serves.
    #[schemars(length(max = 300))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// What kind of trouble it is: `unhealthy` was asked to run and isn't available; `degraded` serves with a failing
    /// check.
    #[serde(rename = "type")]
    pub type_: AlertType,
    /// Runtime that it is about.
    #[schemars(length(max = 253))]
    pub runtime: String,
    /// Since when.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub since: Timestamp,
    /// Why, and what to do.
    #[schemars(length(max = 300))]
    pub cause: String,
}

/// What kind of trouble an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertType {
    /// Asked to run, and not available.
    Unhealthy,
    /// Serves, with a failing check.
    Degraded,
    /// Its deletion is held until the platform confirms it: too many go at once.
    DeletionHeld,
}

/// One task on the dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskSummary {
    /// Name of the task.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Runtime that it is about.
    #[schemars(length(max = 253))]
    pub runtime: String,
    /// What is done.
    #[serde(rename = "type")]
    pub type_: OperationType,
    /// How far it is.
    pub state: TaskState,
}
