//! What runs a Machine's program.

mod boot;
pub mod contents;
pub mod images;
pub mod instant;
pub mod light;
mod probe;
pub mod process;
mod process_calls;
pub mod volumes;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::model::event::Exit;
use crate::model::machine::CheckResult;
use crate::model::raw::RawJson;

/// One run of one Machine's program.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// The app.
    pub app: String,
    /// The Machine.
    pub machine: String,
    /// The transition that started it; reports of earlier runs are void.
    pub epoch: u64,
}

/// Whether a thing is done, or will be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Done; only the profile's delay is left.
    Done,
    /// A report follows.
    Pending,
}

/// What to run.
pub struct Launch {
    /// Which run it is.
    pub run: Run,
    /// The region, for `FLY_REGION`.
    pub region: String,
    /// The Machine's version.
    pub version: String,
    /// Its private address.
    pub private_ip: String,
    /// The image as the config names it.
    pub image: String,
    /// The whole configuration.
    pub config: RawJson,
    /// The app's secrets: environment, and sources of files.
    pub secrets: BTreeMap<String, String>,
    /// The volume's id and where it appears.
    pub volume: Option<(String, String)>,
}

impl Launch {
    /// A launch that names its run only, for drivers that run nothing.
    pub fn bare(run: Run) -> Self {
        let text = String::new;
        Self {
            run,
            region: text(),
            version: text(),
            private_ip: text(),
            image: text(),
            config: RawJson::of(&serde_json::Value::Null),
            secrets: BTreeMap::new(),
            volume: None,
        }
    }
}

/// What a driver tells of a run.
#[derive(Debug)]
pub struct Report {
    /// The run.
    pub run: Run,
    /// What happened.
    pub what: Happened,
}

/// What happened to a run.
#[derive(Debug)]
pub enum Happened {
    /// The program runs.
    Started,
    /// It couldn't be started.
    Failed(String),
    /// It ended.
    Exited(Exit),
    /// A check was made.
    Checked(CheckResult),
}

/// A command to run inside.
#[derive(Clone, Debug)]
pub struct Exec {
    /// The command, without a shell.
    pub argv: Vec<String>,
    /// Standard input.
    pub stdin: String,
    /// How long it may take.
    pub timeout: Duration,
}

/// How a command ended.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ExecResult {
    /// Exit code; left out when 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub exit_code: i32,
    /// The signal; left out when 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub exit_signal: i32,
    /// Standard output; left out when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stdout: String,
    /// Standard error; left out when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stderr: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// Why a command has no result.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The Machine's program has ended.
    #[error("machine not running")]
    NotRunning,
    /// It took too long.
    #[error("command timed out")]
    TimedOut,
    /// It couldn't be run.
    #[error("{0}")]
    Failed(String),
}

/// A process inside a Machine.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ProcessStat {
    /// Its id.
    pub pid: u32,
    /// Its command line.
    pub command: String,
    /// Its directory.
    pub directory: String,
    /// Seconds of CPU time.
    pub cpu: u64,
    /// Resident memory in bytes.
    pub rss: u64,
    /// Seconds of run time.
    pub rtime: u64,
    /// Start time in seconds since the epoch.
    pub stime: u64,
    /// What it listens on.
    pub listen_sockets: Vec<ListenSocket>,
}

/// A listening socket.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ListenSocket {
    /// `tcp` or `udp`.
    pub proto: String,
    /// Address and port.
    pub address: String,
}

/// A connection to a port inside a Machine.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What runs Machines' programs. Calls return at once; what takes time is reported.
pub trait Driver: Send + Sync {
    /// The digest of an image; `None` when there is no such image.
    fn resolve(&self, image: &str) -> Option<String>;

    /// Starts a program on a fresh root file system.
    fn launch(&self, launch: Launch) -> Progress;

    /// Asks a program to end, and ends it after the timeout.
    fn stop(&self, run: &Run, signal: &str, timeout: Duration) -> Progress;

    /// Ends a program at once and forgets its root file system.
    fn kill(&self, run: &Run);

    /// Sends a signal to a program.
    fn signal(&self, machine: &str, signal: &str);

    /// Forgets a volume's content.
    fn forget_volume(&self, volume: &str);

    /// Copies a volume's content.
    fn copy_volume(&self, from: &str, to: &str);

    /// Runs a command inside; `None` when this driver has no inside.
    fn exec(&self, machine: &str, exec: Exec) -> Option<BoxFuture<'static, Result<ExecResult, ExecError>>>;

    /// The processes inside.
    fn processes(&self, machine: &str) -> BoxFuture<'static, Vec<ProcessStat>>;

    /// Connects to a port inside.
    fn connect(&self, launch: Launch, port: u16) -> BoxFuture<'static, io::Result<Box<dyn Stream>>>;

    /// Whether programs really run: then the driver reports starts, exits and checks.
    fn runs_processes(&self) -> bool;

    /// Where a Machine's console is written, if it has one.
    fn console(&self, _machine: &str) -> Option<PathBuf> {
        None
    }

    /// Ends every program.
    fn shutdown(&self) -> BoxFuture<'static, ()>;
}
