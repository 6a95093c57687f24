//! Running a command in a Machine, and listing its processes.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::wire::nullable;

/// A command to run. There is no shell: give one if you need it.
///
/// Commands longer than about 30 s may end in a timeout whatever is asked: start those detached, and poll.
#[derive(Clone, Default, Serialize)]
pub struct Exec {
    /// Program and arguments.
    pub command: Vec<String>,
    /// How long it may take, in seconds.
    pub timeout: u64,
    /// The container, in a Machine that has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Standard input; some hosts don't pass it on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
}

impl Exec {
    /// A command with 25 s to run.
    pub fn new<I, S>(command: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Self { command: command.into_iter().map(Into::into).collect(), timeout: 25, ..Self::default() }
    }

    /// Sets how long it may take; whole seconds, at least one.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.as_secs().max(1);
        self
    }
}

impl fmt::Debug for Exec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exec")
            .field("program", &self.command.first())
            .field("arguments", &self.command.len().saturating_sub(1))
            .field("timeout", &self.timeout)
            .field("stdin", &self.stdin.as_ref().map(String::len))
            .finish_non_exhaustive()
    }
}

/// What a command did. The API answers well even when the command failed.
#[derive(Clone, Default, Deserialize)]
pub struct ExecAnswer {
    /// The exit code; 0 when the API left it out.
    #[serde(default, deserialize_with = "nullable")]
    pub exit_code: i64,
    /// The signal that ended it; 0 for none.
    #[serde(default, deserialize_with = "nullable")]
    pub exit_signal: i64,
    /// Standard output.
    #[serde(default, deserialize_with = "nullable")]
    pub stdout: String,
    /// Standard error.
    #[serde(default, deserialize_with = "nullable")]
    pub stderr: String,
}

impl ExecAnswer {
    /// Whether the command ended with code 0 and by no signal.
    pub fn succeeded(&self) -> bool {
        self.exit_code == 0 && self.exit_signal <= 0
    }
}

impl fmt::Debug for ExecAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecAnswer")
            .field("exit_code", &self.exit_code)
            .field("exit_signal", &self.exit_signal)
            .field("stdout_bytes", &self.stdout.len())
            .field("stderr_bytes", &self.stderr.len())
            .finish()
    }
}

/// A process in a Machine.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Process {
    /// Its id.
    #[serde(default, deserialize_with = "nullable")]
    pub pid: u64,
    /// Its command.
    #[serde(default, deserialize_with = "nullable")]
    pub command: String,
    /// Its working directory.
    #[serde(default, deserialize_with = "nullable")]
    pub directory: String,
    /// Its share of CPU, as the API counts it.
    #[serde(default, deserialize_with = "nullable")]
    pub cpu: u64,
    /// Its resident memory, as the API counts it.
    #[serde(default, deserialize_with = "nullable")]
    pub rss: u64,
    /// Where it listens.
    #[serde(default, deserialize_with = "nullable")]
    pub listen_sockets: Vec<ListenSocket>,
}

/// A socket that a process listens on.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ListenSocket {
    /// `tcp` or `udp`.
    #[serde(default, deserialize_with = "nullable")]
    pub proto: String,
    /// Address and port.
    #[serde(default, deserialize_with = "nullable")]
    pub address: String,
}
