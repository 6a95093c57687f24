//! What happened to a Machine.

use serde::Deserialize;

use super::wire::{lenient, nullable};

/// One event. Lists are newest first.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct MachineEvent {
    /// The event's id.
    #[serde(default, deserialize_with = "nullable")]
    pub id: String,
    /// `launch`, `start`, `exit`, `update`, `stop`, `destroy` and others.
    #[serde(rename = "type", default, deserialize_with = "nullable")]
    pub kind: String,
    /// The state that it led to.
    #[serde(default, deserialize_with = "nullable")]
    pub status: String,
    /// `user`, or `flyd` for what the platform did by itself.
    #[serde(default, deserialize_with = "nullable")]
    pub source: String,
    /// Milliseconds since the epoch.
    #[serde(default, deserialize_with = "nullable")]
    pub timestamp: i64,
    /// What came with it.
    #[serde(default, deserialize_with = "lenient")]
    pub request: Option<Box<EventRequest>>,
}

impl MachineEvent {
    /// How the program ended, when this event tells.
    pub fn exit(&self) -> Option<&ExitEvent> {
        let request = self.request.as_deref()?;
        request.exit_event.as_ref().or_else(|| request.monitor_event.as_ref()?.exit_event.as_ref())
    }
}

/// What came with an event.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct EventRequest {
    /// How the program ended.
    #[serde(default)]
    pub exit_event: Option<ExitEvent>,
    /// The same, one level deeper.
    #[serde(default, rename = "MonitorEvent", alias = "monitor_event")]
    monitor_event: Option<MonitorEvent>,
    /// How often the program was started again.
    #[serde(default)]
    pub restart_count: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct MonitorEvent {
    #[serde(default)]
    exit_event: Option<ExitEvent>,
}

/// How a Machine's program ended.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ExitEvent {
    /// The exit code that the platform saw.
    #[serde(default)]
    pub exit_code: Option<i64>,
    /// The exit code inside the Machine.
    #[serde(default)]
    pub guest_exit_code: Option<i64>,
    /// The signal inside the Machine; -1 for none.
    #[serde(default)]
    pub guest_signal: Option<i64>,
    /// Whether it ran out of memory.
    #[serde(default, deserialize_with = "nullable")]
    pub oom_killed: bool,
    /// Whether somebody asked for it. An update's stop reads `false`.
    #[serde(default, deserialize_with = "nullable")]
    pub requested_stop: bool,
    /// Whether it is started again.
    #[serde(default, deserialize_with = "nullable")]
    pub restarting: bool,
}

impl ExitEvent {
    /// The exit code: the platform's, else the one inside the Machine.
    pub fn code(&self) -> Option<i64> {
        self.exit_code.or(self.guest_exit_code)
    }
}
