//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Stand-ins for Stripe and PayApp that behave.
#[derive(Debug, Parser)]
#[command(name = "billing-sim", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve both until SIGTERM or SIGINT.
    Serve(Box<Serve>),
}

/// How to serve.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// Where both listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Written, as JSON, once it listens.
    #[arg(long)]
    pub ready_file: Option<PathBuf>,
    /// The seed of identifiers and chance.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The secret key that Stripe's calls need.
    #[arg(long, env = "BILLING_SIM_STRIPE_KEY", default_value = "sk_test_sim", hide_env_values = true)]
    pub stripe_key: String,
    /// Where Stripe's events are sent; nowhere when not given.
    #[arg(long)]
    pub stripe_webhook: Option<String>,
    /// What Stripe's events are signed with.
    #[arg(long, env = "BILLING_SIM_STRIPE_SECRET", default_value = "whsec_sim", hide_env_values = true)]
    pub stripe_secret: String,
    /// PayApp's merchant.
    #[arg(long, default_value = "simshop")]
    pub payapp_userid: String,
    /// The merchant's linkkey.
    #[arg(long, env = "BILLING_SIM_PAYAPP_LINKKEY", default_value = "sim-linkkey", hide_env_values = true)]
    pub payapp_linkkey: String,
    /// The merchant's linkval.
    #[arg(long, env = "BILLING_SIM_PAYAPP_LINKVAL", default_value = "sim-linkval", hide_env_values = true)]
    pub payapp_linkval: String,
    /// End when standard input is closed, as it is when the parent ends.
    #[arg(long)]
    pub exit_with_parent: bool,
}

impl Default for Serve {
    /// As without any argument.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ready_file: None,
            seed: 1,
            stripe_key: "sk_test_sim".to_owned(),
            stripe_webhook: None,
            stripe_secret: "whsec_sim".to_owned(),
            payapp_userid: "simshop".to_owned(),
            payapp_linkkey: "sim-linkkey".to_owned(),
            payapp_linkval: "sim-linkval".to_owned(),
            exit_with_parent: false,
        }
    }
}
