//! The operator process.
#![allow(clippy::print_stdout, reason = "subcommands print what they are asked for")]

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use moorage::cli::{Cli, Command};
use moorage::generate;
use moorage::rights::{self, Installation, Platform};

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "ended");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Box<dyn Error + Send + Sync>> {
    match command {
        Command::Crds { dir: Some(dir) } => generate::write_crds(&dir)?,
        Command::Crds { dir: None } => {
            generate::crds()?.into_iter().for_each(|(_, text)| println!("---\n{text}"));
        }
        Command::Docs { dir } => generate::write_docs(&dir)?,
        Command::ConfigSchema => {
            let schema = schemars::schema_for!(moorage::engine::config::Config);
            println!("{}", serde_json::to_string_pretty(&schema)?);
        }
        Command::Manifests { namespace, platform_user: users, platform_group: groups } => {
            let installation = Installation { namespace, platform: Platform { users, groups } };
            print!("{}", rights::yaml(&installation)?);
        }
        Command::Chart { dir } => rights::write_chart(&dir)?,
    }
    Ok(())
}
