//! Plan: size and price of a Runtime.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Conditions;
use super::warm::WarmPool;

/// A size and its price. Immutable: a new price or size is a new Plan.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "moorage.dev",
    version = "v1alpha1",
    kind = "Plan",
    plural = "plans",
    shortname = "mplan",
    category = "moorage",
    status = "CatalogStatus",
    derive = "PartialEq",
    doc = "A size and its price, which Runtimes refer to. Immutable, save its warm pool: a new size or price is a new Plan.",
    printcolumn(
        name = "CPU Kind",
        type_ = "string",
        json_path = ".spec.cpuKind",
        description = "Kind of CPU.",
        priority = "1"
    ),
    printcolumn(name = "CPUs", type_ = "integer", json_path = ".spec.cpus", description = "Number of CPUs."),
    printcolumn(
        name = "Memory MB",
        type_ = "integer",
        json_path = ".spec.memoryMB",
        description = "Memory in MB."
    ),
    printcolumn(
        name = "Volume GB",
        type_ = "integer",
        json_path = ".spec.volumeGB",
        description = "Size of the volume in GB."
    ),
    printcolumn(
        name = "Amount",
        type_ = "integer",
        json_path = ".spec.amount",
        description = "Price in the currency's smallest unit."
    ),
    printcolumn(
        name = "Currency",
        type_ = "string",
        json_path = ".spec.currency",
        description = "Currency of the price."
    ),
    printcolumn(
        name = "Interval",
        type_ = "string",
        json_path = ".spec.interval",
        description = "How often the price is due.",
        priority = "1"
    ),
    printcolumn(
        name = "Order",
        type_ = "boolean",
        json_path = ".spec.requiresOrder",
        description = "Whether a Runtime needs an order to run.",
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
#[kube(validation = Rule::new("self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')").message("`metadata.name` must be at most 63 characters of a-z, 0-9 and `-`, so that it can be referred to"))]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.displayName) == has(oldSelf.displayName) && (!has(self.displayName) || self.displayName == oldSelf.displayName) && self.cpuKind == oldSelf.cpuKind && self.cpus == oldSelf.cpus && self.memoryMB == oldSelf.memoryMB && self.volumeGB == oldSelf.volumeGB && self.amount == oldSelf.amount && self.currency == oldSelf.currency && self.interval == oldSelf.interval && self.requiresOrder == oldSelf.requiresOrder").message("must not change but for `warmPool`: a new size or price is a new Plan"))]
#[x_kube(validation = Rule::new("self.cpuKind != 'Shared' || (self.cpus in [1,2,4,6,8] && self.memoryMB >= 256 * self.cpus && self.memoryMB <= 2048 * self.cpus && self.memoryMB % 256 == 0)").message("must be a size that Fly sells: `Shared` has 1, 2, 4, 6 or 8 `cpus` and 256 to 2048 `memoryMB` for each, in steps of 256"))]
#[x_kube(validation = Rule::new("self.cpuKind != 'Performance' || (self.cpus in [1,2,4,6,8,10,12,14,16,32,64,128] && self.memoryMB >= 2048 * self.cpus && self.memoryMB <= 8192 * self.cpus && self.memoryMB % 1024 == 0)").message("must be a size that Fly sells: `Performance` has 2048 to 8192 `memoryMB` for each of its `cpus`, in steps of 1024"))]
pub struct PlanSpec {
    /// Name shown to customers.
    #[schemars(length(min = 1, max = 100))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Kind of CPU, as Fly sells it: `Shared` cores, or `Performance`, which are dedicated.
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
    /// Price for one interval, in the currency's smallest unit (cents; won).
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub amount: i64,
    /// ISO 4217 code of the currency.
    #[schemars(length(min = 3, max = 3), regex(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
    /// How often the price is due: every `Month` or every `Year`.
    pub interval: Interval,
    /// Whether a Runtime of this Plan runs only once a RuntimeOrder funds it. A Plan that doesn't is usable only
    /// where a WorkspacePolicy lists it.
    #[serde(default = "yes")]
    pub requires_order: bool,
    /// Apps that are made ahead for Runtimes of this Plan; none if left out. It may change: nothing that runs depends
    /// on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_pool: Option<WarmPool>,
}

/// Kind of CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum CpuKind {
    /// Shared cores.
    Shared,
    /// Dedicated cores.
    Performance,
}

/// How often a price is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Interval {
    /// Every month.
    Month,
    /// Every year.
    Year,
}

/// What is observed of it: whether it is usable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CatalogStatus {
    /// Generation that was last looked at; -1 before the first visit.
    #[schemars(range(min = -1))]
    #[serde(default)]
    pub observed_generation: i64,
    /// What is known about it. `Ready` says whether it is usable.
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Conditions,
}

fn yes() -> bool {
    true
}
