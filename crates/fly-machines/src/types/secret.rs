//! App secrets: encrypted values that Machines get as environment variables or files.

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::wire::{loose_u64, nullable, time};

/// A secret. Its value comes back only to a token that may read it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AppSecret {
    /// Its name.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Opaque; it changes with the value.
    #[serde(default, deserialize_with = "nullable")]
    pub digest: String,
    /// When it was first set.
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Timestamp>,
    /// When it was last set.
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<Timestamp>,
    /// Its value, if it was asked for and may be read.
    #[serde(default, deserialize_with = "secret")]
    pub value: Option<SecretString>,
}

/// The answer to setting or deleting one secret.
#[derive(Clone, Debug, Default)]
pub struct SetSecret {
    /// Opaque; it changes with the value. Empty after a deletion.
    pub digest: String,
    /// The version of the app's secrets: pass it as `min_secrets_version`.
    pub version: u64,
}

/// The answer to setting several secrets.
#[derive(Clone, Debug, Default)]
pub struct SecretsAnswer {
    /// The app's secrets now.
    pub secrets: Vec<AppSecret>,
    /// The version of the app's secrets: pass it as `min_secrets_version`.
    pub version: u64,
}

/// Every answer about secrets. The version comes as `version`, as `Version` or as both.
#[derive(Deserialize)]
pub(crate) struct SecretsWire {
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) secrets: Vec<AppSecret>,
    #[serde(default, deserialize_with = "nullable")]
    digest: String,
    #[serde(default, deserialize_with = "loose_u64")]
    version: u64,
    #[serde(default, rename = "Version", deserialize_with = "loose_u64")]
    capital_version: u64,
}

impl From<SecretsWire> for SecretsAnswer {
    fn from(wire: SecretsWire) -> Self {
        let version = wire.version.max(wire.capital_version);
        Self { secrets: wire.secrets, version }
    }
}

impl From<SecretsWire> for SetSecret {
    fn from(wire: SecretsWire) -> Self {
        let version = wire.version.max(wire.capital_version);
        Self { digest: wire.digest, version }
    }
}

/// Values to set by name; `None` deletes.
pub(crate) struct SecretValues<'a>(pub(crate) &'a BTreeMap<String, Option<SecretString>>);

impl Serialize for SecretValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, &value.as_ref().map(SecretString::expose_secret))?;
        }
        map.end()
    }
}

/// Reads a value that must not be printed.
pub(crate) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()).map(SecretString::from))
}
