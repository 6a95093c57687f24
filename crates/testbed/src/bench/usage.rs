//! Processor time and memory of processes, from `/proc`.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

use super::run::Parts;

/// Ticks of a second in `/proc`, the same on every Linux.
const TICKS: f64 = 100.0;

/// Processor time spent so far, in seconds.
#[derive(Debug, Clone)]
pub(super) struct Clocks {
    of: BTreeMap<&'static str, f64>,
    machine: f64,
}

/// Processor time of a span, in seconds.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spent {
    /// Of each of our processes.
    pub(super) of: BTreeMap<&'static str, f64>,
    /// Of everything else on the machine.
    pub(super) others: f64,
}

impl Clocks {
    /// Reads them.
    pub(super) fn read(parts: &Parts) -> Result<Self> {
        let mut of = BTreeMap::new();
        for (name, pid) in parts.pids() {
            of.insert(name, seconds(&format!("/proc/{pid}/stat"))?);
        }
        Ok(Self { of, machine: busy()? })
    }

    /// What one of our processes has spent in its life.
    pub(super) fn of(&self, process: &str) -> f64 {
        self.of.get(process).copied().unwrap_or_default()
    }

    /// What was spent since `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Spent {
        let of: BTreeMap<_, _> = self.of.iter().map(|(name, now)| (*name, now - earlier.of(name))).collect();
        let ours: f64 = of.values().sum();
        Spent { of, others: (self.machine - earlier.machine - ours).max(0.0) }
    }
}

/// User and system time of a process with all its threads.
fn seconds(stat: &str) -> Result<f64> {
    let text = fs::read_to_string(stat).with_context(|| format!("read {stat}"))?;
    // The name is in parentheses and may hold anything; what follows is numbers.
    let rest = text.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks: Vec<f64> =
        rest.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

/// Time that the whole machine was busy: user, nice, system, interrupts.
fn busy() -> Result<f64> {
    let text = fs::read_to_string("/proc/stat").context("read /proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|ticks| ticks.parse().ok()).collect();
    let part = |index: usize| ticks.get(index).copied().unwrap_or_default();
    Ok((part(0) + part(1) + part(2) + part(5) + part(6)) / TICKS)
}

/// Resident memory of a process in MB: now, and the most that it ever was.
pub(super) fn memory(pid: u32) -> Result<(f64, f64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).context("read a process's memory")?;
    let field = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1000.0
    };
    Ok((field("VmRSS:"), field("VmHWM:")))
}
