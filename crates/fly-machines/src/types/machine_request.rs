//! What can be asked of Machines.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::wire::{is_default, nullable};
use super::{MachineConfig, MachineState, WireDuration};

/// Whether a Machine starts once it is made or changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Launch {
    /// It starts. An update of a stopped Machine leaves it stopped.
    #[default]
    Start,
    /// It comes to rest in `stopped`.
    Skip,
}

impl Serialize for Launch {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*self == Self::Skip)
    }
}

/// Whether the proxy routes to a new Machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// It does.
    #[default]
    Registered,
    /// Not until it is uncordoned.
    Cordoned,
}

impl Serialize for Placement {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*self == Self::Cordoned)
    }
}

/// A request for a new Machine. It has no idempotency key: give a `name`, so that a lost answer can be looked up.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CreateMachine {
    /// Its configuration.
    pub config: MachineConfig,
    /// Its name, unique in the app; made up when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A region, a comma-separated list tried in order, or an alias such as `eu`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether it starts.
    #[serde(rename = "skip_launch", skip_serializing_if = "is_default")]
    pub launch: Launch,
    /// Whether the proxy routes to it.
    #[serde(rename = "skip_service_registration", skip_serializing_if = "is_default")]
    pub placement: Placement,
    /// The version of the app's secrets that it needs at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_secrets_version: Option<u64>,
    /// Takes a lease at once, for this many seconds; the answer has its nonce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_ttl: Option<u64>,
}

impl CreateMachine {
    /// A Machine with this configuration, anywhere, under a made-up name.
    pub fn new(config: MachineConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Sets its name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets its region.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }
}

/// A change of a Machine. Its whole configuration is replaced: start from a fresh read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UpdateMachine {
    /// The new configuration.
    pub config: MachineConfig,
    /// The version that is replaced; another one is refused as a conflict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_version: Option<String>,
    /// Whether a Machine that runs starts again.
    #[serde(rename = "skip_launch", skip_serializing_if = "is_default")]
    pub launch: Launch,
    /// The version of the app's secrets that it needs at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_secrets_version: Option<u64>,
}

impl UpdateMachine {
    /// A change to this configuration, whatever the version.
    pub fn new(config: MachineConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Only if this is still the version.
    #[must_use]
    pub fn if_version(mut self, version: impl Into<String>) -> Self {
        self.current_version = Some(version.into());
        self
    }
}

/// How a Machine is stopped.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StopMachine {
    /// The signal, where it differs from the configuration's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// How long it may take before it is killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<WireDuration>,
}

/// How a Machine is restarted.
#[derive(Clone, Debug, Default)]
pub struct RestartMachine {
    /// The signal, where it differs from the configuration's.
    pub signal: Option<String>,
    /// How long the stop may take before it is killed.
    pub timeout: Option<WireDuration>,
}

/// What happens when a Machine that is to be destroyed still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineDeletion {
    /// The call is refused.
    IfStopped,
    /// It is killed.
    Force,
}

/// The answer to a start.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Started {
    /// What it was before.
    #[serde(default)]
    pub previous_state: MachineState,
    /// Whether it moved to another host.
    #[serde(default, deserialize_with = "nullable")]
    pub migrated: bool,
}

/// A filter for a list of Machines.
#[derive(Clone, Debug, Default)]
pub struct ListMachines {
    /// Includes destroyed ones.
    pub include_deleted: bool,
    /// Leaves out configuration, checks, events and host status.
    pub summary: bool,
    /// Only this region.
    pub region: Option<String>,
    /// Only these states.
    pub states: Vec<MachineState>,
    /// Only with these metadata.
    pub metadata: BTreeMap<String, String>,
}

/// A change of metadata: it makes no new version and restarts nothing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MetadataPatch {
    /// Keys to set; `None` removes a key.
    pub metadata: BTreeMap<String, Option<String>>,
    /// Refused if this is no longer the Machine's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_version: Option<String>,
}

/// What to wait for.
#[derive(Clone, Debug)]
pub struct WaitFor {
    pub(crate) states: Vec<MachineState>,
    pub(crate) version: Option<String>,
    pub(crate) timeout: Duration,
}

impl WaitFor {
    /// Waits up to 60 s for a state.
    pub fn state(state: MachineState) -> Self {
        Self { states: vec![state], version: None, timeout: Duration::from_mins(1) }
    }

    /// Waits for this state too.
    #[must_use]
    pub fn or(mut self, state: MachineState) -> Self {
        self.states.push(state);
        self
    }

    /// Waits for this version of the Machine.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Waits this long: whole seconds from 1 to 60, which is what the API takes.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Duration::from_secs(timeout.as_secs().clamp(1, 60));
        self
    }
}

/// How a wait ended.
#[derive(Clone, Debug)]
pub enum WaitOutcome {
    /// The Machine is there.
    Reached(Waited),
    /// Not within the time: wait again, until your own deadline.
    NotYet,
}

/// What a wait reached.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Waited {
    /// The state; older answers don't say.
    #[serde(default)]
    pub state: MachineState,
    /// The Machine's version.
    #[serde(default, deserialize_with = "nullable")]
    pub version: String,
}
