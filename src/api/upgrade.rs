//! What is recorded of a Runtime's move from one pin to another on its claim.

use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::name_claim::{Pin, SnapshotRecord};

/// A move from one pin to another.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upgrade {
    /// How far it is: `Snapshot` (the volume is being kept as it is), `Trial` (the new pin has yet to prove itself),
    /// or `Rollback`.
    pub phase: UpgradePhase,
    /// When that phase began.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub begin_time: Timestamp,
    /// The pin that it goes back to if the new one fails.
    pub from: Pin,
    /// The snapshot that it then goes back to with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotRecord>,
    /// How many days Fly keeps the volume's snapshots. Raised for that one snapshot, and put back once it is made.
    #[schemars(with = "Option<i32>", range(min = 1, max = 60))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_days: Option<u32>,
    /// When a session on the new version began that nobody saw succeed or fail. What was done in it would go with the
    /// volume, which therefore doesn't go back by itself any more.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_time: Option<Timestamp>,
    /// UID of the RuntimeTask that asked for it; none if the Blueprint's rollout did.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// How far an upgrade is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum UpgradePhase {
    /// The Machine is stopped, and a snapshot of its volume made.
    Snapshot,
    /// The new pin has yet to prove itself.
    Trial,
    /// It failed: back to what was.
    Rollback,
}

/// An upgrade that failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedUpgrade {
    /// Hash of what was pinned: the same isn't tried again by itself.
    #[schemars(length(min = 4, max = 64))]
    pub target: String,
    /// Generation of the Blueprint.
    #[schemars(range(min = 0))]
    pub blueprint_generation: i64,
    /// Its image.
    #[schemars(length(max = 512))]
    pub image: String,
    /// Why it failed, in one word.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// Why it failed.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// UID of the RuntimeTask that asked for it.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}
