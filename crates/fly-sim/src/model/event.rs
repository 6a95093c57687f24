//! A Machine's events.

use serde::{Deserialize, Serialize};

use crate::clock::Millis;

/// How many events a Machine keeps; Fly lists 50 at most.
pub const KEPT: usize = 50;

/// One thing that happened to a Machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// A ULID.
    pub id: String,
    /// `launch`, `start`, `exit`, `update`, `restart`, `stop`, `destroy`, `suspend`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it led to, such as `started`.
    pub status: String,
    /// Details, for exits and restarts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<EventRequest>,
    /// `user`, or `flyd` when Fly did it by itself.
    pub source: Source,
    /// When, in milliseconds since the epoch.
    pub timestamp: Millis,
}

/// Who caused an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A call to the API.
    User,
    /// Fly itself.
    Flyd,
}

/// Details of an event.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EventRequest {
    /// How the program ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_event: Option<ExitEvent>,
    /// How often it was started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_count: Option<usize>,
}

/// How a program ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ExitEvent {
    /// The exit code that Fly reports.
    pub exit_code: i64,
    /// When, in RFC 3339.
    pub exited_at: String,
    /// The exit code inside the Machine.
    pub guest_exit_code: i64,
    /// The signal inside the Machine.
    pub guest_signal: i64,
    /// Whether it ran out of memory.
    pub oom_killed: bool,
    /// Whether a call asked for it.
    pub requested_stop: bool,
    /// Whether it will be started again.
    pub restarting: bool,
    /// The signal, or -1.
    pub signal: i64,
}

/// How a program ended, as a driver or a fault reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Exit {
    /// Its exit code.
    pub exit_code: i64,
    /// The signal that ended it.
    pub signal: Option<i64>,
    /// Whether it ran out of memory.
    pub oom_killed: bool,
}

impl Exit {
    /// Whether the restart policy `on-failure` counts it.
    pub fn failed(&self) -> bool {
        self.exit_code != 0 || self.signal.is_some() || self.oom_killed
    }
}
