//! RuntimeTask: one operation on a Runtime: a record that the operator keeps, or what a person asks for.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::condition::Conditions;
use super::refs::NameRef;
use super::runtime::OperationType;
use super::state::TaskState;

/// One operation on a Runtime. With an `operationID` it is a record of a change that the operator carried out: no
/// effect waits for it and nothing is decided from it. Without one it is a request, made by a person and carried out
/// once. A Runtime's requests are carried out one after the other, the oldest first.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "moorage.dev",
    version = "v1alpha1",
    kind = "RuntimeTask",
    plural = "runtimetasks",
    shortname = "mtask",
    category = "moorage",
    namespaced,
    status = "RuntimeTaskStatus",
    derive = "PartialEq",
    doc = "One operation on a Runtime: a record that the operator keeps, or, without operationID, a request for what is not desired state. The operator carries requests out once, one after the other, and removes old tasks.",
    selectable = ".status.state",
    selectable = ".spec.runtimeRef.name",
    printcolumn(
        name = "Runtime",
        type_ = "string",
        json_path = ".spec.runtimeRef.name",
        description = "Runtime that it is about."
    ),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type", description = "What is done."),
    printcolumn(
        name = "State",
        type_ = "string",
        json_path = ".status.state",
        description = "How far it is."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether it ended well.",
        priority = "1"
    ),
    printcolumn(
        name = "Finished",
        type_ = "date",
        json_path = ".status.finishTime",
        description = "When it ended."
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
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message("must not change: a task is a record, or is carried out once; create another"))]
#[x_kube(validation = Rule::new("has(self.operationID) || self.type in ['Restart', 'Snapshot', 'Restore', 'Upgrade', 'VerifyDomain']").message("`type` must be Restart, Snapshot, Restore, Upgrade or VerifyDomain: the rest is declared on the Runtime (`powerState`, `planRef`, `env`, …)"))]
#[x_kube(validation = Rule::new("!has(self.snapshotID) || (self.type == 'Restore' && !has(self.operationID))").message("`snapshotID` must go with a request of type Restore only"))]
#[x_kube(validation = Rule::new("has(self.domainRef) == (self.type == 'VerifyDomain')").message("`domainRef` must go with type VerifyDomain, and with no other"))]
pub struct RuntimeTaskSpec {
    /// Runtime that it is about.
    pub runtime_ref: NameRef,
    /// What is done.
    #[serde(rename = "type")]
    pub type_: OperationType,
    /// On records only, which the operator makes: the operation of the Runtime that it records.
    #[serde(rename = "operationID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub operation_id: Option<String>,
    /// For a Restore: the snapshot, of a volume of this Runtime. Left out: the newest.
    #[serde(rename = "snapshotID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 4, max = 64), regex(pattern = "^vs_[A-Za-z0-9]+$"))]
    pub snapshot_id: Option<String>,
    /// For a VerifyDomain: the CustomDomain whose records are looked at now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_ref: Option<NameRef>,
}

/// How far a task is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeTaskStatus {
    /// Generation that was last looked at; -1 before the first visit.
    #[schemars(range(min = -1))]
    #[serde(default)]
    pub observed_generation: i64,
    /// How far it is, in the portal's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TaskState>,
    /// When it began.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Timestamp>,
    /// When it ended.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_time: Option<Timestamp>,
    /// What was done, one line a step; the oldest lines go first.
    #[schemars(length(max = 64), inner(length(max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// What came of it, for requests that have a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<TaskResult>,
    /// What is known about it. `Ready` says whether it ended well; `Reconciling` and `Stalled` are there only while
    /// true.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Conditions,
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskResult {
    /// The snapshot that was made, or restored.
    #[serde(rename = "snapshotID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub snapshot_id: Option<String>,
    /// When Fly removes that snapshot.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_time: Option<Timestamp>,
}
