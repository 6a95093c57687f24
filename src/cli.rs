//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::admin::adopt::Adopt;
use crate::admin::billing::Billing;
use crate::admin::confirm::Confirm;
use crate::admin::deployments::Deployments;
use crate::admin::fleet::Status;
use crate::admin::orphans::Orphans;
use crate::admin::recover::Recover;
use crate::process::RunArgs;
use crate::rights;

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
    /// Runs the operator.
    Run(RunArgs),
    /// Shows the whole fleet at a glance: what runs, what is stalled and why, and what waits for whom. Uses the current
    /// kubeconfig.
    Status(Status),
    /// Lists what was done to Runtimes and what is being done, each with a log that opens. Uses the current kubeconfig.
    Deployments(Deployments),
    /// Brings a Runtime back that is stuck or gone: restarts, restores or deploys it again, or re-creates it from its
    /// volume or snapshot. Says what it would do, and does it with --yes. Uses the current kubeconfig.
    Recover(Recover),
    /// Confirms what waits for the platform: held deletions, takeovers in a restored cluster. Uses the current
    /// kubeconfig.
    #[command(subcommand)]
    Confirm(Confirm),
    /// Money: what was paid and what it funds, and the platform's own word on a payment. Uses the current kubeconfig.
    #[command(subcommand)]
    Billing(Billing),
    /// Makes a Runtime of an app that was made by hand. Uses the current kubeconfig and the operator's configuration.
    Adopt(Adopt),
    /// Lists apps at Fly that carry our mark and that no claim names, or removes one.
    Orphans(Orphans),
    /// Writes the CustomResourceDefinitions, one file each, or to standard output.
    Crds {
        /// Folder to write to.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Writes the pages that are made from tables in code: states and reasons.
    Docs {
        /// Folder to write to.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Prints the JSON schema of the configuration file.
    ConfigSchema,
    /// Prints what an installation needs beside the CustomResourceDefinitions: Namespace, ServiceAccount, roles,
    /// bindings and admission policies.
    Manifests {
        /// Namespace of the operator.
        #[arg(long, default_value = rights::NAMESPACE)]
        namespace: String,
        /// A user who is the platform; may be given several times.
        #[arg(long, value_name = "USER")]
        platform_user: Vec<String>,
        /// A group that is the platform; may be given several times.
        #[arg(long, value_name = "GROUP", default_value = rights::DEFAULT_PLATFORM_GROUP)]
        platform_group: Vec<String>,
        /// With the Role that is needed only where external-dns keeps the base domain's records.
        #[arg(long)]
        external_dns: bool,
    },
    /// Writes the generated parts of the Helm chart: rights, admission policies and CustomResourceDefinitions.
    Chart {
        /// Folder of the chart.
        #[arg(long)]
        dir: PathBuf,
    },
}
