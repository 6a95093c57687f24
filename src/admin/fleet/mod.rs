//! `moorage status`: the whole fleet at a glance, with the rights of the current kubeconfig.

mod gather;
mod summary;
mod tell;

use std::path::PathBuf;

use clap::Args;
use kube::Client;

use super::AdminError;
use super::output::{self, Output};
use crate::engine::clock::{Clock, SystemClock};
use crate::rights;

pub use gather::{Part, Seen};
pub use summary::{Fleet, Trouble, summarise};
pub use tell::lines;

/// What is looked at.
#[derive(Debug, Args)]
pub struct Status {
    /// Namespace of the operator, for its lease.
    #[arg(long, default_value = rights::NAMESPACE)]
    pub operator_namespace: String,
    /// The operator's configuration file: with it apps at Fly that nobody claims are counted too.
    #[arg(long, env = "MOORAGE_CONFIG")]
    pub config: Option<PathBuf>,
    /// How it is shown.
    #[arg(long, short, value_enum, default_value_t)]
    pub output: Output,
}

/// Looks, and says what there is. What can't be read is said, and hides nothing else.
///
/// # Errors
/// If nothing at all can be read.
pub async fn run(client: Client, status: &Status, print: impl Fn(String)) -> Result<(), AdminError> {
    let seen = gather::seen(&client, status).await?;
    let fleet = summarise(SystemClock.now(), &seen);
    match status.output {
        Output::Json => print(output::json(&fleet)?),
        Output::Table => lines(&fleet).into_iter().for_each(print),
    }
    Ok(())
}
