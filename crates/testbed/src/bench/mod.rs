//! What `make bench` runs: how fast Runtimes become Ready and hostnames `active`, what that costs, and what rest costs.
//!
//! Each run has a control plane, simulator and operator of its own. The same run then measures how fast the API
//! server takes the same writes when nobody decides anything, so that a slow machine tells from a slow operator.

mod arrivals;
mod calls;
mod domains;
mod edits;
mod fleet;
mod machine;
mod off;
mod raw;
mod report;
mod run;
mod sample;
mod tasks;
mod usage;
mod warm;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

use crate::progress::Progress;
use crate::repository;

/// From so many Runtimes on there is one run, at Fly's least delay, and none is deleted at its end.
const LARGE: usize = 2_000;

/// What is measured, and how often.
#[derive(Debug, Clone, Args)]
pub struct BenchOptions {
    /// Numbers of Runtimes. 0 leaves them out.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 500, 1_000, 5_000, 10_000])]
    n: Vec<usize>,
    /// Delays of each answer of Fly, in milliseconds.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 50])]
    latency: Vec<u64>,
    /// Runs of each pair; the table shows medians. From 2,000 Runtimes on there is one, at the first delay.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Seconds at rest, in the first run of each number at the first delay. 0 leaves them out, and the restart.
    #[arg(long, default_value_t = 120)]
    rest: u64,
    /// Edits of a spec at rest, one after the other, where rest is measured.
    #[arg(long, default_value_t = 200)]
    edits: usize,
    /// Runtimes that are given an app made ahead, one after the other, where rest is measured.
    #[arg(long, default_value_t = 20)]
    warm: usize,
    /// Finished tasks of each Runtime, from `--tasks-from` Runtimes on. Below no history is kept.
    #[arg(long, default_value_t = 3)]
    tasks: usize,
    /// From so many Runtimes on task history is kept.
    #[arg(long, default_value_t = 10_000)]
    tasks_from: usize,
    /// Of a hundred Runtimes, those that are off at a second restart, where rest is measured, from 2,000 Runtimes on:
    /// half of them stopped, half asleep. 0 leaves that restart out.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    off: u8,
    /// Of a hundred Runtimes, those that take a variable from a Secret of their own.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    secrets: u8,
    /// CustomDomains that are brought to `active` at once, by each source of certificates. 0 leaves them out.
    #[arg(long, default_value_t = 500)]
    domains: usize,
    /// CustomDomains that wait for their records meanwhile nothing is done.
    #[arg(long, default_value_t = 200)]
    pending: usize,
    /// CustomDomains whose records are set one after the other at rest, by each source.
    #[arg(long, default_value_t = 10)]
    single: usize,
    /// Namespaces, each with a Workspace, over which the Runtimes are spread.
    #[arg(long, default_value_t = 10)]
    namespaces: usize,
    /// Objects that the operator works on at once, and writers of the raw rate.
    #[arg(long, default_value_t = 32)]
    concurrency: usize,
    /// A value of the operator's configuration, as `/timing/feedSeconds=5`.
    #[arg(long, value_parser = setting)]
    set: Vec<(&'static str, Value)>,
    /// An environment variable of the operator, as `NAME=value`.
    #[arg(long, value_parser = variable)]
    env: Vec<(String, String)>,
    /// Where the JSON goes; `target/bench` if left out.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// One pair of the table.
#[derive(Debug, Clone)]
struct Cell {
    runtimes: usize,
    latency_ms: u64,
    rest: Duration,
    edits: usize,
    warm: usize,
    tasks: usize,
    off: usize,
    secrets: u8,
}

impl Cell {
    fn new(options: &BenchOptions, runtimes: usize, latency_ms: u64, run: usize) -> Self {
        let first = run == 0 && options.latency.first() == Some(&latency_ms);
        Self {
            runtimes,
            latency_ms,
            rest: Duration::from_secs(if first { options.rest } else { 0 }),
            edits: if first { options.edits } else { 0 },
            warm: if first { options.warm } else { 0 },
            tasks: if runtimes >= options.tasks_from { options.tasks } else { 0 },
            off: if first && runtimes >= LARGE { runtimes * usize::from(options.off) / 100 } else { 0 },
            secrets: options.secrets,
        }
    }

    /// Whether it takes so long that some of it is left out.
    fn is_large(&self) -> bool {
        self.runtimes >= LARGE
    }
}

impl BenchOptions {
    /// Every pair, with its number of runs.
    fn pairs(&self) -> Vec<(usize, u64, usize)> {
        let delays = |runtimes: usize| match runtimes {
            LARGE.. => &self.latency[..self.latency.len().min(1)],
            _ => &self.latency[..],
        };
        let runs = |runtimes: usize| if runtimes >= LARGE { self.runs.min(1) } else { self.runs };
        let some = self.n.iter().filter(|&&n| n > 0);
        some.flat_map(|&n| delays(n).iter().map(move |&delay| (n, delay, runs(n)))).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    /// Minutes that all of it takes on two cores that do nothing else.
    fn minutes(&self) -> f64 {
        let seconds = |(runtimes, latency_ms, runs): (usize, u64, usize)| {
            let first = self.latency.first() == Some(&latency_ms);
            let once = if first {
                self.rest as f64
                    + run::settling(self.secrets).as_secs_f64()
                    + 50.0
                    + self.edits as f64 / 5.0
                    + self.warm as f64 * 2.0
            } else {
                0.0
            };
            let has_history = runtimes >= self.tasks_from;
            let history = if has_history { self.tasks as f64 / 150.0 } else { 0.0 };
            let ending = if runtimes < LARGE {
                1.0 / 60.0
            } else {
                // What is brought down leaves a task for another to go, twenty in a second.
                f64::from(self.off) / 100.0 * (1.0 / 45.0 + if has_history { 1.0 / 20.0 } else { 0.0 })
            };
            let each = runtimes as f64 * (1.0 / 38.0 + ending + history);
            once + runs as f64 * (each + runtimes.min(run::RAW) as f64 / 60.0 + 25.0)
        };
        let domains = if self.domains > 0 { self.domains as f64 * 0.5 + 450.0 } else { 0.0 };
        (self.pairs().into_iter().map(seconds).sum::<f64>() + domains) / 60.0
    }
}

/// Measures, prints the table and writes the JSON.
pub async fn bench(options: BenchOptions) -> Result<()> {
    let progress = Progress::stderr();
    let out = options.out.clone().unwrap_or_else(|| repository().join("target/bench"));
    std::fs::create_dir_all(&out).with_context(|| format!("make {}", out.display()))?;
    let machine = machine::describe();
    let mut measured = Vec::new();
    progress.note(&format!("this takes about {:.0} minutes on two quiet cores", options.minutes()));
    let began = Instant::now();
    for (runtimes, latency_ms, count) in options.pairs() {
        let mut runs = Vec::new();
        for run in 0..count {
            progress.note(&format!(
                "{runtimes} Runtimes, Fly at {latency_ms} ms, run {} of {count}, after {} min",
                run + 1,
                began.elapsed().as_secs() / 60
            ));
            let cell = Cell::new(&options, runtimes, latency_ms, run);
            let run = Box::pin(run::run(&options, &cell, progress))
                .await
                .with_context(|| format!("measure {runtimes} Runtimes at {latency_ms} ms"))?;
            runs.push(run);
        }
        let entry = report::Entry { runtimes, latency_ms, runs };
        report::write(&out, &machine, &entry)?;
        measured.push(entry);
    }
    if !measured.is_empty() {
        report::print(&machine, &measured);
    }
    if options.domains > 0 {
        let measured =
            Box::pin(domains::measure(&options, progress)).await.context("measure CustomDomains")?;
        domains::report::write(&out, &machine, &measured)?;
        domains::report::print(&machine, &measured);
    }
    println(&format!("\nJSON: {}", out.display()));
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the table is what the program is for")]
fn println(line: &str) {
    println!("{line}");
}

/// The name lives as long as the program, as those in the code do.
fn setting(text: &str) -> Result<(&'static str, Value), String> {
    let (pointer, value) = text.split_once('=').ok_or("not of the form /pointer=value")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((pointer.to_owned().leak(), value))
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("not of the form NAME=value")?;
    Ok((name.to_owned(), value.to_owned()))
}
