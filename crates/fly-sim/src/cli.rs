//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::settings::{Profile, RateLimits};

/// A faithful stand-in for the Fly Machines API.
#[derive(Debug, Parser)]
#[command(name = "fly-sim", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API until SIGTERM or SIGINT.
    Serve(Box<Serve>),
}

/// Where time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClockKind {
    /// The machine's own.
    Real,
    /// It stands still until it is moved through `/_sim/clock`.
    Manual,
}

/// What runs Machines' programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DriverKind {
    /// Nothing: every program starts, stops and answers at once.
    Instant,
    /// A process in namespaces of its own, from an image folder.
    Process,
}

/// How to serve.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// Where the API listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Where the public edge listens for TLS; without it there is no edge.
    #[arg(long)]
    pub edge_listen: Option<SocketAddr>,
    /// Where the public edge listens for plain HTTP.
    #[arg(long)]
    pub edge_http_listen: Option<SocketAddr>,
    /// Where state is kept; without it everything is gone at the end.
    #[arg(long)]
    pub state_dir: Option<PathBuf>,
    /// What runs Machines' programs.
    #[arg(long, value_enum, default_value_t = DriverKind::Instant)]
    pub driver: DriverKind,
    /// The folder with `index.json` and the images, for the process driver.
    #[arg(long)]
    pub images: Option<PathBuf>,
    /// The program that becomes a Machine's init, for the process driver; the own one when not given.
    #[arg(long, hide = true)]
    pub init_program: Option<PathBuf>,
    /// Organisations, by slug.
    #[arg(long, value_delimiter = ',', default_value = "personal")]
    pub org: Vec<String>,
    /// A token: `TOKEN` for the first organisation, or `ORG=TOKEN`. Without any, every token is good.
    #[arg(long, env = "FLY_SIM_TOKEN", hide_env_values = true)]
    pub token: Vec<String>,
    /// A file with tokens in the same form, one a line.
    #[arg(long)]
    pub token_file: Option<PathBuf>,
    /// Written, as JSON, once everything listens.
    #[arg(long)]
    pub ready_file: Option<PathBuf>,
    /// The seed of identifiers and chance.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Whether requests are limited as at Fly.
    #[arg(long, value_enum, default_value_t = RateLimits::On)]
    pub rate_limits: RateLimits,
    /// How long things take.
    #[arg(long, value_enum, default_value_t = Profile::Instant)]
    pub profile: Profile,
    /// Milliseconds before each request is looked at.
    #[arg(long, default_value_t = 0)]
    pub latency_ms: u64,
    /// How far lists are behind, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub consistency_lag_ms: i64,
    /// The regions there are, the default one first; all when not given.
    #[arg(long, value_delimiter = ',')]
    pub regions: Vec<String>,
    /// The DNS server, address and port, that hostnames of certificates are looked up at; the fake DNS when not given.
    #[arg(long)]
    pub resolver: Option<SocketAddr>,
    /// Where time comes from.
    #[arg(long, value_enum, default_value_t = ClockKind::Real)]
    pub clock: ClockKind,
    /// End when standard input is closed, as it is when the parent ends.
    #[arg(long)]
    pub exit_with_parent: bool,
}
