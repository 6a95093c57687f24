//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// A Kubernetes operator that gives every customer a dedicated agent runtime on Fly Machines.
#[derive(Debug, Parser)]
#[command(name = "moorage", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Writes the CustomResourceDefinitions, one file each, or to standard output.
    Crds {
        /// Folder to write to.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Prints the JSON schema of the configuration file.
    ConfigSchema,
}
