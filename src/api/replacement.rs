//! What a slug's claim records of volumes that take another's place: the move under way, and what is left behind.

use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::name_claim::PinnedPlan;

/// Most volumes that a Runtime may leave behind before they are removed.
pub const MAX_DISPLACED: usize = 8;

/// Why another volume takes the place of the one that is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum ReplacementCause {
    /// Its host has no room for the Machine: a copy of it is made on another.
    Fork,
    /// Somebody asked for the state of a snapshot.
    Restore,
    /// A rollout failed: image and data go back together.
    Rollback,
    /// Its host is lost, and `spec.recovery` says not to wait for it.
    HostLoss,
}

/// A move to another volume that is under way. What is recorded otherwise stands until it is complete.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replacement {
    /// Why.
    pub cause: ReplacementCause,
    /// Number of the incarnation that is being made; names its volume and its Machine.
    #[schemars(range(min = 1))]
    pub incarnation: i32,
    /// What the new volume is made from: the id of a volume for `Fork`, of a snapshot otherwise.
    #[schemars(length(min = 1, max = 64))]
    pub source: String,
    /// When the snapshot was made.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_time: Option<Timestamp>,
    /// UID of the RuntimeTask that asked for it.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// When it was begun.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// A volume that another has taken the place of, and that isn't removed yet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Displaced {
    /// Id of the volume.
    #[serde(rename = "volumeID")]
    #[schemars(length(min = 1, max = 64))]
    pub volume_id: String,
    /// Id of its Machine, where that couldn't be removed because its host didn't answer.
    #[serde(rename = "machineID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub machine_id: Option<String>,
    /// Why another took its place.
    pub cause: ReplacementCause,
    /// When; where a Machine was left on it, when that was removed.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub since: Timestamp,
    /// Since when the new volume has served without being stopped. After an hour this one may be removed.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_since: Option<Timestamp>,
}

/// The snapshot that the volume was last made from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// Id of the snapshot.
    #[serde(rename = "snapshotID")]
    #[schemars(length(min = 1, max = 64))]
    pub snapshot_id: String,
    /// When the snapshot was made: what was written later isn't there.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_time: Option<Timestamp>,
    /// Why it was restored.
    pub cause: ReplacementCause,
    /// UID of the RuntimeTask that asked for it.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

/// A size that Fly had no room for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedPlan {
    /// Name of the Plan.
    #[schemars(length(min = 1, max = 63))]
    pub plan: String,
    /// When it is tried again.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub retry_time: Timestamp,
}

/// A change of size that the Machine hasn't got yet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resizing {
    /// The size to go back to if Fly has no room for the new one.
    pub from: PinnedPlan,
    /// Size in GB to which the volume has grown, where the Machine has to be started anew to see it.
    #[serde(rename = "grownGB", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub grown_gb: Option<i32>,
}
