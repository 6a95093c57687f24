//! The operator process.
#![allow(clippy::print_stdout, reason = "subcommands print what they are asked for")]

use std::process::ExitCode;

use clap::Parser;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use moorage::admin::output::plain;
use moorage::admin::{self, AdminError, adopt, billing, confirm, deployments, fleet, orphans, recover};
use moorage::cli::{Cli, Command};
use moorage::generate;
use moorage::process::{self, BoxError, Parts};
use moorage::rights::{self, Installation, Platform};

/// What lives for long, thousands of small objects, leaves fewer gaps than with the system's allocator
/// (docs/benchmarks.md); its settings are in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // First of all: two crates that each find no provider would choose two. It fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Err(error) = run(Cli::parse().command) else { return ExitCode::SUCCESS };
    if tracing::dispatcher::has_been_set() {
        tracing::error!(%error, "ended");
    } else {
        eprintln!("moorage: {error}");
    }
    ExitCode::FAILURE
}

/// The controllers, as the process starts them.
fn controllers(parts: Parts) -> BoxFuture<'static, Result<(), BoxError>> {
    moorage::control::run::run(parts).map_err(BoxError::from).boxed()
}

/// Does something with the current kubeconfig.
fn by_hand(work: impl AsyncFnOnce(kube::Client) -> Result<(), AdminError>) -> Result<(), BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async { work(admin::client().await?).await });
    // What an object says of itself may be its tenant's forgery: it must not steer the terminal.
    done.map_err(|error| BoxError::from(plain(&error.to_string())))
}

fn run(command: Command) -> Result<(), BoxError> {
    match command {
        Command::Run(args) => process::run(&args, controllers)?,
        Command::Status(what) => {
            by_hand(async |client| fleet::run(client, &what, |line| println!("{line}")).await)?;
        }
        Command::Deployments(what) => {
            by_hand(async |client| deployments::run(client, &what, |line| println!("{line}")).await)?;
        }
        Command::Recover(what) => {
            by_hand(async |client| recover::run(client, &what, |line| println!("{line}")).await)?;
        }
        Command::Confirm(what) => {
            by_hand(async |client| confirm::run(client, &what, |line| println!("{line}")).await)?;
        }
        Command::Billing(what) => {
            by_hand(async |client| billing::run(client, &what, |line| println!("{line}")).await)?;
        }
        Command::Adopt(what) => {
            by_hand(async |client| adopt::run(client, &what, |line| println!("{line}")).await)?;
        }
        Command::Orphans(what) => {
            by_hand(async |client| orphans::run(client, &what, |line| println!("{line}")).await)?;
        }
        Command::Crds { dir: Some(dir) } => generate::write_crds(&dir)?,
        Command::Crds { dir: None } => {
            generate::crds()?.into_iter().for_each(|(_, text)| println!("---\n{text}"));
        }
        Command::Docs { dir } => generate::write_docs(&dir)?,
        Command::ConfigSchema => {
            let schema = schemars::schema_for!(moorage::engine::config::Config);
            println!("{}", serde_json::to_string_pretty(&schema)?);
        }
        Command::Manifests { namespace, platform_user: users, platform_group: groups, external_dns } => {
            let installation = Installation { namespace, platform: Platform { users, groups } };
            print!("{}", rights::yaml(&installation)?);
            if external_dns {
                print!("{}", rights::external_dns_yaml(&installation)?);
            }
        }
        Command::Chart { dir } => rights::write_chart(&dir)?,
    }
    Ok(())
}
