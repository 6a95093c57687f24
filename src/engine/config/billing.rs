//! What becomes of Runtimes that aren't paid for any more.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Payments, and what becomes of Runtimes that aren't paid for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Billing {
    /// Seconds for which a Runtime runs on once its paid time is over.
    pub grace_seconds: u32,
    /// Seconds after that for which it is kept, stopped, before it is deleted as its deletion policy says.
    pub retention_seconds: u32,
}

impl Default for Billing {
    fn default() -> Self {
        Self { grace_seconds: 3 * 24 * 3600, retention_seconds: 30 * 24 * 3600 }
    }
}
