//! `testbed`: the demo and its parts on the command line.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
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
    /// Starts a control plane, prints its kubeconfig and stays until Ctrl-C.
    Up {
        /// A folder of CRDs to install.
        #[arg(long)]
        crds: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() {
    let task = Arguments::parse().command;
    // Whichever comes first drops the other, and with it everything that was started.
    let outcome = tokio::select! {
        outcome = run(task) => outcome,
        interrupted = testbed::interrupted() => interrupted,
    };
    testbed::finish();
    match outcome {
        // Not by returning: that would wait for a build that has just been cut off.
        Ok(()) => std::process::exit(0),
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::exit(1)
        }
    }
}

async fn run(task: Task) -> Result<()> {
    let progress = Progress::stderr();
    match task {
        Task::Build => {
            let dir = spawn_blocking(move || testbed::control_plane_binaries(progress)).await??;
            println!("{}", dir.display());
        }
        Task::Images { versions } => {
            let dir = spawn_blocking(move || images(&versions, progress)).await??;
            println!("{}", dir.display());
        }
        Task::Up { crds } => up(crds, progress).await?,
    }
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
