//! The table and the JSON.
#![allow(clippy::print_stdout, reason = "the table is what the program is for")]
#![allow(clippy::cast_precision_loss, reason = "counts of requests and Runtimes, shown with two digits")]

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use super::edits::Edits;
use super::machine::Machine;
use super::run::{Rest, Restart, Run};
use super::warm::Warm;

/// Every run of one pair.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) runtimes: usize,
    pub(super) latency_ms: u64,
    pub(super) runs: Vec<Run>,
}

type Figure = (&'static str, &'static str, fn(&Entry) -> Option<f64>);

/// The table's rows: what, what it should be, and how it is read.
const FIGURES: [Figure; 35] = [
    ("Runtimes/s to Ready", "≥ 20, aim 35", |it| it.median(|run| run.ready_rate)),
    ("seconds until half are Ready", "", |it| it.median(|run| run.half_ready_seconds)),
    ("raw Runtimes/s of the API server", "", |it| it.median(|run| run.raw_rate)),
    ("share of the raw rate, %", "≥ 60", |it| it.median(|run| run.ready_rate / run.raw_rate * 100.0)),
    ("API writes per Runtime", "≤ 7", |it| it.each(|run| run.api.writes as f64)),
    ("… of them on Workspaces", "", |it| it.each(|run| kind(run, "PATCH workspaces/status"))),
    ("API reads per Runtime", "≤ 3", |it| it.each(|run| run.api.reads as f64)),
    ("Fly requests per Runtime", "", |it| it.each(|run| run.fly.values().sum::<u64>() as f64)),
    ("operator RSS at its peak, MB", "1,000: ≤ 45", |it| it.median(|run| run.peak_mb)),
    ("operator RSS at rest, MB", "10,000: ≤ 130", |it| it.median(|run| run.rest_mb)),
    ("CPU ms per Runtime: all", "≤ 1.3 × at 500", |it| it.each(all_cpu)),
    ("… operator", "", |it| it.each(|run| cpu(run, "operator"))),
    ("… kube-apiserver", "", |it| it.each(|run| cpu(run, "kube-apiserver"))),
    ("… etcd", "", |it| it.each(|run| cpu(run, "etcd"))),
    ("… fly-sim", "", |it| it.each(|run| cpu(run, "fly-sim"))),
    ("other programs' CPU, % of one core", "", |it| {
        it.median(|run| run.cpu.others / run.ready_seconds * 100.0)
    }),
    ("Runtimes/s to gone", "", |it| median(it.runs.iter().filter_map(|run| run.deletion_rate).collect())),
    ("at rest: operator CPU, % of one core", "< 1; 10,000: 2", |it| it.at_rest(|rest| rest.cpu_percent)),
    ("at rest: Kubernetes writes but leases", "0", |it| it.at_rest(|rest| rest.api.writes as f64)),
    ("at rest: resource versions changed", "0", |it| it.at_rest(|rest| rest.changed.len() as f64)),
    ("at rest: Fly requests/s", "≤ 1", |it| it.at_rest(|rest| rest.fly_rate)),
    ("spec edit → Fly call, s: p50", "", |it| it.edited(|edits| edits.fly_p50)),
    ("… p99", "≤ 1", |it| it.edited(|edits| edits.fly_p99)),
    ("spec edit → status, s: p50", "", |it| it.edited(|edits| edits.status_p50)),
    ("… p99", "≤ 2", |it| it.edited(|edits| edits.status_p99)),
    ("warm claim → running, s: p50", "< 2", |it| it.warm(|warm| warm.p50)),
    ("… p99", "", |it| it.warm(|warm| warm.p99)),
    ("restarted: seconds until all are verified", "≤ 20", |it| {
        it.restarted(|restart| restart.verified_seconds)
    }),
    ("restarted: seconds until it acts", "", |it| it.restarted(|restart| restart.ready_seconds)),
    ("restarted: operator RSS at its peak, MB", "", |it| it.restarted(|restart| restart.peak_mb)),
    ("restarted: Kubernetes writes but leases", "0", |it| it.restarted(|restart| restart.api.writes as f64)),
    ("restarted: Fly requests", "", |it| it.restarted(|restart| restart.fly as f64)),
    ("with many off: seconds until verified", "≤ 20", |it| it.restarted_off(|it| it.verified_seconds)),
    ("with many off: Kubernetes writes", "0", |it| it.restarted_off(|it| it.api.writes as f64)),
    ("with many off: Fly requests", "", |it| it.restarted_off(|it| it.fly as f64)),
];

fn cpu(run: &Run, process: &str) -> f64 {
    run.cpu.of.get(process).copied().unwrap_or_default() * 1000.0
}

/// Of the operator and of all that it makes work, but not of the bench.
fn all_cpu(run: &Run) -> f64 {
    run.cpu.of.iter().filter(|(process, _)| **process != "bench").map(|(_, seconds)| seconds * 1000.0).sum()
}

fn kind(run: &Run, kind: &str) -> f64 {
    run.api.by_kind.get(kind).copied().unwrap_or_default() as f64
}

impl Entry {
    fn median(&self, of: impl Fn(&Run) -> f64) -> Option<f64> {
        median(self.runs.iter().map(of).collect())
    }

    /// The median for each Runtime.
    fn each(&self, of: impl Fn(&Run) -> f64) -> Option<f64> {
        self.median(|run| of(run) / self.runtimes as f64)
    }

    fn at_rest(&self, of: impl Fn(&Rest) -> f64) -> Option<f64> {
        median(self.runs.iter().filter_map(|run| run.rest.as_ref()).map(of).collect())
    }

    fn edited(&self, of: impl Fn(&Edits) -> f64) -> Option<f64> {
        median(self.runs.iter().filter_map(|run| run.edits.as_ref()).map(of).collect())
    }

    fn warm(&self, of: impl Fn(&Warm) -> f64) -> Option<f64> {
        median(self.runs.iter().filter_map(|run| run.warm.as_ref()).map(of).collect())
    }

    fn restarted(&self, of: impl Fn(&Restart) -> f64) -> Option<f64> {
        median(self.runs.iter().filter_map(|run| run.restart.as_ref()).map(of).collect())
    }

    fn restarted_off(&self, of: impl Fn(&Restart) -> f64) -> Option<f64> {
        median(self.runs.iter().filter_map(|run| run.restart_off.as_ref()).map(of).collect())
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// Writes one pair's runs with everything that was counted.
pub(super) fn write(dir: &Path, machine: &Machine, entry: &Entry) -> Result<()> {
    let medians: serde_json::Map<String, serde_json::Value> =
        FIGURES.iter().map(|(name, _, read)| ((*name).to_owned(), read(entry).into())).collect();
    let document = serde_json::json!({"machine": machine, "medians": medians, "measured": entry});
    let path = dir.join(format!("{}-runtimes-{}-ms.json", entry.runtimes, entry.latency_ms));
    fs::write(&path, serde_json::to_vec_pretty(&document)?)
        .with_context(|| format!("write {}", path.display()))
}

/// Prints the table.
pub(super) fn print(machine: &Machine, entries: &[Entry]) {
    let runs = entries.first().map_or(0, |entry| entry.runs.len());
    println!("\n{}; medians of {runs} runs\n", machine.line());
    let heads = entries.iter().map(|entry| format!("{} at {} ms", entry.runtimes, entry.latency_ms));
    line("Runtimes, delay of Fly", "goal", heads);
    for (name, goal, read) in FIGURES {
        line(name, goal, entries.iter().map(|entry| shown(read(entry))));
    }
}

pub(super) fn line(name: &str, goal: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.map(|cell| format!("{cell:>14}")).collect();
    println!("{name:<40}{goal:>14}{}", cells.concat());
}

pub(super) fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
