//! A Machine's configuration: as it was given (normalised), and the parts that the simulator acts on.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub use super::config_parts::{
    CheckHeader, CheckSpec, Concurrency, Guest, Init, Mount, Parts, Restart, Service, ServicePort,
    StopConfig, nullable,
};
use super::normalize;
use super::raw::RawJson;
use crate::error::ApiResult;

/// A Machine's configuration.
#[derive(Clone, Debug)]
pub struct MachineConfig {
    raw: RawJson,
    parts: Parts,
}

impl MachineConfig {
    /// Checks and normalises a configuration as a client sends it.
    pub fn from_client(value: Value) -> ApiResult<Self> {
        normalize::normalize(value).and_then(|value| Self::from_normal(&value))
    }

    fn from_normal(value: &Value) -> ApiResult<Self> {
        let parts = Parts::deserialize(value).map_err(|error| normalize::unreadable(&error))?;
        Ok(Self { raw: RawJson::of(value), parts })
    }

    /// The parts that the simulator acts on.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// All of it, as text.
    pub fn raw(&self) -> &RawJson {
        &self.raw
    }

    /// The same configuration with other labels.
    #[must_use]
    pub fn with_metadata(&self, metadata: BTreeMap<String, String>) -> Self {
        let mut value = self.raw.value();
        value["metadata"] = metadata.clone().into_iter().collect();
        Self { raw: RawJson::of(&value), parts: Parts { metadata, ..self.parts.clone() } }
    }

    /// The same configuration on another volume, as a migration leaves it.
    #[must_use]
    pub fn with_volume(&self, volume: &str) -> Self {
        let mut value = self.raw.value();
        value["mounts"][0]["volume"] = volume.into();
        let mut parts = self.parts.clone();
        parts.mounts.iter_mut().take(1).for_each(|mount| volume.clone_into(&mut mount.volume));
        Self { raw: RawJson::of(&value), parts }
    }
}

impl Serialize for MachineConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MachineConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_normal(&value).map_err(serde::de::Error::custom)
    }
}
