//! A Machine's configuration. An update replaces all of it, so everything that was read is kept.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::wire::{nullable, nullable_map};
use super::{Check, Extra, Guest, Service, WireDuration};

/// What a Machine runs, and how.
///
/// Printing it for debugging shows the names of environment variables and never their values.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineConfig {
    /// The image, with a tag or an `@sha256:` digest. The only field that a create needs.
    #[serde(default, deserialize_with = "nullable")]
    pub image: String,
    /// Environment variables. Secrets belong into app secrets.
    #[serde(default, deserialize_with = "nullable_map", skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Labels that lists can be filtered by.
    #[serde(default, deserialize_with = "nullable_map", skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The command line, where it differs from the image's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
    /// CPUs and memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Guest>,
    /// Volumes; the API takes one at most.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// What the proxy routes here.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// Checks by name.
    #[serde(default, deserialize_with = "nullable_map", skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, Check>,
    /// What happens when the program ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// How the program is asked to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_config: Option<StopConfig>,
    /// Files written onto the root file system before the program starts.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// Destroys the Machine when its program ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_destroy: Option<bool>,
    /// Fields that this version doesn't model.
    #[serde(flatten)]
    pub extra: Extra,
}

impl fmt::Debug for MachineConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MachineConfig")
            .field("image", &self.image)
            .field("env", &self.env.keys())
            .field("metadata", &self.metadata)
            .field("guest", &self.guest)
            .field("mounts", &self.mounts)
            .field("services", &self.services)
            .field("checks", &self.checks)
            .field("restart", &self.restart)
            .field("stop_config", &self.stop_config)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// The command line, where it differs from the image's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Init {
    /// Replaces entrypoint and command.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<String>,
    /// Replaces the image's entrypoint.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// Replaces the image's command.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// Fields that this version doesn't model.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A volume and where it appears.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mount {
    /// The volume's id, which also decides the host.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub volume: String,
    /// An absolute path.
    #[serde(default, deserialize_with = "nullable")]
    pub path: String,
    /// The volume's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Fields that this version doesn't model.
    #[serde(flatten)]
    pub extra: Extra,
}

open_enum! {
    /// When a program that ended is started again.
    RestartPolicy {
        /// Never.
        No = "no",
        /// Always.
        Always = "always",
        /// When it ended with an error, up to `max_retries`.
        OnFailure = "on-failure",
    }
}

/// What happens when the program ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Restart {
    /// When it is started again; `on-failure` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<RestartPolicy>,
    /// How often, for `on-failure`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// Fields that this version doesn't model.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How the program is asked to end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StopConfig {
    /// How long it may take before it is killed; 300 s at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<WireDuration>,
    /// The signal, such as `SIGTERM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Fields that this version doesn't model.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A file written onto the root file system; its content has exactly one source.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct File {
    /// An absolute path.
    #[serde(default, deserialize_with = "nullable")]
    pub guest_path: String,
    /// The content, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_value: Option<String>,
    /// The app secret that holds the content, itself in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
    /// Permission bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Fields that this version doesn't model.
    #[serde(flatten)]
    pub extra: Extra,
}

impl File {
    /// A file with this content, given in base64.
    pub fn raw(guest_path: impl Into<String>, base64: impl Into<String>) -> Self {
        Self { guest_path: guest_path.into(), raw_value: Some(base64.into()), ..Self::default() }
    }

    /// A file with the content of an app secret.
    pub fn secret(guest_path: impl Into<String>, secret_name: impl Into<String>) -> Self {
        Self { guest_path: guest_path.into(), secret_name: Some(secret_name.into()), ..Self::default() }
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File")
            .field("guest_path", &self.guest_path)
            .field("raw_value", &self.raw_value.as_ref().map(|_| "[redacted]"))
            .field("secret_name", &self.secret_name)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
