//! `billing-sim`: stand-ins for Stripe and PayApp, as a program.

use std::process::ExitCode;

use anyhow::Context as _;
use billing_sim::cli::{Cli, Command, Serve};
use billing_sim::serve::Server;
use clap::Parser as _;
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let Command::Serve(options) = Cli::parse().command;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Serve) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(async {
        let server = Server::start(options).await?;
        if let Some(path) = &options.ready_file {
            let beside = path.with_extension("new");
            std::fs::write(&beside, server.ready().to_string())?;
            std::fs::rename(&beside, path).with_context(|| format!("{} can't be written", path.display()))?;
        }
        tracing::info!(url = server.url(), "serving");
        end(options).await;
        drop(server);
        Ok(())
    });
    // Standard input may still be waited for.
    runtime.shutdown_background();
    served
}

/// Ends when the program is asked to end, or its parent has gone away.
async fn end(options: &Serve) {
    let asked = async |kind: SignalKind| match signal(kind) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    };
    let parent = async {
        if options.exit_with_parent {
            let mut ignored = [0; 64];
            let mut input = tokio::io::stdin();
            while matches!(input.read(&mut ignored).await, Ok(1..)) {}
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = asked(SignalKind::terminate()) => {}
        () = asked(SignalKind::interrupt()) => {}
        () = parent => {}
    }
}
