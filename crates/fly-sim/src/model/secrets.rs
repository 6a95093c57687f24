//! An app's secrets and their version.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::{Millis, rfc3339};
use crate::ids::sha256_hex;

/// All secrets of an app.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Secrets {
    /// Grows with each change.
    pub version: u64,
    /// By name.
    pub values: BTreeMap<String, Secret>,
}

/// One secret. Printing it for debugging doesn't show its value.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secret {
    /// The value.
    pub value: String,
    /// When it was first set.
    pub created_at: Millis,
    /// When it was last set.
    pub updated_at: Millis,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Whether answers carry values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Names and digests only.
    Digests,
    /// Values too.
    Values,
}

impl Secrets {
    /// Sets one secret.
    pub fn set(&mut self, name: &str, value: String, now: Millis) {
        let created_at = self.values.get(name).map_or(now, |old| old.created_at);
        self.values.insert(name.to_owned(), Secret { value, created_at, updated_at: now });
    }

    /// A secret as the API answers it.
    pub fn view(&self, name: &str, show: Show) -> Option<Value> {
        let secret = self.values.get(name)?;
        let mut view = json!({
            "name": name,
            "digest": digest(name, &secret.value),
            "created_at": rfc3339(secret.created_at),
            "updated_at": rfc3339(secret.updated_at),
        });
        if show == Show::Values {
            view["value"] = secret.value.as_str().into();
        }
        Some(view)
    }

    /// All of them as the API answers them.
    pub fn views(&self, show: Show) -> Vec<Value> {
        self.values.keys().filter_map(|name| self.view(name, show)).collect()
    }
}

/// Opaque to clients; differs when the value does.
fn digest(name: &str, value: &str) -> String {
    sha256_hex(format!("{name}\0{value}").as_bytes())[..16].to_owned()
}
