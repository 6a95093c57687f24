//! The operator's configuration: one YAML file, checked at start, with a JSON schema.

pub mod base_domain;
pub mod billing;
mod brake;
pub mod custom_domains;
mod load;

use std::path::PathBuf;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use base_domain::BaseDomain;
pub use billing::{Billing, PayAppMerchant, StripeAccount};
pub use brake::DeletionBrake;
pub use custom_domains::{CustomDomains, DnsSettings};
pub use load::{ConfigError, Overrides};

/// The configuration file. Unknown keys are refused, so that a typing error isn't silently a default.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Names this cluster in everything made at Fly. Must never change; two clusters on one Fly organisation must
    /// differ. Lower-case letters, digits and dashes, at most 32.
    #[serde(rename = "clusterID")]
    pub cluster_id: String,
    /// Namespace of the operator itself, for its lease.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// The Fly organisation.
    pub fly: FlyConfig,
    /// The domain under which every Runtime gets a hostname of its own. Left out, it has its app's at Fly.
    #[serde(default)]
    pub base_domain: Option<BaseDomain>,
    /// Address of `/healthz`, `/readyz` and `/metrics`.
    #[serde(default = "default_address")]
    pub address: String,
    /// Logs.
    #[serde(default)]
    pub logging: LoggingConfig,
    /// Whether a lease decides which replica acts.
    #[serde(default)]
    pub leader_election: LeaderElection,
    /// Whether the operator acts or only looks.
    #[serde(default)]
    pub mode: Mode,
    /// Objects of one kind that are worked on at once.
    #[serde(default = "default_concurrency")]
    pub concurrency: u16,
    /// Limits of namespaces that no WorkspacePolicy speaks of.
    #[serde(default)]
    pub defaults: DefaultLimits,
    /// RuntimeTasks kept as history.
    #[serde(default)]
    pub task_history: TaskHistory,
    /// The brake on mass destruction.
    #[serde(default)]
    pub deletion_brake: DeletionBrake,
    /// Hostnames of customers'.
    #[serde(default)]
    pub custom_domains: CustomDomains,
    /// Payments, and what becomes of what isn't paid for any more.
    #[serde(default)]
    pub billing: Billing,
    /// Deadlines and pauses.
    #[serde(default)]
    pub timing: Timing,
}

/// The Fly organisation and how it is reached.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FlyConfig {
    /// Base of the Machines API, without `/v1`.
    #[serde(rename = "apiURL", default = "default_api")]
    pub api_url: String,
    /// Slug of the organisation.
    pub organization: String,
    /// File with the organisation's token; read again when it changes.
    pub token_file: PathBuf,
    /// Prefix of every app's name.
    #[serde(default)]
    pub app_prefix: String,
    /// Requests per second to the organisation as a whole, over Fly's own limits for each app and Machine.
    #[serde(default = "default_rate")]
    pub requests_per_second: u32,
    /// Whether the client keeps Fly's limits. `Off` is for simulators.
    #[serde(default)]
    pub rate_limits: RateLimits,
    /// Where `{app}.fly.dev` is reached, if not by public DNS.
    #[serde(default)]
    pub edge: Option<EdgeConfig>,
    /// How a gateway is found to be ready.
    #[serde(default)]
    pub readiness: Readiness,
}

/// Where `{app}.fly.dev` is reached, if not by public DNS.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EdgeConfig {
    /// Address and port that stand for every app's port 443.
    pub address: String,
    /// PEM file with the authority that signs the certificates there.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// How a gateway is found to be ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Readiness {
    /// Fly's health checks pass, and the gateway answers its health endpoint through the app's public hostname.
    #[default]
    ChecksAndURL,
    /// Fly's health checks pass.
    Checks,
}

/// Whether the client keeps Fly's request limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum RateLimits {
    /// Fly's documented limits are kept.
    #[default]
    Fly,
    /// None are kept.
    Off,
}

/// Whether a lease decides which replica acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum LeaderElection {
    /// The holder of the lease acts.
    #[default]
    Lease,
    /// This replica acts; there must be no other.
    Off,
}

/// Whether the operator acts or only looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Mode {
    /// It acts.
    #[default]
    ReadWrite,
    /// It looks, keeps status up to date, and changes nothing at Fly.
    ReadOnly,
}

/// Logs.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LoggingConfig {
    /// Shape of a line.
    pub format: LogFormat,
    /// What is logged, as a tracing filter (`info`, `info,moorage=debug`). Taken up without a restart: on SIGHUP,
    /// and within 15 seconds of a change of the file.
    pub level: String,
}

/// Shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Pretty,
}

/// Limits of namespaces that no WorkspacePolicy speaks of.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DefaultLimits {
    /// Most Runtimes in one namespace.
    pub max_runtimes: i32,
    /// Most orders in one namespace that aren't paid and still may be.
    pub max_open_orders: i32,
    /// Blueprint of Runtimes that name none.
    pub blueprint: String,
    /// Fly regions, tried in order, of Runtimes for which neither they nor their Workspace name one.
    pub regions: Vec<String>,
}

/// RuntimeTasks kept as history.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TaskHistory {
    /// Finished tasks kept for each Runtime; 0 keeps no history at all.
    pub per_runtime: u16,
    /// Seconds for which a finished task is kept.
    pub ttl_seconds: u32,
}

/// Deadlines and pauses, in seconds.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Timing {
    /// Time after which a thing that isn't listed is believed to be gone, once asking for it by id says so too.
    pub absence_grace_seconds: u32,
    /// Time that a Runtime may take to be provisioned or started before it reads `error`.
    pub start_deadline_seconds: u32,
    /// Time that a stop may take before it reads `error`.
    pub stop_deadline_seconds: u32,
    /// Time that a removal may take before it reads `error`.
    pub destroy_deadline_seconds: u32,
    /// Pause between two looks at what changed in the organisation, while something is under way.
    pub feed_seconds: u32,
    /// Time in which each Secret that a Runtime refers to is asked for once, to find out that it was rotated.
    pub rotation_seconds: u32,
    /// Pause between two Runtimes whose apps are looked at as a whole, one after the other: addresses, secrets,
    /// certificate, and what nobody declared. A round takes this long for each Runtime.
    pub survey_seconds: u32,
    /// Longest pause of the slow retries after an error.
    pub slow_retry_seconds: u32,
    /// Time for which a volume that another took the place of is kept while that one serves.
    pub keep_displaced_seconds: u32,
    /// Time for which a freed name is kept for its last holder.
    pub tombstone_seconds: u32,
    /// Time that running work has to end when the process is asked to. Should be some seconds below the Pod's
    /// `terminationGracePeriodSeconds`.
    pub drain_seconds: u32,
}

impl Default for LoggingConfig {
    fn default() -> Self {
        Self { format: LogFormat::default(), level: "info".into() }
    }
}

impl Default for DefaultLimits {
    fn default() -> Self {
        Self {
            max_runtimes: 10,
            max_open_orders: 10,
            blueprint: "openclaw".into(),
            regions: vec!["iad".into()],
        }
    }
}

impl Default for TaskHistory {
    fn default() -> Self {
        Self { per_runtime: 5, ttl_seconds: 7 * 24 * 3600 }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            absence_grace_seconds: 30,
            start_deadline_seconds: 600,
            stop_deadline_seconds: 420,
            destroy_deadline_seconds: 1800,
            feed_seconds: 2,
            rotation_seconds: 90,
            survey_seconds: 15,
            slow_retry_seconds: 600,
            keep_displaced_seconds: 3600,
            tombstone_seconds: 30 * 24 * 3600,
            drain_seconds: 25,
        }
    }
}

fn default_namespace() -> String {
    "moorage-system".into()
}

fn default_address() -> String {
    "127.0.0.1:8080".into()
}

fn default_api() -> String {
    "https://api.machines.dev".into()
}

fn default_rate() -> u32 {
    50
}

fn default_concurrency() -> u16 {
    32
}

#[cfg(test)]
mod tests;
