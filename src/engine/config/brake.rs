//! The brake on mass destruction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When deletions of Runtimes with data are held until the platform confirms them: more than `count` that are over
/// `percent` of all, or more than `most`, within `windowMinutes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DeletionBrake {
    /// So many may always go.
    pub count: u32,
    /// More than `count` may go as long as they are at most this part of all, in percent.
    pub percent: u32,
    /// Most that may go.
    pub most: u32,
    /// Minutes in which they are counted; 0 turns the brake off.
    pub window_minutes: u32,
}

impl Default for DeletionBrake {
    fn default() -> Self {
        Self { count: 10, percent: 20, most: 100, window_minutes: 10 }
    }
}
