//! What `make bench` runs: how fast Runtimes become Ready, what that costs, and what rest costs.
//!
//! Each run has a control plane, simulator and operator of its own. The same run then measures how fast the API
//! server takes the same writes when nobody decides anything, so that a slow machine tells from a slow operator.

mod calls;
mod fleet;
mod machine;
mod raw;
mod report;
mod run;
mod sample;
mod usage;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

use crate::progress::Progress;
use crate::repository;

/// What is measured, and how often.
#[derive(Debug, Clone, Args)]
pub struct BenchOptions {
    /// Numbers of Runtimes.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000])]
    n: Vec<usize>,
    /// Delays of each answer of Fly, in milliseconds.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 50])]
    latency: Vec<u64>,
    /// Runs of each pair; the table shows medians.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Seconds at rest, in the first run of each pair. 0 leaves them out.
    #[arg(long, default_value_t = 120)]
    rest: u64,
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
}

/// Measures, prints the table and writes the JSON.
pub async fn bench(options: BenchOptions) -> Result<()> {
    let progress = Progress::stderr();
    let out = options.out.clone().unwrap_or_else(|| repository().join("target/bench"));
    std::fs::create_dir_all(&out).with_context(|| format!("make {}", out.display()))?;
    let machine = machine::describe();
    let mut measured = Vec::new();
    for &runtimes in &options.n {
        for &latency_ms in &options.latency {
            let mut runs = Vec::new();
            for run in 0..options.runs {
                let rest = Duration::from_secs(if run == 0 { options.rest } else { 0 });
                progress.note(&format!(
                    "{runtimes} Runtimes, Fly at {latency_ms} ms, run {} of {}",
                    run + 1,
                    options.runs
                ));
                let cell = Cell { runtimes, latency_ms, rest };
                let run = run::run(&options, &cell, progress)
                    .await
                    .with_context(|| format!("measure {runtimes} Runtimes at {latency_ms} ms"))?;
                runs.push(run);
            }
            let entry = report::Entry { runtimes, latency_ms, runs };
            report::write(&out, &machine, &entry)?;
            measured.push(entry);
        }
    }
    report::print(&machine, &measured);
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
