//! Runtime: one dedicated instance.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Conditions;
use super::label;
use super::refs::{NameRef, SecretKeyRef};
use super::shared_text::SharedText;
use super::state::RuntimeState;

/// What a customer declares of one instance.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "moorage.dev",
    version = "v1alpha1",
    kind = "Runtime",
    plural = "runtimes",
    shortname = "mrt",
    category = "moorage",
    namespaced,
    status = "RuntimeStatus",
    derive = "PartialEq",
    doc = "One dedicated agent runtime: its own Fly app, volume, Machine, hostname and token.",
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
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is as it is."
    ),
    printcolumn(
        name = "Plan",
        type_ = "string",
        json_path = ".status.pinned.plan",
        description = "Size that it runs with."
    ),
    printcolumn(
        name = "Region",
        type_ = "string",
        json_path = ".status.external.region",
        description = "Region that it runs in.",
        priority = "1"
    ),
    printcolumn(
        name = "URL",
        type_ = "string",
        json_path = ".status.url",
        description = "Where it serves.",
        priority = "1"
    ),
    printcolumn(
        name = "Machine",
        type_ = "string",
        json_path = ".status.external.machineID",
        description = "Machine at Fly.",
        priority = "1"
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
#[kube(validation = Rule::new("self.metadata.name.size() <= 40 && !self.metadata.name.contains('.')").message("`metadata.name` must be at most 40 characters of a-z, 0-9 and `-`: hostnames are made from it"))]
#[kube(validation = Rule::new("!has(oldSelf.status) || !has(oldSelf.status.external) || !has(oldSelf.status.external.volumeID) || (has(self.spec.regions) == has(oldSelf.spec.regions) && (!has(self.spec.regions) || self.spec.regions == oldSelf.spec.regions))").message("`spec.regions` must not change once the volume exists: a volume stays in its region").field_path(".spec"))]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.slug) == has(oldSelf.slug)").message("`slug` must not be added or removed: it names the hostname and the app"))]
#[x_kube(validation = Rule::new("!has(oldSelf.planRef) || has(self.planRef)").message("`planRef` must not be removed: name the Plan that it should run with"))]
pub struct RuntimeSpec {
    /// The namespace's Workspace. May be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_ref: Option<NameRef>,
    /// What it runs. Left out: the Blueprint `openclaw`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blueprint_ref: Option<NameRef>,
    /// Its size and price; another one resizes it. Left out: the Workspace's default at the time that it is made, which
    /// it then keeps. A volume only grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_ref: Option<NameRef>,
    /// First label of its default hostname, unique in the cluster. Left out: made from the Workspace's subdomain
    /// and the Runtime's name. It never changes.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("must not change: it names the hostname and the app"))]
    #[x_kube(validation = Rule::new(label::not_reserved_rule()).message("must not be a reserved word, nor begin with `xn--`"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Fly regions such as `fra`, tried in order. Left out: the Workspace's default. They don't change once the volume
    /// exists, since a volume stays in its region.
    #[schemars(length(min = 1, max = 8), inner(length(min = 3, max = 3), regex(pattern = "^[a-z]{3}$")))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Whether it should run: `Running`, or `Stopped`, which keeps its data.
    #[serde(default)]
    pub power_state: PowerState,
    /// What becomes of it while nobody uses it. Left out: it stays awake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sleep: Option<Sleep>,
    /// Environment of the gateway. Each variable has a literal value, or comes from a Secret and is never shown.
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// Who the agent is; fills its `IDENTITY.md`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<Persona>,
    /// What becomes of its data when it is deleted. `Snapshot` keeps a last snapshot and removes the rest; `Delete`
    /// removes everything; `Retain` keeps everything, stopped and unreachable, and goes on to cost. The platform
    /// decides which are allowed.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// What is done when the host of its volume is lost. Left out: it waits for the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
}

/// What is done when the host of a volume is lost.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recovery {
    /// `Wait` for the host, which keeps every byte; or `Restore` the newest snapshot elsewhere, which loses what was
    /// written since.
    #[serde(default)]
    pub on_host_loss: HostLossPolicy,
    /// Minutes that the host is waited for before a snapshot is restored.
    #[schemars(range(min = 1, max = 10080))]
    #[serde(default = "an_hour")]
    pub after_minutes: i32,
}

/// What is done when the host of a volume is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum HostLossPolicy {
    /// It is waited for: no byte is lost.
    #[default]
    Wait,
    /// The newest snapshot is restored on another host.
    Restore,
}

fn an_hour() -> i32 {
    60
}

/// Whether a Runtime should run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum PowerState {
    /// It should run.
    #[default]
    Running,
    /// It should be stopped and keep its data.
    Stopped,
}

/// What becomes of a Runtime while nobody uses it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sleep {
    /// `Never`: it stays awake. `Stop`: it is stopped some minutes after the last request, and the next one starts it.
    /// `Suspend`: the same, with its memory kept, up to 2048 MB of it. Asleep it runs no schedules and hears no
    /// channels.
    #[serde(default)]
    pub mode: SleepMode,
}

/// How a Runtime sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum SleepMode {
    /// Not at all.
    #[default]
    Never,
    /// Stopped.
    Stop,
    /// Suspended, with its memory kept.
    Suspend,
}

/// What becomes of a deleted Runtime's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Everything is removed.
    Delete,
    /// A last snapshot is kept, everything else is removed.
    #[default]
    Snapshot,
    /// Everything is kept, stopped and unreachable; it goes on to cost.
    Retain,
}

/// One variable: a literal value, or a key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.value) != has(self.valueFrom)").message("must have exactly one of `value` and `valueFrom`"))]
pub struct EnvVar {
    /// Name of the variable.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    #[x_kube(validation = Rule::new("!self.startsWith('OPENCLAW_GATEWAY_') && !(self in ['OPENCLAW_STATE_DIR', 'OPENCLAW_CONFIG_PATH']) && !self.startsWith('FLY_') && !self.startsWith('MOORAGE_')").message("must not be a name that Moorage or Fly sets: OPENCLAW_GATEWAY_*, OPENCLAW_STATE_DIR, OPENCLAW_CONFIG_PATH, FLY_*, MOORAGE_*"))]
    pub name: String,
    /// Literal value; refused for a variable that the Blueprint marks secret.
    #[schemars(length(max = 4096))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the value is read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<EnvSource>,
}

/// Where a value is read from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvSource {
    /// A key of a Secret in the same namespace, labelled `moorage.dev/use`.
    pub secret_key_ref: SecretKeyRef,
}

/// Who the agent is; fills `IDENTITY.md`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Persona {
    /// Name of the agent.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(validation = Rule::new("!self.matches('[\\\\n\\\\r]')").message("must be a single line"))]
    pub name: String,
}

/// What is observed of a Runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeStatus {
    /// Generation that was last brought to an end; -1 before the first visit.
    #[schemars(range(min = -1))]
    #[serde(default)]
    pub observed_generation: i64,
    /// Where it stands, in the portal's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<RuntimeState>,
    /// Where it serves.
    #[schemars(length(max = 300))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What is being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// What it was made from and keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Pinned>,
    /// What stands at Fly for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
    /// The gateway that runs in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayStatus>,
    /// Variables that are set, and where their values come from; never the values.
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvStatus>,
    /// The last thing that went wrong and still matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
    /// The restart request (annotation `moorage.dev/restarted-at`) that was carried out last.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_restart_at: Option<String>,
    /// What is known about it. `Ready` says whether the spec is realised, `Available` whether it serves; `Reconciling`
    /// and `Stalled` are there only while true.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Conditions,
}

/// One change that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Names the operation; its RuntimeTask ends with it.
    #[schemars(length(min = 1, max = 32))]
    pub id: String,
    /// What kind of change it is.
    #[serde(rename = "type")]
    pub type_: OperationType,
    /// What it does now.
    #[schemars(length(max = 64))]
    pub step: String,
}

/// What kind of change an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum OperationType {
    /// From nothing to running.
    Provision,
    /// From stopped to running.
    Start,
    /// From running to stopped.
    Stop,
    /// The same, begun anew.
    Restart,
    /// Another configuration.
    Update,
    /// Another size.
    Resize,
    /// The same on another host, for want of room.
    Move,
    /// To nothing, as the deletion policy says.
    Destroy,
    /// A snapshot of its volume.
    Snapshot,
    /// Its volume as a snapshot has it.
    Restore,
    /// The Blueprint as it is now.
    Upgrade,
    /// A look at the records of one of its hostnames.
    VerifyDomain,
}

/// What a Runtime was made from and keeps, whatever becomes of Plan and Blueprint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pinned {
    /// Name of the Plan.
    #[schemars(length(max = 63))]
    pub plan: SharedText,
    /// Name of the Blueprint.
    #[schemars(length(max = 63))]
    pub blueprint: SharedText,
    /// Generation of the Blueprint.
    #[schemars(range(min = 0))]
    pub blueprint_generation: i64,
    /// Image as the Blueprint named it.
    #[schemars(length(max = 512))]
    pub image: SharedText,
    /// Digest that Fly reports for it.
    #[schemars(length(max = 80))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<SharedText>,
}

/// What stands at Fly for a Runtime. A view: the operator decides from the claim and from Fly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct External {
    /// Name of the app.
    #[schemars(length(max = 63))]
    pub app: String,
    /// Id of the Machine.
    #[serde(rename = "machineID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub machine_id: Option<String>,
    /// State of the Machine, in Fly's word.
    #[schemars(length(max = 32))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_state: Option<String>,
    /// Id of the volume.
    #[serde(rename = "volumeID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub volume_id: Option<String>,
    /// Region of volume and Machine.
    #[schemars(length(max = 8))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Size of the volume in GB. A volume only grows.
    #[serde(rename = "volumeGB", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub volume_gb: Option<i32>,
    /// The snapshot that the volume was made from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_from: Option<RestoredFrom>,
    /// Public addresses of the app.
    #[schemars(length(max = 16), inner(length(max = 64)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
}

/// The snapshot that a volume was made from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoredFrom {
    /// Id of the snapshot.
    #[serde(rename = "snapshotID")]
    #[schemars(length(max = 64))]
    pub snapshot_id: String,
    /// When the snapshot was made: what was written later isn't there.
    #[schemars(with = "Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_time: Option<Timestamp>,
}

/// The gateway that runs in a Runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    /// Version of the gateway, as its image says.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Secret that holds the gateway's token, under the key `token`.
    pub token_secret_ref: NameRef,
}

/// A variable that is set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvStatus {
    /// Its name.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// Where its value comes from: `Literal`, or `Secret`.
    pub source: EnvOrigin,
    /// The key of the Secret that its value comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
    /// Present while its newest value isn't in force: `NextStart`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<EnvEffect>,
}

/// Where a variable's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum EnvOrigin {
    /// The manifest.
    Literal,
    /// A Secret.
    Secret,
}

/// When a variable's newest value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum EnvEffect {
    /// When the gateway starts next.
    NextStart,
}

/// The last thing that went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastError {
    /// Why, in one word.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// Cause and remedy.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// When it was first seen.
    #[schemars(with = "k8s_openapi::apimachinery::pkg::apis::meta::v1::Time")]
    pub at: Timestamp,
}
