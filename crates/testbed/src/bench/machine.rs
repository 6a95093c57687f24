//! The machine that figures were measured on.

use std::fs;

use serde::Serialize;

/// Processor, memory and system.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    /// The processor's model.
    pub(super) cpu: String,
    /// Processors that this process may use.
    pub(super) cores: usize,
    /// Memory in MB.
    pub(super) memory_mb: u64,
    /// The kernel's version.
    pub(super) kernel: String,
    /// Processes that wanted to run when the bench began, over the last minute.
    pub(super) load: String,
}

impl Machine {
    /// All of it in one line.
    pub(super) fn line(&self) -> String {
        let Self { cpu, cores, memory_mb, kernel, load } = self;
        format!("{cpu}, {cores} cores, {memory_mb} MB, Linux {kernel}, load {load} at the start")
    }
}

pub(super) fn describe() -> Machine {
    let field = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let memory = field("/proc/meminfo", "MemTotal");
    let kilobytes: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    Machine {
        cpu: field("/proc/cpuinfo", "model name"),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_mb: kilobytes / 1000,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        load: load.split(' ').next().unwrap_or_default().to_owned(),
    }
}
