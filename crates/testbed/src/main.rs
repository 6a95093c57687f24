//! `testbed`: the demo and its parts on the command line.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use testbed::bench::{BenchOptions, bench};
use testbed::demo::{ClusterChoice, DemoOptions, Ending, GatewayChoice, demo};
use testbed::progress::Progress;
use testbed::{Audit, ControlPlane, ControlPlaneOptions, Identity};
use tokio::task::spawn_blocking;

/// Starts the real parts that Moorage's tests and demo run against.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds the control plane's programs into the cache and prints their folder.
    Build,
    /// Installs OpenClaw's images into the cache and prints their folder.
    Images {
        /// Versions on npm; both that the tests use if left out.
        versions: Vec<String>,
    },
    /// Brings the quickstart's Workspace and Runtimes to `running`, one of them once it is paid, and its hostname to
    /// `active`, and shows how.
    Demo(Choices),
    /// Measures speed, calls and memory with many Runtimes and hostnames; for release builds.
    Bench(BenchOptions),
    /// Starts a control plane, prints its kubeconfig and stays until Ctrl-C.
    Up {
        /// A folder of CRDs to install.
        #[arg(long)]
        crds: Option<PathBuf>,
    },
}

#[derive(Args)]
struct Choices {
    /// Ends as soon as all is ready, or with the cause why it won't be.
    #[arg(long, env = "ONCE", value_parser = FalseyValueParser::new())]
    once: bool,
    /// What a Machine runs.
    #[arg(long, env = "GATEWAY", default_value = "", hide_default_value = true)]
    gateway: Gateway,
    /// Where the objects live.
    #[arg(long, env = "CLUSTER", default_value = "", hide_default_value = true)]
    cluster: Cluster,
}

#[derive(Clone, Copy, ValueEnum)]
enum Gateway {
    /// OpenClaw if the system can run it, else a stand-in.
    #[value(name = "", hide = true)]
    Auto,
    /// OpenClaw from npm, or an error.
    Real,
    /// A light stand-in with the same answers.
    Fake,
}

#[derive(Clone, Copy, ValueEnum)]
enum Cluster {
    /// A new control plane.
    #[value(name = "", alias = "own")]
    Own,
    /// The cluster of the current kubectl context.
    Current,
}

impl Choices {
    fn options(&self) -> DemoOptions {
        DemoOptions {
            ending: if self.once { Ending::WhenReady } else { Ending::Stay },
            gateway: match self.gateway {
                Gateway::Auto => GatewayChoice::Auto,
                Gateway::Real => GatewayChoice::Real,
                Gateway::Fake => GatewayChoice::Fake,
            },
            cluster: match self.cluster {
                Cluster::Own => ClusterChoice::Own,
                Cluster::Current => ClusterChoice::Current,
            },
        }
    }
}

#[tokio::main]
async fn main() {
    let outcome = run(Arguments::parse().command).await;
    testbed::finish();
    if let Err(error) = &outcome {
        eprintln!("error: {error:#}");
    }
    // Not by returning: that would wait for a build that has just been cut off.
    std::process::exit(i32::from(outcome.is_err()))
}

async fn run(task: Task) -> Result<()> {
    let progress = Progress::stderr();
    match task {
        Task::Build => print_path(move || testbed::control_plane_binaries(progress)).await,
        Task::Images { versions } => print_path(move || images(&versions, progress)).await,
        Task::Up { crds } => until_interrupted(up(crds, progress)).await.unwrap_or(Ok(())),
        Task::Bench(options) => until_interrupted(bench(options)).await.unwrap_or(Ok(())),
        // It may have something to take back when it is interrupted, and so listens itself.
        Task::Demo(choices) => demo(choices.options(), testbed::interrupted()).await,
    }
}

/// `None` if it was interrupted, which drops `work` and with it everything that it started.
async fn until_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        outcome = work => Some(outcome),
        _ = testbed::interrupted() => None,
    }
}

async fn print_path(make: impl FnOnce() -> Result<PathBuf> + Send + 'static) -> Result<()> {
    let path =
        until_interrupted(spawn_blocking(make)).await.context("interrupted; nothing half-made is kept")?;
    println!("{}", path??.display());
    Ok(())
}

fn images(versions: &[String], progress: Progress) -> Result<PathBuf> {
    let all = [testbed::OPENCLAW_LATEST, testbed::OPENCLAW_PREVIOUS];
    let named: Vec<&str> = versions.iter().map(String::as_str).collect();
    testbed::openclaw_images(if named.is_empty() { &all } else { &named }, progress)
}

async fn up(crds: Option<PathBuf>, progress: Progress) -> Result<()> {
    let options =
        ControlPlaneOptions { audit: Audit::Requests, crds, progress: Some(progress), ..Default::default() };
    let cluster = ControlPlane::start(&options).await?;
    println!("export KUBECONFIG={}", cluster.kubeconfig(&Identity::Admin).await?.display());
    println!("# kubectl of the same version: {}", cluster.kubectl().display());
    println!("# logs and audit log: {}", cluster.dir().display());
    println!("# {} MB in use. Ctrl-C ends it.", cluster.resident_bytes() / 1_000_000);
    std::future::pending().await
}
