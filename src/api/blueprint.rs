//! Blueprint: what a Runtime runs.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Conditions;

/// What runs on a Machine: image, command, port, mount, the environment's schema, health check and gateway.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "moorage.dev",
    version = "v1alpha1",
    kind = "Blueprint",
    plural = "blueprints",
    shortname = "mblue",
    category = "moorage",
    status = "BlueprintStatus",
    derive = "PartialEq",
    doc = "What Runtimes run: image, command, ports, environment, health check. Runtimes pin what they started with.",
    printcolumn(
        name = "Image",
        type_ = "string",
        json_path = ".spec.image",
        description = "Image that runs."
    ),
    printcolumn(
        name = "Port",
        type_ = "integer",
        json_path = ".spec.port",
        description = "Port that it serves."
    ),
    printcolumn(
        name = "Updated",
        type_ = "integer",
        json_path = ".status.rollout.updated",
        description = "Runtimes that run it as it is now."
    ),
    printcolumn(
        name = "Total",
        type_ = "integer",
        json_path = ".status.rollout.total",
        description = "All of its Runtimes.",
        priority = "1"
    ),
    printcolumn(
        name = "Rollout",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"RolledOut\")].reason",
        description = "How far its last edit has reached."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether it is usable."
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[kube(validation = Rule::new("self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')").message("`metadata.name` must be at most 63 characters of a-z, 0-9 and `-`, so that it can be referred to"))]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.env) || !has(self.envSchema) || !self.envSchema.exists(known, known.type == 'Secret' && self.env.exists(fixed, fixed.name == known.name))").message("`env` must not hold a variable that `envSchema` marks `Secret`: its value would be readable"))]
pub struct BlueprintSpec {
    /// Image reference, by tag or digest.
    #[schemars(length(min = 1, max = 512), regex(pattern = "^[a-zA-Z0-9][-a-zA-Z0-9._/:@]*$"))]
    pub image: String,
    /// Command line that starts the gateway.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub command: Vec<String>,
    /// Port that the command listens on, on all of the Machine's addresses.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// Absolute path at which the volume is mounted.
    #[schemars(length(min = 2, max = 255), regex(pattern = "^/[-a-zA-Z0-9._/]+$"))]
    pub mount_path: String,
    /// Least memory that this needs, in MB; a Plan with less is refused.
    #[serde(rename = "minimumMemoryMB")]
    #[schemars(range(min = 256, max = 1_048_576))]
    pub minimum_memory_mb: i32,
    /// Environment that every Runtime of this Blueprint has.
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<FixedEnv>,
    /// What is known about the variables that Runtimes may set. A variable that isn't listed is plain.
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_schema: Vec<EnvRule>,
    /// How health is checked.
    pub health_check: HealthCheck,
    /// How it is stopped.
    pub stop: Stop,
    /// How the gateway is configured.
    pub gateway: Gateway,
    /// How an edit of this Blueprint reaches Runtimes that were made before it. Left out: `Manual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
}

/// How an edit reaches the Runtimes that were made before it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// `Manual`: each Runtime only when a RuntimeTask of type `Upgrade` asks for it. `Staged`: by itself, a few at a
    /// time.
    #[serde(default)]
    pub strategy: RolloutStrategy,
    /// For `Staged`: most Runtimes of this Blueprint that are upgraded, or should serve and don't, at once.
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(default = "one")]
    pub max_unavailable: i32,
    /// For `Staged`: whether no more Runtimes are upgraded once one has failed.
    #[serde(default = "yes")]
    pub pause_on_failure: bool,
    /// Whether a snapshot is made before, to which a Runtime goes back if the upgrade fails. Without one only the
    /// image goes back, and data stays as the newer version left it.
    #[serde(default = "yes")]
    pub snapshot_first: bool,
}

/// What moves Runtimes to an edited Blueprint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum RolloutStrategy {
    /// A request for each.
    #[default]
    Manual,
    /// The operator, a few at a time.
    Staged,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            strategy: RolloutStrategy::Manual,
            max_unavailable: one(),
            pause_on_failure: yes(),
            snapshot_first: yes(),
        }
    }
}

fn one() -> i32 {
    1
}

fn yes() -> bool {
    true
}

/// What is observed of a Blueprint: whether it is usable, and how far its last edit has reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlueprintStatus {
    /// Generation that was last looked at; -1 before the first visit.
    #[schemars(range(min = -1))]
    #[serde(default)]
    pub observed_generation: i64,
    /// How many Runtimes run it as it is now, and how many don't yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutCounts>,
    /// What is known about it. `Ready` says whether it is usable, `RolledOut` whether every Runtime runs it as it is
    /// now.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Conditions,
}

/// Runtimes of a Blueprint, by how far its last edit has reached them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutCounts {
    /// All of them.
    #[schemars(range(min = 0))]
    pub total: i32,
    /// They run it as it is now.
    #[schemars(range(min = 0))]
    pub updated: i32,
    /// They are on their way.
    #[schemars(range(min = 0))]
    pub updating: i32,
    /// They run an older one.
    #[schemars(range(min = 0))]
    pub pending: i32,
    /// They run an older one since this one failed on them.
    #[schemars(range(min = 0))]
    pub failed: i32,
}

/// A variable with a fixed value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct FixedEnv {
    /// Name of the variable.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    #[x_kube(validation = Rule::new("!self.startsWith('OPENCLAW_GATEWAY_') && !self.startsWith('FLY_') && !self.startsWith('MOORAGE_')").message("must not be a name that Moorage or Fly sets: OPENCLAW_GATEWAY_*, FLY_*, MOORAGE_*"))]
    pub name: String,
    /// Its value.
    #[schemars(length(max = 4096))]
    pub value: String,
}

/// What is known about one variable.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvRule {
    /// Name of the variable.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: String,
    /// Whether its value may be seen: `Plain`, or `Secret`, for which a literal value is refused.
    #[serde(rename = "type")]
    pub type_: EnvType,
    /// What a change of its value does: `Restart`, or nothing until the `NextStart`, and the gateway is left running.
    #[serde(default, skip_serializing_if = "OnChange::is_restart")]
    pub on_change: OnChange,
    /// `Required` marks a variable that configures something that works only while the gateway is awake, such as a
    /// messaging channel: a Runtime that sets it and sleeps is warned of.
    #[serde(default, skip_serializing_if = "Awake::is_not_required")]
    pub awake: Awake,
    /// What it is for.
    #[schemars(length(max = 256))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Whether a variable's value may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum EnvType {
    /// Its value may be written in a manifest.
    Plain,
    /// Its value comes from a Secret.
    Secret,
}

/// What a change of a variable does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum OnChange {
    /// The gateway is restarted.
    #[default]
    Restart,
    /// It takes effect at the next start.
    NextStart,
}

impl OnChange {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    fn is_restart(&self) -> bool {
        *self == Self::Restart
    }
}

/// Whether what a variable configures works only while the gateway is awake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Awake {
    /// It works when it is asked.
    #[default]
    NotRequired,
    /// It works only while the gateway is awake.
    Required,
}

impl Awake {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
    fn is_not_required(&self) -> bool {
        *self == Self::NotRequired
    }
}

/// An HTTP health check on the served port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// Path that is asked.
    #[schemars(length(min = 1, max = 255), regex(pattern = "^/[-a-zA-Z0-9._/]*$"))]
    pub path: String,
    /// Pause between two checks, in seconds.
    #[schemars(range(min = 2, max = 300))]
    pub interval_seconds: i32,
    /// Time that one check may take, in seconds.
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: i32,
    /// Time after a start before a failing check counts, in seconds.
    #[schemars(range(min = 1, max = 600))]
    pub grace_period_seconds: i32,
}

/// How the command is asked to stop.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stop {
    /// Signal that it gets: `SIGTERM` or `SIGINT`.
    pub signal: StopSignal,
    /// Time that it has before it is killed, in seconds.
    #[schemars(range(min = 1, max = 300))]
    pub timeout_seconds: i32,
}

/// A signal that asks a program to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum StopSignal {
    /// Ask to end.
    #[serde(rename = "SIGTERM")]
    Term,
    /// Interrupt.
    #[serde(rename = "SIGINT")]
    Int,
}

/// How the gateway on the Machine is configured and reached.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gateway {
    /// Which gateway it is: `OpenClaw`.
    pub adapter: GatewayAdapter,
    /// Addresses and ranges from which the host's proxy reaches the gateway. The app's own addresses are added.
    #[schemars(
        length(max = 32),
        inner(length(min = 2, max = 64), regex(pattern = "^[0-9a-fA-F.:]+(/[0-9]{1,3})?$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = Rule::new("self.all(range, isIP(range) || (isCIDR(range) && cidr(range).prefixLength() > 0))").message("must be IP addresses or ranges such as 172.16.0.0/12, and must not be one that trusts everyone"))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_proxies: Vec<String>,
}

/// A gateway that Moorage knows how to configure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum GatewayAdapter {
    /// The OpenClaw gateway.
    OpenClaw,
}
