//! NameClaim: the one place that says who holds a name, and what stands outside the cluster under it.
//!
//! A claim has no status, since a restore would lose it. Tenants can't write claims, so what is decided about
//! money, names and other people's things is read from here and never from a namespaced object.

use std::sync::Arc;

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blueprint::BlueprintSpec;
use super::domain_record::DomainRecord;
use super::order_record::OrderRecord;
use super::plan::CpuKind;
use super::replacement::{Displaced, RefusedPlan, Replacement, Resizing, Restored};
use super::runtime::DeletionPolicy;
pub use super::upgrade::{FailedUpgrade, Upgrade, UpgradePhase};
use super::warm::WarmApp;

/// A name that is unique in the cluster, with its holder.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "moorage.dev",
    version = "v1alpha1",
    kind = "NameClaim",
    plural = "nameclaims",
    shortname = "mclaim",
    category = "moorage",
    derive = "PartialEq",
    doc = "A name that is unique in the cluster, its holder, and what stands at Fly under it. Written by the operator only.",
    selectable = ".spec.holder.namespace",
    printcolumn(
        name = "Type",
        type_ = "string",
        json_path = ".spec.type",
        description = "What kind of name it is."
    ),
    printcolumn(
        name = "Namespace",
        type_ = "string",
        json_path = ".spec.holder.namespace",
        description = "Where its holder is."
    ),
    printcolumn(
        name = "Holder",
        type_ = "string",
        json_path = ".spec.holder.name",
        description = "Who holds it."
    ),
    printcolumn(
        name = "App",
        type_ = "string",
        json_path = ".spec.runtime.app",
        description = "Its app at Fly."
    ),
    printcolumn(
        name = "Leads To",
        type_ = "string",
        json_path = ".spec.domain.route.app",
        description = "For a hostname: the app that it leads to.",
        priority = "1"
    ),
    printcolumn(
        name = "Warm",
        type_ = "string",
        json_path = ".spec.warm.phase",
        description = "For a warm app: whether it is kept, given or being removed.",
        priority = "1"
    ),
    printcolumn(
        name = "Deletion",
        type_ = "string",
        json_path = ".spec.deletion.phase",
        description = "Whether its last deletion was let go on, or is held.",
        priority = "1"
    ),
    printcolumn(
        name = "Released",
        type_ = "date",
        json_path = ".spec.tombstone.releaseTime",
        description = "When its holder gave it up.",
        priority = "1"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[kube(validation = Rule::new("self.metadata.name == (self.spec.type == 'Namespace' ? 'namespace.' : self.spec.type == 'Warm' ? 'warm.' : self.spec.type == 'Order' ? 'order.' : self.spec.type != 'Hostname' ? 'label.' : self.spec.name.startsWith('*.') ? 'wild.' : 'host.') + (self.spec.name.startsWith('*.') ? self.spec.name.substring(2) : self.spec.name)").message("`metadata.name` must be `namespace.` or `label.` (or `warm.`, for a warm app; `order.`; `host.`, or `wild.` for a wildcard, without its `*.`) and `spec.name`: creating it is the lock on the name"))]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.type == oldSelf.type && self.name == oldSelf.name").message("`type` and `name` must not change"))]
#[x_kube(validation = Rule::new("(self.type == 'Warm') == has(self.warm)").message("`warm` must be set for a warm app, and for nothing else"))]
#[x_kube(validation = Rule::new("!has(oldSelf.tenantID) || has(self.tenantID)").message("`tenantID` must not be removed"))]
#[x_kube(validation = Rule::new("(self.type == 'Order') == has(self.order)").message("`order` must stand on the claim of an order, and on no other"))]
#[x_kube(validation = Rule::new("(self.type == 'Hostname') == has(self.domain)").message("`domain` must stand on the claim of a hostname, and on no other"))]
#[x_kube(validation = Rule::new("!has(oldSelf.runtime) || has(self.runtime) || has(self.tombstone)").message("`runtime` must not be removed while the name is held: it says what stands at Fly"))]
pub struct NameClaimSpec {
    /// What kind of name it is: a `Namespace`, held by its one Workspace; a Workspace's `Subdomain`; a Runtime's
    /// `Slug`, which shares one space with subdomains; `Warm`, an app made ahead, held by its Plan; an `Order`, by the
    /// UID of the first of its name; a `Hostname` of a customer's, held by the CustomDomain that proved it.
    #[serde(rename = "type")]
    pub type_: ClaimType,
    /// The name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Who holds it.
    pub holder: Holder,
    /// Set by the platform: its word on what waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Confirm>,
    /// For a namespace: the id of its tenant, which never changes.
    #[serde(rename = "tenantID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 64))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("must not change"))]
    pub tenant_id: Option<String>,
    /// For a warm app: what becomes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm: Option<WarmApp>,
    /// For a slug or a warm app: what stands at Fly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RuntimeIdentity>,
    /// For an order: its price, and what it funds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Box<OrderRecord>>,
    /// For a hostname: who proved it, where it leads, its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Box<DomainRecord>>,
    /// For a slug: the last deletion under it, of a Runtime that had a volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
    /// Set once the holder has given the name up; until it ends the name is kept for that holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tombstone: Option<Tombstone>,
}

/// What kind of name a claim holds. Slugs and subdomains share one space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum ClaimType {
    /// A namespace, held by its one Workspace.
    Namespace,
    /// A Workspace's subdomain.
    Subdomain,
    /// A Runtime's slug.
    Slug,
    /// An app that was made ahead.
    Warm,
    /// A RuntimeOrder, by the UID of the first of its name.
    Order,
    /// A customer's hostname.
    Hostname,
}

/// The object that holds a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// Its namespace.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its UID.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
}

/// The platform's word on what waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Confirm {
    /// UID of the object that takes over, or whose deletion goes on.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
    /// What is confirmed: that another object of the same name takes over, or that a held deletion goes on.
    #[serde(default)]
    pub action: ConfirmAction,
}

/// What the platform confirms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ConfirmAction {
    /// The object takes over the name, and what stands at Fly under it.
    #[default]
    Takeover,
    /// The deletion goes on, though very many go at once.
    Deletion,
}

/// The deletion of a Runtime that once had a volume. It stays on the claim when the name is taken again, so that
/// deletions of a short time can be counted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    /// UID of the Runtime.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
    /// When it began, or was held.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub time: Timestamp,
    /// Whether it may go on.
    pub phase: DeletionPhase,
}

/// Whether a deletion may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum DeletionPhase {
    /// It does, and counts among those of its time.
    Begun,
    /// Too many went at once: it waits for the platform. What stands at Fly is left as it is.
    Held,
    /// It was held, and goes on by the platform's word.
    Confirmed,
}

/// What stands at Fly for a Runtime, and what it was made from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeIdentity {
    /// Minted once and read from here ever after.
    #[schemars(length(min = 4, max = 32))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("must not change"))]
    pub identity: String,
    /// Name of the app.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("must not change"))]
    pub app: String,
    /// UID of the order that it was last funded by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub order: Option<String>,
    /// For an app that was made by hand and adopted: its private network, which marks it as its own. Its own secrets
    /// are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub network: Option<String>,
    /// For an app that was warm: the Plan for which it was made ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub from_pool: Option<String>,
    /// Id of the volume. Only a recorded one is ever removed.
    #[serde(rename = "volumeID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub volume_id: Option<String>,
    /// Volumes of ours that never booted and are to be removed: made where a Machine then found no room.
    #[serde(rename = "spareVolumeIDs", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub spare_volume_ids: Vec<String>,
    /// Region of the volume.
    #[schemars(length(max = 8))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Id of the Machine.
    #[serde(rename = "machineID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub machine_id: Option<String>,
    /// What becomes of the data if the Runtime is deleted, as last declared and allowed.
    pub deletion_policy: DeletionPolicy,
    /// What it was made from. Replaced whole: tracked field by field, it was most of a claim's managed fields.
    #[x_kube(merge_strategy = StructMerge::Atomic)]
    pub pin: Pin,
    /// Its hostname under the base domain, and what stands under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<HostnameRecord>,
    /// The last snapshot of a Runtime deleted under `Snapshot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotRecord>,
    /// Size of the volume in GB, where it isn't its Plan's: a volume only grows.
    #[serde(rename = "volumeGB", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub volume_gb: Option<i32>,
    /// How often another volume has taken the place of the first. Machine and volume are named after it.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    #[x_kube(validation = Rule::new("self >= oldSelf").message("must not decrease: Machines and volumes are named after it"))]
    pub incarnation: i32,
    /// The highest number that an incarnation was given, completed or not: none is given twice.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    #[x_kube(validation = Rule::new("self >= oldSelf").message("must not decrease: a number is never given twice"))]
    pub last_incarnation: i32,
    /// The move to another volume that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<Replacement>,
    /// Volumes that others have taken the place of, and that aren't removed yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub displaced: Vec<Displaced>,
    /// The snapshot that the volume was made from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restored>,
    /// A change of size that the Machine hasn't got yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resizing: Option<Resizing>,
    /// A size that Fly had no room for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_plan: Option<RefusedPlan>,
    /// Since when the volume's host doesn't answer, where `spec.recovery` says what then.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreachable_since: Option<Timestamp>,
    /// The move to another pin that is under way, or not proved yet.
    #[x_kube(merge_strategy = StructMerge::Atomic)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
    /// The last such move, if it failed: it isn't tried again by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_upgrade: Option<FailedUpgrade>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// A hostname, and what stands under it. The name is recorded before anything is done under it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostnameRecord {
    /// The hostname.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Addresses that it leads to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 45)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub addresses: Vec<String>,
    /// Fingerprint of the certificate that the app was given for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub certificate: Option<String>,
}

/// What a Runtime was made from. It runs on this, whatever becomes of Plan and Blueprint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pin {
    /// Size, as the Plan had it.
    pub plan: PinnedPlan,
    /// Name of the Blueprint.
    #[schemars(length(max = 63))]
    pub blueprint: String,
    /// Generation of the Blueprint.
    #[schemars(range(min = 0))]
    pub blueprint_generation: i64,
    /// The Blueprint's spec, without its environment schema.
    pub spec: Arc<BlueprintSpec>,
    /// Digest that Fly reported for the image.
    #[schemars(length(max = 80))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// When the image's tag was first seen to stand for that digest.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_seen_time: Option<Timestamp>,
}

/// Size of a Runtime.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PinnedPlan {
    /// Name of the Plan.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Kind of CPU.
    pub cpu_kind: CpuKind,
    /// Number of CPUs.
    #[schemars(range(min = 1, max = 128))]
    pub cpus: i32,
    /// Memory in MB.
    #[serde(rename = "memoryMB")]
    #[schemars(range(min = 256, max = 1_048_576))]
    pub memory_mb: i32,
    /// Size of the volume in GB.
    #[serde(rename = "volumeGB")]
    #[schemars(range(min = 1, max = 500))]
    pub volume_gb: i32,
}

/// A snapshot that outlives its volume.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotRecord {
    /// Id of the snapshot.
    #[schemars(length(min = 1, max = 64))]
    pub id: String,
    /// Id of the volume that it was made from.
    #[serde(rename = "volumeID")]
    #[schemars(length(min = 1, max = 64))]
    pub volume_id: String,
    /// When Fly removes it.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub expiry_time: Timestamp,
}

/// A name that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tombstone {
    /// When it was given up.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub release_time: Timestamp,
    /// What is left under it, and what that costs.
    #[schemars(length(max = 512))]
    pub message: String,
}

impl RuntimeIdentity {
    /// An identity under which nothing stands yet.
    pub fn new(identity: String, app: String, deletion_policy: DeletionPolicy, pin: Pin) -> Self {
        Self {
            identity,
            app,
            order: None,
            network: None,
            from_pool: None,
            volume_id: None,
            spare_volume_ids: Vec::new(),
            region: None,
            machine_id: None,
            deletion_policy,
            pin,
            hostname: None,
            snapshot: None,
            volume_gb: None,
            incarnation: 0,
            last_incarnation: 0,
            replacement: None,
            displaced: Vec::new(),
            restored: None,
            resizing: None,
            refused_plan: None,
            unreachable_since: None,
            upgrade: None,
            failed_upgrade: None,
        }
    }

    /// Size of its volume in GB.
    pub fn volume_size(&self) -> i32 {
        self.volume_gb.unwrap_or(self.pin.plan.volume_gb)
    }
}
