//! The table of hostnames, and the JSON.
#![allow(clippy::print_stdout, reason = "the table is what the program is for")]
#![allow(clippy::cast_precision_loss, reason = "counts of requests, shown with two digits")]

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::super::machine::Machine;
use super::super::report::{line, shown};
use super::acme::LEAST;
use super::pending::Pending;
use super::{Measured, OfSource, Source};

type Figure = (&'static str, &'static str, fn(&OfSource) -> Option<f64>);

const FIGURES: [Figure; 12] = [
    ("CustomDomains/s to active", "≥ 10", |it| Some(it.crowd.rate)),
    ("seconds until half are active", "", |it| Some(it.crowd.half_seconds)),
    ("ACME requests for each", "≤ 11", |it| by_acme(it).map(|it| it.crowd.requests_each())),
    ("… over the protocol's minimum", "≤ 4", |it| {
        by_acme(it).map(|it| it.crowd.requests_each() - LEAST as f64)
    }),
    ("API writes for each", "", |it| Some(it.crowd.api.writes as f64 / it.crowd.count as f64)),
    ("Fly requests for each", "", |it| {
        Some(it.crowd.fly.values().sum::<u64>() as f64 / it.crowd.count as f64)
    }),
    ("CPU ms for each: operator", "", |it| cpu(it, "operator")),
    ("… kube-apiserver", "", |it| cpu(it, "kube-apiserver")),
    ("… pebble", "", |it| cpu(it, "pebble")),
    ("other programs' CPU, % of one core", "", |it| Some(it.crowd.cpu.others / it.crowd.seconds * 100.0)),
    ("DNS in place → active, s: p50", "< 15", |it| it.single.as_ref().map(|it| it.p50)),
    ("… longest", "< 60", |it| it.single.as_ref().map(|it| it.longest)),
];

type AtRest = (&'static str, &'static str, fn(&Pending) -> f64);

const PENDING: [AtRest; 5] = [
    ("waiting for DNS: looks/s of all", "≤ 2", |it| it.looks),
    ("… Kubernetes writes but leases", "0", |it| it.rest.api.writes as f64),
    ("… resource versions changed", "0", |it| it.rest.changed.len() as f64),
    ("… Fly requests/s", "", |it| it.rest.fly_rate),
    ("… operator CPU, % of one core", "", |it| it.rest.cpu_percent),
];

fn by_acme(it: &OfSource) -> Option<&OfSource> {
    (it.source == Source::Acme).then_some(it)
}

fn cpu(it: &OfSource, process: &str) -> Option<f64> {
    it.crowd.cpu.of.get(process).map(|seconds| seconds * 1000.0 / it.crowd.count as f64)
}

/// Writes everything that was counted.
pub(in super::super) fn write(dir: &Path, machine: &Machine, measured: &Measured) -> Result<()> {
    let path = dir.join("domains.json");
    let document = json!({"machine": machine, "measured": measured});
    fs::write(&path, serde_json::to_vec_pretty(&document)?)
        .with_context(|| format!("write {}", path.display()))
}

/// Prints the table.
pub(in super::super) fn print(machine: &Machine, measured: &Measured) {
    println!("\n{}\n", machine.line());
    let heads = measured.sources.iter().map(|it| format!("{} by {}", it.crowd.count, it.source.word()));
    line("CustomDomains, source", "goal", heads);
    for (name, goal, read) in FIGURES {
        line(name, goal, measured.sources.iter().map(|it| shown(read(it))));
    }
    if let Some(pending) = &measured.pending {
        line("CustomDomains that wait", "goal", std::iter::once(pending.count.to_string()));
        for (name, goal, read) in PENDING {
            line(name, goal, std::iter::once(shown(Some(read(pending)))));
        }
    }
}
