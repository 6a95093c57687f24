//! The size of a Machine.

use serde::{Deserialize, Serialize};

use super::Extra;

open_enum! {
    /// How a Machine's CPUs are shared.
    CpuKind {
        /// CPUs shared with others, with bursts.
        Shared = "shared",
        /// CPUs of its own.
        Performance = "performance",
    }
}

/// CPUs and memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guest {
    /// The kind of CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_kind: Option<CpuKind>,
    /// The number of CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// Memory in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// Fields that this version doesn't model.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Guest {
    /// Shared CPUs with this much memory in MiB.
    pub fn shared(cpus: u32, memory_mb: u32) -> Self {
        Self {
            cpu_kind: Some(CpuKind::Shared),
            cpus: Some(cpus),
            memory_mb: Some(memory_mb),
            extra: Extra::new(),
        }
    }

    /// CPUs of its own with this much memory in MiB.
    pub fn performance(cpus: u32, memory_mb: u32) -> Self {
        Self { cpu_kind: Some(CpuKind::Performance), ..Self::shared(cpus, memory_mb) }
    }
}
