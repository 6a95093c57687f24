//! Machines as the API knows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::wire::{nullable, nullable_map, time};
use super::{CheckStatus, Lease, LeaseNonce, MachineConfig, MachineEvent};

open_enum! {
    /// Where a Machine is in its life.
    MachineState {
        /// Its image is being fetched.
        Created = "created",
        /// It is being created.
        Creating = "creating",
        /// It boots.
        Starting = "starting",
        /// It has booted; what it runs may not serve yet.
        Started = "started",
        /// It is being stopped.
        Stopping = "stopping",
        /// It is off.
        Stopped = "stopped",
        /// It is being suspended.
        Suspending = "suspending",
        /// Its memory is saved and it is off.
        Suspended = "suspended",
        /// It is being restarted.
        Restarting = "restarting",
        /// A new version is being put in place.
        Updating = "updating",
        /// The old version is being replaced.
        Replacing = "replacing",
        /// This version was replaced.
        Replaced = "replaced",
        /// This version moved to another host.
        Migrated = "migrated",
        /// It couldn't be started.
        Failed = "failed",
        /// The image or the host couldn't start it.
        LaunchFailed = "launch_failed",
        /// It is being destroyed.
        Destroying = "destroying",
        /// It is gone.
        Destroyed = "destroyed",
    }
}

impl MachineState {
    /// Whether it is gone, or on its way.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Destroying | Self::Destroyed)
    }

    /// Whether it stays like this until somebody asks for something.
    pub fn is_resting(&self) -> bool {
        matches!(self, Self::Started | Self::Stopped | Self::Suspended | Self::Failed | Self::Destroyed)
    }
}

open_enum! {
    /// Whether the host that has the Machine or volume answers.
    HostStatus {
        /// It does.
        Ok = "ok",
        /// Nobody knows.
        Unknown = "unknown",
        /// It doesn't; what is shown comes from a cache.
        Unreachable = "unreachable",
    }
}

/// A Machine.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Machine {
    /// 14 hexadecimal digits.
    #[serde(default, deserialize_with = "nullable")]
    pub id: String,
    /// Unique in its app.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Where it is in its life.
    #[serde(default)]
    pub state: MachineState,
    /// The region that took it, which may differ from the one asked for.
    #[serde(default, deserialize_with = "nullable")]
    pub region: String,
    /// The version of its configuration. Older answers call it only `instance_id`: see [`Machine::version`].
    #[serde(default, deserialize_with = "nullable")]
    pub instance_id: String,
    #[serde(default, rename = "version", deserialize_with = "nullable")]
    version: String,
    /// Its private address; it changes when the Machine moves to another host.
    #[serde(default, deserialize_with = "nullable")]
    pub private_ip: String,
    /// When it was made.
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<Timestamp>,
    /// The image that it really runs.
    #[serde(default)]
    pub image_ref: Option<ImageRef>,
    /// Its configuration; absent in summaries and while its host doesn't answer.
    #[serde(default)]
    pub config: Option<Box<MachineConfig>>,
    /// What is known of the configuration while the host doesn't answer: not enough to make another from.
    #[serde(default)]
    pub incomplete_config: Option<Box<MachineConfig>>,
    /// Its last events, newest first.
    #[serde(default, deserialize_with = "nullable")]
    pub events: Vec<MachineEvent>,
    /// Its checks' last results.
    #[serde(default, deserialize_with = "nullable")]
    pub checks: Vec<CheckStatus>,
    /// Whether its host answers; absent in summaries.
    #[serde(default)]
    pub host_status: Option<HostStatus>,
    /// Whether the proxy leaves it out.
    #[serde(default)]
    pub cordoned: Option<bool>,
    /// The lease that a create or update with `lease_ttl` took.
    #[serde(default)]
    pub nonce: Option<LeaseNonce>,
    /// The lease held on it, when the list was asked for leases.
    #[serde(default)]
    pub lease: Option<Box<Lease>>,
}

impl Machine {
    /// The version of its configuration: each update makes a new one.
    pub fn version(&self) -> &str {
        if self.version.is_empty() { &self.instance_id } else { &self.version }
    }

    /// The digest of the image that it runs, `sha256:…`.
    pub fn image_digest(&self) -> Option<&str> {
        self.image_ref.as_ref().map(|image| image.digest.as_str()).filter(|digest| !digest.is_empty())
    }

    /// A value of its configuration's metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let config = self.config.as_deref().or(self.incomplete_config.as_deref())?;
        config.metadata.get(key).map(String::as_str)
    }

    /// Whether the answer tells all of it. While nobody knows how its host is, or for a moment after, there is no
    /// configuration, or only a part of one; a Machine that is going needs none.
    pub fn is_known_in_full(&self) -> bool {
        let host = matches!(self.host_status, None | Some(HostStatus::Ok));
        self.state.is_gone() || (host && self.config.is_some())
    }

    /// Whether its host is known not to answer, so that the rest may be stale.
    pub fn host_is_unreachable(&self) -> bool {
        self.host_status == Some(HostStatus::Unreachable)
    }
}

/// The image that a Machine runs.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ImageRef {
    /// The registry's host.
    #[serde(default, deserialize_with = "nullable")]
    pub registry: String,
    /// The repository in it.
    #[serde(default, deserialize_with = "nullable")]
    pub repository: String,
    /// The tag, if it was given by one.
    #[serde(default, deserialize_with = "nullable")]
    pub tag: String,
    /// `sha256:…`
    #[serde(default, deserialize_with = "nullable")]
    pub digest: String,
    /// The image's labels.
    #[serde(default, deserialize_with = "nullable_map")]
    pub labels: BTreeMap<String, String>,
}

/// A version of a Machine's configuration.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct MachineVersion {
    /// The version.
    #[serde(default, deserialize_with = "nullable")]
    pub version: String,
    /// The configuration as it was given.
    #[serde(default)]
    pub user_config: Option<Box<MachineConfig>>,
}
