//! A Machine and its states.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::config::MachineConfig;
use super::event::{Event, KEPT};
use super::lease::Lease;
use crate::clock::Millis;

/// A Machine's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineState {
    /// Made; the host fetches the image.
    Created,
    /// Booting.
    Starting,
    /// Running.
    Started,
    /// Asked to stop.
    Stopping,
    /// Not running.
    Stopped,
    /// Being suspended.
    Suspending,
    /// Frozen in a snapshot.
    Suspended,
    /// Stopping to start again.
    Restarting,
    /// A new version takes over.
    Replacing,
    /// It couldn't start.
    Failed,
    /// Its first start failed; it goes away.
    LaunchFailed,
    /// Going away.
    Destroying,
    /// Gone.
    Destroyed,
}

impl MachineState {
    /// The state as the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Starting => "starting",
            Self::Started => "started",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Suspending => "suspending",
            Self::Suspended => "suspended",
            Self::Restarting => "restarting",
            Self::Replacing => "replacing",
            Self::Failed => "failed",
            Self::LaunchFailed => "launch_failed",
            Self::Destroying => "destroying",
            Self::Destroyed => "destroyed",
        }
    }

    /// Whether it stays until something acts on it.
    pub const fn is_resting(self) -> bool {
        matches!(self, Self::Started | Self::Stopped | Self::Suspended | Self::Failed | Self::Destroyed)
    }

    /// Whether it takes a host's memory.
    pub const fn reserves(self) -> bool {
        matches!(
            self,
            Self::Starting
                | Self::Started
                | Self::Stopping
                | Self::Suspending
                | Self::Suspended
                | Self::Restarting
        )
    }
}

/// What happens when the present transition ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum After {
    /// It starts.
    Start,
    /// It rests in `stopped`.
    Rest,
}

/// How far an update has come; `Idle` when there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Replace {
    /// No update is under way.
    #[default]
    Idle,
    /// The old version is being stopped.
    Stopping,
    /// The new version is being prepared.
    Preparing,
}

/// One version of a Machine's configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    /// A ULID.
    pub version: String,
    /// The configuration.
    pub config: MachineConfig,
}

/// The image that a Machine runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRef {
    /// The registry's host.
    pub registry: String,
    /// The repository.
    pub repository: String,
    /// The tag; absent when the image was named by its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest that the tag had when the version was made.
    pub digest: String,
}

/// What a check last saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The check's name.
    pub name: String,
    /// `passing`, `warning` or `critical`.
    pub status: String,
    /// What it received.
    pub output: String,
    /// When it ran, in RFC 3339.
    pub updated_at: String,
}

/// A Machine.
#[derive(Debug, Serialize, Deserialize)]
pub struct Machine {
    /// 14 hexadecimal digits.
    pub id: String,
    /// Unique in its app.
    pub name: String,
    /// Its state.
    pub state: MachineState,
    /// The state before, which a list that is behind still shows.
    pub previous: MachineState,
    /// When the state changed.
    pub changed_at: Millis,
    /// Its region.
    pub region: String,
    /// Its host.
    pub host: String,
    /// Its present version.
    pub instance_id: String,
    /// Its address on the app's network.
    pub private_ip: String,
    /// When it was made.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// What it should run.
    pub config: MachineConfig,
    /// What it was found to run.
    pub image: ImageRef,
    /// Earlier and present versions, newest first.
    pub versions: VecDeque<Version>,
    /// Newest first.
    pub events: VecDeque<Event>,
    /// Whether the proxy leaves it out.
    pub cordoned: bool,
    /// Who alone may change it.
    pub lease: Option<Lease>,
    /// Counts the transitions: a timer of an earlier one is void.
    pub epoch: u64,
    /// The transition that started the program: reports of earlier runs are void.
    pub run: u64,
    /// What happens when the present transition ends.
    pub after: After,
    /// How far an update has come.
    pub replace: Replace,
    /// Until when it refuses to start since it is still active.
    pub settled_at: Millis,
    /// When the program last started.
    pub started_at: Millis,
    /// When the proxy last had something for it.
    pub active_at: Millis,
    /// When the program was started again by policy, oldest first.
    pub restarts: VecDeque<Millis>,
    /// The balloon's limit in MiB.
    pub memory_limit_mb: u64,
    /// The checks' last results (process driver).
    pub checks: Vec<CheckResult>,
    /// Open connections.
    #[serde(skip)]
    pub load: u32,
    /// Wakes those who wait for a state.
    #[serde(skip)]
    pub changed: Arc<Notify>,
}

impl Machine {
    /// Whether calls may still act on it.
    pub fn is_active(&self) -> bool {
        !matches!(self.state, MachineState::Destroyed | MachineState::Destroying)
    }

    /// The state as a list that is `lag` behind shows it; `None` when it isn't in it.
    pub fn listed_state(&self, now: Millis, lag: Millis) -> Option<MachineState> {
        if lag > 0 && self.created_at + lag > now {
            return None;
        }
        Some(if lag > 0 && self.changed_at + lag > now { self.previous } else { self.state })
    }

    /// Adds an event.
    pub fn push(&mut self, event: Event) {
        self.events.push_front(event);
        self.events.truncate(KEPT);
    }

    /// The newest event's id.
    pub fn last_event(&self) -> &str {
        self.events.front().map_or("", |event| &event.id)
    }
}
